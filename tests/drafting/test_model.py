"""The model behind the gate, against real servers on loopback that behave in every way that was seen."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest

from assistant.core.evidence import Evidence, EvidenceId
from assistant.core.prompt import Context
from assistant.drafting.build import build_prompt
from assistant.drafting.draft import tell, write
from assistant.drafting.model import ChatModel
from assistant.errors import LogUnavailable, ModelBlocked, ModelError, ModelOverBudget, SettingsError
from assistant.promptlog.record import Event
from assistant.promptlog.replay import replay
from assistant.settings import ModelSettings
from evals.attacks.incident import context
from evals.attacks.models import honest
from evals.attacks.server import Reply, completion, serving, writing
from redaction import FinalScanner, Redactor
from tests.fakes.model import (
    BAD,
    ECHO,
    GOOD,
    SLOW,
    TRICKLE,
    always,
    chat_model,
    dead_url,
    failing,
    memory_log,
    no_json_schema,
    plain_only,
    served,
)
from tests.fakes.promptlog import MemoryLog

scanner = FinalScanner()


@pytest.fixture(scope="module")
def case() -> Context:
    return context(Redactor.default().redact)


def events(log: MemoryLog) -> list[str]:
    return [r.event.value for r in log.records()]


def sent(log: MemoryLog) -> list[bytes]:
    bodies = [log.body(r, "request") for r in log.records() if r.event is Event.LLM_REQUEST]
    return [b for b in bodies if isinstance(b, bytes)]


def test_a_good_model_writes_the_note_and_its_bytes_are_in_the_log(case: Context) -> None:
    with served(GOOD) as (model, log, journal):
        written = write(case, model, scanner=scanner)
    assert written.model and written.model.name == "test-model-2026-01-01" and not written.without_model
    assert written.model.records == (0,) and events(log) == ["llm.request", "llm.response"]
    assert sent(log) == journal.bodies
    assert replay(log, log.records()[0]).identical


def test_the_request_keeps_nothing_at_the_provider_and_tells_nothing_about_this_machine(case: Context) -> None:
    with served(GOOD) as (model, _, journal):
        write(case, model, scanner=scanner)
    line, headers, body = journal.requests[0]
    asked = json.loads(body)
    assert line == "POST /v1/chat/completions"
    assert asked["store"] is False and asked["temperature"] == 0.0 and asked["seed"] == 7
    assert not [h for h in headers if h.lower().startswith("x-stainless")]


@pytest.mark.parametrize("name", BAD)
def test_whatever_the_model_does_there_is_a_note_with_the_reason(name: str, case: Context) -> None:
    behave, reason = BAD[name]
    with served(behave, timeout_s=10.0) as (model, log, journal):
        written = write(case, model, scanner=scanner)
    assert written.model is None and written.draft.summary
    assert re.search(reason, written.without_model), written.without_model
    assert sent(log) == journal.bodies, "every request that arrived was logged first, and nothing else"
    assert len(journal.bodies) <= 6
    answers = sum(e in ("llm.response", "llm.unknown_outcome") for e in events(log))
    assert answers == len(journal.bodies), "every request has its end in the log"


def test_a_dead_model_gives_the_note_and_the_reason(case: Context) -> None:
    log = memory_log()
    written = write(case, chat_model(dead_url(), log), scanner=scanner)
    assert "no connection" in written.without_model and written.draft.cause
    assert set(events(log)) == {"llm.request", "llm.unknown_outcome"}


@pytest.mark.parametrize("behave", [SLOW, TRICKLE], ids=["slow first byte", "trickling"])
def test_a_slow_model_is_not_waited_for(behave: object, case: Context) -> None:
    with served(behave, timeout_s=1.0) as (model, log, _):  # type: ignore[arg-type]
        began = time.monotonic()
        written = write(case, model, scanner=scanner)
        waited = time.monotonic() - began
    assert written.model is None and written.draft.summary
    assert waited < 10 and "llm.unknown_outcome" in events(log)


def test_one_429_is_tried_again_and_both_tries_are_in_the_log(case: Context) -> None:
    with served(failing(429, times=1, headers={"Retry-After": "0"})) as (model, log, journal):
        written = write(case, model, scanner=scanner)
    assert written.model and written.model.requests == 2
    assert sent(log) == journal.bodies and len(journal.bodies) == 2


@pytest.mark.parametrize(
    ("header", "kept"),
    [("req_0a1b2c", "req_0a1b2c"), ("req with\tspaces", "req_with_spaces"), ("4111111111111111", None)],
)
def test_the_providers_id_of_a_request_is_kept_to_ask_deletion_by(header: str, kept: str | None, case: Context) -> None:
    with served(failing(400, headers={"x-request-id": header})) as (model, log, _):
        write(case, model, scanner=scanner)
    answers = [r for r in log.records() if r.event is Event.LLM_RESPONSE]
    assert answers and {r.facts.get("ticket") for r in answers} == {kept}


@pytest.mark.parametrize(("behave", "mode"), [(no_json_schema, "tools"), (plain_only, "json")])
def test_it_degrades_to_what_the_server_knows_and_remembers(behave: object, mode: str, case: Context) -> None:
    with served(behave) as (model, _, journal):  # type: ignore[arg-type]
        first = write(case, model, scanner=scanner)
        tried = len(journal.bodies)
        second = write(case, model, scanner=scanner)
    assert first.model and second.model
    assert model.lines[0].mode == mode and len(journal.bodies) == tried + 1


def test_the_fallback_answers_when_the_live_model_fails(case: Context) -> None:
    log = memory_log()
    with serving(GOOD) as (url, journal):
        model = chat_model(dead_url(), log, fallback_url=url, fallback_name="second")
        written = write(case, model, scanner=scanner)
    assert written.model and written.model.requested == "second" and len(journal.bodies) == 1


def test_the_key_does_not_go_to_another_host(case: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_KEY", "live-key-value")
    with serving(failing(500)) as (live, first), serving(GOOD) as (other, second):
        model = chat_model(live, memory_log(), key_env="LIVE_KEY", fallback_url=other, fallback_name="second")
        assert write(case, model, scanner=scanner).model
    assert "live-key-value" in first.requests[0][1]["authorization"]
    assert "live-key-value" not in second.requests[0][1]["authorization"]


def test_no_record_no_request(case: Context) -> None:
    with served(GOOD) as (model, log, journal):
        log.break_down()
        written = write(case, model, scanner=scanner)
    assert "prompt log" in written.without_model and written.draft.summary
    assert journal.requests == []


def test_an_answer_whose_record_fails_is_not_used(case: Context) -> None:
    log = memory_log()

    def breaks(asked: object, n: int) -> Reply:
        log.break_down()
        return Reply(body=completion("{}"))

    with serving(breaks) as (url, journal):
        written = write(case, chat_model(url, log), scanner=scanner)
    assert len(journal.bodies) == 1 and "prompt log" in written.without_model


def test_a_card_number_in_the_prompt_is_blocked_and_the_block_recorded(case: Context) -> None:
    with served(GOOD) as (model, log, journal):
        prompt = build_prompt("incident_note", case, budget_tokens=9000, scanner=scanner).prompt
        talk = model.talk("inc-1", "incident_note")
        chat = model.chat(model.lines[0], talk)
        with pytest.raises(ModelBlocked):
            chat.invoke(prompt.messages[1].text.text + " 4111 1111 1111 1111")
    assert journal.requests == [] and events(log) == ["llm.blocked"]
    assert b"4111" not in b"".join(r.leaf for r in log.records())


def test_a_card_number_made_up_by_the_model_reaches_neither_log_nor_note(case: Context) -> None:
    pan = "4111" + "1111" * 3
    draft = {**honest([]), "title": f"card {pan}", "summary": [{"text": f"Card {pan} failed.", "evidence": ["L1"]}]}
    with served(always(Reply(body=completion(json.dumps(draft))))) as (model, log, _):
        written = write(case, model, scanner=scanner)
    stored = b"".join(b for r in log.records() for n in r.bodies if isinstance(b := log.body(r, n), bytes))
    assert pan.encode() not in stored and pan not in repr(written)
    assert log.records()[1].facts["answer_redacted"] is True


def test_async_calls_pass_the_gate_too(case: Context) -> None:
    import asyncio

    with served(GOOD) as (model, log, journal):
        talk = model.talk("inc-1", "incident_note")
        asyncio.run(model.chat(model.lines[0], talk).ainvoke("hello from the async client"))
    assert sent(log) == journal.bodies and len(journal.bodies) == 1
    assert events(log) == ["llm.request", "llm.response"]


def test_streams_are_recorded_whole_before_they_end(case: Context) -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": t}}]} for t in ("one ", "two")]
    said = [json.dumps({"id": "x", "object": "chat.completion.chunk", **c}) for c in chunks]
    body = b"".join(f"data: {line}\n\n".encode() for line in said)
    reply = Reply(body=body + b"data: [DONE]\n\n", headers={"Content-Type": "text/event-stream"})
    with served(always(reply)) as (model, log, _):
        text = "".join(c.text for c in model.chat(model.lines[0], model.talk("i", "question")).stream("hi"))
    assert text == "one two" and events(log) == ["llm.request", "llm.response"]
    assert log.body(log.records()[1], "response") == reply.body


def test_a_cut_stream_ends_as_unknown_in_the_log() -> None:
    reply = Reply(body=b"data: {}\n\n" * 50, headers={"Content-Type": "text/event-stream"}, cut=20)
    with served(always(reply)) as (model, log, _):
        import httpx2
        import openai
        from langchain_core.exceptions import LangChainException

        with pytest.raises((openai.OpenAIError, LangChainException, httpx2.TransportError)):
            list(model.chat(model.lines[0], model.talk("i", "question")).stream("hi"))
    assert events(log)[-1] == "llm.unknown_outcome"


def test_only_the_models_address_can_be_called() -> None:
    import httpx2

    with served(GOOD) as (model, log, journal):
        client = model.chat(model.lines[0], model.talk("i", "question")).http_client
        base = model.lines[0].endpoint.url
        for method, url in (("POST", "http://127.0.0.1:9/v1/chat/completions"), ("DELETE", f"{base}/models"),
                            ("POST", f"{base}/files"), ("POST", f"{base}/../admin")):  # fmt: skip
            with pytest.raises(ModelBlocked):
                client.request(method, url, json={"store": False})
        with pytest.raises(ModelBlocked):
            client.post(f"{base}/chat/completions", json={"store": True})
        assert isinstance(client, httpx2.Client)
    assert journal.requests == [] and events(log) == []


def test_budgets_stop_before_sending(case: Context) -> None:
    with served(GOOD, max_tokens_incident=2500) as (model, log, journal):
        first, second = write(case, model, scanner=scanner), write(case, model, scanner=scanner)
    assert "token budget of this incident" in (first.without_model or second.without_model)
    assert len(journal.bodies) <= 1 and len(sent(log)) == len(journal.bodies)


def test_cost_counts_by_the_price_table(case: Context) -> None:
    with served(GOOD, price_in=1000.0, price_out=1000.0, max_cost_incident=3.0) as (model, log, _):
        written = write(case, model, scanner=scanner)
        again = [write(case, model, scanner=scanner) for _ in range(3)]
    assert written.model and written.model.cost == pytest.approx(1.02)
    assert log.records()[1].facts["cost_microusd"] == 1_020_000
    assert any("cost budget of this incident" in w.without_model for w in again)


def test_calls_are_counted(case: Context) -> None:
    with served(failing(500), max_calls=2) as (model, _, journal), pytest.raises(ModelError):
        model.complete(build_prompt("incident_note", case, budget_tokens=9000, scanner=scanner).prompt)
    assert len(journal.bodies) == 2


def test_the_breaker_leaves_a_failing_model_alone(case: Context) -> None:
    with served(failing(404)) as (model, _, journal):
        for _ in range(6):
            written = write(case, model, scanner=scanner)
    assert len(journal.bodies) == 3 and "left alone" in written.without_model


def test_a_prompt_too_long_is_tried_again_smaller(case: Context) -> None:
    filler = "\n".join(f"line {n} of the log" for n in range(400))
    text, window = scanner.restore(filler), case.incident.window
    more = tuple(Evidence(EvidenceId(f"L{n}"), "log", "q", window, text) for n in range(2, 8))
    large = replace(case, evidence=(*case.evidence, *more))

    def picky(asked: object, n: int) -> Reply:
        assert isinstance(asked, dict)
        small = len(json.dumps(asked)) < 30_000
        return (GOOD if small else failing(400, code="context_length_exceeded"))(asked, n)

    with served(picky) as (model, _, journal):
        told = tell("incident_note", large, model, scanner=scanner, budget_tokens=16_000)
    assert told.written.model and len(journal.bodies) == 2
    assert any("did not fit" in reason for reason in told.left_out)


@pytest.mark.parametrize("missing", ["region", "retention", "contract", "owner"])
def test_a_remote_model_starts_only_with_its_statements(missing: str) -> None:
    stated = {"region": "eu-west", "retention": "none", "contract": "c-1", "owner": "payments-platform"}
    url = "https://models.example/v1"
    model = _from(ModelSettings(url=url, name="m", **stated))  # type: ignore[arg-type]
    assert model.lines[0].gate.statement["region"] == "eu-west" and model.lines[0].gate.statement["remote"] is True
    with pytest.raises(SettingsError, match=missing):
        _from(ModelSettings(url=url, name="m", **{**stated, missing: ""}))  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["ftp://x/v1", "model", "http://user:pw@127.0.0.1/v1", "http://127.0.0.1/v1?key=1"])
def test_a_bad_address_is_one_clear_line(url: str) -> None:
    with pytest.raises(SettingsError, match="url is not"):
        _from(ModelSettings(url=url, name="m"))


def test_echo_model_reaches_the_note_with_nothing_live(case: Context) -> None:
    with served(ECHO) as (model, _, _journal):
        written = write(case, model, scanner=scanner)
    assert written.draft.summary


def test_over_budget_is_raised_as_such() -> None:
    with served(writing(honest), max_calls=0) as (model, _, journal), pytest.raises(ModelOverBudget):
        model.complete(
            build_prompt(
                "incident_note", context(Redactor.default().redact), budget_tokens=9000, scanner=scanner
            ).prompt
        )
    assert journal.requests == []


def test_a_broken_log_is_said_to_the_caller_of_the_port(case: Context) -> None:
    with served(GOOD) as (model, log, _):
        log.break_down()
        with pytest.raises(LogUnavailable):
            model.complete(build_prompt("incident_note", case, budget_tokens=9000, scanner=scanner).prompt)


def _from(settings: ModelSettings) -> ChatModel:
    return ChatModel.from_settings(settings, log=memory_log(), scanner=scanner, redact=str)
