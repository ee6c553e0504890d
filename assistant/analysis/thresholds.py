"""What the alerts themselves prove: their own thresholds over their own series, and the labels they fired for.

An age, a certificate or a slow climb passes its threshold without any step that a change point would see. Where a
rule is one comparison over gauges, the comparison is made on the samples here, and the crossing is the signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assistant.analysis.climbs import bend, stopped
from assistant.analysis.rules import Limit, alerted, limit_of, plain
from assistant.analysis.signals import Signal, is_elapsed
from assistant.analysis.stats import Grid
from assistant.core.observations import Observations
from assistant.core.time import Instant

_CLIMBING = frozenset({"gauge", "queue", "saturation"})
CHANCE = 0.15
"""Of the whole rise: what stays below this before a bend is no part of the climb."""
_GAUGES = frozenset({"age", "gauge", "queue", "saturation", "up", "spare", "expiry", "score", "latency"})


def crossed(seen: Observations, signals: Sequence[Signal]) -> list[Signal]:
    """The same signals, those that pass their own alert's threshold at the end marked as moved since they passed it."""
    evidence = {e.id: e for e in seen.metrics}
    grave = {a.name for a in seen.incident.alerts if a.severity.lower() not in {"info", "low", "none"}}
    out = []
    for s in signals:
        limits = [limit_of(r) for r in alerted(seen, evidence[s.evidence]) if r.name in grave and plain(r)]
        passed = next((p for limit in limits if limit is not None and (p := _passed(s, limit)) is not None), None)
        one = passed if passed is not None and (not s.moved or s.role == "age" or _runs(s)) else s
        read = bool(alerted(seen, evidence[s.evidence]))
        out.append(_bent(one) if read and one.moved and one.role in _CLIMBING and not _runs(one) else one)
    return out


def _runs(s: Signal) -> bool:
    """Whether a signal says how long something has been running: it left no usual range, it passed its limit."""
    return is_elapsed(Grid(s.t, s.v[None, :]))


def _bent(s: Signal) -> Signal:
    """The same signal, since it began to climb, where that is what it did. A change point before the bend that left
    the usual by next to nothing was chance."""
    found = bend(s.t, s.v)
    if found is None or s.onset is None:
        return s
    if found <= s.onset:
        return replace(s, onset=Instant(found))
    off = np.abs(s.v - s.usual)
    between, since = off[(s.t >= s.onset) & (s.t < found)], s.v[s.t >= found]
    if float(np.nanmax(between, initial=0.0)) > CHANCE * float(np.nanmax(off[s.t >= found], initial=0.0)):
        return s
    seen = float(np.nanmedian(since))
    step = abs(seen - s.usual)
    score, weight = min(step / s.sigma, 99.0), min(step / max(abs(s.usual), 1e-9), 1.0)
    return replace(s, onset=Instant(found), seen=seen, score=max(score, s.score), weight=max(weight, s.weight))


def _passed(s: Signal, limit: Limit) -> Signal | None:
    if s.role.split(".")[0] not in _GAUGES or not len(s.v):
        return None
    finite = np.isfinite(s.v)
    over = finite & ((s.v > limit.value) if limit.above else (s.v < limit.value))
    tail = np.flatnonzero(finite)[-3:]
    if not len(tail) or not over[tail].all():
        return None
    still = np.flatnonzero(finite & ~over)
    first = int(still[-1]) + 1 if len(still) else 0
    began = float(s.t[min(first, len(s.t) - 1)])
    if s.role == "age":
        began = min(stopped(s.t, s.v) or began, began)
    bad = 1 if limit.above else -1
    return replace(
        s, bad=bad, seen=float(s.v[tail[-1]]), score=20.0, weight=1.0, onset=Instant(began), moved=True, now_bad=True
    )
