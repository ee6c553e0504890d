"""How far a follower of the prompt log has come: a number that is durable once what is before it was taken."""

from __future__ import annotations

import sqlalchemy as sa

from assistant.notebook.database import Database

TABLES = sa.MetaData()

cursors = sa.Table(
    "payops_cursor",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("moved_at", sa.Float(53), nullable=False),
)


class Cursor:
    """Raises Away and Damaged (see `notebook.database`)."""

    def __init__(self, database: Database, *, name: str) -> None:
        self._db = database
        self._name = name

    def at(self) -> int:
        """The first record that was not taken yet."""
        with self._db.read() as c:
            return int(c.execute(sa.select(cursors.c.at).where(cursors.c.name == self._name)).scalar() or 0)

    def move(self, to: int) -> None:
        """Never backwards, whoever else moves it."""
        with self._db.write() as c:
            row = {"at": to, "moved_at": self._db.moment(c)}
            insert = self._db.insert(cursors).values(name=self._name, **row)
            further = cursors.c.at < to
            c.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row, where=further))
