"""Since when: the consensus of what the alerts fired for, what went with it, and what the lines say.

What an alert's own measure says counts in full. Somewhere something always wobbles: a service that has nothing to do
with what the alert fired for says little, and the many effects of one cause do not outvote it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from assistant.analysis.logs import Pattern
from assistant.analysis.onset import consensus
from assistant.analysis.ranking import force
from assistant.analysis.signals import Signal
from assistant.core.finding import Onset
from assistant.core.hypothesis import Hypothesis
from assistant.core.observations import Observations
from assistant.core.time import Instant

BESIDE, APART = 0.5, 0.15
"""What a signal that no alert asks about counts for the onset, beside those that one does; and one of a service that
those do not depend on."""
LED = 0.9
"""What followed counts less in all than what the alerts fired for."""
SURE, SOONER = 0.5, (30.0, 360.0)
"""How strongly a score must have moved, and seconds before the rest, to be the onset by itself."""


def onset_of(
    seen: Observations,
    signals: Sequence[Signal],
    patterns: Sequence[Pattern],
    watching: frozenset[int] = frozenset(),
    asked: frozenset[int] = frozenset(),
) -> Onset | None:
    """The consensus over moved signals and severe log patterns; None where nothing moved. What the alert itself fired
    for counts in full, everything else little beside it: somewhere something always wobbles."""
    still = [s for s in signals if s.moved and s.onset is not None and id(s) not in watching]
    moved = [s for s in still if s.role not in {"volume", "requests", "flow", "gauge"} or id(s) in asked] or still
    moved = moved or [s for s in signals if s.moved and s.onset is not None]
    first = [s for s in moved if id(s) in asked]
    told = [p for p in patterns if p.severity][:10]
    near = concerned(seen, first)
    others = [s for s in moved if id(s) not in asked]
    at = [float(s.onset) for s in (*first, *others) if s.onset is not None] + [float(p.onset) for p in told]
    main = [max(force(s), 0.4) for s in first]
    beside = [near(s.entity) * min(force(s), 0.8) for s in others]
    beside += [near(p.service) * min(p.score / 60.0, 0.6) for p in told]
    return consensus(np.array(at), np.array(main + _led(at, main, beside)))


def _led(at: Sequence[float], main: Sequence[float], beside: Sequence[float]) -> list[float]:
    """The weights `beside`, those of what came later than what the alerts fired for made less in all than that: many
    effects of one cause do not outvote it. `at` are the onsets of both, `main` first."""
    led = consensus(np.array(at[: len(main)]), np.array(main))
    if led is None:
        return list(beside)
    later = [t > led.latest + SOONER[0] for t in at[len(main) :]]
    less = min(1.0, LED * sum(main) / max(sum(w for w, late in zip(beside, later, strict=True) if late), 1e-9))
    return [less * w if late else w for w, late in zip(beside, later, strict=True)]


def led_by(
    hypotheses: Sequence[Hypothesis], onset: Onset | None, signals: Sequence[Signal], watching: frozenset[int]
) -> Onset | None:
    """The onset, or the earlier moment at which the scores of the service that is likely the cause began to drift: they
    do before anything is declined."""
    if onset is None or not hypotheses or hypotheses[0].verdict == "inconclusive":
        return onset
    own = [
        float(s.onset)
        for s in signals
        if s.moved and s.onset is not None and s.entity == hypotheses[0].entity and s.role == "score"
        and force(s) >= SURE and id(s) not in watching and SOONER[0] <= onset.at - s.onset <= SOONER[1]
    ]  # fmt: skip
    if not own:
        return onset
    first = Instant(float(np.median(own)))
    return replace(onset, at=first, earliest=min(first, onset.earliest))


def concerned(seen: Observations, first: Sequence[Signal]) -> Callable[[str], float]:
    """What a service counts for the onset, 0..1, beside the signals `first` that the alerts fired for: `BESIDE` where
    it is theirs or what they call, `APART` elsewhere, 1 where no alert's own measure moved."""
    if not first:
        return lambda _: 1.0
    services = {s.entity for s in first}
    if not services or "" in services:
        return lambda _: BESIDE
    reached = seen.topology.reached(services)
    return lambda service: BESIDE if not service or service in reached else APART
