"""Put a note together from a case and its prose. Pure: the same case and prose give the same note."""

from __future__ import annotations

from assistant.case import Case
from assistant.core.draft import Written
from assistant.core.evidence import Change, EvidenceId
from assistant.core.hypothesis import argued_down
from assistant.core.note import Event, Note, NoteStatus

_KEEP_RUNBOOKS = 3
TOO_EARLY = 120.0
"""Seconds: twice the shortest range that rates are taken over."""


def compose(case: Case, written: Written, *, now: float, warnings: tuple[str, ...] = (), revision: int = 1) -> Note:
    """The note. Prose comes from `written`; verdicts, numbers, times, gaps and evidence from the case alone."""
    analysis, draft = case.analysis, written.draft
    findings = analysis.findings
    return Note(
        incident_id=case.incident.id,
        status=_status(case),
        severity=analysis.severity,
        title=draft.title,
        summary=draft.summary,
        since=findings.onset.at if findings.onset else None,
        impact=findings.impact,
        findings=findings,
        hypotheses=argued_down(analysis.hypotheses, draft.argued_down),
        cause=draft.cause,
        change_events=case.observations.changes,
        changes=findings.changes,
        runbooks=case.runbook.passages[:_KEEP_RUNBOOKS],
        runbook_none=case.runbook.none_because,
        next_steps=draft.next_steps,
        not_known=tuple(dict.fromkeys((*_early(case), *analysis.not_known, *draft.not_known, *case.context.left_out))),
        gaps=case.observations.gaps,
        timeline=timeline(case),
        evidence=case.context.evidence,
        charts=findings.charts,
        redactions=dict(sorted(case.redactions.items())),
        model=written.model,
        without_model=written.without_model,
        struck=written.struck,
        spent=written.spent,
        revision=revision,
        written_at=now,
        warnings=warnings,
    )


def _early(case: Case) -> tuple[str, ...]:
    quiet = case.analysis.findings.health in {"healthy", "recovered"}
    said = too_early(case)
    return (said,) if quiet and said else ()


def timeline(case: Case) -> tuple[Event, ...]:
    """Alerts, changes, onset and first new log lines, in order of time."""
    events: list[Event] = []
    for i, alert in enumerate(case.incident.alerts, start=1):
        evidence = EvidenceId(f"A{i}")
        if alert.active_at is not None:
            events.append(Event(alert.active_at, f"condition of {alert.name} begins to hold", evidence))
        events.append(Event(alert.starts_at, f"{alert.name} fires", evidence))
    for i, change in enumerate(case.observations.changes, start=1):
        if case.incident.baseline.start <= change.t:
            events.append(Event(change.t, _said(change), EvidenceId(f"C{i}")))
    findings = case.analysis.findings
    if findings.onset:
        events.append(Event(findings.onset.at, f"it begins, by {findings.onset.series} series", None))
    for pattern in findings.patterns[:3]:
        events.append(Event(pattern.first_seen, f"first “{pattern.template[:80]}”", pattern.evidence))
    return tuple(sorted(events, key=lambda e: e.t))


def _said(change: Change) -> str:
    return f"{change.kind} {change.id} of {change.service}: {change.title}"


def _status(case: Case) -> NoteStatus:
    if case.incident.alerts and all(a.status == "resolved" for a in case.incident.alerts):
        return "resolved"
    quiet = case.analysis.findings.health in {"healthy", "recovered"}
    return "nothing wrong now" if quiet and not too_early(case) else "open"


def too_early(case: Case) -> str:
    """Why "nothing is wrong" cannot be said yet, or "": a condition younger than the rates that would show it."""
    firing = [a for a in case.incident.alerts if a.status == "firing"]
    youngest = max((a.active_at if a.active_at is not None else a.starts_at for a in firing), default=None)
    if youngest is None or case.incident.now - youngest >= TOO_EARLY:
        return ""
    age = max(0, round(case.incident.now - youngest))
    return f"too early to tell: the condition began {age} s ago, and rates over a minute or two do not show it yet"
