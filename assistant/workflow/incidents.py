"""Incidents and their alerts, as they stand. One delivery is one transaction: what was answered with 200 is here.

A *round* is one state of an incident that is worth a look: it opened, grew, got worse, ended, came back. `Head.wants`
counts the looks wanted, `rounds.begun` (see `assistant.workflow.rounds`) the looks begun; the workflow catches up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from assistant.core.alert import Alert, frozen
from assistant.core.incident import IncidentId
from assistant.errors import UsageError
from assistant.identity import Head, Held, Placed, Placement, Rules, merged, place, split
from assistant.incidents import new_id
from assistant.notebook.canonical import dump
from assistant.notebook.database import Database
from assistant.workflow.codec import alert_from_json, alert_to_json, head_from_json, head_to_json
from redaction import FinalScanner, LeakBlocked

TABLES = sa.MetaData()

incidents = sa.Table(
    "payops_incident",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("opened_at", sa.Float(53), nullable=False),
    sa.Column("resolved_at", sa.Float(53)),
    sa.Column("merged_into", sa.Text),
    sa.Column("storm", sa.Boolean, nullable=False),
    sa.Column("wants", sa.Integer, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Index("payops_incident_resolved", "resolved_at"),
)

alerts = sa.Table(
    "payops_alert",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("starts_at", sa.Float(53), nullable=False),
    sa.Column("ends_at", sa.Float(53)),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("received_at", sa.Float(53), nullable=False),
    sa.Column("deliveries", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("payops_alert_fingerprint", "fingerprint"),
)

_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An incident with its alerts, the newest state of each fingerprint."""

    head: Head
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts for people and machines."""

    open: int
    alerts: int
    storms: int


class IncidentBook:
    """Raises Away and Damaged (see `database`), LeakBlocked where the last look finds something."""

    def __init__(
        self,
        database: Database,
        *,
        scanner: FinalScanner,
        rules: Rules | None = None,
        fresh_id: Callable[[], IncidentId] = new_id,
    ) -> None:
        self._db = database
        self._scanner = scanner
        self._rules = rules or Rules()
        self._fresh_id = fresh_id

    def receive(self, delivered: Sequence[Alert], *, now: float) -> Placed:
        """Place a delivery and keep it, durably, in one transaction. The same delivery again changes only a count."""
        delivered = [self._fit(a) for a in delivered]
        bodies = {id(a): dump(alert_to_json(a)) for a in delivered}
        with self._db.write(lock="place") as c:
            heads = self._heads(c, now)
            held = self._held(c, [a.fingerprint for a in delivered], {h.id for h in heads})
            placed = place(delivered, heads=heads, held=held, now=now, new_id=self._fresh_id, rules=self._rules)
            for head in placed.heads.values():
                self._keep(c, head)
            self._keep_alerts(c, placed.placements, bodies, now=now)
        return placed

    def snapshot(self, incident: IncidentId, *, limit: int = 500) -> Snapshot | None:
        """The incident and its first `limit` alerts, firing ones first: a storm of 10,000 is told by its beginning."""
        firing_first = (sa.case((alerts.c.status == "firing", 0), else_=1), alerts.c.starts_at, alerts.c.fingerprint)
        query = sa.select(alerts.c.body).where(alerts.c.incident == incident).order_by(*firing_first).limit(limit)
        with self._db.read() as c:
            head = self._head(c, incident)
            if head is None:
                return None
            rows = c.execute(query).scalars().all()
        return Snapshot(head, tuple(sorted((self._alert(r) for r in rows), key=lambda a: (a.starts_at, a.fingerprint))))

    def wanted(self, *, limit: int = 1000) -> tuple[Head, ...]:
        """Incidents in order of opening, for whoever looks which of them want a round."""
        with self._db.read() as c:
            rows = c.execute(
                sa.select(incidents)
                .where(incidents.c.merged_into.is_(None))
                .order_by(incidents.c.opened_at.desc())
                .limit(limit)
            ).mappings()
            return tuple(_head(r) for r in rows)

    def merge(self, kept: IncidentId, other: IncidentId) -> None:
        """`other` becomes part of `kept`. Raises UsageError where there is nothing to merge."""
        with self._db.write(lock="place") as c:
            try:
                whole, gone = merged(self._sure(c, kept), self._sure(c, other))
            except ValueError as error:
                raise UsageError(str(error), mend="give two different open incidents") from None
            double = sa.select(alerts.c.fingerprint).where(alerts.c.incident == kept)
            twice = sa.and_(alerts.c.incident == other, alerts.c.fingerprint.in_(double))
            c.execute(sa.delete(alerts).where(twice))
            c.execute(sa.update(alerts).where(alerts.c.incident == other).values(incident=kept))
            self._keep(c, replace(whole, firing=_firing(c, kept)))
            self._keep(c, gone)

    def split(self, incident: IncidentId, fingerprints: Iterable[str], *, now: float) -> IncidentId:
        """These alerts become an incident of their own, whose id is returned. Raises UsageError where one side is
        empty.
        """
        leaving = set(fingerprints)
        with self._db.write(lock="place") as c:
            head = self._sure(c, incident)
            rows = c.execute(sa.select(alerts.c.body).where(alerts.c.incident == incident)).scalars()
            all_of_it = [self._alert(r) for r in rows]
            go = [a for a in all_of_it if a.fingerprint in leaving]
            stay = [a for a in all_of_it if a.fingerprint not in leaving]
            try:
                old, new = split(head, go, stay, now=now, new_id=self._fresh_id())
            except ValueError as error:
                raise UsageError(str(error), mend="name some of the incident's alerts, not all") from None
            moved = sa.and_(alerts.c.incident == incident, alerts.c.fingerprint.in_(leaving))
            c.execute(sa.update(alerts).where(moved).values(incident=new.id))
            self._keep(c, old)
            self._keep(c, new)
            return new.id

    def mute(self, incident: IncidentId, *, muted: bool = True) -> None:
        """A muted incident is followed and not shown. Raises UsageError for an unknown one."""
        with self._db.write(lock="place") as c:
            self._keep(c, replace(self._sure(c, incident), muted=muted))

    def adopt(self, head: Head) -> None:
        """Follow an incident that came by no delivery (one of a recorded world). It wants no look by itself."""
        with self._db.write(lock="place") as c:
            self._keep(c, replace(head, wants=0))

    def firing(self) -> dict[str, Alert]:
        """Every alert that is held as firing, by fingerprint."""
        with self._db.read() as c:
            rows = c.execute(sa.select(alerts.c.body).where(alerts.c.status == "firing")).scalars().all()
        return {a.fingerprint: a for a in map(self._alert, rows)}

    def summary(self) -> Summary:
        with self._db.read() as c:
            live = sa.and_(incidents.c.resolved_at.is_(None), incidents.c.merged_into.is_(None))
            opened = c.execute(sa.select(sa.func.count()).where(live)).scalar_one()
            storms = c.execute(sa.select(sa.func.count()).where(live, incidents.c.storm.is_(True))).scalar_one()
            return Summary(opened, c.execute(sa.select(sa.func.count()).select_from(alerts)).scalar_one(), storms)

    def _heads(self, c: sa.Connection, now: float) -> tuple[Head, ...]:
        alive = sa.or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at > now - self._rules.reopen_s)
        minute = incidents.c.opened_at > now - 60.0
        query = sa.select(incidents).where(incidents.c.merged_into.is_(None), sa.or_(alive, minute))
        return tuple(_head(r) for r in c.execute(query).mappings())

    def _held(self, c: sa.Connection, fingerprints: Sequence[str], among: set[IncidentId]) -> dict[str, Held]:
        found: dict[str, Held] = {}
        for start in range(0, len(fingerprints), _CHUNK):
            part = fingerprints[start : start + _CHUNK]
            query = sa.select(alerts).where(alerts.c.fingerprint.in_(part)).order_by(alerts.c.received_at)
            for r in c.execute(query).mappings():
                if r["incident"] in among:
                    found[r["fingerprint"]] = Held(
                        IncidentId(r["incident"]), r["starts_at"], r["status"], r["received_at"], r["ends_at"]
                    )
        return found

    def _keep_alerts(
        self, c: sa.Connection, placements: Iterable[Placement], bodies: Mapping[int, str], *, now: float
    ) -> None:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for p in placements:
            if p.incident is None or p.weight == "stale":
                continue
            a = p.alert
            before = rows.get((p.incident, a.fingerprint))
            rows[p.incident, a.fingerprint] = {
                "incident": p.incident,
                "fingerprint": a.fingerprint,
                "starts_at": a.starts_at,
                "ends_at": a.ends_at,
                "status": a.status,
                "received_at": now,
                "deliveries": 1 if before is None else before["deliveries"] + 1,
                "body": bodies[id(a)],
            }
        if not rows:
            return
        insert = self._db.insert(alerts)
        new = insert.excluded
        c.execute(
            insert.on_conflict_do_update(
                index_elements=["incident", "fingerprint"],
                set_={
                    "starts_at": new.starts_at,
                    "ends_at": new.ends_at,
                    "status": new.status,
                    "received_at": new.received_at,
                    "deliveries": alerts.c.deliveries + new.deliveries,
                    "body": new.body,
                },
            ),
            list(rows.values()),
        )

    def _keep(self, c: sa.Connection, head: Head) -> None:
        row = {
            "opened_at": head.opened_at,
            "resolved_at": head.resolved_at,
            "merged_into": head.merged_into,
            "storm": head.storm,
            "wants": head.wants,
            "head": self._looked(dump(head_to_json(head))),
        }
        insert = self._db.insert(incidents).values(id=head.id, **row)
        c.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def _head(self, c: sa.Connection, incident: IncidentId) -> Head | None:
        row = c.execute(sa.select(incidents).where(incidents.c.id == incident)).mappings().first()
        return _head(row) if row else None

    def _sure(self, c: sa.Connection, incident: IncidentId) -> Head:
        head = self._head(c, incident)
        if head is None:
            raise UsageError("no such incident", mend="look at the ids in the notes or on the console")
        return head

    def _alert(self, body: str) -> Alert:
        return alert_from_json(json.loads(body), scanner=self._scanner)

    def _fit(self, alert: Alert) -> Alert:
        """The alert as it may be stored. What the last look stops is withheld; that it fired is kept."""
        for kept in (alert, replace(alert, annotations={}), withheld(alert)):
            try:
                self._looked(dump(alert_to_json(kept)))
                return kept
            except LeakBlocked:
                continue
        return replace(withheld(alert), labels=frozen({"alertname": "withheld"}), group_key="")

    def _looked(self, text: str) -> str:
        """The last look before storage. Raises LeakBlocked."""
        self._scanner.check(text, sink="notebook")
        return text


def withheld(alert: Alert) -> Alert:
    """An alert with nothing but its name and severity."""
    labels = frozen({k: v for k, v in alert.labels.items() if k in {"alertname", "severity"}})
    return replace(alert, labels=labels, annotations={}, group_key="")


def _head(row: sa.RowMapping) -> Head:
    columns = {k: row[k] for k in ("id", "opened_at", "resolved_at", "merged_into", "storm", "wants")}
    return head_from_json(json.loads(row["head"]), **columns)


def _firing(c: sa.Connection, incident: IncidentId) -> int:
    firing = sa.select(sa.func.count()).where(alerts.c.incident == incident, alerts.c.status == "firing")
    return int(c.execute(firing).scalar_one())
