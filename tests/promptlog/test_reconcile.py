"""What others counted against what the log holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from assistant.errors import UsageError
from assistant.promptlog.reconcile import reconcile
from assistant.promptlog.record import Event, Outcome
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry

DAY = datetime(2026, 11, 23, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    """Three answered requests of m-1 at noon, one of m-2 blocked after the append."""
    made = MemoryLog(clock=lambda: NOON)
    for _ in range(3):
        request = made.append(entry(event=Event.LLM_REQUEST, facts={"model": "m-1"})).id
        made.append(entry(event=Event.LLM_RESPONSE, facts={"request": request, "tokens_in": 100, "tokens_out": 10}))
    blocked = made.append(entry(event=Event.LLM_REQUEST, facts={"model": "m-2"})).id
    made.append(entry(event=Event.LLM_BLOCKED, outcome=Outcome.BLOCKED, facts={"request": blocked}))
    yield made
    made.close()


def openai_usage(requests: int, tokens: int = 300, model: str = "m-1") -> str:
    start = int(DAY.timestamp())
    result = {"num_model_requests": requests, "input_tokens": tokens, "output_tokens": 30, "model": model}
    return json.dumps({"data": [{"start_time": start, "end_time": start + 86_400, "results": [result]}]})


def test_agreement_is_no_difference(log: MemoryLog) -> None:
    done = reconcile(log, openai_usage(3))
    assert (done.compared, done.differences) == (1, ())


@pytest.mark.parametrize(("report", "what", "theirs", "ours"), [
    (openai_usage(4), "requests of m-1", 4, (3, 3)),
    (openai_usage(2), "requests of m-1", 2, (3, 3)),
    (openai_usage(3, tokens=999), "input tokens of m-1", 999, (300, 300)),
    (openai_usage(1, model="m-2"), "requests of m-2", 1, (0, 0)),
])  # fmt: skip
def test_a_difference_is_listed(log: MemoryLog, report: str, what: str, theirs: int, ours: tuple[int, int]) -> None:
    found = reconcile(log, report).differences
    assert (found[0].what, found[0].theirs, found[0].ours) == (what, theirs, ours)


def test_a_request_of_unknown_outcome_may_or_may_not_have_left(log: MemoryLog) -> None:
    log.append(entry(event=Event.LLM_REQUEST, facts={"model": "m-1"}))
    assert not reconcile(log, openai_usage(3)).differences and not reconcile(log, openai_usage(4)).differences
    assert reconcile(log, openai_usage(5)).differences[0].ours == (3, 4)


def test_csv(log: MemoryLog) -> None:
    text = "start,end,requests,tokens_in\n2026-11-23T00:00:00Z,2026-11-24,3,300\n2026-11-24,2026-11-25,1,\n"
    found = reconcile(log, text)
    assert found.compared == 2 and [d.theirs for d in found.differences] == [1]


@pytest.mark.parametrize("form", ["squid", "json"])
def test_a_connection_with_no_request_near_it_is_listed(log: MemoryLog, form: str) -> None:
    def line(moment: datetime, host: str) -> str:
        if form == "squid":
            return f"{moment.timestamp():.3f}    120 10.0.0.5 TCP_TUNNEL/200 5120 CONNECT {host}:443 - HIER_DIRECT/- -"
        return json.dumps({"time": moment.isoformat(), "host": f"{host}:443", "method": "CONNECT"})

    lines = [line(NOON - timedelta(minutes=2), "api.model"), line(NOON + timedelta(hours=3), "api.model")]
    lines.append(line(NOON + timedelta(hours=3), "other.host"))
    found = reconcile(log, "\n".join(lines) + "\n", host="api.model")
    assert found.compared == 2 and [d.start for d in found.differences] == [NOON + timedelta(hours=3)]
    assert "connections, not requests" in found.notes[0]


@pytest.mark.parametrize(
    "text", ["{}", '{"data":[{}]}', "start,end\n1,2\n", "start,end,requests\na,b,c\n", '{"host":1}\n{']
)
def test_what_cannot_be_read_is_one_line(log: MemoryLog, text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        reconcile(log, text)
