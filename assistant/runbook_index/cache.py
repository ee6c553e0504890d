"""What need not be computed twice: redacted runbooks and vectors by content hash, in one SQLite file under the state.

A cache may be lost, locked or unwritable at any time: then the work is done again, and nothing else changes. Texts in
it are redacted; a runbook is keyed by its bytes, its path and the redaction policy, a vector by its text and the model.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from assistant.runbook_index.document import LISTS, Runbook, Section, Step

FORM = "runbook-5"  # part of every key: change it with the parser, the redaction of sections, or the JSON form
WAIT_S = 5.0
BLOCK = 512
T = TypeVar("T")
Vectors = NDArray[np.float32]


def key(*parts: str) -> str:
    return hashlib.sha256("\0".join((FORM, *parts)).encode()).hexdigest()


class Cache:
    """Values by key, in one table. Every failure of the file is a miss."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        if not self._file.is_file():
            return {}
        try:
            with closing(self._connect()) as db:
                return dict(_rows(db, keys))
        except sqlite3.Error:
            return {}

    def put(self, values: Mapping[str, bytes]) -> None:
        if not values:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
                db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", values.items())
        except (sqlite3.Error, OSError):
            return

    def vectors(self, texts: Sequence[str], *, model: str, embed: Callable[[Sequence[str]], Vectors]) -> Vectors:
        """Vectors of `texts`, in order; only those not kept are embedded.

        Each `BLOCK` is kept as soon as it is made: a start that is killed goes on where it was.
        """
        keys = [key(model, text) for text in texts]
        kept = self.get(keys)
        new = {k: text for k, text in zip(keys, texts, strict=True) if k not in kept}
        for some in _blocks(list(new.items()), BLOCK):
            made = embed([text for _, text in some])
            fresh = {k: row.astype("<f4").tobytes() for (k, _), row in zip(some, made, strict=True)}
            self.put(fresh)
            kept |= fresh
        return np.stack([np.frombuffer(kept[k], "<f4") for k in keys]) if keys else np.empty((0, 0), np.float32)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=WAIT_S)


def _blocks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _rows(db: sqlite3.Connection, keys: Sequence[str]) -> Iterable[tuple[str, bytes]]:
    for some in _blocks(keys, 500):
        marks = ",".join("?" * len(some))
        yield from db.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", some)


def pack(runbook: Runbook) -> bytes:
    """A redacted runbook as JSON; `unpack` gives it back. Origin and front matter's other keys are not kept."""
    fields: dict[str, Any] = asdict(runbook)
    for name in ("origin", "extra"):
        del fields[name]
    return json.dumps(fields, ensure_ascii=False).encode()


def unpack(data: bytes, *, origin: str) -> Runbook:
    """Raises ValueError, KeyError or TypeError where `data` is not what `pack` wrote."""
    fields = json.loads(data)
    sections = tuple(
        Section(tuple(s["trail"]), s["text"], s["line"], tuple(Step(**step) for step in s["steps"]))
        for s in fields.pop("sections")
    )
    fields |= {name: tuple(fields[name]) for name in LISTS}
    return Runbook(**fields, sections=sections, origin=origin)
