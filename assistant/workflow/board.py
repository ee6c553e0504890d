"""The board: incidents as a list, filtered, counted and paged by the database, and what of them is plotted over time.

Reads only. A list shows the newest revision of each incident; one that has no note yet shows as just arrived.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from assistant.identity import SEVERITIES
from assistant.notebook.database import Database
from assistant.notebook.lines import lines
from assistant.notebook.notes import notes
from assistant.workflow.incidents import incidents

STATES = ("open", "ended", "all")
_ENDED = ("resolved", "nothing wrong now", "merged")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list; "" means any. `text` is looked for in id, title, cause and entity, without regard to case."""

    text: str = ""
    state: str = "all"
    severity: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list. Times in Unix seconds. `open` False: it ended; `amounts` by ISO 4217 code."""

    incident: str
    revision: int
    written_at: float
    since: float
    status: str
    severity: str
    title: str
    open: bool
    verdict: str
    cause: str
    lost: int | None
    amounts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Arrived:
    """An incident without a note yet."""

    incident: str
    opened_at: float


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of `total` entries; `open` counts those that go on, whatever the filter."""

    entries: tuple[Entry, ...]
    total: int
    open: int
    arrived: tuple[Arrived, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A kept note as plots see it. Unix seconds; `redactions` by class, `gaps` by source."""

    incident: str
    written_at: float
    verdict: str
    redactions: Mapping[str, int]
    gaps: tuple[str, ...]
    struck: int
    score: float
    tokens: int
    cost: float
    seconds: float
    model: str


class Board:
    """Raises Away and Damaged (see `notebook.database`)."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(self, wanted: Wanted, *, limit: int, offset: int = 0) -> Listed:
        """Open ones first, the worst of them first, then the newest."""
        base = _newest()
        where = _where(wanted, base)
        order = (base.c.open.desc(), base.c.weight, base.c.since.desc(), base.c.incident)
        query = sa.select(base).where(*where).order_by(*order).limit(limit).offset(offset)
        with self._db.read() as c:
            rows = c.execute(query).mappings().all()
            # Both counts in one pass over the list.
            fits = sa.func.count().filter(*where) if where else sa.func.count()
            goes_on = sa.func.count().filter(base.c.open == 1)
            total, open_ = c.execute(sa.select(fits, goes_on).select_from(base)).one()
            arrived = () if offset else self._arrived(c)
        return Listed(tuple(_entry(r) for r in rows), int(total), int(open_), arrived)

    def mark(self, incident: str = "") -> str:
        """A word that changes when a revision is kept or an incident opens, ends or comes back (of one incident, or of
        any): what a page that watches compares."""
        kept, revision, opened = sa.func.max(lines.c.written_at), sa.func.max(lines.c.revision), incidents.c.opened_at
        note: Any = sa.select(sa.func.count(), kept)
        head: Any = sa.select(sa.func.count(), sa.func.count(incidents.c.resolved_at), sa.func.max(opened))
        if incident:
            note = sa.select(revision, kept).where(lines.c.incident == incident)
            head = head.where(incidents.c.id == incident)
        with self._db.read() as c:
            return "-".join(str(v) for row in (c.execute(note).one(), c.execute(head).one()) for v in row)

    def points(self, since: float, *, most: int = 20_000) -> tuple[Point, ...]:
        """Notes kept since then, oldest first; the newest `most` of them."""
        query = sa.select(lines).where(lines.c.written_at >= since).order_by(lines.c.written_at.desc()).limit(most)
        with self._db.read() as c:
            return tuple(_point(r) for r in reversed(c.execute(query).mappings().all()))

    def _arrived(self, c: sa.Connection) -> tuple[Arrived, ...]:
        noted = sa.exists().where(notes.c.incident == incidents.c.id)
        live = sa.and_(incidents.c.resolved_at.is_(None), incidents.c.merged_into.is_(None))
        query = (
            sa.select(incidents.c.id, incidents.c.opened_at)
            .where(live, ~noted)
            .order_by(incidents.c.opened_at.desc())
            .limit(20)
        )
        return tuple(Arrived(r.id, r.opened_at) for r in c.execute(query))


def _newest() -> sa.Subquery:
    """The newest revision of each incident, with its line and how the incident stands."""
    last = (
        sa.select(notes.c.incident, sa.func.max(notes.c.revision).label("revision"))
        .group_by(notes.c.incident)
        .subquery()
    )
    at = sa.and_(notes.c.incident == last.c.incident, notes.c.revision == last.c.revision)
    line = sa.and_(lines.c.incident == last.c.incident, lines.c.revision == last.c.revision)
    ended = sa.or_(
        incidents.c.resolved_at.is_not(None), incidents.c.merged_into.is_not(None), notes.c.status.in_(_ENDED)
    )
    weight = sa.case({name: i for i, name in enumerate(SEVERITIES)}, value=notes.c.severity, else_=len(SEVERITIES))
    joined = last.join(notes, at).outerjoin(lines, line).outerjoin(incidents, incidents.c.id == last.c.incident)
    return (
        sa.select(
            *(notes.c[n] for n in ("incident", "revision", "written_at", "status", "severity", "title")),
            *(lines.c[n] for n in ("verdict", "cause", "entity", "lost", "amounts")),
            sa.func.coalesce(lines.c.since, incidents.c.opened_at, notes.c.written_at).label("since"),
            sa.case((ended, 0), else_=1).label("open"),
            weight.label("weight"),
        )
        .select_from(joined)
        .subquery()
    )


def _where(wanted: Wanted, base: sa.Subquery) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.state in ("open", "ended"):
        found.append(base.c.open == (1 if wanted.state == "open" else 0))
    found += [base.c[n] == v for n, v in (("severity", wanted.severity), ("verdict", wanted.verdict)) if v]
    for word in wanted.text.split()[:8]:
        places = (base.c.incident, base.c.title, base.c.cause, base.c.entity)
        found.append(sa.or_(*(p.icontains(word, autoescape=True) for p in places)))
    return found


def _entry(r: sa.RowMapping) -> Entry:
    same = ("incident", "revision", "written_at", "since", "status", "severity", "title", "lost")
    return Entry(
        **{name: r[name] for name in same},
        open=bool(r["open"]),
        verdict=r["verdict"] or "",
        cause=r["cause"] or "",
        amounts=json.loads(r["amounts"] or "{}"),
    )


def _point(r: sa.RowMapping) -> Point:
    same = ("incident", "written_at", "verdict", "struck", "score", "tokens", "cost", "seconds", "model")
    redactions, gaps = json.loads(r["redactions"]), tuple(json.loads(r["gaps"]))
    return Point(**{name: r[name] for name in same}, redactions=redactions, gaps=gaps)
