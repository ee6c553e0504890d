"""Counts from the records as they are appended: queries, the model's answers, feedback, credentials.

The prompt log is written anyway and by everybody, so it is the one place to count; each process counts what it appended
itself, and Prometheus adds replicas up. Label values are words of ours: whatever else a record names is "other".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from assistant.promptlog.record import Entry, Event, Outcome
from assistant.telemetry.metrics import Metrics

SOURCES = frozenset({"prometheus", "alertmanager", "loki", "changes"})
LINES = frozenset({"live", "shadow"})
JUDGEMENTS = frozenset({"useful", "not_useful", "wrong", "confidently_wrong"})


def count_record(metrics: Metrics, entry: Entry) -> None:
    """One durable record. Never raises: facts that are not what they should be count as nothing."""
    metrics.records.labels(entry.event.value, entry.outcome.value).inc()
    facts: Mapping[str, Any] = entry.facts
    match entry.event:
        case Event.SOURCE_QUERY:
            source, good = known(entry.resource, SOURCES), entry.outcome is Outcome.OK
            metrics.queries.labels(source, entry.outcome.value).inc()
            metrics.query_seconds.labels(source).observe(_number(facts, "milliseconds") / 1e3)
            metrics.source_up.labels(source).set(float(good))
        case Event.LLM_RESPONSE:
            line = known(facts.get("label"), LINES)
            metrics.answers.labels(line, entry.outcome.value).inc()
            metrics.answer_seconds.labels(line).observe(_number(facts, "latency_ms") / 1e3)
            metrics.tokens.labels(line, "in").inc(_number(facts, "tokens_in"))
            metrics.tokens.labels(line, "out").inc(_number(facts, "tokens_out"))
            metrics.cost.labels(line).inc(_number(facts, "cost_microusd") / 1e6)
        case Event.LLM_BLOCKED | Event.LLM_UNKNOWN_OUTCOME:
            metrics.answers.labels(known(facts.get("label"), LINES), entry.outcome.value).inc()
        case Event.FEEDBACK:
            metrics.feedback.labels(known(facts.get("judgement"), JUDGEMENTS)).inc()
        case Event.CREDENTIALS_ATTEST:
            metrics.credentials.set(float(entry.outcome is Outcome.FAILED))
        case _:
            pass


def known(value: object, words: Collection[str]) -> str:
    """The value if it is one of these words, else "other"."""
    return value if isinstance(value, str) and value in words else "other"


def _number(facts: Mapping[str, Any], name: str) -> float:
    value = facts.get(name)
    return max(0.0, float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
