"""The log handed on to a real OTLP/HTTP receiver that refuses, breaks and comes back: nothing lost, nothing early."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from assistant.errors import LogUnavailable, SettingsError
from assistant.notebook.cursor import TABLES, Cursor
from assistant.notebook.database import Database, open_database
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.telemetry.follower import BATCH, Collector, Follower, NotTaken, collector_url
from tests.doubles.faulty import FAULTS, Link
from tests.fakes.promptlog import MemoryLog
from tests.sources.http_server import Answer, Asked, as_json, serving

SECRET_TEXT = "what the prompt said"


class Receiver:
    """Takes what OTLP's own definitions can parse, and remembers it."""

    def __init__(self) -> None:
        self.logs: list[Any] = []
        self.spans: list[Any] = []
        self.bodies: list[bytes] = []
        self.refusing = 0

    def take(self, asked: Asked) -> Answer:
        self.bodies.append(asked.body)
        if self.refusing:
            self.refusing -= 1
            return Answer(503, b"full")
        if asked.path == "/otlp/v1/logs":
            found = json_format.Parse(asked.body, ExportLogsServiceRequest())
            self.logs += [r for x in found.resource_logs for y in x.scope_logs for r in y.log_records]
        elif asked.path == "/otlp/v1/traces":
            found = json_format.Parse(asked.body, ExportTraceServiceRequest())
            self.spans += [s for x in found.resource_spans for y in x.scope_spans for s in y.spans]
        else:
            return Answer(404)
        return as_json({})

    def indexes(self) -> list[int]:
        return [int(a.value.int_value) for r in self.logs for a in r.attributes if a.key == "payops.record.index"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database("", state=tmp_path)
    database.prepare(TABLES)
    yield database
    database.close()


def follower(database: Database, log: MemoryLog, url: str, *, leads: bool = True) -> Follower:
    return Follower(
        lambda: log, Cursor(database, name="otel"), Collector(f"{url}/otlp", lambda: "t0ken"), lambda: leads
    )


def talk(log: MemoryLog, n: int = 1) -> None:
    """Requests with their answers, and one that failed."""
    same: dict[str, Any] = {"actor": "serve", "resource": "api.example", "incident": "inc-a"}
    for i in range(n):
        bodies = {"request": f"{SECRET_TEXT} {i}".encode()}
        asked = {"model": "gpt-x", "temperature": 0.0, "seed": 7}
        request = log.append(Entry(event=Event.LLM_REQUEST, facts=asked, bodies=bodies, **same))
        said: dict[str, Any] = {"request": request.id, "answer": "chatcmpl-1", "tokens_in": 900, "tokens_out": 12}
        event, outcome = Event.LLM_RESPONSE, Outcome.OK
        if i % 3 == 2:
            said, event, outcome = said | {"error": "ReadTimeout"}, Event.LLM_UNKNOWN_OUTCOME, Outcome.UNKNOWN
        log.append(Entry(event=event, outcome=outcome, facts=said, **same))


def attributes(item: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in item.attributes}


def test_a_request_is_a_span_with_the_names_of_the_conventions(database: Database) -> None:
    log, receiver = MemoryLog(), Receiver()
    talk(log, 3)
    with serving(receiver.take) as server:
        assert follower(database, log, server.url).turn() == 6
    good, failed = receiver.spans[0], receiver.spans[2]
    said = attributes(good)
    assert (good.name, good.kind, good.status.code) == ("chat gpt-x", 3, 1)
    assert said["gen_ai.operation.name"] == "chat" and said["gen_ai.request.model"] == "gpt-x"
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (900, 12)
    assert said["gen_ai.response.id"] == "chatcmpl-1" and said["payops.incident"] == "inc-a"
    assert good.end_time_unix_nano >= good.start_time_unix_nano > 1_600_000_000 * 10**9
    assert failed.status.code == 2 and attributes(failed)["error.type"] == "ReadTimeout"
    assert len({s.trace_id for s in receiver.spans}) == 1 and len({s.span_id for s in receiver.spans}) == 3
    assert [r.body.string_value for r in receiver.logs] == ["llm.request", "llm.response"] * 2 + [
        "llm.request", "llm.unknown_outcome",
    ]  # fmt: skip


def test_no_body_leaves(database: Database) -> None:
    log, receiver = MemoryLog(), Receiver()
    talk(log, 2)
    with serving(receiver.take) as server:
        follower(database, log, server.url).turn()
        assert {a.headers["Authorization"] for a in server.asked} == {"Bearer t0ken"}
    assert receiver.bodies and SECRET_TEXT.encode() not in b"".join(receiver.bodies)


def test_a_collector_that_refuses_and_comes_back_has_everything_once_in_order(database: Database) -> None:
    log, receiver = MemoryLog(), Receiver()
    talk(log, BATCH)  # two batches
    with serving(receiver.take) as server:
        receiver.refusing = 3
        for _ in range(3):
            with pytest.raises(NotTaken):
                follower(database, log, server.url).turn()
        assert receiver.logs == [] and Cursor(database, name="otel").at() == 0
        # A new process goes on where the cursor is.
        assert follower(database, log, server.url).turn() == 2 * BATCH
        talk(log)
        assert follower(database, log, server.url).turn() == 2
    assert receiver.indexes() == list(range(2 * BATCH + 2))


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in {"slow", "flapping"}])
def test_every_fault_of_the_collector_loses_nothing(database: Database, fault: Any) -> None:
    """What a broken answer hides was perhaps taken: it comes again under the same id."""
    log, receiver = MemoryLog(), Receiver()
    talk(log, 5)
    with serving(receiver.take) as server:
        link = Link(server.url)
        link.turn(fault)
        mine = follower(database, log, link.url)
        taken = 0
        try:
            taken = mine.turn()
        except NotTaken:
            assert Cursor(database, name="otel").at() == 0
        link.turn("ok")
        assert taken + mine.turn() == 10 and mine.behind() == 0
        link.close()
    assert fault in {"garbage", "huge"} or receiver.indexes() == list(range(10))


def test_what_is_not_durable_is_not_handed_on(database: Database) -> None:
    log, receiver = MemoryLog(), Receiver()
    talk(log)
    log.break_down()
    with pytest.raises(LogUnavailable):
        log.append(Entry(event=Event.LLM_REQUEST, actor="serve"))
    with serving(receiver.take) as server:
        follower(database, log, server.url).turn()
    assert receiver.indexes() == [0, 1]


def test_only_the_leader_hands_on(database: Database) -> None:
    log, receiver = MemoryLog(), Receiver()
    talk(log)
    with serving(receiver.take) as server:
        assert follower(database, log, server.url, leads=False).turn() == 0
    assert not receiver.bodies


def test_a_cursor_never_goes_back(database: Database) -> None:
    cursor = Cursor(database, name="x")
    for to in (5, 3, 9):
        cursor.move(to)
    assert cursor.at() == 9


@pytest.mark.parametrize("url", ["collector:4318", "ftp://x", "http://u:p@x", "http://x?a=b", ""])
def test_an_address_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(SettingsError, match="otel_url"):
        collector_url(url)


def test_a_part_that_is_rejected_is_not_sent_for_ever(database: Database) -> None:
    log = MemoryLog()
    talk(log)
    with serving(lambda asked: Answer(200, json.dumps({"partialSuccess": {"rejectedSpans": "1"}}).encode())) as server:
        mine = follower(database, log, server.url)
        assert mine.turn() == 2 and mine.turn() == 0
