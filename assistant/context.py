"""The context of a case: its evidence as short texts that claims can stand on, redacted and looked at once more."""

from __future__ import annotations

from collections.abc import Iterable

from assistant.analysis import Analysis
from assistant.core.alert import Alert
from assistant.core.evidence import Evidence, EvidenceId
from assistant.core.observations import Observations
from assistant.core.prompt import Context
from assistant.core.runbook import RunbookAnswer
from assistant.core.time import Window, iso
from redaction import FinalScanner, LeakBlocked


def context_of(
    observations: Observations, analysis: Analysis, runbook: RunbookAnswer, *, scanner: FinalScanner
) -> Context:
    """What a writer may speak about. A text that the scanner blocks is left out and said to be."""
    kept: list[Evidence] = []
    left_out: list[str] = []
    for evidence_id, kind, query, window, text, facts in _texts(observations, analysis, runbook):
        try:
            kept.append(Evidence(evidence_id, kind, query, window, scanner.restore(text), facts=facts))  # type: ignore[arg-type]
        except LeakBlocked:
            left_out.append(f"{evidence_id}: blocked by the last look")
    return Context(
        incident=observations.incident,
        evidence=tuple(kept),
        findings=analysis.findings,
        hypotheses=analysis.hypotheses,
        passages=runbook.passages,
        next_steps=runbook.next_steps,
        not_known=analysis.not_known,
        left_out=tuple(left_out),
    )


_Row = tuple[EvidenceId, str, str, Window, str, dict[str, object]]


def _texts(observations: Observations, analysis: Analysis, runbook: RunbookAnswer) -> Iterable[_Row]:
    incident, texts = observations.incident, analysis.evidence_texts
    for i, alert in enumerate(incident.alerts, start=1):
        alert_id = EvidenceId(f"A{i}")
        text, facts = texts.get(alert_id, ("", {}))
        yield alert_id, "alert", alert.name, incident.window, _both(alert_text(alert), text), dict(facts)
    for metric in observations.metrics:
        if metric.id in texts:
            text, facts = texts[metric.id]
            yield metric.id, "metric", metric.promql, metric.window, text, dict(facts)
    for log in observations.logs:
        if log.id in texts:
            text, facts = texts[log.id]
            yield log.id, "log", log.query, log.window, text, dict(facts)
    for i, change in enumerate(observations.changes, start=1):
        words = f"{change.kind} {change.id} of {change.service} at {iso(change.t)}: {change.title}"
        yield (
            EvidenceId(f"C{i}"),
            "change",
            change.id,
            incident.window,
            words,
            {"t": change.t, "service": change.service},
        )
    for i, passage in enumerate(runbook.passages, start=1):
        steps = "".join(f"\nstep: {step.text}" for step in runbook.next_steps) if i == 1 else ""
        words = f"{passage.title}, {passage.heading}: {passage.text.text}{steps}"
        yield EvidenceId(f"R{i}"), "runbook", passage.path, incident.window, words, {"score": passage.score}


def _both(first: str, more: str) -> str:
    """What an alert or change says of itself, then what the analyst measured about it."""
    return f"{first}\n{more}" if more else first


def alert_text(alert: Alert) -> str:
    """An alert in a few lines: name, labels, when it fired and since when its condition held, what it says."""
    labels = " ".join(f"{k}={v}" for k, v in alert.labels.items() if k != "alertname")
    since = f", condition since {iso(alert.active_at)}" if alert.active_at is not None else ""
    said = " ".join(t.text for name, t in sorted(alert.annotations.items()) if "url" not in name)
    state = "silenced" if alert.silenced else "inhibited" if alert.inhibited else alert.status
    return f"{alert.name} {state}, fired {iso(alert.starts_at)}{since}; {labels}; {said}"
