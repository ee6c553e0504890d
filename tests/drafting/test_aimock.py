"""The model client against a double that somebody else wrote (`@copilotkit/aimock`, over HTTP on loopback)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.drafting.draft import write
from assistant.drafting.faults import foreign
from assistant.drafting.model import ChatModel
from assistant.promptlog.record import Event
from evals.attacks.incident import context
from redaction import FinalScanner
from tests.doubles.node import free_port, running, script
from tests.fakes.model import chat_model, memory_log
from tests.fakes.promptlog import MemoryLog

pytestmark = pytest.mark.live
scanner = FinalScanner()
FIXTURES = Path(__file__).with_name("aimock.json")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    node, program = script("@copilotkit/aimock", "dist/cli.js")
    port = free_port()
    with running(
        [node, program, "-p", str(port), "-h", "127.0.0.1", "-f", str(FIXTURES), "--log-level", "silent"], port=port
    ):
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def log() -> MemoryLog:
    return memory_log()


@pytest.fixture
def model(url: str, log: MemoryLog) -> Iterator[ChatModel]:
    made = chat_model(url, log, timeout_s=10.0)
    yield made
    made.close()


def said(model: ChatModel, text: str) -> str:
    return model.chat(model.lines[0], model.talk("inc-1", "question")).invoke(text).text


def events(log: MemoryLog) -> list[Event]:
    return [r.event for r in log.records()]


def test_a_note_in_json_schema(model: ChatModel, log: MemoryLog) -> None:
    written = write(context(scanner.restore), model, scanner=scanner)
    assert written.model and written.model.tokens_in == 1500 and not written.struck
    assert written.draft.summary[0].text == "Issuer Nordhavn carries 96 % of the loss."
    assert log.records()[1].facts["fingerprint"] == "fp_double"


def test_rate_limited_once(model: ChatModel, log: MemoryLog) -> None:
    assert said(model, "RATE-LIMITED-ONCE") == "ok after retry"
    assert events(log) == [Event.LLM_REQUEST, Event.LLM_RESPONSE] * 2


def test_a_stream(model: ChatModel, log: MemoryLog) -> None:
    chat = model.chat(model.lines[0], model.talk("inc-1", "question"))
    assert "".join(c.text for c in chat.stream("STREAMED")) == "one two three four five six seven eight"
    assert events(log) == [Event.LLM_REQUEST, Event.LLM_RESPONSE]


@pytest.mark.parametrize("word", ["SERVER-ERROR", "MALFORMED", "DISCONNECT"])
def test_failures_are_ours_after_mapping_and_each_request_has_its_end(
    word: str, model: ChatModel, log: MemoryLog
) -> None:
    with pytest.raises(foreign()):
        said(model, word)
    found = events(log)
    assert found.count(Event.LLM_REQUEST) == len(found) - found.count(Event.LLM_REQUEST)
