"""What a model's server can do, asked of it by small requests that pass the gate like any other."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.core.prompt import Message
from assistant.drafting.build import Restorer
from assistant.drafting.model import MODES, ChatModel
from assistant.errors import ModelError

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


def context_tokens(model: ChatModel) -> int | None:
    """The context size that the server's model list states (vLLM: `max_model_len`), None where it does not say."""
    return model.stated_context(model.lines[0])
