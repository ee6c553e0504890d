"""What was shown with the value in it: marked in the outbox, so that the couriers of `serve` take it back."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from assistant.notebook.database import Database
from assistant.purging.value import Value
from assistant.workflow.outbox import parcels

_SHOWN = ("delivered", "retracting")


@dataclass(frozen=True, slots=True)
class Message:
    """Something shown: on which outlet, of which incident, under which reference."""

    outlet: str
    incident: str
    ref: str


def mark_shown(database: Database, value: Value, *, dry_run: bool) -> tuple[Message, ...]:
    """The messages that held it. Unless it is a dry run their rows are cleaned and marked, in one transaction. Raises
    Away, Damaged."""
    p = parcels
    found: dict[tuple[str, str, str], None] = {}
    with database.write() as c:
        if not sa.inspect(c).has_table(p.name):
            return ()
        rows = c.execute(sa.select(p).where(p.c.state.in_(_SHOWN))).mappings().all()
        for row in rows:
            if not value.inside(row["payload"]):
                continue
            found[row["outlet"], row["incident"], value.cleaned(row["ref"])] = None
            if not dry_run:
                this = sa.and_(*(p.c[k] == row[k] for k in ("incident", "outlet", "revision")))
                clean = {"payload": value.cleaned(row["payload"]), "state": "retracting"}
                c.execute(sa.update(p).where(this).values(claimed_until=0.0, next_at=0.0, attempts=0, **clean))
    return tuple(Message(*key) for key in found)
