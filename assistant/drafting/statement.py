"""What the rules of the checker look at: a statement, and what is known to compare it with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from assistant.core.finding import Health
from assistant.core.hypothesis import Verdict
from assistant.drafting.figures import Quantity
from assistant.drafting.voice import Run

LEADS: Mapping[Verdict, str] = {
    "confirmed": "Strong evidence",
    "likely": "Likely",
    "inconclusive": "Not settled, but possible",
}
"""How a verdict is said before the cause that it is about."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules compare with. `texts` and `figures` by evidence id; `entities` are all that the incident knows,
    `leading` those that may be called the cause, `related` those that go with it, `rivals` those of a second cause
    that the evidence does not tell apart from it; `quotes` are steps of the runbook and
    `gaps` what the analyst does not know, which people may be shown as they are; `others` are runs of words that others
    wrote; `terms` are stems of the trade's words by evidence id, `ours` those of everything that the analyst said, and
    `said` his sentences; `moves` are what was measured, as (usual, seen); `counts` are attempts and losses; `onset` is
    when it began, with its span, in seconds of the day; `moments` what `timing.stated_moments` gives, `labels` what
    `pairing.labels_of` does; `stated` holds the analyst's own sentences, squeezed, with the ids that stand behind
    each."""

    texts: dict[str, str]
    figures: dict[str, tuple[Quantity, ...]]
    entities: frozenset[str]
    leading: frozenset[str]
    related: frozenset[str]
    verdict: Verdict | None
    health: Health
    quotes: frozenset[str]
    gaps: frozenset[str]
    others: frozenset[Run]
    terms: dict[str, frozenset[str]]
    ours: frozenset[str]
    moves: tuple[tuple[float, float], ...]
    said: tuple[str, ...]
    counts: tuple[float, float] | None
    onset: tuple[float, float, float] | None = None
    moments: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    stated: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rivals: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim as the rules see it: its text, the ids it points at, and where in the draft it stands."""

    text: str
    evidence: tuple[str, ...]
    section: str


def sentences(text: str) -> list[str]:
    """The sentences of a text, semicolons counted as ends."""
    return re.split(r"(?<=[.!?;])\s+", text)


def without_ids(text: str, ids: tuple[str, ...]) -> str:
    """`text` without the bracketed ids that a model likes to repeat in prose."""
    if not ids:
        return text
    one = "|".join(re.escape(i) for i in ids)
    return re.sub(rf"[\[(]\s*(?:{one})(?:\s*[,;]\s*(?:{one}))*\s*[\])]|\b(?:{one})\b", " ", text)
