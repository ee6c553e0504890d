"""Reading runbook files: from a directory, or from what is committed in a local Git repository. Nothing is fetched.

Each file that cannot be used is a `Skipped` with the reason, never an error for the others: a broken runbook must not
take the good ones away in the middle of an incident.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assistant.errors import RunbookIndexError
from assistant.runbook_index.document import FOLDER_PAGES

MAX_BYTES = 1024 * 1024
SUFFIXES = (".md", ".markdown")
NOT_RUNBOOKS = frozenset({"contributing", "changelog", "license", "code_of_conduct", "security"})
OTHER_PAGES = (".html", ".htm", ".rst", ".adoc", ".asciidoc", ".org", ".txt", ".docx", ".pdf")
GIT_SECONDS = 20
LINK = "120000"


@dataclass(frozen=True, slots=True)
class RawFile:
    """A runbook file as read: `path` relative to its folder, `origin` the folder (or repository) it came from."""

    path: str
    origin: str
    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why, in words of ours."""

    path: str
    reason: str


def read_folder(folder: Path) -> Iterator[RawFile | Skipped]:
    """Markdown files below `folder`, sorted by path. Raises RunbookIndexError if it is not a directory."""
    if not folder.is_dir():
        raise RunbookIndexError(f"runbook folder {folder} is not a directory", mend="check [runbooks] dirs")
    root = folder.resolve()
    files = {path.relative_to(folder).as_posix(): path for path in _walk(folder)}
    runbooks = sorted((n for n in _runbooks(list(files))), key=PurePosixPath)
    if not runbooks and (others := [n for n in files if n.lower().endswith(OTHER_PAGES)]):
        yield Skipped(others[0], f"not Markdown, like {len(others)} files here: export the pages as .md")
    for name in runbooks:
        path = files[name]
        if not path.resolve().is_relative_to(root):
            yield Skipped(name, "a link that leads out of the folder")
            continue
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size <= MAX_BYTES else b""
        except OSError as error:
            yield Skipped(name, f"cannot be read: {error.strerror}")
            continue
        yield _raw(name, data, size=size, origin=str(folder))


def read_git(spec: str) -> Iterator[RawFile | Skipped]:
    """Markdown files committed in a local repository. `spec` is `PATH[@REF][:SUBFOLDER]`; REF defaults to HEAD.

    Reads the object database only: no work tree, no hooks, no network. Raises RunbookIndexError.
    """
    repo, ref, sub = _git_spec(spec)
    listing = _git(repo, "ls-tree", "-r", "-z", "--long", "--full-tree", ref, *([sub] if sub else []))
    rows = [r.partition("\t") for r in listing.decode("utf-8", "replace").split("\0") if r]
    blobs = [(f.split(), path.removeprefix(sub).lstrip("/") if sub else path) for f, _, path in rows]
    runbooks = set(_runbooks([n for _, n in blobs]))
    kept = [(mode, oid, int(size), n) for (mode, kind, oid, size), n in blobs if kind == "blob" and n in runbooks]
    wanted = [oid for mode, oid, size, _ in kept if mode != LINK and size <= MAX_BYTES]
    contents = dict(zip(wanted, _blobs(repo, wanted), strict=True))
    for mode, oid, size, name in kept:
        if mode == LINK:
            yield Skipped(name, "a link; only files are read from Git")
        else:
            yield _raw(name, contents.get(oid, b""), size=size, origin=spec)


def _blobs(repo: Path, oids: Sequence[str]) -> Iterator[bytes]:
    """Contents in the order asked for: `<oid> blob <size>\\n<bytes>\\n` each, as git-cat-file(1) writes them."""
    answer = _git(repo, "cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in oids).encode()) if oids else b""
    at = 0
    for _ in oids:
        head, _, _ = answer[at : at + 200].partition(b"\n")
        size = int(head.split()[2])
        at += len(head) + 1
        yield answer[at : at + size]
        at += size + 1


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and (path.is_file() or path.is_symlink()):
            yield path


def _runbooks(names: Sequence[str]) -> Iterator[str]:
    """Those of `names` that are runbooks: Markdown, but no file about the repository, and a folder's own page
    (`README.md`, `index.md`) only where it is all that the folder holds, as in `IssuerDown/README.md`."""
    pages = [PurePosixPath(n) for n in names if n.lower().endswith(SUFFIXES)]
    inside = Counter(folder for page in pages for folder in page.parents)
    for page in pages:
        stem = page.stem.lower()
        own = stem in FOLDER_PAGES and (page.parent == PurePosixPath(".") or inside[page.parent] > 1)
        if not own and stem not in NOT_RUNBOOKS:
            yield str(page)


def _raw(name: str, data: bytes, *, size: int, origin: str) -> RawFile | Skipped:
    if size > MAX_BYTES:
        return Skipped(name, f"{size:,} bytes is over the limit of {MAX_BYTES:,}: give each runbook a file")
    if b"\0" in data:
        return Skipped(name, "a binary file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Skipped(name, "not UTF-8 text")
    if not text.strip():
        return Skipped(name, "empty")
    return RawFile(name, origin, text.replace("\r\n", "\n"), hashlib.sha256(data).hexdigest())


def _git_spec(spec: str) -> tuple[Path, str, str]:
    rest, _, sub = spec.partition(":")
    path, _, ref = rest.partition("@")
    if ref.startswith("-") or sub.startswith("-"):
        raise RunbookIndexError(f"[runbooks] git: {spec!r} is not PATH[@REF][:SUBFOLDER]")
    return Path(path), ref or "HEAD", sub.strip("/")


def _git(repo: Path, *args: str, stdin: bytes = b"") -> bytes:
    # protocol.allow=never: a partial clone would otherwise fetch a missing blob from its remote
    command: Sequence[str] = ("git", "-C", str(repo), "-c", "protocol.allow=never", *args)
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=GIT_SECONDS, check=False)
    except FileNotFoundError:
        raise RunbookIndexError("git is not installed", mend="install it, or use [runbooks] dirs") from None
    except subprocess.TimeoutExpired:
        raise RunbookIndexError(f"git did not answer within {GIT_SECONDS} s for {repo}") from None
    if done.returncode:
        mend = "check path, ref and subfolder in [runbooks] git"
        raise RunbookIndexError(f"{repo}: git cannot read it (exit {done.returncode})", mend=mend)
    return done.stdout
