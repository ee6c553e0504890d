"""When a measure of an alert began to move: three estimates, and what two of them agree on.

CUSUM's start (onset.py) is early where a chance event came shortly before, and late where the move was a ramp. A step
or a ramp that ends in a plateau, fitted by least squares over all samples (Bai, Econometric Theory 1997, for the
single break), is deaf to both, but uncertain where the move has hardly begun. The bend of a ramp (climbs.py) is best
where no plateau was reached yet. The middle of the three is the onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assistant.analysis.climbs import bend
from assistant.analysis.ranking import force
from assistant.analysis.rules import pressing
from assistant.analysis.signals import Signal
from assistant.core.evidence import EvidenceId, Floats
from assistant.core.observations import Observations
from assistant.core.time import Instant

RAMPS = (60.0, 120.0, 240.0, 480.0, 900.0)
"""Seconds that a ramp before its plateau may take."""
BEFORE = 3600.0
"""Seconds before CUSUM's start that are read."""
APART = 120.0
"""Seconds between two estimates that cannot both be meant."""
MOST = 16
PLAIN = frozenset({"age", "expiry", "up", "gauge", "queue", "saturation", "restarts"})
"""Roles whose onset is found otherwise: by a limit, a bend, a fall."""


def begun(seen: Observations, signals: Sequence[Signal]) -> list[Signal]:
    """The same signals; those that the gravest alerts read, strongest first and `MOST` at most, with a better onset."""
    about = pressing(seen)
    read = [s for s in signals if s.moved and s.role.split(".")[0] not in PLAIN and _counts(s, about)]
    chosen = {id(s) for s in sorted(read, key=lambda s: -force(s))[:MOST]}
    return [_better(s) if id(s) in chosen else s for s in signals]


def _counts(s: Signal, about: frozenset[EvidenceId]) -> bool:
    return s.evidence in about or s.role == "score"


def _better(s: Signal) -> Signal:
    if s.onset is None:
        return s
    fitted, bent = fit(s.t, s.v, float(s.onset), s.direction), bend(s.t, s.v)
    if fitted is None:
        return s
    if s.role == "approval rate" and s.labels and (bent is None or abs(bent - fitted) > APART / 2.0):
        return s  # counts have told its onset (rates.py); two fits must agree to know better
    if bent is not None:
        return replace(s, onset=Instant(float(np.median([s.onset, fitted, bent]))))
    apart = abs(fitted - s.onset) > APART
    return replace(s, onset=Instant(fitted if apart else (fitted + s.onset) / 2.0))


def fit(t: Floats, v: Floats, onset: float, direction: int) -> float | None:
    """Where a step, or a ramp up to a plateau, that explains `v` (T,) on `t` best begins; None where too little is
    known. Only samples up to the last that is still half as far out as most are count: a fault may have ended."""
    keep = np.isfinite(v) & (t >= onset - BEFORE)
    t, v = t[keep], v[keep]
    after = t >= onset
    if len(v) < 12 or (~after).sum() < 4 or not after.any():
        return None
    y = (v - np.median(v[~after])) * direction
    top = float(np.quantile(y[after], 0.75))
    if top <= 0:
        return None
    end = int(np.flatnonzero(y >= 0.5 * top)[-1]) + 1
    t, y = t[:end], np.minimum(y[:end], 1.5 * top)
    step = float(np.median(np.diff(t)))
    gain = np.cumsum(y[::-1])[::-1] ** 2 / np.arange(len(y), 0, -1)
    k = int(np.argmax(gain))
    best, at = float(gain[k]), float(t[k]) - step / 2.0
    for ramp in RAMPS:
        for i in range(max(0, k - int(ramp / step) - 2), min(k + 2, len(y) - 3)):
            shape = np.clip((t[i:] - t[i]) / ramp, 0.0, 1.0)
            found = float(shape @ y[i:]) ** 2 / float(shape @ shape)
            if found > best:
                best, at = found, float(t[i])
    return at
