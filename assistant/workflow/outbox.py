"""What is to be shown, until it has been: one row an incident, outlet and revision, stored with the note it shows.

An outlet is a name, a `render` (a note as JSON, made while the note is at hand) and a `deliver`. Rows are claimed for
a span before they are delivered, in order of revision, and tried again with growing pauses. A delivery whose process
died is tried again as `unsure`: the outlet then has to look whether it happened. Older revisions that a newer one
overtook are not shown any more, unless the outlet keeps them all.

Contract for `deliver`: it returns a reference (a path, a Slack ts) once the note is shown; raises `Later` where it
makes sense to try again (with the seconds to wait, or 0 to let the outbox choose), `Never` where it does not.

`payops purge` cleans payloads and marks what was shown as `retracting`: the courier then has a `Retractor` take it
back, also while posts are switched off, and the newest cleaned revision is shown anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import sqlalchemy as sa

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.errors import OutletError
from assistant.notebook.canonical import dump
from assistant.notebook.database import Database
from redaction import FinalScanner

TABLES = sa.MetaData()

parcels = sa.Table(
    "payops_outbox",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("outlet", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("claim", sa.Text, nullable=False),
    sa.Column("claimed_until", sa.Float(53), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.Float(53), nullable=False),
    sa.Column("put_at", sa.Float(53), nullable=False),
    sa.Column("done_at", sa.Float(53)),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("payops_outbox_waiting", "state", "next_at"),
    sa.Index("payops_outbox_outlet", "outlet", "state", "next_at"),
)

_PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_CLAIM_S = 60.0


class Later(OutletError):
    """Not now; `after` seconds say when, 0 lets the outbox choose."""

    def __init__(self, message: str, *, after: float = 0.0, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.after = after


class Never(OutletError):
    """This parcel cannot be delivered here, ever; kept as failed, and counted."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A revision on its way. `previous` is the reference of the newest revision shown before it, "" for the first;
    `unsure` says that an earlier attempt died and may have arrived."""

    incident: str
    outlet: str
    revision: int
    payload: Mapping[str, object]
    attempts: int
    previous: str
    unsure: bool
    claim: str


class Carrier(Protocol):
    """An outlet behind the outbox. `every_revision`: show each one, not only the newest."""

    name: str
    every_revision: bool

    def render(self, note: Note, incident: Incident) -> Mapping[str, object] | None:
        """The redacted payload, JSON-able; None where this outlet does not show this note."""
        ...

    def deliver(self, parcel: Parcel) -> str: ...


@runtime_checkable
class Retractor(Protocol):
    """A carrier that can take back what it showed, because a leaked value stood in it."""

    def retract(self, ref: str) -> None:
        """Delete what `deliver` gave this reference for, its earlier versions included where that can be; what is gone
        already is done. Raises Later and Never as `deliver` does."""
        ...


@dataclass(frozen=True, slots=True)
class Retraction:
    """Something shown that has to be taken back."""

    incident: str
    outlet: str
    ref: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be shown or taken back: how many, the age of the oldest in seconds, how many failed for good."""

    count: int
    oldest_s: float
    failed: int


