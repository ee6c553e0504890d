"""What the notebook forgets: incidents that are over for longer than is kept, with everything that hangs on them.

Notes that went out stand in the prompt log as bodies for as long as that keeps them. An incident on hold stays, and one
that still has work or something to show.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from assistant.notebook.database import Database
from assistant.notebook.lines import lines
from assistant.notebook.notes import notes
from assistant.workflow.incidents import alerts, incidents
from assistant.workflow.outbox import parcels
from assistant.workflow.poll import polled
from assistant.workflow.rounds import progress, rounds, steps

_CHUNK = 200
_OPEN = ("waiting", "sending", "retracting")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many incidents, and rows in all, are gone."""

    incidents: int = 0
    rows: int = 0


def forget(database: Database, *, before: float, held: frozenset[str] = frozenset()) -> Forgotten:
    """Delete incidents that ended before this time (Unix seconds), a few hundred in one transaction. Raises Away."""
    total = Forgotten()
    while ids := _over(database, before, held):
        with database.write() as c:
            seen = sa.select(alerts.c.fingerprint).where(alerts.c.incident.in_(ids))
            gone = c.execute(sa.delete(polled).where(polled.c.fingerprint.in_(seen))).rowcount
            for table in (alerts, notes, lines, parcels, rounds, steps, progress):
                gone += c.execute(sa.delete(table).where(table.c.incident.in_(ids))).rowcount
            gone += c.execute(sa.delete(incidents).where(incidents.c.id.in_(ids))).rowcount
        total = Forgotten(total.incidents + len(ids), total.rows + gone)
    return total


def forget_files(folder: Path, *, before: float, known: Callable[[str], bool]) -> int:
    """Delete files of notes that are as old and whose incident the notebook does not know; how many incidents'."""
    gone = 0
    for path in sorted(folder.glob("inc-*/")) if folder.is_dir() else ():
        newest = max((p.stat().st_mtime for p in path.iterdir()), default=0.0)
        if newest < before and not known(path.name):
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".json").unlink(missing_ok=True)
            gone += 1
    return gone


def known_in(database: Database) -> Callable[[str], bool]:
    """Whether the notebook still has an incident."""

    def known(incident: str) -> bool:
        with database.read() as c:
            return c.execute(sa.select(incidents.c.id).where(incidents.c.id == incident)).first() is not None

    return known


def days_ago(days: int) -> float:
    return time.time() - days * 86_400.0


def _over(database: Database, before: float, held: frozenset[str]) -> list[str]:
    """Some that may go: ended, or merged into one that is gone or goes with them."""
    i, other = incidents, incidents.alias()
    merged_away = sa.and_(
        i.c.merged_into.is_not(None),
        i.c.opened_at < before,
        ~sa.exists().where(other.c.id == i.c.merged_into),
    )
    ended = sa.and_(i.c.merged_into.is_(None), i.c.resolved_at < before)
    busy = sa.exists().where(rounds.c.incident == i.c.id, rounds.c.done_at.is_(None))
    waiting = sa.exists().where(parcels.c.incident == i.c.id, parcels.c.state.in_(_OPEN))
    query = sa.select(i.c.id).where(sa.or_(ended, merged_away), ~busy, ~waiting)
    if held:
        query = query.where(i.c.id.not_in(sorted(held)))
    with database.read() as c:
        return [str(row) for row in c.execute(query.order_by(i.c.opened_at).limit(_CHUNK)).scalars()]
