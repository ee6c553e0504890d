"""The alerts' own rules: what they read, and what they compare it with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.analysis.signals import Signal, selected
from assistant.core.alert import Alert, Rule
from assistant.core.evidence import EvidenceId, MetricEvidence
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


def plain(rule: Rule) -> bool:
    """Whether a rule compares gauges as they are: no rate, no quantile, no offset, no quotient but a fill."""
    return not re.search(r"rate\(|increase\(|histogram_quantile|\boffset\s+-?\d|deriv\(", rule.expr)


def reads(rule: Rule, metric: str) -> bool:
    """Whether a rule's expression names a metric (or a part of its histogram)."""
    return re.search(rf"(?<![\w:]){re.escape(metric)}(?![\w:])", rule.expr) is not None


def alerted(seen: Observations, evidence: MetricEvidence) -> tuple[Rule, ...]:
    """The rules of the incident's alerts that read what this evidence measures."""
    name = selected(evidence.query)
    return tuple(r for r in seen.incident.rules if reads(r, name))


def alarms_above(seen: Observations, evidence: MetricEvidence) -> float | None:
    """The limit of an alert that fires when a plain rate of this counter is too high (no quotient, nothing but a
    comparison); None where there is none."""
    limits = (limit_of(r) for r in alerted(seen, evidence) if not re.search(r"/|\boffset\s+-?\d", r.expr))
    return min((x.value for x in limits if x is not None and x.above), default=None)


def allowed_move(seen: Observations, evidence: MetricEvidence) -> float | None:
    """The smallest move, as a share of what was before, that an alert over this evidence does not allow: of rules that
    divide a measure by itself some time ago. None where there is none."""
    limits = (limit_of(r) for r in alerted(seen, evidence) if re.search(r"/.*\boffset\s+-?\d", r.expr, re.DOTALL))
    return min((abs(1.0 - x.value) for x in limits if x is not None), default=None)


GRAVE = frozenset({"critical", "page", "high", "error", "major"})
"""Severities of alerts that ask for somebody at once."""


SLIGHT = frozenset({"info", "low", "none"})


def pressing(seen: Observations) -> frozenset[EvidenceId]:
    """The evidence that the gravest alerts read; that of the next graver ones where those are not measured."""
    read = {e.id: alerted(seen, e) for e in seen.metrics}
    by_name = {a.name: a.severity.lower() for a in reversed(seen.incident.alerts)}
    for wanted in (GRAVE, None, SLIGHT):
        names = {
            n for n, said in by_name.items() if (said in wanted if wanted else said not in GRAVE and said not in SLIGHT)
        }
        found = frozenset(e for e, rules in read.items() if any(r.name in names for r in rules))
        if found:
            return found
    return frozenset()


def asked_by(seen: Observations, s: Signal) -> bool:
    """Whether a signal is what an alert fired for: its rule reads it, it moved the way the rule watches, and none of
    the alert's labels contradicts it."""
    evidence = next((e for e in seen.metrics if e.id == s.evidence), None)
    if evidence is None or not s.moved:
        return False
    for rule in alerted(seen, evidence):
        limit = limit_of(rule)
        # A quotient may stand upside down: only a plain comparison tells the direction.
        turned = limit is not None and "/" not in rule.expr and limit.above != (s.direction > 0)
        if not turned and any(_agrees(a, s) for a in seen.incident.alerts if a.name == rule.name):
            return True
    return False


def _agrees(alert: Alert, s: Signal) -> bool:
    return all(alert.labels[k] == v for k, v in s.labels.items() if k in alert.labels)
