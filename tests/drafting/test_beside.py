"""Beside the live line: shadow candidate, feedback, probing, telemetry of libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from assistant.drafting.draft import write
from assistant.drafting.feedback import export, give, write_set
from assistant.drafting.model import ChatModel
from assistant.drafting.probe import context_tokens, probe
from assistant.drafting.shadow import candidate, compare
from assistant.promptlog.record import Entry, Event
from assistant.settings import ModelSettings
from evals.attacks.incident import context
from evals.attacks.server import Reply, serving
from redaction import FinalScanner
from tests.fakes.model import GOOD, LIAR, memory_log, no_json_schema, served

scanner = FinalScanner()
CASE = context(scanner.restore)


def test_a_shadow_writes_over_the_same_evidence_is_recorded_and_compared() -> None:
    log = memory_log()
    with serving(GOOD) as (live, _), serving(LIAR) as (other, journal):
        settings = ModelSettings(url=live, name="live", shadow_url=other, shadow_name="next")
        model = ChatModel.from_settings(settings, log=log, scanner=scanner, redact=str)
        beside = candidate(settings, log=log, scanner=scanner, redact=str)
        assert beside is not None
        shown = write(CASE, model, scanner=scanner)
        found = compare(shown, CASE, beside, scanner=scanner)
    assert shown.model and shown.model.requested == "live"
    assert found.live.struck == 0 and found.candidate.struck > 5 and found.candidate.without_model
    labels = [r.facts["label"] for r in log.records() if r.event is Event.LLM_REQUEST]
    assert labels == ["live", "shadow"] and len(journal.bodies) == 1


def test_no_shadow_where_none_is_named() -> None:
    settings = ModelSettings(url="http://127.0.0.1:9/v1", name="m")
    assert candidate(settings, log=memory_log(), scanner=scanner, redact=str) is None


def test_feedback_is_stored_with_the_record_and_exported_as_cases() -> None:
    log = memory_log()
    with served(GOOD) as (model, model_log, _):
        write(CASE, model, scanner=scanner)
    assert model_log.records()
    note = Entry(event=Event.NOTE_POST, actor="cli", resource="note", incident="inc-1", facts={"requests": []},
                 bodies={"note": b'{"title":"Approvals are down"}'})  # fmt: skip
    shown = log.append(note)
    give(
        log,
        judgement="wrong",
        incident="inc-1",
        record=shown.id,
        person="U0AAAA",
        words=scanner.restore("It was the HSM."),
    )
    lines: list[str] = []
    assert write_set(export(log), lines.append) == 1
    case = json.loads(lines[0])
    assert case["judgement"] == "wrong" and case["words"] == "It was the HSM."
    assert case["note"] == {"title": "Approvals are down"} and "U0AAAA" not in lines[0]


def test_probing_tells_what_a_server_can_do() -> None:
    with served(no_json_schema) as (model, log, _):
        found = {c.form: c.works for c in probe(model, scanner=scanner)}
    assert found == {"json_schema": False, "tools": True, "json": True}
    assert [r.event for r in log.records()].count(Event.LLM_REQUEST) >= 3


@pytest.mark.parametrize(("listed", "size"), [({"max_model_len": 8192}, 8192), ({}, None)])
def test_the_context_size_is_what_the_server_states(listed: dict[str, int], size: int | None) -> None:
    body = {
        "object": "list",
        "data": [{"id": "test-model", "object": "model", "created": 1, "owned_by": "x", **listed}],
    }
    with served(lambda asked, n: Reply(body=json.dumps(body).encode())) as (model, log, _):
        assert context_tokens(model) == size
    assert log.records()[0].event is Event.LLM_REQUEST


_WATCHED = """
import socket, sys
seen = []
real = socket.socket.connect
def connect(self, address):
    seen.append(address)
    return real(self, address)
socket.socket.connect = connect
from tests.fakes.model import GOOD, served
from assistant.drafting.draft import write
from evals.attacks.incident import context
from redaction import FinalScanner
with served(GOOD) as (model, log, journal):
    written = write(context(FinalScanner().restore), model, scanner=FinalScanner())
assert written.model, written.without_model
import atexit, time
time.sleep(0.5)
print(sorted({a[0] for a in seen if isinstance(a, tuple)}))
"""


def test_no_library_opens_another_connection_even_where_the_environment_asks_for_tracing() -> None:
    elsewhere = "http://127.0.0.2:9"
    addresses = ("LANGSMITH_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "OPENAI_PROXY", "OPENAI_BASE_URL")
    asked = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "x" * 20}
    env = {**os.environ, **asked, **dict.fromkeys(addresses, elsewhere), "OPENAI_API_KEY": "other-key"}
    command = [sys.executable, "-c", _WATCHED]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "['127.0.0.1']"
