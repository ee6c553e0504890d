"""One round of one incident: record, facts, note, finish. Every step may be done again and then finds what it did.

Plain Python without DBOS: `engine` runs each method of `ROUND_STEPS` as a durable step and keeps what it returns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.core.incident import Incident, IncidentId
from assistant.core.note import Note
from assistant.core.note_json import note_to_json
from assistant.core.note_restored import note_of
from assistant.errors import PromptLogError, UsageError, WorkflowError
from assistant.identity import Head
from assistant.notebook.canonical import dump
from assistant.notebook.database import Database
from assistant.notebook.notes import NoteBook
from assistant.ports import Clock, PromptLog
from assistant.promptlog.record import Entry, Event, Outcome, Receipt, RecordId, slug
from assistant.telemetry.logs import about
from assistant.workflow import joining
from assistant.workflow.incidents import IncidentBook, Snapshot
from assistant.workflow.investigator import Investigator, skew_gap
from assistant.workflow.outbox import Carrier, Outbox
from assistant.workflow.plain import plain_note
from assistant.workflow.replicas import Probe, no_probe
from assistant.workflow.rounds import Rounds
from assistant.workflow.switch import Switch
from redaction import FinalScanner, LeakBlocked, RedactionError

ROUND_STEPS = ("record", "facts", "note", "finish")
CRASHES = 2
"""So many crashes of one round, and looking further is over: the deterministic note goes out."""

_LOG = logging.getLogger("payops.workflow")
_LOGGED_ALERTS = 500


@dataclass(slots=True)
class Parts:
    """What a round works with. `carriers` are the outlets; `told` is called after each kept note, to wake them;
    `heal` opens a failed prompt log again (raises PromptLogError while that cannot be)."""

    database: Database
    incidents: IncidentBook
    notes: NoteBook
    rounds: Rounds
    outbox: Outbox
    switch: Switch
    promptlog: PromptLog
    investigator: Investigator
    scanner: FinalScanner
    clock: Clock
    carriers: Sequence[Carrier]
    actor: str = "webhook"
    stopping: Callable[[], bool] = lambda: False
    told: Callable[[str, Note], None] = lambda key, note: None
    heal: Callable[[], None] = lambda: None
    probe: Probe = no_probe


@dataclass(slots=True)
class Work:
    """The steps. What `examine` found stays in memory between `facts` and `note`; after a crash it is looked at
    again.
    """

    parts: Parts
    _owed: dict[tuple[str, int], Entry] = field(default_factory=dict)
    _found: dict[tuple[str, int], tuple[Incident, Any]] = field(default_factory=dict)

    def step(self, name: str, incident: str, number: int, *, level: int) -> dict[str, Any]:
        """Run one step by name, counting beginnings and ends, waiting while the database is away. `level` counts
        the workflows of this round that failed before; they weigh like crashes."""
        with about(incident=incident):
            return self._step(name, incident, number, level)

    def _step(self, name: str, incident: str, number: int, level: int) -> dict[str, Any]:
        p = self.parts
        crashes = self._patiently(lambda: p.rounds.step_begins(incident, number, name))
        p.probe(f"{name}.begun")
        body: Callable[[IncidentId, int, int], dict[str, Any]] = getattr(self, f"_{name}")
        try:
            result = self._patiently(lambda: body(IncidentId(incident), number, max(level, crashes)))
        finally:
            self._patiently(lambda: p.rounds.step_ends(incident, number, name))
        p.probe(f"{name}.ended")
        return dict(result)

    def _record(self, incident: IncidentId, number: int, crashes: int) -> dict[str, Any]:
        """The prompt log learns what came in, once: the record's id is the round's."""
        snapshot = self._snapshot(incident)
        alerts = [{"labels": dict(a.labels), "status": a.status, "starts_at": a.starts_at} for a in snapshot.alerts]
        entry = Entry(
            event=Event.ALERT_RECEIVED,
            actor=self.parts.actor,
            resource="alert",
            incident=incident,
            id=RecordId(f"{incident}.{number}.alerts"),
            facts={"alerts": len(alerts), "firing": snapshot.head.firing, "round": number},
            bodies={"alerts": dump(alerts[:_LOGGED_ALERTS]).encode()},
        )
        try:
            receipt = self._appended(entry)
        except (PromptLogError, LeakBlocked) as error:
            _LOG.error("no record of the alerts", extra={"incident": incident, "reason": type(error).__name__})
            if isinstance(error, PromptLogError):
                self._owed[incident, number] = entry
            return {"record": None}
        self.parts.probe("record.appended")
        return {"record": receipt.id, "index": receipt.index}

    def settle(self) -> None:
        """Append what the log refused when it failed. Its ids keep it from being there twice."""
        for key, entry in tuple(self._owed.items()):
            try:
                self.parts.promptlog.append(entry)
            except PromptLogError:
                return
            self._owed.pop(key, None)

    def _appended(self, entry: Entry) -> Receipt:
        """Append; if the log failed, have it opened again and try once more. The id keeps it from being there twice."""
        try:
            return self.parts.promptlog.append(entry)
        except PromptLogError:
            self.parts.heal()
            return self.parts.promptlog.append(entry)

    def _facts(self, incident: IncidentId, number: int, crashes: int) -> dict[str, Any]:
        """What is known without a model. On the first round it goes out at once; later ones wait for their draft."""
        done = self.parts.notes.by_key(incident, f"{number}.facts")
        if done is not None:
            return {"revision": done}
        snapshot = self._snapshot(incident)
        if (whole := snapshot.head.merged_into) is not None:
            return {"revision": self.farewell(incident, whole)}
        value = self.parts.investigator.incident(incident, snapshot.alerts)
        if crashes >= CRASHES:
            return {"revision": self._keep(self._plain(value, _CRASHED), value, snapshot, key=f"{number}.facts")}
        found = self.parts.investigator.examine(value)
        self._found[incident, number] = (value, found)
        self.parts.probe("facts.examined")
        if (elder := self._elder(snapshot.head, found)) is not None and self._joined(incident, elder):
            return {"revision": self.farewell(incident, elder)}
        if number > 1:
            return {"revision": None}
        note = self.parts.investigator.facts(found, revision=self.parts.notes.next_revision(incident))
        return {"revision": self._keep(note, value, snapshot, key=f"{number}.facts")}

    def _note(self, incident: IncidentId, number: int, crashes: int) -> dict[str, Any]:
        """The drafted note, or the deterministic one with the reason why."""
        facts = self.parts.notes.by_key(incident, f"{number}.facts")
        done = self.parts.notes.by_key(incident, f"{number}.note")
        nothing_to_add = crashes > CRASHES or (crashes == 0 and not self.parts.investigator.has_model)
        if done is not None or (facts is not None and nothing_to_add):
            return {"revision": done or facts}
        snapshot = self._snapshot(incident)
        if snapshot.head.merged_into is not None:
            return {"revision": None}
        value, found = self._found.pop((incident, number), (None, None))
        if value is None:
            value = self.parts.investigator.incident(incident, snapshot.alerts)
            if crashes > CRASHES:
                return {"revision": self._keep(self._plain(value, _CRASHED), value, snapshot, key=f"{number}.note")}
            found = self.parts.investigator.examine(value)
        self.parts.probe("note.examined")
        if self.parts.rounds.kind(incident, number) == "look" and self._same(incident, found):
            return {"revision": None}
        revision = self.parts.notes.next_revision(incident)
        if crashes >= CRASHES:
            note = self.parts.investigator.facts(found, revision=revision, without_model=_CRASHED)
        elif self.parts.switch.off:
            note = self.parts.investigator.facts(found, revision=revision, without_model=_OFF)
        else:
            note = self.parts.investigator.draft(found, revision=revision)
        self.parts.probe("note.written")
        return {"revision": self._keep(note, value, snapshot, key=f"{number}.note")}

    def _elder(self, mine: Head, found: Any) -> IncidentId | None:
        """The older open incident whose latest note tells the same cause since the same moment, if there is one."""
        p = self.parts
        older = joining.elders(mine, p.incidents.wanted())
        cause = joining.cause_of(note_to_json(p.investigator.sketch(found))) if older else None
        if cause is None:
            return None
        for head in older:
            latest = p.notes.latest(head.id)
            if latest is not None and joining.same(cause, joining.cause_of(latest)):
                return head.id
        return None

    def _joined(self, incident: IncidentId, elder: IncidentId) -> bool:
        """Make it part of the elder, recorded first. False where that cannot be: both then go on as they are."""
        entry = Entry(
            event=Event.CONFIG_CHANGE,
            actor="analyst",
            resource="incident",
            incident=elder,
            id=RecordId(f"{incident}.merge.{elder}"),
            facts={"decision": "merge", "other": incident},
        )
        try:
            self._appended(entry)
            self.parts.incidents.merge(elder, incident)
        except (PromptLogError, UsageError) as error:
            _LOG.warning("not merged", extra={"incident": incident, "reason": type(error).__name__})
            return False
        self.parts.probe("facts.merged")
        return True

    def farewell(self, incident: IncidentId, kept: IncidentId) -> int | None:
        """The last revision of an incident that became part of `kept`, once; None where nothing of it was shown."""
        p = self.parts
        latest = p.notes.latest(incident)
        if latest is None or latest["status"] == "merged":
            return None
        head, alerts = self._snapshot(incident).head, self._snapshot(kept).alerts
        value = p.investigator.incident(incident, alerts)
        last = note_of(latest, p.scanner.restore)
        note = joining.farewell(last, kept, now=p.clock.now(), revision=p.notes.next_revision(incident))
        return self._kept(note, value, Snapshot(head, alerts), key=f"{head.wants}.merged")

    def _same(self, incident: IncidentId, found: Any) -> bool:
        """Whether a further look found nothing that is worth a revision."""
        latest = self.parts.notes.latest(incident)
        return latest is not None and material(latest) == material(note_to_json(self.parts.investigator.sketch(found)))

    def _finish(self, incident: IncidentId, number: int, crashes: int) -> dict[str, Any]:
        self._found.pop((incident, number), None)
        self.settle()
        self.parts.rounds.finish(incident, number, outcome="note")
        return {"done": True}

    def _keep(self, note: Note, incident: Incident, snapshot: Snapshot, *, key: str) -> int:
        """Note and parcels in one transaction. A note that the last look stops is replaced by the plain one."""
        gap = skew_gap(incident, now=self.parts.clock.now())
        note = replace(note, gaps=(*note.gaps, gap)) if gap else note
        try:
            return self._kept(note, incident, snapshot, key=key)
        except RedactionError as error:
            why = ", ".join(error.classes) if isinstance(error, LeakBlocked) else "the last look failed"
            self._withheld(note, why, error)
            instead = self._plain(incident, f"a note was withheld by the last look ({why})")
            return self._kept(replace(instead, revision=note.revision), incident, snapshot, key=key)

    def _withheld(self, note: Note, why: str, error: RedactionError) -> None:
        """Said in the log and in a record with the place and its shape, so that a block by mistake can be mended."""
        sink = error.sink if isinstance(error, LeakBlocked) else "unknown"
        where = error.where if isinstance(error, LeakBlocked) else why
        _LOG.error(
            "note withheld", extra={"incident": note.incident_id, "reason": why, "sink": sink, "where": where[:500]}
        )
        entry = Entry(
            event=Event.REDACTION_BLOCK,
            actor=self.parts.actor,
            outcome=Outcome.BLOCKED,
            resource="note",
            incident=note.incident_id,
            facts={"revision": note.revision, "sink": slug(sink), "found": slug(why)},
            bodies={"where": where.encode()},
        )
        try:
            self._appended(entry)
        except (PromptLogError, LeakBlocked):
            _LOG.error("the block could not be recorded", extra={"incident": note.incident_id})

    def _kept(self, note: Note, incident: Incident, snapshot: Snapshot, *, key: str) -> int:
        p = self.parts
        with p.database.write() as c:
            kept = p.notes.keep(c, note, key=key)
            if kept and not snapshot.head.muted:
                for carrier in p.carriers:
                    payload = carrier.render(note, incident)
                    if payload is not None:
                        p.outbox.put(
                            c, incident=incident.id, outlet=carrier.name, revision=note.revision, payload=payload
                        )
            p.probe(f"{key.split('.')[1]}.kept")
        p.probe(f"{key.split('.')[1]}.committed")
        if not kept:
            first = p.notes.by_key(incident.id, key)
            if first is None:
                raise WorkflowError(f"revision {note.revision} of {incident.id} was taken by other work")
            return first
        p.told(key, note)
        return note.revision

    def _plain(self, incident: Incident, why: str) -> Note:
        p = self.parts
        revision = p.notes.next_revision(incident.id)
        return plain_note(incident, why=why, now=p.clock.now(), revision=revision, scanner=p.scanner)

    def _snapshot(self, incident: IncidentId) -> Snapshot:
        snapshot = self.parts.incidents.snapshot(incident)
        if snapshot is None:
            raise WorkflowError(f"incident {incident} is not in the notebook", mend="was the database replaced?")
        return snapshot

    def _patiently(self, work: Callable[[], Any]) -> Any:
        return self.parts.database.patiently(work, stopping=self.parts.stopping)


def material(note: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a note (as JSON) is worth an update: status, severity, the leading hypothesis, and which kinds of
    evidence and which sources there are. Numbers that only grew are not.
    """
    leading = note["hypotheses"][0] if note["hypotheses"] else {}
    return (
        note["status"],
        note["severity"],
        tuple(leading.get(k) for k in ("entity", "kind", "class", "change")),
        frozenset(e["kind"] for e in note["evidence"]),
        frozenset(g["source"] for g in note["gaps"]),
    )


_CRASHED = "looking further crashed twice, so this is written without it"
_OFF = "model and posts are switched off (payops off)"

Result = Mapping[str, Any]
