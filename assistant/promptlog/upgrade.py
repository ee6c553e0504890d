"""From the tables of an older release to those of this one, in the transaction that the store opened. Leaves, hashes
and bodies are never touched: what was proved stays proved.

2: classes of redaction are found by an index, and every index ends in `idx` so that a page needs no sort.
3: releases are found by an index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from assistant.promptlog.record import redactions_in

_ROWS = 5_000
OUTGROWN = ("entry_time", "entry_incident", "entry_about", "entry_request")
"""Indexes of schema 1 that are made anew under the same name, or not at all."""


class Cursor(Protocol):
    def all(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]: ...
    def many(self, sql: str, values: Any) -> None: ...


def bring_up(cursor: Cursor, version: int, tables: Iterable[str], *, unless: str = "") -> None:
    """The tables as `tables` makes them: new where there are none (`version` 0), else brought up from that schema.
    `unless` is how this database adds a column only where it is missing; SQLite cannot."""
    if 0 < version < 3:
        cursor.all(f"ALTER TABLE entry ADD COLUMN {unless} release TEXT")
        fill_releases(cursor)
    if version < 2:
        forget_indexes(cursor)
    for table in tables:
        cursor.all(table)
    if version < 2:
        fill_classes(cursor)


def forget_indexes(cursor: Cursor) -> None:
    for name in OUTGROWN:
        cursor.all(f"DROP INDEX IF EXISTS {name}")


def fill_classes(cursor: Cursor) -> None:
    """The classes of every leaf at hand. Those in cold segments are not found by class any more."""
    for page in _leaves(cursor):
        pairs = [(name, idx) for idx, leaf in page for name, count in _counted(leaf).items() if count]
        cursor.many("INSERT INTO redacted (class, idx) VALUES (?, ?) ON CONFLICT DO NOTHING", pairs)


def fill_releases(cursor: Cursor) -> None:
    """The column for the release, filled from every leaf at hand; those in cold segments are not found by it."""
    for page in _leaves(cursor):
        named = [(release, idx) for idx, leaf in page if (release := _facts(leaf).get("release")) is not None]
        cursor.many("UPDATE entry SET release = ? WHERE idx = ?", [n for n in named if isinstance(n[0], str)])


def _leaves(cursor: Cursor) -> Iterator[list[tuple[int, bytes]]]:
    last = -1
    sql = f"SELECT idx, leaf FROM entry WHERE idx > ? AND leaf IS NOT NULL ORDER BY idx LIMIT {_ROWS}"
    while page := cursor.all(sql, (last,)):
        yield [(int(idx), bytes(leaf)) for idx, leaf in page]
        last = page[-1][0]


def _counted(leaf: bytes) -> dict[str, int]:
    return redactions_in(_facts(leaf))


def _facts(leaf: bytes) -> dict[str, Any]:
    """A leaf that cannot be read has none: `payops log verify` is what says so."""
    try:
        facts = json.loads(leaf).get("facts", {})
    except (ValueError, AttributeError):
        return {}
    return facts if isinstance(facts, dict) else {}
