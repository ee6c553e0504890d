"""A candidate beside the live model: the same evidence, its own records, compared and never shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assistant.core.draft import Draft, Written
from assistant.core.prompt import Context
from assistant.drafting.build import Restorer
from assistant.drafting.check import claims
from assistant.drafting.draft import verdicts, write
from assistant.drafting.endpoint import shadow
from assistant.drafting.gate import Appender, Scanner
from assistant.drafting.model import ChatModel
from assistant.drafting.templates import templates_in
from assistant.ports import Model
from assistant.promptlog.log import Log
from assistant.promptlog.record import Event
from assistant.promptlog.store import Filter
from assistant.settings import ModelSettings

RESOURCE = "shadow.comparison"


@dataclass(frozen=True, slots=True)
class Side:
    """What one model made of the evidence: statements kept and struck (by rule), time, tokens, cost (all counted
    whether its draft was used or not); why none."""

    model: str
    kept: int
    struck: int
    rules: Mapping[str, int]
    seconds: float
    tokens: int
    cost: float
    without_model: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, and the share of evidence ids that both point at (Jaccard; 1.0 where neither points at any).
    `differs` says in what the candidate is another one: model, endpoint, prompt files with their hashes, settings."""

    incident: str
    live: Side
    candidate: Side
    same_evidence: float
    differs: Mapping[str, str] = field(default_factory=dict)


def candidate(
    settings: ModelSettings, *, log: Appender, scanner: Scanner, redact: Callable[[str], str], actor: str = "payops"
) -> ChatModel | None:
    """The configured shadow as a model of its own, whose records carry `label: shadow`; None where none is named.
    SettingsError where its endpoint or one of its prompt files may not be used."""
    endpoint = shadow(settings)
    if endpoint is None:
        return None
    prompts = templates_in(Path(settings.shadow_prompts)) if settings.shadow_prompts else {}
    return ChatModel.from_settings(
        as_candidate(settings), log=log, scanner=scanner, redact=redact, actor=actor, only=endpoint, label="shadow",
        prompt_files=prompts,
    )  # fmt: skip


def as_candidate(settings: ModelSettings) -> ModelSettings:
    """The live model's settings with what the candidate has of its own."""
    own = {
        "temperature": settings.shadow_temperature,
        "seed": settings.shadow_seed,
        "response_format": settings.shadow_response_format or None,
        "reasoning_effort": settings.shadow_reasoning_effort or None,
        "max_tokens_day": settings.shadow_max_tokens_day or None,
        "max_cost_day": settings.shadow_max_cost_day or None,
    }
    return replace(settings, **{name: value for name, value in own.items() if value is not None})  # type: ignore[arg-type]


def differences(settings: ModelSettings, model: ChatModel) -> Mapping[str, str]:
    """In what the candidate differs from the live model of `settings`, in names and hashes."""
    mine, endpoint = as_candidate(settings), model.lines[0].endpoint
    found = {
        "model": endpoint.name if endpoint.name != settings.name else "",
        "url": endpoint.url if endpoint.url != settings.url.rstrip("/") else "",
        **{f"prompt {task}": f"{form.name} {form.sha256[:12]}" for task, form in model.prompt_files.items()},
        **{
            name: str(getattr(mine, name))
            for name in ("temperature", "seed", "response_format", "reasoning_effort")
            if getattr(mine, name) != getattr(settings, name)
        },
    }
    return {name: value for name, value in found.items() if value}


def compare(
    live: Written, context: Context, model: Model, *, scanner: Restorer, differs: Mapping[str, str] | None = None
) -> Comparison:
    """Let the candidate write over the same context and set it beside what was shown. Raises nothing of a model's."""
    tried = write(context, model, scanner=scanner)
    same = _agreement(live.draft, tried.draft)
    return Comparison(context.incident.id, _side(live), _side(tried), same, differs or {})


def comparisons(log: Log) -> Iterator[Comparison]:
    """Every comparison that the prompt log still holds, oldest first."""
    for record in log.search(Filter(events=(Event.NOTE_POST.value,))):
        body = log.body(record, "comparison") if record.resource == RESOURCE else None
        if isinstance(body, bytes):
            value = json.loads(body)
            yield Comparison(
                value["incident"],
                Side(**value["live"]),
                Side(**value["candidate"]),
                float(value["same_evidence"]),
                value.get("differs", {}),
            )


def summary(found: Iterable[Comparison]) -> Mapping[str, Mapping[str, float]]:
    """Both sides over all comparisons: notes, how many a model wrote, statements kept and struck, and means of seconds,
    tokens and cost where a model was asked."""
    cases = tuple(found)
    return {"live": _totals([c.live for c in cases]), "candidate": _totals([c.candidate for c in cases])}


def by_candidate(found: Iterable[Comparison]) -> tuple[tuple[Mapping[str, str], tuple[Comparison, ...]], ...]:
    """The comparisons of each candidate apart, in the order in which they ran: another prompt file is another one."""
    groups: dict[str, list[Comparison]] = {}
    for one in found:
        groups.setdefault(json.dumps(one.differs, sort_keys=True), []).append(one)
    return tuple((group[0].differs, tuple(group)) for group in groups.values())


def _totals(sides: Sequence[Side]) -> Mapping[str, float]:
    wrote = [s for s in sides if not s.without_model]
    asked = [s for s in sides if s.tokens or not s.without_model]
    count = max(len(asked), 1)
    return {
        "notes": len(sides),
        "by_model": len(wrote),
        "kept": sum(s.kept for s in wrote),
        "struck": sum(s.struck for s in sides),
        "seconds": round(sum(s.seconds for s in asked) / count, 3),
        "tokens": round(sum(s.tokens for s in asked) / count, 1),
        "cost": round(sum(s.cost for s in asked) / count, 6),
    }


def _side(written: Written) -> Side:
    use = written.spent or written.model
    return Side(
        model=written.model.name if written.model else "none",
        kept=claims(written.draft),
        struck=len(written.struck),
        rules=verdicts(written.struck),
        seconds=use.seconds if use else 0.0,
        tokens=use.tokens_in + use.tokens_out if use else 0,
        cost=use.cost if use else 0.0,
        without_model=written.without_model,
    )


def _agreement(a: Draft, b: Draft) -> float:
    left, right = ({i for c in (*d.summary, *d.cause) for i in c.evidence} for d in (a, b))
    return len(left & right) / len(left | right) if left | right else 1.0
