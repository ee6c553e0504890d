"""`ChatModel`: the port `Model` over langchain's `ChatOpenAI`, behind the gate.

Degrades from json_schema to a tool call to plain JSON, remembers what an endpoint can do, and tries the fallback
endpoint when the live one gives nothing. Whatever goes wrong becomes one of `assistant.errors.Model*`.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from assistant.core.draft import Draft, ModelUse
from assistant.core.prompt import Message, Prompt, Task
from assistant.drafting.budget import Breaker, Budget, Limits, Prices
from assistant.drafting.endpoint import Endpoint, endpoints
from assistant.drafting.faults import FormRefused, foreign, mapped
from assistant.drafting.gate import Appender, Gate, Scanner
from assistant.drafting.schema import NOTE, draft_of, parse_object
from assistant.drafting.spending import LoggedSpending
from assistant.drafting.talk import Talk
from assistant.drafting.templates import Template
from assistant.errors import ModelAnswerInvalid, ModelError, ModelUnavailable
from assistant.promptlog.record import Value, slug
from assistant.settings import ModelSettings, quiet_telemetry
from redaction import LeakBlocked

if TYPE_CHECKING:
    import httpx2
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_openai import ChatOpenAI

MODES = ("json_schema", "tools", "json")
PROMPT_SHARE = 0.75
HEDGE = 0.6
"""The share of the time that the live endpoint may use where there is a fallback."""
T = TypeVar("T")
Read = Callable[[Mapping[str, Any]], T]
_CONNECT_S = 5.0
_TOOL = "write"


@dataclass(slots=True)
class _Line:
    """An endpoint with its breaker, its shared connections, the mode that last worked, and whether it takes tools."""

    endpoint: Endpoint
    gate: Gate
    breaker: Breaker
    mode: str
    looks: bool = True
    sync: Any = None
    asyn: Any = None


@dataclass(slots=True)
class ChatModel:
    """See `from_settings`. Thread-safe; `close` when done."""

    settings: ModelSettings
    lines: tuple[_Line, ...]
    scanner: Scanner
    redact: Callable[[str], str]
    actor: str
    origin: str
    sleep: Callable[[float], None]
    facts: Mapping[str, Value] = field(default_factory=dict)
    label: str = "live"
    prompt_files: Mapping[Task, Template] = field(default_factory=dict)

    @classmethod
    def from_settings(
        cls,
        settings: ModelSettings,
        *,
        log: Appender,
        scanner: Scanner,
        redact: Callable[[str], str],
        actor: str = "payops",
        origin: str = "system",
        facts: Mapping[str, Value] | None = None,
        only: Endpoint | None = None,
        label: str = "live",
        prompt_files: Mapping[Task, Template] | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> ChatModel:
        """`redact` is applied to a text of an answer in which the scanner finds something: a model can make up a card
        number. `facts` go into every record (release id, attestation id). `only` replaces the configured endpoints,
        `prompt_files` the shipped ones: a shadow. SettingsError where the endpoint may not be used."""
        quiet_telemetry()
        limits = Limits(
            settings.max_tokens_incident, settings.max_tokens_day, settings.max_cost_incident, settings.max_cost_day
        )
        budget, prices = Budget(limits, now, LoggedSpending(log, label)), Prices(settings.price_in, settings.price_out)
        first = settings.response_format if settings.response_format in MODES else MODES[0]
        lines = tuple(
            _Line(e, Gate(log, scanner, e.url, e.statement, e.headers, budget, prices, redact), Breaker(now), first)
            for e in ((only,) if only else endpoints(settings))
        )
        return cls(settings, lines, scanner, redact, actor, origin, sleep, facts or {}, label, prompt_files or {})

    @property
    def prompt_tokens(self) -> int:
        """What a prompt may take of `[model] context_tokens`; the rest is for the answer."""
        return int(PROMPT_SHARE * self.settings.context_tokens)

    def complete(self, prompt: Prompt) -> tuple[Draft, ModelUse]:
        """As `complete_with`, with the messages themselves as the only parts."""
        return self.complete_with(prompt, parts={})

    def complete_with(self, prompt: Prompt, *, parts: Mapping[str, bytes]) -> tuple[Draft, ModelUse]:
        """The model's draft, unchecked, and what it took. `parts` are the pieces of the prompt, for the record.

        Raises ModelUnavailable, ModelAnswerInvalid, ModelOverBudget or ModelBlocked; LogUnavailable where the log
        cannot take the request: then nothing was sent.
        """
        load_libraries()
        talk = self.talk(prompt.incident, prompt.task, facts=_prompt_facts(prompt), parts=parts)
        began = talk.now()
        try:
            draft, line = self._first_answer(prompt.messages, NOTE, talk, read=lambda v: draft_of(v, clean=self.clean))
        except ModelError as fault:
            fault.spent = self.spent(talk, talk.now() - began)
            raise
        return draft, self.use(talk, line.endpoint, talk.now() - began)

    def state(self) -> Mapping[str, float]:
        """What is spent today of what may be, and how many endpoints are left alone after failing: for the metrics."""
        spent, limits = self.lines[0].gate.budget.spent(), self.lines[0].gate.budget.limits
        return {
            "model_configured": 1.0,
            "model_endpoints": float(len(self.lines)),
            "model_endpoints_resting": float(sum(line.breaker.open for line in self.lines)),
            "model_tokens_today": spent["tokens"],
            "model_tokens_today_limit": float(limits.tokens_day),
            "model_cost_today": spent["cost"],
            "model_cost_today_limit": limits.cost_day,
        }

    def talk(
        self,
        incident: str,
        task: str,
        *,
        facts: Mapping[str, Value] | None = None,
        parts: Mapping[str, bytes] | None = None,
    ) -> Talk:
        """A new set of requests with its own calls and time."""
        return Talk(
            incident=incident,
            task=task,
            deadline=time.monotonic() + self.settings.timeout_s,
            max_calls=self.settings.max_calls,
            actor=self.actor,
            origin=self.origin,
            label=self.label,
            facts={**self.facts, **(facts or {})},
            parts=parts or {},
        )

    def clean(self, text: str) -> str:
        """A text of the model's as it may be kept: redacted where the scanner finds something in it."""
        try:
            self.scanner.check(text, sink="draft")
        except LeakBlocked:
            return self.redact(text)
        return text

    def spent(self, talk: Talk, seconds: float) -> ModelUse | None:
        """What a talk took that came to nothing; None where nothing was sent."""
        return self.use(talk, self.lines[0].endpoint, seconds) if talk.receipts else None

    def use(self, talk: Talk, endpoint: Endpoint, seconds: float) -> ModelUse:
        return ModelUse(
            name=talk.model or endpoint.name,
            requested=endpoint.name,
            requests=len(talk.receipts),
            tokens_in=talk.tokens_in,
            tokens_out=talk.tokens_out,
            cost=talk.cost,
            seconds=seconds,
            records=tuple(r.index for r in talk.receipts),
        )

    def usable(self) -> _Line:
        """The first endpoint whose breaker lets us. Raises ModelUnavailable if there is none."""
        for line in self.lines[:-1]:
            if not line.breaker.open:
                return line
        self.lines[-1].breaker.enter()
        return self.lines[-1]

    def chat(self, line: _Line, talk: Talk) -> ChatOpenAI:
        """A langchain chat model whose every request, sync or async, passes the gate for this talk."""
        import httpx2
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        from assistant.drafting.transport import AsyncGatedTransport, GatedTransport

        if line.sync is None:
            trusted = ssl.create_default_context(cafile=self.settings.ca_file or None)
            line.sync = httpx2.HTTPTransport(verify=trusted, trust_env=False)
            line.asyn = httpx2.AsyncHTTPTransport(verify=trusted, trust_env=False)
        timeout = httpx2.Timeout(self.settings.timeout_s, connect=_CONNECT_S)
        sync = GatedTransport(line.sync, line.gate, talk, sleep=self.sleep)
        asyn = AsyncGatedTransport(line.asyn, line.gate, talk)
        options: dict[str, Any] = {
            "temperature": self.settings.temperature,
            "seed": self.settings.seed if self.settings.api == "chat" else None,
            "reasoning_effort": self.settings.reasoning_effort or None,
        }
        key, version = line.endpoint.read_key(), self.settings.api_version
        if self.settings.key_header == "api-key":
            options |= {"default_headers": {"api-key": key}}
        options |= {"default_query": {"api-version": version}} if version else {}
        return ChatOpenAI(
            model=line.endpoint.name,
            base_url=line.endpoint.url,
            api_key=SecretStr(key),
            http_client=httpx2.Client(transport=sync, trust_env=False, timeout=timeout, follow_redirects=False),
            http_async_client=httpx2.AsyncClient(transport=asyn, trust_env=False, timeout=timeout),
            openai_proxy=None,
            max_retries=0,
            timeout=timeout,
            store=False,
            use_responses_api=self.settings.api == "responses",
            cache=False,
            **{k: v for k, v in options.items() if v is not None},
        )

    def try_form(self, line: _Line, form: str, messages: tuple[Message, ...]) -> None:
        """Ask for one form of answer, for `doctor`. Raises ModelError where it does not work."""
        draft_of(self._ask(line, form, messages, NOTE, self.talk("", "probe")), clean=self.clean)

    def try_looks(self, line: _Line, messages: tuple[Message, ...]) -> None:
        """Whether a tool that is offered is called, for `doctor`: what questions need. Raises ModelError if not."""
        offered = {"type": "function", "function": {"name": "look", "description": "Look at the state of payments.",
                                                    "parameters": {"type": "object", "properties": {}}}}  # fmt: skip
        chat = self.chat(line, self.talk("", "probe"))
        try:
            answer = chat.bind_tools([offered]).invoke(_messages(messages))
        except foreign() as error:
            raise mapped(error) from None
        if not answer.tool_calls:
            raise ModelAnswerInvalid("the model answered without calling the tool that it was asked to call")

    def stated_context(self, line: _Line) -> int | None:
        """Tokens of context as `GET /models` states them, or None. Raises LogUnavailable."""
        client = self.chat(line, self.talk("", "probe")).root_client
        try:
            listed = client.models.list().data
        except foreign():
            return None
        for model in listed or ():  # a server that answers something else than a list
            size = getattr(model, "max_model_len", None) or getattr(model, "context_length", None) or _trained(model)
            if model.id == line.endpoint.name and isinstance(size, int):
                return size
        return None

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        for line in self.lines:
            if line.sync is not None:
                cast("httpx2.HTTPTransport", line.sync).close()
                line.sync = line.asyn = None

    def _first_answer(
        self, messages: tuple[Message, ...], schema: Mapping[str, Any], talk: Talk, *, read: Read[T]
    ) -> tuple[T, _Line]:
        """The first endpoint's answer that can be read; the last error where there is none."""
        fault: ModelError = ModelUnavailable("no model is configured")
        whole = talk.deadline
        for n, line in enumerate(self.lines):
            last = n == len(self.lines) - 1
            talk.deadline = whole if last else talk.now() + HEDGE * (whole - talk.now())
            try:
                line.breaker.enter()
                value = self._degrading(line, messages, schema, talk, read=read)
            except (ModelUnavailable, ModelAnswerInvalid) as error:
                line.breaker.failed()
                fault = error
                continue
            line.breaker.succeeded()
            return value, line
        raise fault

    def _degrading(
        self, line: _Line, messages: tuple[Message, ...], schema: Mapping[str, Any], talk: Talk, *, read: Read[T]
    ) -> T:
        """The answer in the best form that the endpoint can hold to. A form that fails is not tried again first."""
        modes = MODES[MODES.index(line.mode) :]
        if self.settings.response_format in MODES:
            modes = (line.mode,)
        for mode in modes:
            try:
                value = read(self._ask(line, mode, messages, schema, talk))
            except FormRefused:
                if mode == modes[-1] or talk.remaining() <= 1.0:
                    raise
                continue
            line.mode = mode
            return value
        raise ModelAnswerInvalid("the model gave no answer in any form")

    def _ask(
        self, line: _Line, mode: str, messages: tuple[Message, ...], schema: Mapping[str, Any], talk: Talk
    ) -> Mapping[str, Any]:
        chat = self.chat(line, talk)
        said = _messages(messages)
        try:
            if mode == "json_schema":
                form = {"type": "json_schema", "json_schema": {"name": _TOOL, "strict": True, "schema": schema}}
                answer = chat.invoke(said, response_format=form)
            elif mode == "tools":
                tool = {"type": "function", "function": {"name": _TOOL, "parameters": dict(schema)}}
                answer = chat.bind_tools([tool], tool_choice=_TOOL).invoke(said)
            else:
                answer = chat.invoke(said)
        except foreign() as error:
            raise mapped(error) from None
        return _object_in(answer)


