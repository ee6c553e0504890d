"""A value out of the files under a directory: notes, reports, exports, caches that are not databases."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.purging.value import Value

_SQLITE = b"SQLite format 3\x00"
_LEFT_ALONE = frozenset({"keys", "runs"})
"""Keys are not ours to rewrite; run locks are empty."""
_LARGEST = 256 * 1024 * 1024


@dataclass(slots=True)
class Files:
    """What a look through the files found: how many held the value, and which of them it is still in and why."""

    held: int = 0
    left: tuple[str, ...] = ()


def databases_under(folder: Path) -> tuple[Path, ...]:
    """The SQLite files."""
    return tuple(p for p in _walk(folder) if _is_sqlite(p))


def clean_files(folder: Path, value: Value, *, dry_run: bool) -> Files:
    """Find it, and unless it is a dry run remove it, in every file that is not a database."""
    found, left = Files(), []
    for path in _walk(folder):
        if _is_sqlite(path) or path.name.endswith(("-wal", "-shm", ".lock")):
            continue
        try:
            why = _clean(path, value, dry_run=dry_run)
        except OSError as error:
            left.append(f"{path}: {error.strerror}")
            continue
        found.held += why is not None
        if why:
            left.append(f"{path}: {why}")
    for path in sorted(_walk(folder), reverse=True):
        if value.inside(path.name):
            found.held += 1
            if not dry_run:
                path.rename(path.with_name(f"purged-{secrets.token_hex(6)}{path.suffix}"))
    found.left = tuple(left)
    return found


def _clean(path: Path, value: Value, *, dry_run: bool) -> str | None:
    """None: it is not there; "": it was and is gone; else why it is still there."""
    if path.stat().st_size > _LARGEST:
        return "too large to look at" if not _plain_in(path, value) else "holds it and is too large to rewrite"
    content = path.read_bytes()
    if not value.in_bytes(content):
        return None
    if dry_run:
        return ""
    if path.parent.name == "cold" and path.name.startswith("segment-"):
        return "a segment of the prompt log: its leaves cannot change without breaking the proofs"
    clean = value.cleaned(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if value.in_bytes(clean):
        return "in a form that cannot be taken out of this file: delete it by hand"
    _replace(path, clean)
    return ""


def _replace(path: Path, content: bytes) -> None:
    """Overwrite the old bytes, then put the new file in its place: the old ones are not left in free blocks where the
    file system writes in place."""
    mode = path.stat().st_mode & 0o777
    with path.open("r+b") as old:
        old.write(bytes(path.stat().st_size))
        os.fsync(old.fileno())
    fresh = path.with_name(f".{path.name}.purge")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def _plain_in(path: Path, value: Value) -> bool:
    with path.open("rb") as file:
        tail = b""
        while block := file.read(1 << 20):
            if value.plain_in(tail + block):
                return True
            tail = block[-512:]
    return False


def _walk(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and parts[0] not in _LEFT_ALONE:
            yield path


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False
