"""Compiled trigger databases, kept so that a start does not compile them anew (about a second).

They lie inside the virtual environment, beside the installed packages: whoever can write there can change the rules
themselves, so a kept database needs no trust that the code does not need already. A file that is not ours alone to
write, or a folder that others may write to, is not read. The name is a hash of the patterns, the flags and the
engine's version; an engine refuses a database made for another processor, and then it is compiled as if none were
there. Outside a virtual environment nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_MOST = 8
_FOLDER = "share/payops/triggers"


def folder() -> Path | None:
    """Where databases are kept; None outside a virtual environment."""
    return Path(sys.prefix) / _FOLDER if sys.prefix != sys.base_prefix else None


def name_of(patterns: Sequence[str], *, flags: int, engine: str) -> str:
    told = "\0".join((engine, sys.platform, str(flags), *patterns))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest() + ".hs"


def kept(place: Path | None, name: str) -> bytes | None:
    """The database of that name, if it is there and nobody but its owner (us, or root) could have written it."""
    if place is None:
        return None
    try:
        fd = os.open(place / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not (_is_ours(os.fstat(file.fileno())) and _is_ours(place.stat())):
            return None
        return file.read()


def keep(place: Path | None, name: str, make: Callable[[], bytes]) -> None:
    """Keep it for the next start, if that place can be written (an image has it read-only: made when it was built)."""
    if place is None:
        return
    fresh = place / f"{name}.{os.getpid()}.new"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o755)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            file.write(make())
        fresh.replace(place / name)
        _forget_oldest(place)
    except OSError:  # the next start compiles again: slower, never wrong
        if fresh.exists():
            fresh.unlink()


def _forget_oldest(place: Path) -> None:
    for old in sorted(place.glob("*.hs"), key=lambda path: path.stat().st_mtime)[:-_MOST]:
        old.unlink(missing_ok=True)


def _is_ours(info: os.stat_result) -> bool:
    return info.st_uid in {0, os.getuid()} and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def main() -> None:
    """`python -m redaction.compiled`: keep the databases of the shipped policy and of the last look (for images, whose
    disk is read-only)."""
    from redaction.redactor import Redactor
    from redaction.scan_glance import Glance

    Redactor.default().redact("warm")
    Glance(after=0).possible("warm")
    sys.stdout.write(f"kept in {folder()}\n" if folder() else "not in a virtual environment: nothing is kept\n")


if __name__ == "__main__":
    main()
