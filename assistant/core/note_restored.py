"""A note out of its JSON, as far as the JSON holds it: what papers are written from long after the telemetry is gone.

Charts, patterns and shifts are not restored; what they said stands in the evidence texts. Every evidence text passes a
final scanner on the way back (`restore`), so that nothing comes out of storage that may not be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assistant.core.draft import Claim, ModelUse
from assistant.core.evidence import Change, Evidence, EvidenceId, Gap
from assistant.core.finding import ChangeLink, Dimension, Findings, Impact, Onset
from assistant.core.hypothesis import Hypothesis, Reason
from assistant.core.incident import Incident, IncidentId
from assistant.core.note import Event, Note, RecordRef
from assistant.core.note_json import VERSION
from assistant.core.prompt import Context
from assistant.core.time import Instant, Window, parse_iso
from assistant.errors import WorkflowError
from redaction import RedactedText

Restore = Callable[[str], RedactedText]
Json = Mapping[str, Any]


def note_of(body: Json, restore: Restore) -> Note:
    """The note of `note_to_json`. WorkflowError where the JSON is of another version or damaged; LeakBlocked where
    `restore` finds something."""
    if body.get("version") != VERSION:
        raise WorkflowError("a kept note is of another version", mend="ask the release that wrote it")
    try:
        return _note(body, restore)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        mend = "`payops log search --incident ID --event note.post` finds the note in the prompt log"
        raise WorkflowError(f"a kept note cannot be read ({type(error).__name__})", mend=mend) from None


def context_of_note(note: Note, restore: Restore) -> Context:
    """What may be said of a restored note: its evidence, hypotheses and findings. Runbook passages are evidence
    already; its next steps may be quoted, because they passed the checks when they were written."""
    end = max([note.written_at, *(e.window.end for e in note.evidence)])
    start = min([end - 1.0, *(e.window.start for e in note.evidence)])
    window = Window(Instant(start), Instant(end))
    return Context(
        incident=Incident(note.incident_id, (), window, window.shifted(-window.seconds)),
        evidence=note.evidence,
        findings=note.findings,
        hypotheses=note.hypotheses,
        passages=(),
        next_steps=tuple(restore(c.text) for c in note.next_steps),
        not_known=note.not_known,
    )


def _note(body: Json, restore: Restore) -> Note:
    impact = _impact(body["impact"])
    links = tuple(map(_link, body["changes"]))
    findings = Findings(
        health=body["health"],
        onset=_onset(body["onset"]),
        dimensions=tuple(map(_dimension, body.get("dimensions", ()))),
        changes=links,
        impact=impact,
    )
    return Note(
        incident_id=IncidentId(str(body["incident_id"])),
        status=body["status"],
        severity=body["severity"],
        title=str(body["title"]),
        summary=_claims(body["summary"]),
        since=parse_iso(body["since"]) if body["since"] else None,
        impact=impact,
        findings=findings,
        hypotheses=tuple(map(_hypothesis, body["hypotheses"])),
        cause=_claims(body["cause"]),
        change_events=tuple(_event_of(c) for c in body["changes"] if c["at"]),
        changes=links,
        runbook_none=str(body["runbook_none"]),
        next_steps=_claims(body["next_steps"]),
        not_known=tuple(map(str, body["not_known"])),
        gaps=tuple(Gap(str(g["source"]), str(g["reason"])) for g in body["gaps"]),
        timeline=tuple(_event(e) for e in body["timeline"]),
        evidence=tuple(_evidence(e, restore) for e in body["evidence"]),
        redactions=dict(body["redactions"]),
        model=_use(body["model"]),
        without_model=str(body["without_model"]),
        spent=_use(body.get("spent")),  # notes of before have none
        record=RecordRef(**body["record"]) if body["record"] else None,
        record_missing=str(body["record_missing"]),
        revision=int(body["revision"]),
        written_at=parse_iso(body["written_at"]),
        warnings=tuple(map(str, body["warnings"])),
    )


def _claims(said: Sequence[Json]) -> tuple[Claim, ...]:
    return tuple(Claim(str(c["text"]), _ids(c["evidence"])) for c in said)


def _ids(ids: Sequence[str]) -> tuple[EvidenceId, ...]:
    return tuple(EvidenceId(str(i)) for i in ids)


def _onset(said: Json | None) -> Onset | None:
    if said is None:
        return None
    return Onset(parse_iso(said["at"]), parse_iso(said["earliest"]), parse_iso(said["latest"]), int(said["series"]))


def _impact(said: Json | None) -> Impact | None:
    if said is None:
        return None
    return Impact(
        window=Window(parse_iso(said["from"]), parse_iso(said["to"])),
        attempts=float(said["attempts"]),
        lost=float(said["lost"]),
        usual_rate=float(said["usual_rate"]),
        seen_rate=float(said["seen_rate"]),
        amounts=dict(said["amounts"]),
        by={name: dict(values) for name, values in said["by"].items()},
        customers=said["customers"],
        formula=str(said["formula"]),
        not_counted=tuple(map(str, said["not_counted"])),
        evidence=_ids(said["evidence"]),
    )


def _dimension(said: Json) -> Dimension:
    numbers = (float(said[name]) for name in ("share", "surprise", "usual", "seen"))
    return Dimension(EvidenceId(said["evidence"]), dict(said["labels"]), *numbers)


def _hypothesis(said: Json) -> Hypothesis:
    return Hypothesis(
        entity=str(said["entity"]),
        dimension=str(said["dimension"]),
        kind=str(said["kind"]),
        cause=str(said["cause"]),
        verdict=said["class"],
        confidence=float(said["confidence"]),
        supports=_reasons(said["reasons_for"]),
        against=_reasons(said["reasons_against"]),
        change=str(said["change"] or ""),
        fault=said["fault"],
        would_settle=str(said["would_settle"]),
    )


def _reasons(said: Sequence[Json]) -> tuple[Reason, ...]:
    return tuple(Reason(str(r["text"]), _ids(r["evidence"])) for r in said)


def _link(said: Json) -> ChangeLink:
    return ChangeLink(
        EvidenceId(said["evidence"]),
        str(said["id"]),
        str(said["service"]),
        float(said["seconds_before_onset"]),
        float(said["score"]),
        tuple(map(str, said["reasons"])),
        tuple(map(str, said["against"])),
    )


def _event_of(said: Json) -> Change:
    return Change(parse_iso(said["at"]), str(said["kind"]), str(said["service"]), str(said["id"]), str(said["title"]))


def _event(said: Json) -> Event:
    return Event(parse_iso(said["at"]), str(said["text"]), EvidenceId(said["evidence"]) if said["evidence"] else None)


def _evidence(said: Json, restore: Restore) -> Evidence:
    start, end = map(parse_iso, said["window"])
    return Evidence(
        EvidenceId(said["id"]), said["kind"], str(said["query"]), Window(start, end), restore(said["text"]),
        link=str(said["link"]),
    )  # fmt: skip


def _use(said: Json | None) -> ModelUse | None:
    return ModelUse(**{**said, "records": tuple(said["records"])}) if said else None
