"""`payops off` and `on`: one switch in the shared database that every replica obeys before each model call and each
post.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import sqlalchemy as sa

from assistant.notebook.database import Away, Database

TABLES = sa.MetaData()

switches = sa.Table(
    "payops_switch",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("off", sa.Boolean, nullable=False),
    sa.Column("since", sa.Float(53), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)

_NAME = "all"
_FRESH_S = 0.5


@dataclass(frozen=True, slots=True)
class Position:
    """Where the switch stands; `record` is the id of the prompt-log record that says who turned it."""

    off: bool = False
    since: float = 0.0
    record: str = ""


class Switch:
    """Reads are at most half a second old. Where the database is away the last known position holds."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._lock = threading.Lock()
        self._known = Position()
        self._read_at = float("-inf")

    def turn(self, *, off: bool, record: str) -> Position:
        """Raises Away, Damaged."""
        with self._db.write() as c:
            row = {"off": off, "since": self._db.moment(c), "record": record}
            insert = self._db.insert(switches).values(name=_NAME, **row)
            c.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))
        with self._lock:
            self._known, self._read_at = Position(off, row["since"], record), time.monotonic()  # type: ignore[arg-type]
            return self._known

    def position(self) -> Position:
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH_S:
                try:
                    self._known = self._read()
                except Away:
                    return self._known
                self._read_at = time.monotonic()
            return self._known

    @property
    def off(self) -> bool:
        return self.position().off

    def _read(self) -> Position:
        with self._db.read() as c:
            row = c.execute(sa.select(switches).where(switches.c.name == _NAME)).first()
        return Position(row.off, row.since, row.record) if row else Position()
