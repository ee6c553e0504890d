"""The gate: no request reaches a model unless its exact bytes are durably in the prompt log first.

It sits in the HTTP transport that the model client is given, the only point that every retry, tool loop and
structured-output call passes. In order: serialise, look (`FinalScanner`), reserve the budget, append `llm.request`
and wait until it is durable, send, append `llm.response` with the answer, hand the answer on. No record, no request;
no record of the answer, no answer. What is sent is built anew from the logged bytes and listed headers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from assistant.drafting.budget import Budget, Prices
from assistant.drafting.talk import Talk
from assistant.errors import ModelAnswerInvalid, ModelBlocked
from assistant.promptlog.record import Entry, Event, Outcome, Receipt, Value, slug
from assistant.promptlog.replay import RECIPE, REQUEST, recipe_for
from redaction import LeakBlocked

MAX_ANSWER = 8 * 1024 * 1024
TICKETS = ("x-request-id", "apim-request-id", "request-id", "x-ms-request-id")
"""Headers in which OpenAI, Azure OpenAI and others give the id of a request, the likeliest first."""
MAX_TICKET = 100
HEADERS = ("accept", "authorization", "api-key", "content-type", "host", "user-agent")
PATHS = (("POST", "/chat/completions"), ("POST", "/responses"), ("GET", "/models"))
_BYTES_PER_TOKEN = 3.2


class Appender(Protocol):
    def append(self, entry: Entry) -> Receipt: ...


class Scanner(Protocol):
    def check(self, data: bytes | str, *, sink: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that may leave: its receipt is the proof. `reserved` are tokens and cost."""

    receipt: Receipt
    reserved: tuple[int, float]
    began: float


