"""Claims on events that must be worked on once over all replicas, such as a Slack event id.

A claim is taken before any work, kept for a span after it is done (senders repeat), and given back when the work
failed. The claim of a process that died is free again when `span_s` is over, or at once if the process is known to be
dead.
"""

from __future__ import annotations

import sqlalchemy as sa

from assistant.notebook.database import Database

TABLES = sa.MetaData()

claims = sa.Table(
    "payops_claim",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until", sa.Float(53), nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)


class Claims:
    """Raises Away and Damaged (see `notebook.database`). Times are the database's."""

    def __init__(self, database: Database, *, me: str) -> None:
        self._db = database
        self._me = me

    def take(self, key: str, *, span_s: float = 600.0) -> bool:
        """True if the event is ours to work on; False if somebody has it or did it within the span."""
        with self._db.write() as c:
            now = self._db.moment(c)
            row = {"owner": self._me, "until": now + span_s, "done": False}
            insert = self._db.insert(claims).values(key=key, **row)
            taken = insert.on_conflict_do_update(index_elements=["key"], set_=row, where=claims.c.until < now)
            return c.execute(taken.returning(claims.c.key)).first() is not None

    def done(self, key: str, *, span_s: float = 600.0) -> None:
        """Keep the claim for a span from now, so that a repetition of the event is known."""
        with self._db.write() as c:
            mine = sa.and_(claims.c.key == key, claims.c.owner == self._me)
            c.execute(sa.update(claims).where(mine).values(done=True, until=self._db.moment(c) + span_s))

    def release(self, key: str) -> None:
        """Give it back: the work was not done."""
        with self._db.write() as c:
            mine = sa.and_(claims.c.key == key, claims.c.owner == self._me, claims.c.done.is_(False))
            c.execute(sa.delete(claims).where(mine))

    def free_all_but(self, alive: frozenset[str]) -> None:
        """Give back what dead processes had begun, and forget what is over."""
        with self._db.write() as c:
            undone = sa.and_(claims.c.done.is_(False), claims.c.owner.not_in(sorted(alive)))
            c.execute(sa.delete(claims).where(sa.or_(undone, claims.c.until < self._db.moment(c))))
