"""Counting records: what was appended is counted once, and nothing of telemetry becomes a label."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from assistant.errors import LogUnavailable
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.telemetry.metrics import count_note, new_metrics
from assistant.telemetry.records import count_record
from tests.fakes.promptlog import MemoryLog
from tests.notebook.test_notes import a_note

CANARY = "4111111111111111"


def counted(*entries: Entry) -> str:
    metrics, log = new_metrics(), MemoryLog()
    log.told = partial(count_record, metrics)
    for entry in entries:
        log.append(entry)
    return metrics.render()[0].decode()


def test_what_is_appended_is_counted() -> None:
    text = counted(
        Entry(event=Event.SOURCE_QUERY, actor="a", resource="loki", facts={"milliseconds": 1500}),
        Entry(event=Event.SOURCE_QUERY, actor="a", resource="loki", outcome=Outcome.FAILED),
        Entry(
            event=Event.LLM_RESPONSE,
            actor="a",
            facts={"label": "live", "tokens_in": 900, "tokens_out": 100, "cost_microusd": 2500, "latency_ms": 700},
        ),
        Entry(event=Event.LLM_BLOCKED, actor="a", outcome=Outcome.BLOCKED, facts={"label": "live"}),
        Entry(event=Event.FEEDBACK, actor="a", facts={"judgement": "wrong"}),
        Entry(event=Event.CREDENTIALS_ATTEST, actor="a", outcome=Outcome.FAILED),
    )
    for line in (
        'payops_source_queries_total{outcome="ok",source="loki"} 1.0',
        'payops_source_queries_total{outcome="failed",source="loki"} 1.0',
        'payops_source_up{source="loki"} 0.0',
        'payops_source_seconds_sum{source="loki"} 1.5',
        'payops_model_answers_total{line="live",outcome="ok"} 1.0',
        'payops_model_answers_total{line="live",outcome="blocked"} 1.0',
        'payops_model_tokens_total{direction="in",line="live"} 900.0',
        'payops_model_cost_total{line="live"} 0.0025',
        'payops_model_seconds_sum{line="live"} 0.7',
        'payops_feedback_total{judgement="wrong"} 1.0',
        "payops_credentials_writable 1.0",
        'payops_records_total{event="source.query",outcome="ok"} 1.0',
    ):
        assert line in text.splitlines()


def test_what_was_not_appended_is_not_counted() -> None:
    metrics, log = new_metrics(), MemoryLog()
    log.told = partial(count_record, metrics)
    log.break_down()
    with pytest.raises(LogUnavailable):
        log.append(Entry(event=Event.FEEDBACK, actor="a", facts={"judgement": "wrong"}))
    assert 'payops_feedback_total{judgement="wrong"}' not in metrics.render()[0].decode()


@pytest.mark.parametrize("event", list(Event))
def test_no_word_of_telemetry_is_a_label(event: Event) -> None:
    """A card number in every place of a record that takes a word."""
    facts: dict[str, Any] = dict.fromkeys(("label", "judgement", "verdict", "model", "source", "milliseconds"), CANARY)
    facts |= {"tokens_in": "x", "tokens_out": True, "latency_ms": -5, "cost_microusd": None}
    given = {"actor": CANARY, "origin": CANARY, "resource": CANARY, "incident": CANARY, "correlation": CANARY}
    assert CANARY not in counted(Entry(event=event, facts=facts, **given))


def test_no_class_of_a_note_is_a_label_unless_it_is_a_class() -> None:
    metrics = new_metrics()
    count_note(metrics, replace(a_note(), redactions={CANARY: 2, "PAN": 3, "pan 4111": 1}))
    text = metrics.render()[0].decode()
    assert 'payops_redactions_total{klass="PAN"} 3.0' in text
    assert 'payops_redactions_total{klass="OTHER"} 3.0' in text
    assert "4111" not in text


def test_a_rounds_draft_adds_its_strikes_and_is_no_second_look() -> None:
    metrics = new_metrics()
    note = replace(a_note(), redactions={"PAN": 3})
    count_note(metrics, note)
    count_note(metrics, note, again=True)
    text = metrics.render()[0].decode()
    assert 'payops_redactions_total{klass="PAN"} 3.0' in text
    assert sum(float(x.rsplit(" ", 1)[1]) for x in text.splitlines() if x.startswith("payops_verdicts_total{")) == 1
    assert "payops_retrieval_score_count 1.0" in text
    assert f"payops_claims_struck_total {2.0 * len(note.struck)}" in text
