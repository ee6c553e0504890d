"""What this process saw of itself, sample by sample: a ring in memory, for the plots of the system page.

The samples are those of `/metrics` (gauges, sums of counters, sums and counts of histograms), one set a minute for a
day. It begins anew with the process; Prometheus keeps the long history.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from assistant.telemetry.metrics import Metrics

EVERY_S = 60.0
KEPT = 1440


@dataclass(frozen=True, slots=True)
class Sample:
    """All readings of one moment (Unix seconds), by metric name without labels."""

    at: float
    values: Mapping[str, float]


@dataclass(slots=True)
class History:
    """Thread-safe."""

    metrics: Metrics
    clock: Callable[[], float] = time.time
    _ring: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEPT))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def sample(self) -> None:
        values = readings(self.metrics)
        with self._guard:
            self._ring.append(Sample(self.clock(), values))

    def samples(self) -> tuple[Sample, ...]:
        with self._guard:
            return tuple(self._ring)

    def series(self, name: str) -> tuple[list[float], list[float | None]]:
        """Times and values of one reading; None where a sample lacks it."""
        samples = self.samples()
        return [s.at for s in samples], [s.values.get(name) for s in samples]

    def rate(self, name: str, per: str = "") -> tuple[list[float], list[float | None]]:
        """Growth of a counter from sample to sample, over the growth of `per` where that is given (a mean)."""
        samples = self.samples()
        times, found = [], []
        for before, after in pairwise(samples):
            grown = after.values.get(name, 0.0) - before.values.get(name, 0.0)
            over = after.values.get(per, 0.0) - before.values.get(per, 0.0) if per else 1.0
            times.append(after.at)
            found.append(grown / over if over > 0 and grown >= 0 else None)
        return times, found


def readings(metrics: Metrics) -> dict[str, float]:
    """Everything of the registry by name, labels summed up (histograms: `_sum` and `_count`)."""
    found: dict[str, float] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_created")):
                found[sample.name] = found.get(sample.name, 0.0) + float(sample.value)
    return found


def labelled(metrics: Metrics, name: str) -> dict[str, float]:
    """A counter's or gauge's values by their labels, joined with a blank."""
    found: dict[str, float] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == name:
                found[" ".join(sample.labels.values())] = float(sample.value)
    return found
