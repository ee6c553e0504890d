"""Which alerts deserve a person: noise told from incidents by what happened after they fired.

An alert counts as real by its consequences (a log signature that surges, a measure that stays outside or climbs on
after it "resolved") and as noise by its habits (it flaps, heals in seconds, is expected churn of a rollout or a
maintenance that it is inside of). Severity labels weigh little: they are set once and not for this moment. Of alerts
that share one signature the root pages and the others are its symptoms; what somebody works on already is left to
them. Where the evidence is thin and the severity high, it pages: waking somebody for nothing costs less than the
opposite.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.analysis import words as w
from assistant.core.evidence import Floats

PAGES_AT = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Fired:
    """One alert that fired. Times in Unix seconds, `resolved_after` in seconds or None; `rank` 1 is the worst severity.

    `signature` is the log signature it belongs to, with its rise over the baseline in per cent (NaN unknown) and
    whether it is a complaint. `t` and `v` are samples of its own measure around it, possibly none.
    """

    id: str
    service: str
    metric: str
    rank: int
    at: float
    value: float
    threshold: float
    times_last_hour: int
    resolved_after: float | None
    signature_id: str
    signature: str
    rise: float
    complaint: bool | None
    t: Floats
    v: Floats
    churn: bool = False
    """A deploy or a maintenance that covers this service was under way."""


@dataclass(frozen=True, slots=True)
class Owned:
    """An incident that somebody works on: what it covers."""

    service: str
    metric: str
    signature_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    id: str
    page: bool
    score: float
    reasons: tuple[str, ...]


def triage(fired: Sequence[Fired], owned: Sequence[Owned] = ()) -> tuple[Decision, ...]:
    """A decision for each alert, in the order given."""
    judged = {f.id: _judge(f) for f in fired}
    kept = {f.id for f in fired if judged[f.id][0] >= PAGES_AT and not _is_owned(f, owned)}
    symptoms = _symptoms([f for f in fired if f.id in kept])
    out = []
    for f in fired:
        score, reasons = judged[f.id]
        if _is_owned(f, owned):
            out.append(Decision(f.id, False, score, ("somebody works on it already",)))
        elif f.id in symptoms:
            out.append(Decision(f.id, False, score, (f"a symptom of {symptoms[f.id]}, which pages", *reasons)))
        else:
            out.append(Decision(f.id, f.id in kept, score, reasons))
    return tuple(out)


def _judge(f: Fired) -> tuple[float, tuple[str, ...]]:
    score, reasons = 0.0, []
    for part, why in (_by_signature(f), _by_course(f), _by_habit(f)):
        score += min(part, 0.9) if f.complaint is False else part  # a harmless signature bounds what the course can say
        reasons += why
    score += {1: 0.4, 2: 0.2, 3: 0.0}.get(f.rank, -0.3)
    return score, tuple(reasons)


def _by_signature(f: Fired) -> tuple[float, list[str]]:
    if f.complaint is None:
        return 0.0, []
    rise = f.rise if math.isfinite(f.rise) else 0.0
    if not f.complaint:
        return (
            (-1.5, ["its log signature is no complaint and no more frequent"])
            if rise < 50
            else (-0.4, ["its log signature is no complaint"])
        )
    part = 0.6 + max(min(math.log2(max(rise, 1.0) / 60.0) / 2.0, 1.2), -1.2)
    return part, [f"its log signature is {rise:.0f} % above usual"]


def _by_course(f: Fired) -> tuple[float, list[str]]:
    """What its own measure did after it fired."""
    upward = f.value >= f.threshold
    sign = 1.0 if upward else -1.0
    later = f.t > f.at + 60.0
    healed = f.at + (f.resolved_after if f.resolved_after is not None else math.inf)
    after = sign * f.v[f.t > min(healed, f.at) + 1.0]
    if not later.any():
        return 0.0, []
    last, limit, then = sign * float(f.v[-1]), sign * f.threshold, sign * f.value
    if last < limit:
        return -1.4, ["it came back within its threshold"]
    again = f.resolved_after is not None and bool(len(after))
    if again:
        return 2.4, ["it resolved once and then went on above its threshold"]
    tail = sign * f.v[f.t >= f.at]
    climbing = last > then + 0.04 * abs(then) and float(np.max(tail)) <= last * 1.001
    return (1.2, ["it climbs on"]) if climbing else (0.5, ["it stays outside"])


def _by_habit(f: Fired) -> tuple[float, list[str]]:
    if f.resolved_after is None:
        return 0.5 if f.times_last_hour <= 3 else 0.2, ["it did not resolve"]
    part, reasons = (
        (-1.2, [f"it resolved within {f.resolved_after:.0f} s"]) if f.resolved_after <= 600 else (-0.4, ["it resolved"])
    )
    if f.times_last_hour >= 5:
        part, reasons = part - 0.6, [*reasons, f"it flaps, {f.times_last_hour} times an hour"]
    if f.churn:
        part, reasons = part - 0.3, [*reasons, "a rollout or maintenance of it was under way"]
    return part, reasons


def _is_owned(f: Fired, owned: Sequence[Owned]) -> bool:
    return any(
        (o.signature_id and o.signature_id == f.signature_id)
        or (o.service == f.service and o.metric == f.metric and bool(o.metric))
        for o in owned
    )


def _symptoms(kept: Sequence[Fired]) -> dict[str, str]:
    """Alerts that share a signature with their root: id to the root's id. Worst severities are never taken for
    symptoms."""
    groups: dict[str, list[Fired]] = defaultdict(list)
    for f in kept:
        if f.signature_id:
            groups[f.signature_id].append(f)
    out: dict[str, str] = {}
    for members in groups.values():
        root = min(members, key=lambda f: (not _named(f), f.rank, f.at))
        out |= {f.id: root.id for f in members if f is not root and (f.rank > 1 or f.service == root.service)}
    return out


def _named(f: Fired) -> bool:
    """Whether the signature speaks of the alert's own service."""
    spoken = w.words(f.signature)
    own = [x for x in w.words(f.service) if len(x) > 2]
    return bool(own) and all(x in spoken for x in own)
