"""Hypotheses: suspects ranked, each with a verdict that follows from rules and not from prose.

Two independent kinds of evidence (metrics, logs, changes) that agree on entity and onset, with no stronger rival and no
source missing, make "confirmed"; enough weight makes "likely"; the rest is "inconclusive" with what would settle it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set

from assistant.analysis import payments as pay
from assistant.analysis.candidates import Candidate, Material
from assistant.analysis.contradiction import Contradiction
from assistant.analysis.kinds import kind_of, weighed
from assistant.analysis.named import COARSE
from assistant.analysis.ranking import force
from assistant.analysis.say import number
from assistant.analysis.suspects import gather
from assistant.core.hypothesis import Hypothesis, Reason, Verdict

MOST = 6
SURE, AHEAD, FITS = 0.9, 0.8, 0.5
"""Of a confirmed hypothesis: its confidence, how far it is ahead, and how well a change that counts must fit."""
BY_ISSUERS = frozenset({"issuer_outage", "issuer_declines", "sca_soft_declines"})
EARLY = 240.0
"""Seconds before the alert's own measure moved: nothing that takes so long, unless the one depends on the other."""
LATE = 150.0
"""Seconds after the alert's own measure moved: no cause any more."""
NOT_BY_CHANGE = frozenset({"dns", "certificate_expired", "clock_skew", "stale_data", "traffic_surge", "traffic_drop"})
"""Failures that come by themselves: a change that is merely near is no part of them."""


def hypotheses_of(m: Material) -> tuple[Hypothesis, ...]:
    """Ranked hypotheses, at most six."""
    found = gather(m).values()
    _late(found, m.first_asked())
    _watched(found, m)
    _unconnected(found, m)
    ranked = sorted((c for c in found if c.score > 0.25), key=lambda c: (-c.score, c.entity))[:MOST]
    return tuple(_judge(c, ranked, m) for c in ranked)


def _late(found: Iterable[Candidate], first: float | None) -> None:
    """What moved clearly later than what the alert fired for is an effect, or another matter."""
    for c in found:
        if first is not None and c.began is not None and not c.change and c.began > first + LATE and c.score > 0:
            c.add(-0.6 * c.score, f"it moved {round(c.began - first)} s after what the alert fired for", ())


def _unconnected(found: Iterable[Candidate], m: Material) -> None:
    """A service is another matter where nothing that moved leads from it to what the alert fired for; and where that
    does not depend on it at all, and it moved well before."""
    first, services = m.first_asked(), {s.entity for s in m.signals if id(s) in m.asked}
    if first is None or not services or "" in services:
        return
    near, led = m.seen.topology.reached(services), _led_to(services, m)
    for c in found:
        if c.dimension != "service" or c.began is None or c.score <= 0 or (c.change and c.fits >= FITS):
            continue
        if c.entity not in near and not c.change and c.began < first - EARLY:
            c.add(-0.6 * c.score, f"it moved {round(first - c.began)} s before what the alert fired for", ())
        elif c.entity not in led and c.entity in m.seen.topology.services:
            c.add(-0.6 * c.score, "nothing that moved lies between it and what the alert fired for", ())


def _led_to(services: Set[str], m: Material) -> frozenset[str]:
    """The services of the alert, those that call or are called by one of them, and so on over services that moved."""
    edges = {*m.seen.topology.edges, *((b, a) for a, b in m.seen.topology.edges)}
    moved = {r.service for r in m.ranked}
    found = wave = frozenset(services)
    while wave:
        wave = frozenset(b for a, b in edges if a in wave) - found
        found |= wave
        wave &= moved
    return found


def _watched(found: Iterable[Candidate], m: Material) -> None:
    """A service of which nothing but its own warnings moved does not break others."""
    merely = {s.entity for s in m.signals if id(s) in m.watching} - {
        s.entity for s in m.signals if s.now_bad and id(s) not in m.watching and force(s) >= 0.25
    }
    for c in found:
        if c.entity in merely and c.score > 0 and m.asked:
            c.add(-0.6 * c.score, "its own warning passed its threshold by a little, and nothing else of it moved", ())


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
    losing = bool(c.within)
    kind = kind_of(c.kinds, losing=losing)
    by_change = c.kinds.get("bad_deploy", 0.0) + c.kinds.get("bad_config", 0.0)
    told = kind != "service_fault"  # else nothing but the change says what it is
    if c.change and by_change and (not told or by_change >= 0.5 * weighed(kind, c.kinds[kind], losing=losing)):
        kind = max(("bad_deploy", "bad_config"), key=lambda k: c.kinds.get(k, 0.0))
    if kind in NOT_BY_CHANGE and c.fits < 0.5:
        c.change = ""
    confidence, margin = _confidence(c, ranked)
    missing = {g.source for g in m.seen.gaps}
    rivals = [o for o in ranked if o is not c and not _second_fault(o, c) and not _bystander(o, c)]
    alone = all(_confidence(o, ranked)[0] < 0.5 for o in rivals)
    verdict = _verdict(c, confidence, margin, missing, alone=alone)
    behind = _behind(c, kind, m)
    verdict = "inconclusive" if behind else verdict
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
        would_settle=behind or _settle(c, kind, verdict, ranked, missing),
    )


def _behind(c: Candidate, kind: str, m: Material) -> str:
    """What would settle a cause of which only the outline is seen from here; "" where the cause itself is.

    Declines that issuers decide, confined to a region, a currency or a whole scheme, come from one or more issuers that
    nothing here names. Traffic that stays away shows where, not why.
    """
    if kind in BY_ISSUERS and c.dimension in COARSE:
        return (
            f"which issuers of {c.entity} decline: no metric and no line names them; the acquirer's report by BIN does"
        )
    if kind == "traffic_drop" and not c.change and "log" not in c.seen_by:
        return (
            f"why customers of {c.entity} stay away: ask merchants and networks there; what arrives is treated as usual"
        )
    return ""


def _confidence(c: Candidate, ranked: Sequence[Candidate]) -> tuple[float, float]:
    """(confidence 0..1, how far its score is ahead of its strongest rival's)."""
    rival = max((o.score for o in ranked if o is not c and not _second_fault(o, c)), default=0.0)
    margin = c.score - rival
    return 1.0 / (1.0 + math.exp(-(1.3 * (c.score - 1.6) + 1.2 * max(min(margin, 1.5), -1.5)))), margin


def _second_fault(other: Candidate, c: Candidate) -> bool:
    """Two disjoint losses are two faults, not rivals."""
    return bool(other.within and c.within and other.within != c.within)


def _bystander(other: Candidate, c: Candidate) -> bool:
    """Whether a rival is a part of what a change that fits has broken: the partner at the end of a wrong route."""
    return c.fits >= FITS and other.entity in {part.split("=", 1)[-1] for part in c.within.split(", ")}


def _verdict(c: Candidate, confidence: float, margin: float, missing: set[str], *, alone: bool) -> Verdict:
    """By rule: see the module. `alone` says that no rival is likely by itself. A change counts as evidence of its own
    only where it fits what fails; a service of which only a part is hit is not confirmed without one."""
    blind = missing & {"prometheus", "loki"}
    fits = bool(c.change) and c.fits >= FITS
    kinds = c.seen_by - (set() if fits else {"change"})
    agreed = len(kinds) >= 2 and (fits or not c.apart)
    if agreed and confidence >= SURE and margin >= AHEAD and alone and not blind:
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
