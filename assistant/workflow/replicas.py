"""Who is alive. Each process beats; the oldest living one leads.

All times are the database's (see `Database.moment`), so clocks that are apart do not matter. A replica that could not
reach the database must not judge others when it comes back: everybody looks dead then. So the leader takes over only
after it has itself beaten without a break for `takeover_s`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from assistant.notebook.database import Database

TABLES = sa.MetaData()

executors = sa.Table(
    "payops_executor",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Float(53), nullable=False),
    sa.Column("beat_at", sa.Float(53), nullable=False),
    sa.Column("steady_since", sa.Float(53), nullable=False),
    sa.Column("shape", sa.Text, nullable=False),
)

_FORGET_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Roll:
    """The replicas as one of them sees them after a beat. `judging` is true where it leads and may take over."""

    me: str
    alive: frozenset[str]
    leader: str
    judging: bool


def new_executor_id() -> str:
    """Unique per process; tells nothing of the machine."""
    return f"exe-{secrets.token_hex(6)}-{os.getpid()}"


class Replicas:
    """Heartbeats of this process and a look at the others. `alone` is true where nobody else can share the database."""

    def __init__(self, database: Database, *, me: str, shape: str, takeover_s: float, beat_s: float) -> None:
        self._db = database
        self.me = me
        self._shape = shape
        self._takeover_s = takeover_s
        self._beat_s = beat_s
        self.alone = not database.shared

    def beat(self) -> Roll:
        """Say that we live, and see who else does. Raises Away."""
        with self._db.write() as c:
            now = self._db.moment(c)
            # A gap in our own beats starts our steadiness anew.
            steady = sa.case((executors.c.beat_at < now - 2.5 * self._beat_s, now), else_=executors.c.steady_since)
            insert = self._db.insert(executors).values(
                id=self.me, started_at=now, beat_at=now, steady_since=now, shape=self._shape
            )
            c.execute(
                insert.on_conflict_do_update(index_elements=["id"], set_={"beat_at": now, "steady_since": steady})
            )
            c.execute(sa.delete(executors).where(executors.c.beat_at < now - _FORGET_S))
            rows = c.execute(sa.select(executors).order_by(executors.c.started_at, executors.c.id)).mappings().all()
        living = [r for r in rows if r["beat_at"] >= now - self._takeover_s]
        leader = living[0]["id"] if living else self.me
        mine = next(r for r in rows if r["id"] == self.me)
        steady_long = now - mine["steady_since"] >= self._takeover_s
        alive = frozenset([self.me]) if self.alone else frozenset(r["id"] for r in living)
        return Roll(self.me, alive, leader, self.alone or (leader == self.me and steady_long))

    def leave(self) -> None:
        """Our work is free at once, without waiting for the heartbeat to grow old. Raises Away."""
        with self._db.write() as c:
            c.execute(sa.delete(executors).where(executors.c.id == self.me))

    def seen(self) -> int:
        """How many replicas beat within the takeover span."""
        with self._db.read() as c:
            now = self._db.moment(c)
            alive = sa.select(sa.func.count()).where(executors.c.beat_at >= now - self._takeover_s)
            return int(c.execute(alive).scalar_one())


Probe = Callable[[str], None]
"""Called with the name of a point in the work as it is passed; tests kill the process there."""


def no_probe(point: str) -> None:
    """The probe of production: nothing happens."""