class Outbox:
    """Raises Away and Damaged (see `notebook.database`), LeakBlocked where the last look finds something in a
    payload.
    """

    def __init__(self, database: Database, *, scanner: FinalScanner, me: str) -> None:
        self._db = database
        self._scanner = scanner
        self._me = me

    def put(
        self, c: sa.Connection, *, incident: str, outlet: str, revision: int, payload: Mapping[str, object]
    ) -> None:
        """Within the transaction that keeps the note. The same revision again changes nothing."""
        text = dump(payload)
        self._scanner.check(text, sink=f"outbox {outlet}")
        now = self._db.moment(c)
        row = {
            "incident": incident,
            "outlet": outlet,
            "revision": revision,
            "payload": text,
            "state": "waiting",
            "claim": "",
            "claimed_until": 0.0,
            "attempts": 0,
            "next_at": now,
            "put_at": now,
            "ref": "",
            "error": "",
        }
        c.execute(self._db.insert(parcels).values(row).on_conflict_do_nothing())

    def claim(self, outlet: str, *, every_revision: bool) -> Parcel | None:
        """The next parcel of an outlet, claimed for us, or None. At most one of an incident is on its way at a time."""
        p, q = parcels, parcels.alias()
        with self._db.write() as c:
            now = self._db.moment(c)
            if not every_revision:
                self._overtake(c, outlet)
            # What was put or claimed in the future was so before a clock was set back: it does not wait for it.
            ready = sa.or_(
                sa.and_(p.c.state == "waiting", sa.or_(p.c.next_at <= now, p.c.put_at > now)),
                sa.and_(p.c.state == "sending", ~p.c.claimed_until.between(now, now + 2 * _CLAIM_S)),
            )
            before = sa.exists().where(
                q.c.incident == p.c.incident,
                q.c.outlet == outlet,
                q.c.revision < p.c.revision,
                q.c.state.in_(("waiting", "sending")),
            )
            query = (
                sa.select(p).where(p.c.outlet == outlet, ready, ~before).order_by(p.c.next_at, p.c.revision).limit(1)
            )
            if self._db.shared:
                query = query.with_for_update(skip_locked=True)
            row = c.execute(query).first()
            if row is None:
                return None
            token = f"{self._me}.{row.attempts + 1}"
            values = {"state": "sending", "claim": token, "claimed_until": now + _CLAIM_S, "attempts": row.attempts + 1}
            c.execute(sa.update(p).where(_this(row.incident, outlet, row.revision)).values(values))
            previous = self._previous(c, row.incident, outlet, row.revision)
        self._scanner.check(row.payload, sink=f"outlet {outlet}")
        return Parcel(
            incident=row.incident,
            outlet=outlet,
            revision=row.revision,
            payload=json.loads(row.payload),
            attempts=row.attempts + 1,
            previous=previous,
            unsure=row.state == "sending",
            claim=token,
        )

    def delivered(self, parcel: Parcel, ref: str) -> bool:
        """The note is shown. False if the claim was lost meanwhile (somebody else shows or showed it). If it was purged
        while it was on its way, it is to be taken back."""
        with self._db.read() as c:
            this = _this(parcel.incident, parcel.outlet, parcel.revision)
            kept = c.execute(sa.select(parcels.c.payload).where(this)).scalar()
        purged = kept is not None and kept != dump(parcel.payload)
        return self._settle(parcel, state="retracting" if purged else "delivered", ref=ref)

    def retraction(self, outlet: str) -> Retraction | None:
        """The next thing of an outlet to take back, claimed for us, or None."""
        p = parcels
        with self._db.write() as c:
            now = self._db.moment(c)
            ready = sa.and_(p.c.outlet == outlet, p.c.state == "retracting", p.c.next_at <= now)
            query = sa.select(p).where(ready, p.c.claimed_until < now).order_by(p.c.next_at).limit(1)
            if self._db.shared:
                query = query.with_for_update(skip_locked=True)
            row = c.execute(query).first()
            if row is None:
                return None
            found = Retraction(row.incident, outlet, row.ref, row.attempts + 1)
            values = {"claimed_until": now + _CLAIM_S, "attempts": row.attempts + 1}
            c.execute(sa.update(p).where(_shown(found)).values(values))
        return found

    def retracted(self, gone: Retraction, error: OutletError | None = None) -> None:
        """It is taken back, and the newest revision waits to be shown anew; or why not: `Never` is failed for good."""
        with self._db.write() as c:
            if error is not None:
                marked = sa.and_(_shown(gone), parcels.c.state == "retracting")
                after = getattr(error, "after", 0.0) or _PAUSES[min(gone.attempts, len(_PAUSES)) - 1]
                state = "failed" if isinstance(error, Never) else "retracting"
                again = {"state": state, "next_at": self._db.moment(c) + after, "claimed_until": 0.0}
                c.execute(sa.update(parcels).where(marked).values(error=error.message[:500], **again))
                return
            shown = c.execute(sa.select(sa.func.max(parcels.c.revision)).where(_shown(gone))).scalar()
            taken = {"state": "retracted", "ref": "", "error": "", "claimed_until": 0.0}
            c.execute(sa.update(parcels).where(_shown(gone)).values(taken))
            if shown is not None:
                newest = _this(gone.incident, gone.outlet, shown)
                c.execute(sa.update(parcels).where(newest).values(state="waiting", attempts=0, next_at=0.0))

    def postpone(self, parcel: Parcel, error: OutletError) -> bool:
        """Try again later: after what the outlet asked for, or a pause that grows."""
        after = getattr(error, "after", 0.0) or _PAUSES[min(parcel.attempts, len(_PAUSES)) - 1]
        return self._settle(parcel, state="waiting", error=error.message, after=after)

    def give_up(self, parcel: Parcel, error: OutletError) -> bool:
        return self._settle(parcel, state="failed", error=error.message)

    def waiting(self) -> Waiting:
        with self._db.read() as c:
            now = self._db.moment(c)
            open_ = parcels.c.state.in_(("waiting", "sending", "retracting"))
            count, oldest = c.execute(sa.select(sa.func.count(), sa.func.min(parcels.c.put_at)).where(open_)).one()
            failed = c.execute(sa.select(sa.func.count()).where(parcels.c.state == "failed")).scalar_one()
        return Waiting(count, max(now - oldest, 0.0) if oldest is not None else 0.0, failed)

    def release(self) -> None:
        """Give back what we claimed and did not send: called by a process that stops in good order."""
        with self._db.write() as c:
            mine = sa.and_(parcels.c.state == "sending", parcels.c.claim.like(f"{self._me}.%"))
            c.execute(sa.update(parcels).where(mine).values(state="waiting", claim="", claimed_until=0.0))

    def abandon_all_but(self, alive: frozenset[str]) -> None:
        """Let go at once of what processes that are not alive were sending; it stays `unsure`."""
        with self._db.write() as c:
            theirs = sa.and_(
                parcels.c.state == "sending", *(~parcels.c.claim.like(f"{executor}.%") for executor in sorted(alive))
            )
            c.execute(sa.update(parcels).where(theirs).values(claimed_until=0.0))

    def _overtake(self, c: sa.Connection, outlet: str) -> None:
        newer = parcels.alias()
        overtaken = sa.exists().where(
            newer.c.incident == parcels.c.incident, newer.c.outlet == outlet, newer.c.revision > parcels.c.revision
        )
        old = sa.and_(parcels.c.outlet == outlet, parcels.c.state == "waiting", overtaken)
        c.execute(sa.update(parcels).where(old).values(state="overtaken"))

    def _previous(self, c: sa.Connection, incident: str, outlet: str, revision: int) -> str:
        shown = sa.and_(
            parcels.c.incident == incident,
            parcels.c.outlet == outlet,
            parcels.c.revision < revision,
            parcels.c.state == "delivered",
        )
        return (
            c.execute(sa.select(parcels.c.ref).where(shown).order_by(parcels.c.revision.desc()).limit(1)).scalar() or ""
        )

    def _settle(self, parcel: Parcel, *, state: str, ref: str = "", error: str = "", after: float = 0.0) -> bool:
        with self._db.write() as c:
            now = self._db.moment(c)
            values = {"state": state, "claim": "", "claimed_until": 0.0, "next_at": now + after, "error": error[:500]}
            if state in {"delivered", "retracting"}:
                values |= {"ref": ref, "done_at": now}
            held = sa.and_(_this(parcel.incident, parcel.outlet, parcel.revision), parcels.c.claim == parcel.claim)
            return c.execute(sa.update(parcels).where(held).values(values)).rowcount == 1


def _shown(gone: Retraction) -> sa.ColumnElement[bool]:
    return sa.and_(
        parcels.c.incident == gone.incident,
        parcels.c.outlet == gone.outlet,
        parcels.c.ref == gone.ref,
        parcels.c.state.in_(("retracting", "delivered")),
    )


def _this(incident: str, outlet: str, revision: int) -> sa.ColumnElement[bool]:
    return sa.and_(parcels.c.incident == incident, parcels.c.outlet == outlet, parcels.c.revision == revision)
