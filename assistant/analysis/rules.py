"""The alerts' own rules: what they read, and what they compare it with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.analysis.signals import selected
from assistant.core.alert import Rule
from assistant.core.evidence import MetricEvidence
from assistant.core.observations import Observations

_COMPARE = re.compile(
    r"(?P<op>[<>]=?)\s*(?:bool\s+)?(?P<limit>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?:$|\band\b|\bor\b|\bunless\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A rule's comparison: `above` says that passing means being over `value`."""

    rule: str
    above: bool
    value: float


def limit_of(rule: Rule) -> Limit | None:
    """The first comparison with a number in a rule's expression; None where there is none."""
    found = _COMPARE.search(rule.expr)
    return Limit(rule.name, found["op"].startswith(">"), float(found["limit"])) if found else None


def reads(rule: Rule, metric: str) -> bool:
    """Whether a rule's expression names a metric (or a part of its histogram)."""
    return re.search(rf"(?<![\w:]){re.escape(metric)}(?![\w:])", rule.expr) is not None


def alerted(seen: Observations, evidence: MetricEvidence) -> tuple[Rule, ...]:
    """The rules of the incident's alerts that read what this evidence measures."""
    name = selected(evidence.query)
    return tuple(r for r in seen.incident.rules if reads(r, name))


def alarms_above(seen: Observations, evidence: MetricEvidence) -> bool:
    """Whether an alert fired because a plain rate of this counter was too high (no quotient, nothing but a
    comparison)."""
    return any(
        (limit := limit_of(r)) is not None and limit.above and "/" not in r.expr and "offset" not in r.expr
        for r in alerted(seen, evidence)
    )
