"""Changes weighed against the onset: when, where, and what they touch.

A change is suspect when it came shortly before the onset (delays are allowed: a slow leak or a cache takes hours), when
its service fails or is called by what fails, and when its words or its diff touch what the symptom is about. "None" is
a frequent right answer: a change that is only near in time gets no more than a mention.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.analysis import words as w
from assistant.core.evidence import Change, EvidenceId, Topology
from assistant.core.finding import ChangeLink

AFTER_SECONDS = 45.0
"""An onset is known to about this much; a change later than that after it is an effect or nothing."""

_HARMLESS = re.compile(
    r"\b(readme|docs?|documentation|comment|typo|changelog|copyright|lint|formatting|reformat(ted)?|translations?|i18n|"
    r"user.?agent string|"
    r"(unit )?tests?( only)?|dashboards?|copy change|css|colou?r|logo|banner|wording)\b",
    re.IGNORECASE,
)
_STOP = w.word_set(
    "the a an and or of to in on for with by from at is be are was were this that it its as new add added "
    "adds update updated "
    "updates change changes changed set use using release version service deploy deployed brought up date "
    "total rate seconds "
    "error errors failed failure ms info warn level msg true false none null host id name value string int"
)


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is wrong, for weighing changes: services that fail (strongest first), the victims among them, words of the
    failing things (label values, kinds of complaint, metric words), values that the loss is confined to, and since
    when each service moved."""

    services: tuple[str, ...]
    victims: frozenset[str]
    words: frozenset[str]
    values: frozenset[str]
    began: Mapping[str, float] = field(default_factory=dict)


def change_id(index: int) -> EvidenceId:
    """The evidence id of `observations.changes[index]`."""
    return EvidenceId(f"C{index + 1}")


def telling(text: str) -> frozenset[str]:
    """The words of a text that carry meaning: no stop words, no numbers, three letters or more."""
    return frozenset(x for x in w.words(text) if len(x) > 2 and not x.isdigit() and x not in _STOP)


def nearness(before: float) -> float:
    """0..1 for a change `before` seconds before the onset: 1 within five minutes, half after half an hour."""
    if before < -AFTER_SECONDS:
        return 0.0
    return 1.0 / (1.0 + math.pow(max(before - 300.0, 0.0) / 1500.0, 0.8))


def weigh(
    changes: Sequence[Change], *, onset: float | None, symptom: Symptom, topology: Topology
) -> tuple[ChangeLink, ...]:
    """Every change with its score 0..1 and its reasons, most suspect first."""
    links = [_weigh(i, c, onset, symptom, topology) for i, c in enumerate(changes)]
    return tuple(sorted(links, key=lambda k: -k.score))


def _weigh(index: int, change: Change, onset: float | None, symptom: Symptom, topology: Topology) -> ChangeLink:
    if onset is not None:
        onset = min(onset, symptom.began.get(change.service, onset))  # a slow climb begins where it is made
    before = (onset - change.t) if onset is not None else math.nan
    near = nearness(before) if onset is not None else 0.3
    reasons: list[str] = []
    against: list[str] = []
    if onset is not None:
        (reasons if near > 0.3 else against).append(_when(before))
    place, why = _place(change.service, symptom, topology)
    (reasons if place >= 0.5 else against).append(why)
    content, touched = _content(change, symptom)
    if touched:
        reasons.append(f"it touches {', '.join(sorted(touched)[:4])}")
    harmless = bool(_HARMLESS.search(change.title)) and content < 0.5
    if harmless:
        against.append("by its title it changes nothing that runs")
    score = near * (0.25 + 0.4 * place + 0.35 * content) * (0.4 if harmless else 1.0)
    if change.kind == "maintenance":
        reasons.append("announced maintenance")
    return ChangeLink(
        change_id(index), change.id, change.service, before, round(min(score, 1.0), 3), tuple(reasons), tuple(against)
    )


def _when(before: float) -> str:
    if before < -AFTER_SECONDS:
        return f"it came {_span(-before)} after the onset"
    if abs(before) <= AFTER_SECONDS:
        return f"it came at the onset, {round(before):d} s before it" if before >= 0 else "it came at the onset"
    return f"it came {_span(before)} before the onset"


def _span(seconds: float) -> str:
    return f"{round(seconds):d} s" if seconds < 120 else f"{round(seconds / 60):d} min"


def _place(service: str, symptom: Symptom, topology: Topology) -> tuple[float, str]:
    """How well the changed service fits what fails, 0..1, and why."""
    failing = symptom.services
    if service in failing:
        rank = failing.index(service)
        if service in symptom.victims:
            return 0.45, f"{service} fails, but what it calls fails too"
        return (1.0 if rank == 0 else 0.85 if rank < 3 else 0.7), f"{service} is where it fails"
    if any(service in topology.callees(s) for s in failing):
        return 0.6, f"{service} is called by what fails"
    if any(service in topology.callers(s) for s in failing):
        return 0.35, f"{service} calls what fails"
    if not failing:
        return 0.4, "no service stands out as failing"
    return 0.05, f"{service or 'its service'} shows no symptom"


def _content(change: Change, symptom: Symptom) -> tuple[float, frozenset[str]]:
    """How much title and diff speak of the symptom, 0..1, and the words they share."""
    text = f"{change.title}\n{change.diff}"
    lowered = text.lower()
    values = frozenset(
        v
        for v in symptom.values
        if len(v) > 2 and "<" not in v and re.search(rf"(?<![\w]){re.escape(v.lower())}(?![\w])", lowered)
    )
    shared = (telling(text) & symptom.words) - telling(change.service)
    score = min(0.6 * bool(values) + 0.2 * len(shared), 1.0)
    return score, frozenset(values | shared)