def _trained(listed: object) -> object:
    """llama.cpp states its context under `meta`."""
    meta = getattr(listed, "meta", None)
    return (meta.get("n_ctx") or meta.get("n_ctx_train")) if isinstance(meta, dict) else None


def load_libraries() -> None:
    """Import what a request needs, before the clock of a request starts: it takes seconds on a busy machine."""
    import langchain_openai  # noqa: F401

    import assistant.drafting.transport  # noqa: F401


def load_beside() -> None:
    """Import what a question needs in a thread, while its evidence is waited for. `load_libraries` waits for the rest;
    an import that fails there fails again here, where it is told."""

    def load() -> None:
        with suppress(ImportError):
            load_libraries()
            import langchain.agents
            import langchain.agents.middleware  # noqa: F401

    quiet_telemetry()
    threading.Thread(target=load, name="model-libraries", daemon=True).start()


def _object_in(answer: AIMessage) -> Mapping[str, Any]:
    """The JSON object of an answer, from its tool call or its text. ModelAnswerInvalid if there is none."""
    if answer.additional_kwargs.get("refusal"):
        raise ModelAnswerInvalid("the model refused")
    if answer.response_metadata.get("finish_reason") == "length":
        raise ModelAnswerInvalid("the model's answer was cut at its token limit")
    if answer.response_metadata.get("finish_reason") == "content_filter":
        raise ModelAnswerInvalid("the provider's content filter stopped the answer")
    if answer.invalid_tool_calls:
        raise FormRefused("the model's tool call is not JSON")
    for call in answer.tool_calls:
        return call["args"]
    return parse_object(answer.text)


def _messages(messages: tuple[Message, ...]) -> list[BaseMessage]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds: Mapping[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [kinds[m.role](content=m.text.text) for m in messages]


def _prompt_facts(prompt: Prompt) -> dict[str, Value]:
    return {
        "template": slug(prompt.template),
        "template_sha256": prompt.template_hash,
        "evidence": [slug(i) for i in prompt.evidence_ids],
        "passages": [slug(i) for i in prompt.passage_ids],
    }
