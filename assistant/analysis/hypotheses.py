"""Hypotheses: suspects ranked, each with a verdict that follows from rules and not from prose.

Two independent kinds of evidence (metrics, logs, changes) that agree on entity and onset, with no stronger rival and no
source missing, make "confirmed"; enough weight makes "likely"; the rest is "inconclusive" with what would settle it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from assistant.analysis import payments as pay
from assistant.analysis.candidates import Candidate, Material
from assistant.analysis.contradiction import Contradiction
from assistant.analysis.say import number
from assistant.analysis.suspects import gather
from assistant.core.hypothesis import Hypothesis, Reason, Verdict

MOST = 6
NOT_BY_CHANGE = frozenset({"dns", "certificate_expired", "clock_skew", "stale_data", "traffic_surge", "traffic_drop"})
"""Failures that come by themselves: a change that is merely near is no part of them."""


def hypotheses_of(m: Material) -> tuple[Hypothesis, ...]:
    """Ranked hypotheses, at most six."""
    ranked = sorted((c for c in gather(m).values() if c.score > 0.25), key=lambda c: (-c.score, c.entity))[:MOST]
    return tuple(_judge(c, ranked, m) for c in ranked)


def false_alert(found: Contradiction | None) -> tuple[Hypothesis, ...]:
    """The one hypothesis of a false alert whose counter is contradicted by the others; none where nothing is."""
    if found is None:
        return ()
    fell = (
        f"by {found.metric} the approval rate fell from {number(found.usual, 'ratio')} to {number(found.seen, 'ratio')}"
    )
    supports = [Reason(fell, (found.evidence,))]
    for e, name, usual, seen in found.others[:3]:
        held = f"by {name} it held: {number(usual, 'ratio')} and {number(seen, 'ratio')}"
        supports.append(Reason(held, (e,)))
    entity = found.service or found.metric
    return (
        Hypothesis(
            entity=entity,
            dimension="service" if found.service else "metric",
            kind="measurement_fault",
            cause=f"{entity}: {pay.KINDS['measurement_fault']}",
            verdict="likely",
            confidence=0.8,
            supports=tuple(supports),
            fault="ours",
            would_settle="one payment that was counted as declined, looked up where it was booked",
        ),
    )


def _judge(c: Candidate, ranked: Sequence[Candidate], m: Material) -> Hypothesis:
    kind = max(c.kinds, key=lambda k: c.kinds[k] * (0.4 if k == "service_fault" else 1.0), default="service_fault")
    if c.change and c.kinds.get("bad_deploy", 0) + c.kinds.get("bad_config", 0) >= 0.5 * c.kinds[kind]:
        kind = max(("bad_deploy", "bad_config"), key=lambda k: c.kinds.get(k, 0.0))
    if kind in NOT_BY_CHANGE and c.fits < 0.5:
        c.change = ""
    rival = max((o.score for o in ranked if o is not c and not _second_fault(o, c)), default=0.0)
    margin = c.score - rival
    confidence = 1.0 / (1.0 + math.exp(-(1.3 * (c.score - 1.6) + 1.2 * max(min(margin, 1.5), -1.5))))
    missing = {g.source for g in m.seen.gaps}
    verdict = _verdict(c, confidence, margin, missing)
    return Hypothesis(
        entity=c.entity,
        dimension=c.dimension,
        kind=kind,
        cause=_cause(c, kind, m),
        verdict=verdict,
        confidence=round(min(confidence, 0.97), 3),
        supports=tuple(c.supports[:6]),
        against=tuple(c.against[:4]),
        change=c.change,
        fault=c.fault if kind not in {"traffic_surge", "traffic_drop"} else "unknown",
        would_settle=_settle(c, kind, verdict, ranked, missing),
    )


def _second_fault(other: Candidate, c: Candidate) -> bool:
    """Two disjoint losses are two faults, not rivals."""
    return bool(other.within and c.within and other.within != c.within)


def _verdict(c: Candidate, confidence: float, margin: float, missing: set[str]) -> Verdict:
    blind = missing & {"prometheus", "loki"}
    if len(c.seen_by) >= 2 and confidence >= 0.85 and margin >= 0.5 and not blind:
        return "confirmed"
    return "likely" if confidence >= (0.6 if blind else 0.5) else "inconclusive"


def _cause(c: Candidate, kind: str, m: Material) -> str:
    what = pay.KINDS[kind]
    who = f"{c.dimension.replace('_', ' ')} {c.entity}"
    tail = f", confined to {c.within}" if c.within and c.entity not in c.within.split("=")[-1:] else ""
    change = next((x for x in m.seen.changes if x.id == c.change), None)
    after = f", after {change.kind} {change.id}" if change else ""
    return f"{who}: {what}{tail}{after}"


def _settle(c: Candidate, kind: str, verdict: str, ranked: Sequence[Candidate], missing: set[str]) -> str:
    """What would settle an open question, in one sentence."""
    if verdict == "confirmed":
        return ""
    if missing & {"loki"} and "log" not in c.seen_by:
        return "the logs, which could not be read"
    if missing & {"prometheus"}:
        return "the metrics, which could not be read"
    if c.fault == "theirs":
        return (
            f"{c.entity}'s own status, which cannot be observed from here: ask them, or try the same cards another way"
        )
    if c.change:
        return f"taking {c.change} back, or its behaviour on one instance against the others"
    other = next((o for o in ranked if o is not c), None)
    if other is not None:
        return f"whether {other.entity} is a cause or a victim: compare their first errors"
    return "log lines or a trace of one failing payment"
