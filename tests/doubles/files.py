"""What a folder holds while a process works in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def kept(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file and its bytes. A journal that its database took away between look and read keeps nothing."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:
                continue
