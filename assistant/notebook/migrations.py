"""Changes to tables that exist already, forward only, each once, in order, with the tables' own lock held.

A table that is new needs no step here: `Database.prepare` makes it. Steps must leave the tables usable by the version
before, because replicas are upgraded one after another: add, fill, index; take away only what no version still in use
reads. An older program does not start on newer tables (`Damaged`), and one that runs already goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Step:
    """From the schema before `to`. `statements` are the same in SQLite and PostgreSQL."""

    to: int
    why: str
    statements: tuple[str, ...]


STEPS = (
    Step(
        to=2,
        why="retention and the list of notes read by time",
        statements=(
            "CREATE INDEX IF NOT EXISTS payops_note_written ON payops_note (written_at)",
            "CREATE INDEX IF NOT EXISTS payops_outbox_outlet ON payops_outbox (outlet, state, next_at)",
        ),
    ),
)


def migrate(connection: sa.Connection, *, found: int, wanted: int) -> tuple[int, ...]:
    """Take every step after `found`; the schemas gone through. The caller's transaction holds all of it or nothing."""
    taken = [step for step in STEPS if found < step.to <= wanted]
    tables = set(sa.inspect(connection).get_table_names())
    for step in taken:
        for statement in step.statements:
            # Commands prepare only the tables that they use; the rest gets its indexes when it is made.
            if any(f" ON {name} " in statement for name in tables):
                connection.exec_driver_sql(statement)
    return tuple(step.to for step in taken)
