"""A note's prose, with a model or without: prompt, answer, checks. It always comes to something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from assistant.core.draft import Draft, ModelUse, Struck, Written, both
from assistant.core.prompt import Context, Prompt, Task
from assistant.drafting.build import Built, Restorer, build_prompt
from assistant.drafting.causes import either, says_either
from assistant.drafting.check import check, known, too_many
from assistant.drafting.templates import Template
from assistant.drafting.writer import write_without_model
from assistant.errors import LogUnavailable, ModelContextTooLong, ModelError
from assistant.ports import Model
from redaction import LeakBlocked

BUDGET = 24_000
SMALLER = 0.4
"""The share of the budget that a second try gets where the model says that the prompt is too long."""


@runtime_checkable
class KeepsParts(Protocol):
    """A model that records the pieces that a prompt was made of."""

    def complete_with(self, prompt: Prompt, *, parts: Mapping[str, bytes]) -> tuple[Draft, ModelUse]: ...


@runtime_checkable
class OwnPrompts(Protocol):
    """A model that brings prompt files of its own: a candidate."""

    @property
    def prompt_files(self) -> Mapping[Task, Template]: ...


@dataclass(frozen=True, slots=True)
class Told:
    """What came of writing: the draft, what the prompt left out, and what the sanitiser took out of it."""

    written: Written
    left_out: tuple[str, ...] = ()
    hidden: int = 0
    lookalikes: int = 0


def write(context: Context, model: Model | None, *, scanner: Restorer, budget_tokens: int = 0) -> Written:
    """The checked draft of an incident note; the deterministic one, with the reason, where there is no usable model."""
    return tell("incident_note", context, model, scanner=scanner, budget_tokens=budget_tokens).written


def tell(
    task: Task,
    context: Context,
    model: Model | None,
    *,
    scanner: Restorer,
    budget_tokens: int = 0,
    question: str | None = None,
) -> Told:
    """As `write`, for any task that is written as claims over a context. Raises nothing that a model or the log does:
    each becomes the reason of a deterministic draft. `budget_tokens` for the prompt; 0: as much as suits the model."""
    if model is None:
        return Told(write_without_model(context, reason="no model is configured"))
    budget_tokens = budget_tokens or int(getattr(model, "prompt_tokens", BUDGET))
    try:
        draft, use, built = _asked(task, context, model, scanner, budget_tokens, question)
    except LogUnavailable:
        return Told(write_without_model(context, reason="the prompt log cannot be written, so nothing was sent"))
    except LeakBlocked as leak:
        reason = f"the last look found {', '.join(leak.classes)} in the prompt, so nothing was sent"
        return Told(write_without_model(context, reason=reason))
    except ModelError as fault:
        return Told(replace(write_without_model(context, reason=fault.message), spent=fault.spent))
    return Told(_checked(task, draft, use, context), built.left_out, built.hidden, built.lookalikes)


def _asked(
    task: Task, context: Context, model: Model, scanner: Restorer, budget_tokens: int, question: str | None
) -> tuple[Draft, ModelUse, Built]:
    form = model.prompt_files.get(task) if isinstance(model, OwnPrompts) else None
    built = build_prompt(task, context, question=question, budget_tokens=budget_tokens, scanner=scanner, form=form)
    try:
        return (*_complete(model, built), built)
    except ModelContextTooLong as first:
        less = int(budget_tokens * SMALLER)
        built = build_prompt(task, context, question=question, budget_tokens=less, scanner=scanner, form=form)
        try:
            draft, use = _complete(model, built)
        except ModelError as fault:
            fault.spent = both(first.spent, fault.spent)
            raise
        return draft, both(first.spent, use) or use, built


def _complete(model: Model, built: Built) -> tuple[Draft, ModelUse]:
    if isinstance(model, KeepsParts):
        return model.complete_with(built.prompt, parts=built.parts)
    return model.complete(built.prompt)


def _checked(task: Task, draft: Draft, use: ModelUse, context: Context) -> Written:
    left, struck = check(draft, context)
    plain = write_without_model(context, reason="")
    if too_many(struck, draft, left):
        lost = f"{len(struck)} of the model's statements are not in the evidence"
        reason = lost if struck else "the model wrote no summary"
        return replace(plain, without_model=reason, struck=struck, model=None, spent=use)
    filled = _filled(left, plain.draft)
    if task == "incident_note" and not says_either(filled.cause, context):
        unsettled = either(context, known(context))
        filled = replace(filled, cause=(*((unsettled,) if unsettled else ()), *filled.cause))
    return Written(filled, model=use, struck=struck, spent=use)


def _filled(left: Draft, plain: Draft) -> Draft:
    """What the model left empty, or lost to the checks, from the deterministic draft. What is not known is never less
    than code knows."""
    return Draft(
        title=left.title or plain.title,
        summary=left.summary or plain.summary,
        cause=left.cause or plain.cause,
        next_steps=left.next_steps or plain.next_steps,
        not_known=tuple(dict.fromkeys((*plain.not_known, *left.not_known))),
        argued_down=left.argued_down,
    )


def verdicts(struck: tuple[Struck, ...]) -> Mapping[str, int]:
    """Strikes by rule, for the record."""
    counts: dict[str, int] = {}
    for s in struck:
        counts[s.rule] = counts.get(s.rule, 0) + 1
    return counts
