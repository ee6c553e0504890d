"""Metrics of the assistant itself, in Prometheus's words. Counts, ages and latencies only: no label comes from
telemetry.

What is counted as it happens is a counter; what can be asked (open incidents, waiting parcels, living replicas) is
asked at each scrape, so that it cannot drift from the truth; what cannot be asked then is left out, never reported as
0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.core.note import Note

Reading = Callable[[], Mapping[str, float]]
"""Asked at each scrape: metric name to value. Raises WorkflowError where it cannot be told."""


_CLASS = re.compile(r"[A-Z][A-Z_]{0,31}")


@dataclass(slots=True)
class Metrics:
    """The registry and its instruments. See `new_metrics`."""

    registry: Any
    webhooks: Any
    deliveries: Any
    incidents: Any
    notes: Any
    facts_seconds: Any
    note_seconds: Any
    posts: Any
    takeovers: Any
    withheld_lines: Any
    verdicts: Any
    struck: Any
    redactions: Any
    retrieval: Any
    cases: Any
    slack_calls: Any
    slack_blocked: Any
    slack_refused: Any
    slack_answers: Any
    reply_seconds: Any
    denied: Any
    kept: Any
    pages: Any
    records: Any
    queries: Any
    query_seconds: Any
    source_up: Any
    answers: Any
    answer_seconds: Any
    tokens: Any
    cost: Any
    feedback: Any
    credentials: Any
    readings: dict[str, Reading] = field(default_factory=dict)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        from prometheus_client import generate_latest
        from prometheus_client.exposition import CONTENT_TYPE_LATEST

        return generate_latest(self.registry), CONTENT_TYPE_LATEST


def new_metrics() -> Metrics:
    """Instruments on a registry of their own."""
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    registry = CollectorRegistry()

    def counter(name: str, help_: str, *labels: str) -> Any:
        return Counter(f"payops_{name}", help_, labels, registry=registry)

    def gauge(name: str, help_: str, *labels: str) -> Any:
        return Gauge(f"payops_{name}", help_, labels, registry=registry)

    def histogram(name: str, help_: str, *labels: str, buckets: tuple[float, ...]) -> Any:
        return Histogram(f"payops_{name}", help_, labels, buckets=buckets, registry=registry)

    seconds = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120)
    quick = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
    metrics = Metrics(
        registry=registry,
        webhooks=counter("webhook_requests", "Webhook requests by HTTP status.", "code"),
        deliveries=counter("alert_deliveries", "Alerts delivered, by how they were placed.", "how"),
        incidents=counter("incidents_opened", "Incidents opened, storms included."),
        notes=counter("notes", "Note revisions kept, by kind and whether a model wrote.", "kind", "model"),
        facts_seconds=histogram("facts_seconds", "From webhook to facts-only note.", buckets=seconds),
        note_seconds=histogram("note_seconds", "From a round's beginning to its note.", buckets=seconds),
        posts=counter("posts", "Notes shown, by outlet.", "outlet"),
        takeovers=counter("takeovers", "Rounds taken over from other processes or done again."),
        withheld_lines=counter("log_lines_withheld", "Log lines stopped by the final scanner."),
        verdicts=counter("verdicts", "Notes by the verdict of their leading hypothesis.", "verdict"),
        struck=counter("claims_struck", "Claims that the checker took out of drafts."),
        redactions=counter("redactions", "Values removed on the way in, by class.", "klass"),
        denied=counter("auth_denied", "Requests of people that were refused, by why (words of ours).", "why"),
        retrieval=histogram(
            "retrieval_score",
            "Score of the best runbook of a note; 0 where none fits.",
            buckets=tuple(i / 10 for i in range(11)),
        ),
        kept=counter("claims_kept", "Claims of notes that stand: summary, causes, next steps."),
        pages=histogram("page_seconds", "Until a page begins to answer.", "route", "code", buckets=quick),
        records=counter("records", "Records appended by this process.", "event", "outcome"),
        queries=counter("source_queries", "Queries to sources.", "source", "outcome"),
        query_seconds=histogram("source_seconds", "Time of a query.", "source", buckets=quick),
        source_up=gauge("source_up", "1 if the last query of a source was answered.", "source"),
        answers=counter("model_answers", "Answers of the model, by line and outcome.", "line", "outcome"),
        answer_seconds=histogram("model_seconds", "Time of an answer of the model.", "line", buckets=seconds),
        tokens=counter("model_tokens", "Tokens that the model's answers state.", "line", "direction"),
        cost=counter("model_cost", "Cost of answers in the currency of [model].", "line"),
        feedback=counter("feedback", "What people said of notes.", "judgement"),
        credentials=gauge("credentials_writable", "1 if the last look found a credential of ours that can write."),
        cases=counter("cardholder_cases", "Card data where it should not be, by place and class.", "place", "klass"),
        slack_calls=counter("slack_calls", "Calls of Slack that were answered, by method.", "method"),
        slack_blocked=counter("slack_blocked", "Payloads to Slack that the last look stopped, by method.", "method"),
        slack_refused=counter("slack_refused", "People and channels refused, by reason.", "why"),
        slack_answers=counter("slack_answers", "Questions answered: whole, or partial at the hard stop.", "kind"),
        reply_seconds=histogram("slack_reply_seconds", "From a question in Slack to its reply.", buckets=seconds),
    )
    registry.register(_Asked(metrics.readings))
    return metrics


def count_note(metrics: Metrics, note: Note, *, again: bool = False) -> None:
    """What drifts when the assistant itself does: verdicts, strikes, redactions, retrieval scores. `again`: the same
    look was counted already, and this note of it only adds what a model's draft had struck and kept."""
    metrics.struck.inc(len(note.struck))
    metrics.kept.inc(len(note.summary) + len(note.cause) + len(note.next_steps))
    if again:
        return
    metrics.verdicts.labels(note.hypotheses[0].verdict if note.hypotheses else "none").inc()
    for klass, count in note.redactions.items():
        metrics.redactions.labels(klass if _CLASS.fullmatch(klass) else "OTHER").inc(count)
    metrics.retrieval.observe(note.runbooks[0].score if note.runbooks else 0.0)


class _Asked:
    """A collector that asks at each scrape."""

    def __init__(self, readings: Mapping[str, Reading]) -> None:
        self._readings = readings

    def describe(self) -> Iterable[Any]:
        return ()

    def collect(self) -> Iterable[Any]:
        from prometheus_client.core import GaugeMetricFamily

        from assistant.errors import PayopsError

        for source, reading in self._readings.items():
            up = GaugeMetricFamily(f"payops_{source}_readable", f"1 if {source} could be asked just now.")
            try:
                values = reading()
            except PayopsError:
                up.add_metric([], 0)
                yield up
                continue
            up.add_metric([], 1)
            yield up
            for name, value in values.items():
                gauge = GaugeMetricFamily(f"payops_{name}", f"{name.replace('_', ' ')}, asked at the scrape.")
                gauge.add_metric([], value)
                yield gauge
