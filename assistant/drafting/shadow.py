"""A candidate beside the live model: the same evidence, its own records, compared and never shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assistant.core.draft import Draft, Written
from assistant.core.prompt import Context
from assistant.drafting.build import Restorer
from assistant.drafting.check import claims
from assistant.drafting.draft import verdicts, write
from assistant.drafting.endpoint import shadow
from assistant.drafting.gate import Appender, Scanner
from assistant.drafting.model import ChatModel
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
    """Both sides, and the share of evidence ids that both point at (Jaccard; 1.0 where neither points at any)."""

    incident: str
    live: Side
    candidate: Side
    same_evidence: float


def candidate(
    settings: ModelSettings, *, log: Appender, scanner: Scanner, redact: Callable[[str], str], actor: str = "payops"
) -> ChatModel | None:
    """The configured shadow as a model of its own, whose records carry `label: shadow`; None where none is named."""
    endpoint = shadow(settings)
    if endpoint is None:
        return None
    return ChatModel.from_settings(
        settings, log=log, scanner=scanner, redact=redact, actor=actor, only=endpoint, label="shadow"
    )


def compare(live: Written, context: Context, model: Model, *, scanner: Restorer) -> Comparison:
    """Let the candidate write over the same context and set it beside what was shown. Raises nothing of a model's."""
    tried = write(context, model, scanner=scanner)
    return Comparison(context.incident.id, _side(live), _side(tried), _agreement(live.draft, tried.draft))


def comparisons(log: Log) -> Iterator[Comparison]:
    """Every comparison that the prompt log still holds, oldest first."""
    for record in log.search(Filter(events=(Event.NOTE_POST.value,))):
        body = log.body(record, "comparison") if record.resource == RESOURCE else None
        if isinstance(body, bytes):
            value = json.loads(body)
            yield Comparison(
                value["incident"], Side(**value["live"]), Side(**value["candidate"]), float(value["same_evidence"])
            )


def summary(found: Iterable[Comparison]) -> Mapping[str, Mapping[str, float]]:
    """Both sides over all comparisons: notes, how many a model wrote, statements kept and struck, and means of seconds,
    tokens and cost where a model was asked."""
    cases = tuple(found)
    return {"live": _totals([c.live for c in cases]), "candidate": _totals([c.candidate for c in cases])}


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
