"""What a model's server can do, asked of it by small requests that pass the gate like any other."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.core.prompt import Message
from assistant.drafting.build import Restorer
from assistant.drafting.model import MODES, ChatModel
from assistant.errors import LogUnavailable, ModelError
from redaction import LeakBlocked

_LOOK = "Call the tool look once, without arguments, before you say anything."
_ASK = 'Answer with the JSON object {"title": "ok", "summary": []} and nothing else.'


@dataclass(frozen=True, slots=True)
class Capability:
    """One form of answer at one endpoint: whether it works, and if not what was said, in words of ours."""

    endpoint: str
    model: str
    form: str
    works: bool
    reason: str = ""


def probe(model: ChatModel, *, scanner: Restorer) -> tuple[Capability, ...]:
    """Each form at each endpoint. Raises LogUnavailable where the log cannot take the requests."""
    ask = (Message("user", scanner.restore(_ASK)),)
    found = []
    for line in model.lines:
        for form in MODES:
            works, reason = True, ""
            try:
                model.try_form(line, form, ask)
            except ModelError as error:
                works, reason = False, error.message
            found.append(Capability(line.endpoint.url, line.endpoint.name, form, works, reason))
    return tuple(found)


def probe_looks(model: ChatModel, *, scanner: Restorer) -> Capability:
    """Whether the first endpoint calls a tool that it is offered. Raises LogUnavailable."""
    line = model.lines[0]
    try:
        model.try_looks(line, (Message("user", scanner.restore(_LOOK)),))
    except ModelError as error:
        return Capability(line.endpoint.url, line.endpoint.name, "looks", False, error.message)
    return Capability(line.endpoint.url, line.endpoint.name, "looks", True)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the configured model: `said` is why there is no more, in words of ours; "" where all was asked.
    `context` in tokens, as the server states it. `notes` is the form that notes will be asked for in, `looks` whether
    questions can look around, and why not; both of the first endpoint."""

    url: str
    name: str
    said: str = ""
    forms: tuple[Capability, ...] = ()
    context: int | None = None
    notes: str = ""
    looks: Capability | None = None


def standing(model: ChatModel, *, scanner: Restorer) -> Standing:
    """Asked of the servers: every form at every endpoint, and the context size. Nothing of an incident is in it. What
    fails is said, not raised: a prompt log that cannot take the requests means that none was sent."""
    endpoint = model.lines[0].endpoint
    try:
        size, forms = context_tokens(model), probe(model, scanner=scanner)
        notes = next((f.form for f in forms if f.works and f.endpoint == endpoint.url), "none")
        return Standing(endpoint.url, endpoint.name, "", forms, size, notes, probe_looks(model, scanner=scanner))
    except (LogUnavailable, LeakBlocked) as error:
        return Standing(endpoint.url, endpoint.name, f"not probed: {error}")


def context_tokens(model: ChatModel) -> int | None:
    """The context size that the server's model list states (vLLM: `max_model_len`), None where it does not say."""
    return model.stated_context(model.lines[0])
