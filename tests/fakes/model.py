"""Models for tests: real servers on loopback that behave well, badly or not at all, and `FakeModel` for the port.

`behaviour(name)` gives what `evals.attacks.server.serving` serves; `dead_url()` is an address where nobody listens.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.core.draft import Draft, ModelUse
from assistant.core.prompt import Prompt
from assistant.drafting.model import ChatModel
from assistant.errors import ModelError
from assistant.settings import ModelSettings
from evals.attacks.models import echo, honest, liar
from evals.attacks.server import Behaviour, Journal, Reply, called, completion, serving, writing
from redaction import FinalScanner, Redactor
from tests.fakes.promptlog import MemoryLog

HTML = b"<!doctype html><html><body><h1>Sign in</h1></body></html>"


def scanner() -> FinalScanner:
    return FinalScanner()


def memory_log() -> MemoryLog:
    """A prompt log that looks at what it is given, as the real one does."""
    look = FinalScanner()
    return MemoryLog(last_look=lambda content: look.check(content, sink="prompt log"))


def chat_model(url: str, log: MemoryLog, **settings: Any) -> ChatModel:
    """The real `ChatModel` against a server of this module; waits between tries are not waited."""
    return ChatModel.from_settings(
        ModelSettings(url=url, name="test-model", **settings),
        log=log,
        scanner=FinalScanner(),
        redact=lambda text: Redactor.default().redact(text).text,
        sleep=lambda seconds: None,
    )


@contextlib.contextmanager
def served(behave: Behaviour, **settings: Any) -> Iterator[tuple[ChatModel, MemoryLog, Journal]]:
    """A model of that behaviour behind the gate, its log, and the bytes that reached it."""
    log = memory_log()
    with serving(behave) as (url, journal):
        model = chat_model(url, log, **settings)
        yield model, log, journal
        model.close()


def dead_url() -> str:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def failing(status: int, *, times: int = 10**6, headers: Mapping[str, str] | None = None, code: str = "") -> Behaviour:
    """That status for the first `times` requests, then an honest answer."""

    def behave(asked: Mapping[str, Any], n: int) -> Reply:
        if n > times:
            return writing(honest)(asked, n)
        message = "maximum context length exceeded" if "context" in code else "boom"
        error = {"message": message, "type": "server_error", "code": code or None}
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        return Reply(status, json.dumps({"error": error}).encode(), all_headers)

    return behave


def always(reply: Reply) -> Behaviour:
    return lambda asked, n: reply


def no_json_schema(asked: Mapping[str, Any], n: int) -> Reply:
    """A server that knows tools but not `response_format`, as older ones do."""
    if asked.get("response_format"):
        return failing(400)(asked, n)
    return writing(honest)(asked, n)


def plain_only(asked: Mapping[str, Any], n: int) -> Reply:
    """A server that knows neither, and wraps its JSON in a code fence."""
    if asked.get("response_format") or asked.get("tools"):
        return failing(400)(asked, n)
    return Reply(body=completion(f"Here it is:\n```json\n{json.dumps(honest(asked['messages']))}\n```"))


GOOD = writing(honest)
ECHO = writing(echo)
LIAR = writing(lambda messages: liar(messages, seed=1))
SLOW = always(Reply(body=completion("{}"), delay=30.0))
TRICKLE = always(Reply(body=completion("{}"), trickle=0.2))
LENGTH = always(Reply(body=completion('{"title"').replace(b'"stop"', b'"length"')))
BAD: Mapping[str, tuple[Behaviour, str]] = {
    "empty answer": (always(Reply(body=completion(""))), r"is empty"),
    "no body": (always(Reply(body=b"")), r"cannot be read|connection"),
    "prose": (always(Reply(body=completion("I think the issuer is down."))), r"not JSON"),
    "truncated JSON": (always(Reply(body=completion('{"title": "cut'))), r"not JSON"),
    "cut at its token limit": (LENGTH, r"cut at its token limit"),
    "filtered": (always(Reply(body=completion("").replace(b'"stop"', b'"content_filter"'))), r"content filter"),
    "wrong keys": (always(Reply(body=completion('{"headline": 7}'))), r"keys of a note"),
    "wrong types": (always(Reply(body=completion('{"title": "x", "summary": "y"}'))), r"a list in"),
    "a list": (always(Reply(body=completion("[]"))), r"not a JSON object"),
    "refusal": (always(Reply(body=completion("", refusal="I cannot help with that."))), r"refused"),
    "bad tool arguments": (always(Reply(body=called("write", '{"title": '))), r"tool call is not JSON"),
    "null choices": (always(Reply(body=b'{"id":"x","object":"chat.completion","choices":null}')), r"cannot be read"),
    "no choices": (always(Reply(body=b'{"id":"x","object":"chat.completion"}')), r"cannot be read"),
    "other JSON": (always(Reply(body=b'["no", "completion"]')), r"cannot be read"),
    "HTML with 200": (always(Reply(body=HTML, headers={"Content-Type": "text/html"})), r"cannot be read"),
    "redirect": (always(Reply(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"})), r"cannot be read"),
    "cut body": (always(Reply(body=completion("x" * 5000), cut=200)), r"cut"),
    "400": (failing(400), r"did not take the request"),
    "401": (failing(401), r"refused our key"),
    "403": (failing(403), r"refused our key"),
    "404": (failing(404), r"no such model"),
    "429 without Retry-After": (failing(429), r"rate-limited"),
    "429 with Retry-After": (failing(429, headers={"Retry-After": "1"}), r"rate-limited"),
    "429 for an hour": (failing(429, headers={"Retry-After": "3600"}), r"rate-limited"),
    "500": (failing(500), r"failed with 500"),
    "503": (failing(503), r"failed with 503"),
    "garbage bytes": (always(Reply(body=b"\xff\xfe\x00garbage")), r"cannot be read"),
    "context overflow": (failing(400, code="context_length_exceeded"), r"too long"),
}


@dataclass(slots=True)
class FakeModel:
    """The port without a server: gives a draft or raises; keeps the prompts."""

    give: Draft | ModelError | Callable[[Prompt], Draft]
    prompts: list[Prompt] = field(default_factory=list)

    def complete(self, prompt: Prompt) -> tuple[Draft, ModelUse]:
        self.prompts.append(prompt)
        if isinstance(self.give, ModelError):
            raise self.give
        draft = self.give(prompt) if callable(self.give) else self.give
        return draft, ModelUse("fake", "fake", 1, 10, 10, 0.0, 0.01)
