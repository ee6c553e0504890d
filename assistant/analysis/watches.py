"""Warnings that pass their threshold while nothing fails.

A watch on a resource (a disk, a backlog, a clock) fires before anything breaks; that is what it is for. It is called a
failure only when it does more than stand a little over its limit: when it goes on rising, has hardly any room left, is
twice as far out as the limit itself, or when what it belongs to fails as well, or says what does not work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assistant.analysis.logs import Pattern
from assistant.analysis.ranking import force
from assistant.analysis.rules import GRAVE, Limit, alerted, asked_by, limit_of, plain
from assistant.analysis.signals import Signal
from assistant.core.evidence import Floats
from assistant.core.observations import Observations

FAR = 1.2
"""Past the limit by this many times the way from usual to the limit: no longer a little over."""
ROOM = 0.03
"""Of a share: less than this left is as good as full."""
RISING = 0.06
"""Of the way from usual to the limit, in five minutes: faster than this is still going up."""
BACK = 300.0
LOOK = 300.0
SOON = 900.0
"""Seconds after a watch left its usual range: what moves later than that beside it is no effect of it."""
LEAST = 0.3
"""The force of a measure that counts where no alert asks about it."""
TOLD = 12.0
"""The score of a log pattern that is no chance."""
BROKEN = frozenset(
    {"provider", "refused", "timeout", "denied", "crash", "dns", "certificate", "link", "crypto", "code", "config"}
)
"""Complaints that say what does not work; others (a queue, a disk, a clock) say what the watch itself says."""
TELLING = frozenset({"error share", "errors", "latency", "approval rate", "restarts", "threeds"})


def watched(seen: Observations, s: Signal, signals: Sequence[Signal], patterns: Sequence[Pattern] = ()) -> bool:
    """Whether a signal is no more than its own warning: see the module."""
    if not slight(seen, s, signals) or any(complains(p, s) for p in patterns):
        return False
    return not any(
        o.moved and o.entity == s.entity and o.role.split(".")[0] in TELLING and _fails(o, s) for o in signals
    )


def slight(seen: Observations, s: Signal, signals: Sequence[Signal]) -> bool:
    """Whether a signal stands only a little over what its own warning allows, whatever else fails."""
    evidence = next((e for e in seen.metrics if e.id == s.evidence), None)
    if evidence is None:
        return False
    rules = alerted(seen, evidence)
    grave = {a.name for a in seen.incident.alerts if a.severity.lower() in GRAVE}
    limits = [limit_of(r) for r in rules if plain(r)]
    if not rules or len(limits) < len(rules) or any(r.name in grave for r in rules):
        return False
    if s.role == "age":
        return False  # nothing gets old by a little: what fed it has stopped
    if s.role == "up":
        return _still_counted(s, signals)
    return all(limit is not None and _little(s, limit) for limit in limits)


def _fails(other: Signal, s: Signal) -> bool:
    """Whether another measure of the same entity moved no earlier than the watch did, by itself worth a word."""
    after = other.onset is None or s.onset is None or s.onset - LOOK <= other.onset <= s.onset + SOON
    return other.evidence != s.evidence and other.bad != 0 and other.now_bad and after and force(other) >= LEAST


def complains(p: Pattern, s: Signal) -> bool:
    """Whether the lines of what a moved signal belongs to say, since it moved, that something did not work: more than
    that it moved."""
    since = s.onset is None or s.onset - LOOK <= p.onset
    return p.service == s.entity and p.kind in BROKEN and p.still and p.score >= TOLD and since


def told(seen: Observations, signals: Sequence[Signal], patterns: Sequence[Pattern]) -> list[Signal]:
    """Signals that are bad now (an alert of any severity says so, or what they measure) and whose own lines say since
    then what does not work: two kinds of evidence that a service fails, whatever the gravest alerts are about."""
    said = [s for s in signals if s.moved and s.now_bad and any(complains(p, s) for p in patterns)]
    return [s for s in said if (s.bad != 0 and force(s) >= LEAST) or asked_by(seen, s)]


def _little(s: Signal, limit: Limit) -> bool:
    finite = np.isfinite(s.v)
    t, v = s.t[finite], s.v[finite]
    way = abs(limit.value - s.usual) if np.isfinite(s.usual) else abs(limit.value)  # as far as from nothing
    if len(v) < 4 or way <= 0:
        return False
    sign = 1.0 if limit.above else -1.0
    over = sign * (float(np.median(v[-4:])) - limit.value)
    if over > FAR * way or _rise(t, sign * v) > RISING * way:
        return False
    return not (s.role == "saturation" and limit.value <= 1.0 and 1.0 - float(v[-1]) < ROOM)


def _rise(t: Floats, v: Floats) -> float:
    """How much a series rose in the last `BACK` seconds, and still does: the least of what all of them, their last half
    and their last quarter tell. What has come to rest no longer rises."""
    now = float(np.median(v[t >= t[-1] - 45.0]))
    whole, half, quarter = (
        now - float(np.median(v[np.abs(t - t[-1] + BACK / part) <= 45.0])) for part in (1.0, 2.0, 4.0)
    )
    return min(whole, 3.0 * half, 6.0 * quarter) if np.isfinite(whole + half + quarter) else 0.0


def _still_counted(s: Signal, signals: Sequence[Signal]) -> bool:
    """Whether a target that is said to be down goes on being measured: then the scrape failed and not the service."""
    others = [o for o in signals if o.entity == s.entity and o.role != "up" and len(o.v) and o.samples]
    alive = [o for o in others if np.isfinite(o.v[-3:]).any()]
    return bool(others) and len(alive) >= 0.8 * len(others)


SURGE = 0.4
"""More traffic than usual by this share, and what queues behind it, is no fault of its own."""
QUEUES = frozenset({"queue", "saturation", "latency", "flow", "gauge", "requests", "spare", "age"})


def surge_of(seen: Observations, signals: Sequence[Signal]) -> Signal | None:
    """The surge of all traffic that explains work piling up, where no alert is grave and as many are approved as
    usual; else None."""
    if any(a.severity.lower() in GRAVE for a in seen.incident.alerts):
        return None
    if any(s.role == "approval rate" and s.moved for s in signals):
        return None
    whole = (s for s in signals if s.role == "volume" and not s.labels and s.moved and s.direction > 0)
    return next((s for s in whole if s.weight >= SURGE), None)


def follows(s: Signal, surge: Signal | None) -> bool:
    """Whether a signal is work that piles up behind more traffic."""
    if surge is None or surge.onset is None or s.onset is None:
        return False
    return s.role.split(".")[0] in QUEUES and s.onset >= surge.onset - LOOK / 2
