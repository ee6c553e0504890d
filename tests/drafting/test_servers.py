"""Servers of other makers, as small doubles of our own: what each can do is found out, and a note is written with it.

Shapes as their makers document them: vLLM states `max_model_len` and keeps to json_schema; Ollama ignores
`tool_choice`; llama.cpp refuses tools without `--jinja` and states its context under `meta`; Azure OpenAI wants
`api-version` in the query and the key in `api-key`, and lists no models under a deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from assistant.drafting.draft import write
from assistant.drafting.model import ChatModel
from assistant.drafting.probe import standing
from assistant.settings import ModelSettings
from evals.attacks.incident import context
from evals.attacks.models import honest
from evals.attacks.server import Behaviour, Journal, Reply, completion, serving, writing
from redaction import FinalScanner
from tests.fakes.model import failing, memory_log

SCANNER = FinalScanner()
CASE = context(SCANNER.restore)


def listing(**more: Any) -> Reply:
    models = [{"id": "local", "object": "model", "created": 1, "owned_by": "x", **more}]
    return Reply(body=json.dumps({"object": "list", "data": models}).encode())


def said(asked: Mapping[str, Any]) -> Reply:
    return Reply(body=completion(json.dumps(honest(asked["messages"]))))


def vllm(asked: Mapping[str, Any], n: int) -> Reply:
    return writing(honest)(asked, n) if asked else listing(max_model_len=16384)


def ollama(asked: Mapping[str, Any], n: int) -> Reply:
    """`tool_choice` is not known to it: it answers in prose that holds the JSON."""
    return said(asked) if asked else listing()


def llama_cpp(asked: Mapping[str, Any], n: int) -> Reply:
    if not asked:
        return listing(meta={"n_ctx_train": 32768, "n_params": 8030261312})
    return failing(500)(asked, n) if asked.get("tools") else said(asked)


def older(asked: Mapping[str, Any], n: int) -> Reply:
    """Neither json_schema nor tools: an OpenAI-compatible server of two years ago."""
    if not asked:
        return listing()
    return failing(400)(asked, n) if asked.get("tools") or asked.get("response_format") else said(asked)


@contextmanager
def connected(behave: Behaviour, path: str = "", **settings: Any) -> Iterator[tuple[ChatModel, Journal]]:
    with serving(behave) as (url, journal):
        at = url.removesuffix("/v1") + path if path else url
        made = ModelSettings(url=at, name="local", **settings)
        model = ChatModel.from_settings(made, log=memory_log(), scanner=SCANNER, redact=str, sleep=lambda s: None)
        yield model, journal
        model.close()


@pytest.mark.parametrize(
    ("behave", "works", "size"),
    [
        (vllm, {"json_schema": True, "tools": True, "json": True}, 16384),
        (ollama, {"json_schema": True, "tools": True, "json": True}, None),
        (llama_cpp, {"json_schema": True, "tools": False, "json": True}, 32768),
        (older, {"json_schema": False, "tools": False, "json": True}, None),
    ],
)
def test_what_a_server_can_do_is_found_out(behave: Behaviour, works: Mapping[str, bool], size: int | None) -> None:
    with connected(behave) as (model, _):
        found = standing(model, scanner=SCANNER)
    assert {f.form: f.works for f in found.forms} == works
    assert found.context == size and found.said == ""
    assert found.notes == next(form for form in ("json_schema", "tools", "json") if works[form])
    assert found.looks is not None and not found.looks.works and found.looks.reason  # none of the doubles calls a tool
    assert all(f.works or f.reason for f in found.forms)


@pytest.mark.parametrize("behave", [vllm, ollama, llama_cpp, older])
def test_each_server_writes_a_note(behave: Behaviour) -> None:
    with connected(behave) as (model, _):
        written = write(CASE, model, scanner=SCANNER)
    assert written.model is not None, written.without_model
    assert written.struck == ()


def test_azure_is_asked_with_its_version_and_its_key_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", "k-123")
    holder: list[Journal] = []

    def azure(asked: Mapping[str, Any], n: int) -> Reply:
        line, headers, _ = holder[0].requests[-1]
        keys = {k.lower(): v for k, v in headers.items()}
        if keys.get("api-key") != "k-123" or "authorization" in keys:
            return failing(401)(asked, n)
        if "api-version=2024-10-21" not in line or "/openai/deployments/prod/" not in line:
            return failing(404)(asked, n)
        return writing(honest)(asked, n) if asked else failing(404)(asked, n)

    azured = {"key_env": "AZURE_KEY", "key_header": "api-key", "api_version": "2024-10-21"}
    with connected(azure, "/openai/deployments/prod", **azured) as (model, journal):
        holder.append(journal)
        found = standing(model, scanner=SCANNER)
        written = write(CASE, model, scanner=SCANNER)
    assert all(f.works for f in found.forms) and found.context is None
    assert written.model is not None, written.without_model
    assert {line.split("?")[0] for line, _, _ in journal.requests if line.startswith("POST")} == {
        "POST /openai/deployments/prod/chat/completions"
    }
