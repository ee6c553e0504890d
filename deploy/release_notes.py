"""What changed in a release, signed: `python deploy/release_notes.py key|make|verify`.

    key FILE [NAME]                       make a release key (0600) and print its public half, a vkey
    make --key FILE [--since REF] [--artifact PATH …] [--out FILE]
    verify FILE --vkey VKEY [--artifact PATH …]

The notes say which commits and which locked packages changed since REF (the newest tag before, else the first
commit), what CHANGELOG.md says, and the SHA-256 of each artifact (wheel, SBOM, locks). They are a C2SP signed note
(c2sp.org/signed-note) under an Ed25519 key, as checkpoints of the prompt log are; `verify` checks the signature and
that artifacts at hand are the ones that were signed. Publish the vkey where you publish releases; keep the key apart.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from assistant.errors import LogInconsistent, LogKeyMissing, UsageError
from assistant.promptlog.checkpoint import Signature, SignedNote, Verifier, format_note, parse_note, parse_vkey
from assistant.promptlog.keys import Signer, new_signing_key, parse_signing_key

ROOT = Path(__file__).resolve().parent.parent
NAME = "payops.example/releases"
LOCKS = ("requirements.lock", "requirements-embedder.txt")
_ARTIFACT = re.compile(r"^- ([^\s/]+) sha256:([0-9a-f]{64})$", re.MULTILINE)


def git(*words: str) -> str:
    """What git answers. UsageError where it refuses."""
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[0]
        raise UsageError(f"git {words[0]}: {said}", mend="give --since a commit or tag that is in this checkout")
    return done.stdout


def before(ref: str) -> str:
    """The newest tag before `ref`, else the first commit."""
    tags = (
        git("tag", "--merged", f"{ref}^", "--sort=-creatordate").split()
        if git("rev-list", "-2", ref).count("\n") > 1
        else []
    )
    return tags[0] if tags else git("rev-list", "--max-parents=0", ref).split()[-1]


def pins(text: str) -> dict[str, str]:
    """Package -> version of a lock; several where Pythons differ."""
    found: dict[str, str] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        found[name] = f"{found[name]} or {version}" if name in found else version
    return found


def lock_changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """One line for each package that came, went or moved."""
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return [f"- {name}: {old.get(name, 'not there')} -> {new.get(name, 'gone')}" for name in changed]


def _pins_at(ref: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for lock in LOCKS:
        if git("ls-tree", "--name-only", ref, lock).strip():
            found |= pins(git("show", f"{ref}:{lock}"))
    return found


def changelog(text: str, version: str) -> str:
    """The section of this version, else of what is unreleased. UsageError where there is neither."""
    for title in (version, "Unreleased"):
        found = re.search(rf"^## \[?{re.escape(title)}\b[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        if found:
            return found[1].strip()
    raise UsageError("CHANGELOG.md has no section of this release", mend=f"add '## {version}'")


def hashed(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", mend="build it first: make wheel sbom") from None


def notes(since: str, artifacts: Sequence[Path]) -> str:
    """The text that is signed. Artifacts stand in it by file name."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    commits = git("log", "--no-merges", "--format=- %h %s", f"{since}..HEAD").splitlines()
    packages = lock_changes(_pins_at(since), _pins_at("HEAD"))
    parts = [
        f"payops {version}",
        f"commit {git('rev-parse', 'HEAD').strip()} of {git('log', '-1', '--format=%cI').strip()}, since {since}",
        f"Changes\n\n{changelog((ROOT / 'CHANGELOG.md').read_text(encoding='utf-8'), version)}",
        "\n".join([f"Packages ({len(packages)} of the lock changed)", "", *packages]),
        "\n".join([f"Commits ({len(commits)})", "", *commits]),
        "\n".join(["Artifacts", "", *(f"- {p.name} sha256:{hashed(p)}" for p in artifacts)]),
    ]
    return "\n\n".join(parts).rstrip() + "\n"


def sign(text: str, signer: Signer) -> str:
    value = signer.sign(text.encode())
    return format_note(SignedNote(text, (Signature(signer.key.name, signer.key.key_id(), value),)))


def verify(signed: str, key: Verifier, artifacts: Sequence[Path]) -> list[str]:
    """Names of the artifacts that were checked. LogInconsistent where signature or artifact does not hold."""
    note = parse_note(signed)
    mine = [s for s in note.signatures if (s.name, s.key_id) == (key.name, key.key_id())]
    if not mine or not all(key.check(note.text.encode(), s.value) for s in mine):
        raise LogInconsistent("these notes are not signed by that key", mend="ask for the notes and the vkey again")
    said = dict(_ARTIFACT.findall(note.text.rpartition("\nArtifacts\n")[2]))
    for path in artifacts:
        if said.get(path.name) != hashed(path):
            raise LogInconsistent(f"{path.name} is not the artifact of these notes", mend="do not install it")
    return [path.name for path in artifacts]


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Signed release notes.")
    verbs = options.add_subparsers(dest="verb", required=True)
    key = verbs.add_parser("key")
    key.add_argument("file", type=Path)
    key.add_argument("name", nargs="?", default=NAME)
    make = verbs.add_parser("make")
    make.add_argument("--key", type=Path, required=True)
    make.add_argument("--since", default="")
    make.add_argument("--out", type=Path)
    check = verbs.add_parser("verify")
    check.add_argument("file", type=Path)
    check.add_argument("--vkey", required=True)
    for verb in (make, check):
        verb.add_argument("--artifact", type=Path, action="append", default=[])
    return options


def _new_key(file: Path, name: str) -> str:
    if file.exists():
        raise UsageError(f"{file} is there already", mend="name another file; a release key is never overwritten")
    line = new_signing_key(name)
    file.touch(mode=0o600)
    file.write_text(line + "\n", encoding="utf-8")
    return str(parse_signing_key(line).key)


def run(given: argparse.Namespace) -> str:
    """What to print."""
    if given.verb == "key":
        return _new_key(given.file, given.name)
    if given.verb == "verify":
        checked = verify(_read(given.file), parse_vkey(given.vkey), given.artifact)
        return (
            f"{given.file}: signed by {given.vkey.partition('+')[0]}; artifacts checked: {', '.join(checked) or 'none'}"
        )
    signed = sign(notes(given.since or before("HEAD"), given.artifact), parse_signing_key(_read(given.key).strip()))
    if not given.out:
        return signed.rstrip("\n")
    given.out.write_text(signed, encoding="utf-8")
    return f"{given.out}: written and signed"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", mend="check the path") from None


def main(arguments: list[str]) -> int:
    try:
        print(run(_options().parse_args(arguments)))
    except (UsageError, LogInconsistent, LogKeyMissing) as error:
        print(f"release_notes: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