@dataclass(frozen=True, slots=True)
class Gate:
    """What is the same for sync and async. `statement` are facts about the endpoint (region, retention, contract,
    owner); `headers` are sent beside the listed ones; `hide` redacts an answer that holds what the log refuses."""

    log: Appender
    scanner: Scanner
    base_url: str
    statement: Mapping[str, Value]
    headers: Mapping[str, str]
    budget: Budget
    prices: Prices
    hide: Callable[[str], str]

    def admit(self, method: str, url: str, body: bytes, talk: Talk) -> Sent:
        """Everything that happens before a byte leaves. Raises ModelBlocked, ModelOverBudget or LogUnavailable."""
        self._listed(method, url)
        talk.enter()
        asked = _json(body)
        if method == "POST" and asked.get("store") is not False:
            raise ModelBlocked("a request without store=false would be kept by the provider")
        self._look(method, url, body, talk)
        tokens = int(len(body) / _BYTES_PER_TOKEN) + 1
        reserved = (tokens, self.prices.cost(tokens, 0))
        self.budget.reserve(talk.incident, *reserved)
        bodies = {REQUEST: body, **talk.parts}
        recipe = recipe_for(body, talk.parts)
        if recipe is not None:
            bodies[RECIPE] = recipe
        facts = {**self.statement, **talk.facts, **_asked(asked), "task": talk.task, "label": talk.label}
        entry = self._entry(Event.LLM_REQUEST, talk, Outcome.OK, {**facts, "bytes": len(body)}, bodies)
        receipt = self.log.append(entry)
        talk.receipts.append(receipt)
        talk.bytes_out += len(body)
        return Sent(receipt, reserved, talk.now())

    def answered(self, sent: Sent, status: int, content: bytes, talk: Talk, *, ticket: str = "") -> None:
        """Record the answer, whatever it is; `ticket` is the provider's own id of the request. Raises LogUnavailable:
        then the answer is not used."""
        said = _usage(content)
        tokens_in = said.get("tokens_in", sent.reserved[0] if status < 400 else 0)
        tokens_out = said.get("tokens_out", int(len(content) / _BYTES_PER_TOKEN) if status < 400 else 0)
        cost = self.prices.cost(tokens_in, tokens_out)
        self.budget.settle(talk.incident, reserved=sent.reserved, used=(tokens_in + tokens_out, cost))
        talk.tokens_in += tokens_in
        talk.tokens_out += tokens_out
        talk.cost += cost
        talk.model = str(said.get("model_returned", talk.model))
        facts: dict[str, Value] = {
            **said,
            "request": sent.receipt.id,
            "status": status,
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "cost_microusd": round(cost * 1e6),
            "latency_ms": round((talk.now() - sent.began) * 1e3),
            "label": talk.label,
        }
        facts |= {"ticket": slug(ticket)} if ticket else {}
        outcome = Outcome.OK if status < 400 else Outcome.FAILED
        content, hidden = self._storable(content)
        facts |= {"answer_redacted": True} if hidden else {}
        self.log.append(self._entry(Event.LLM_RESPONSE, talk, outcome, facts, {"response": content}))

    def lost(self, sent: Sent, reason: str, talk: Talk) -> None:
        """Record that the answer did not come: what became of the request is unknown, and counted as used."""
        facts: dict[str, Value] = {"request": sent.receipt.id, "error": slug(reason), "label": talk.label}
        self.log.append(self._entry(Event.LLM_UNKNOWN_OUTCOME, talk, Outcome.UNKNOWN, facts, {}))

    def outgoing(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """The headers that leave: listed ones, those of configuration, and no compression that would hide an answer.
        What a client library says about this machine stays here."""
        kept = {k.lower(): v for k, v in headers if k.lower() in HEADERS}
        if "api-key" in kept:
            kept.pop("authorization", None)
        return {**kept, **self.headers, "accept-encoding": "identity"}

    def ticket(self, headers: Mapping[str, str]) -> str:
        """The provider's id of a request, to ask deletion by; "" where there is none or the last look stops it."""
        found = next((headers[name] for name in TICKETS if headers.get(name)), "")[:MAX_TICKET]
        try:
            self.scanner.check(found, sink="prompt log")
        except LeakBlocked:
            return ""
        return found

    def _listed(self, method: str, url: str) -> None:
        base, asked = urlsplit(self.base_url), urlsplit(url)
        path = asked.path.removeprefix(base.path.rstrip("/"))
        if (asked.scheme, asked.netloc) != (base.scheme, base.netloc) or (method, path) not in PATHS:
            raise ModelBlocked("a request to an address that is not the model's")

    def _look(self, method: str, url: str, body: bytes, talk: Talk) -> None:
        try:
            self.scanner.check(body, sink="model")
            self.scanner.check(f"{method} {url}", sink="model")
        except LeakBlocked as leak:
            classes: list[Value] = [slug(c) for c in leak.classes]
            facts: dict[str, Value] = {"classes": classes, "bytes": len(body), "label": talk.label}
            self.log.append(self._entry(Event.LLM_BLOCKED, talk, Outcome.BLOCKED, facts, {}))
            raise ModelBlocked("the last look found a value that must not leave") from None

    def _storable(self, content: bytes) -> tuple[bytes, bool]:
        try:
            self.scanner.check(content, sink="prompt log")
        except LeakBlocked:
            return self.hide(content.decode("utf-8", "replace")).encode("utf-8"), True
        return content, False

    def _entry(
        self, event: Event, talk: Talk, outcome: Outcome, facts: Mapping[str, Value], bodies: Mapping[str, bytes]
    ) -> Entry:
        return Entry(
            event=event,
            actor=talk.actor,
            origin=talk.origin,
            outcome=outcome,
            resource=slug(urlsplit(self.base_url).netloc),
            incident=slug(talk.incident) if talk.incident else None,
            correlation=talk.receipts[0].id if talk.receipts else None,
            facts=facts,
            bodies=bodies,
        )


def too_large(size: int) -> None:
    """Raises ModelAnswerInvalid for an answer over 8 MiB."""
    if size > MAX_ANSWER:
        raise ModelAnswerInvalid(f"the model's answer is over {MAX_ANSWER} bytes")


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        raise ModelBlocked("a request that is not JSON") from None
    return value if isinstance(value, dict) else {}


def _asked(body: Mapping[str, Any]) -> dict[str, Value]:
    """The parameters of a request that a leaf can hold: numbers, flags and names; never text."""
    wanted = ("temperature", "seed", "top_p", "max_tokens", "max_completion_tokens", "stream", "store", "n")
    facts: dict[str, Value] = {k: body[k] for k in wanted if isinstance(body.get(k), int | float | bool)}
    facts["model"] = slug(str(body.get("model", "none")))
    if isinstance(body.get("reasoning_effort"), str):
        facts["reasoning_effort"] = slug(body["reasoning_effort"])
    form = body.get("response_format") or (body.get("text") or {}).get("format")
    facts["response_format"] = slug(str(form.get("type"))) if isinstance(form, dict) else "text"
    facts["tools"] = len(body.get("tools") or ())
    facts["messages"] = len(body.get("messages") or body.get("input") or ())
    return facts


def _usage(content: bytes) -> dict[str, Any]:
    """Model, fingerprint and token counts as the answer states them; of a stream, the last chunk that does."""
    found: dict[str, Any] = {}
    for value in _answers(content):
        usage = value.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        for ours, theirs in (("tokens_in", "prompt_tokens"), ("tokens_in", "input_tokens"),
                             ("tokens_out", "completion_tokens"), ("tokens_out", "output_tokens")):  # fmt: skip
            if isinstance(usage.get(theirs), int) and 0 <= usage[theirs] < 10**9:
                found[ours] = usage[theirs]
        for ours, theirs in (("model_returned", "model"), ("fingerprint", "system_fingerprint"), ("answer", "id")):
            if isinstance(value.get(theirs), str) and value[theirs]:
                found[ours] = slug(value[theirs])
    return found


def _answers(content: bytes) -> Iterable[Mapping[str, Any]]:
    lines = [content]
    if content.startswith((b"data:", b"event:", b":")):
        lines = [line[5:] for line in content.splitlines() if line.startswith(b"data:")]
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
