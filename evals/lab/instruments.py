"""From events to the series that a server would have scraped: counters, histograms, gauges, on one grid of scrapes.

A counter starts with what it had counted before the window; one that had never counted appears with its first event, as
client libraries do it. Fault mechanisms that act on what is measured rather than on what happens (`vanish`, `restart`,
`level`, `climb`, `freeze`) act here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.lab.naming import APPROVED, Naming
from evals.lab.promql import Samples
from evals.lab.traffic import Floats, Ints

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, np.inf)
Labelled = Mapping[str, str]


@dataclass(slots=True)
class Meter:
    """Collects series. `grid` [scrape] unix s; rows hold this shop's own label names; NaN is no sample."""

    grid: Floats
    naming: Naming
    rng: np.random.Generator
    rows: list[tuple[dict[str, str], Floats]] = field(default_factory=list)

    def bins(self, t: Floats) -> Ints:
        """Index of the first scrape that sees an event of moment `t` (len(grid): none does)."""
        step = float(self.grid[1] - self.grid[0])  # the grid is regular, so counting steps is as good as searching
        return np.asarray(np.clip(np.ceil((t - self.grid[0]) / step), 0, len(self.grid)), dtype=np.int64)

    def gauge(self, role: str, labels: Labelled, values: npt.NDArray[Any]) -> None:
        self.rows.append(
            ({"__name__": self.naming.metric(role), **self.naming.labels_of(labels)}, np.asarray(values, np.float64))
        )

    def _cumulative(self, key: Ints, bins: Ints, size: int, weights: Floats | None = None) -> Floats:
        n = len(self.grid) + 1
        flat = np.bincount(key * n + bins, weights=weights, minlength=size * n).reshape(size, n)
        return np.cumsum(flat[:, :-1], axis=1, dtype=np.float64)

    def counters(
        self, role: str, key: Ints, t: Floats, labels: Sequence[Labelled], *, weights: Floats | None = None
    ) -> None:
        """One counter for each index of `labels`; `key` [event] says whose event it is."""
        for row, values in zip(labels, self._cumulative(key, self.bins(t), len(labels), weights), strict=True):
            self._counter(role, row, values)

    def _counter(self, role: str, labels: Labelled, values: Floats) -> None:
        if values[-1] <= 0:
            return
        early = values[len(values) // 3]
        start = round(early * self.rng.uniform(4, 30)) if early > 0 else 0
        shown = values + start
        self.gauge(role, labels, np.where(shown > 0, shown, np.nan))

    def counter(self, role: str, labels: Labelled, t: Floats) -> None:
        self.counters(role, np.zeros(len(t), np.int64), t, [labels])

    def histograms(
        self, role: str, key: Ints, t: Floats, seconds: Floats, labels: Sequence[Labelled], *, scale: float
    ) -> None:
        """Cumulative buckets, sum and count for each index of `labels`; `scale` 1000 for a shop that counts in ms."""
        bucket = np.searchsorted(BUCKETS, seconds, side="left")
        n, size = len(BUCKETS), len(labels)
        each = self._cumulative(key * n + bucket, self.bins(t), size * n).reshape(size, n, -1)
        sums = self._cumulative(key, self.bins(t), size, np.round(seconds * scale, 2))
        stacked = np.cumsum(each, axis=1)
        for i, row in enumerate(labels):
            if stacked[i, -1, -1] <= 0:
                continue
            start = self.rng.uniform(4, 30)
            before = np.round(stacked[i, :, len(self.grid) // 3] * start)  # monotone over buckets, as it must be
            for k, le in enumerate(BUCKETS):
                text = "+Inf" if np.isinf(le) else f"{le * scale:g}"
                self.gauge(f"{role}_bucket", {**row, "le": text}, stacked[i, k] + before[k])
            self.rows.append(self._part(role, "_count", row, stacked[i, -1] + before[-1]))
            self.rows.append(self._part(role, "_sum", row, np.round(sums[i] + sums[i, len(self.grid) // 3] * start, 2)))

    def _part(self, role: str, suffix: str, labels: Labelled, values: Floats) -> tuple[dict[str, str], Floats]:
        return {"__name__": self.naming.metric(role) + suffix, **self.naming.labels_of(labels)}, values

    def outcomes(self, key: Ints, code: Ints, t: Floats, labels: Sequence[Labelled], codes: Sequence[str]) -> None:
        """The attempts counters in this shop's way of telling outcomes (see naming.py)."""
        size, n = len(labels), len(codes)
        each = self._cumulative(key * n + code, self.bins(t), size * n).reshape(size, n, -1)
        for i, row in enumerate(labels):
            if self.naming.outcome == "split":
                self._counter("attempts", row, each[i].sum(axis=0))
                self._counter("approved", row, each[i, codes.index(APPROVED)])
            for c, text in enumerate(codes):
                if self.naming.outcome != "split":
                    self._counter("attempts", {**row, **self.naming.outcome_labels(text)}, each[i, c])
                elif text != APPROVED:
                    self._counter("declined", {**row, **self.naming.outcome_labels(text)}, each[i, c])

    def samples(self) -> Samples:
        """Everything, by metric, for the evaluation of rules."""
        groups: dict[str, list[int]] = {}
        for i, (labels, _) in enumerate(self.rows):
            groups.setdefault(labels["__name__"], []).append(i)
        table = {
            name: (
                tuple(tuple(sorted(self.rows[i][0].items())) for i in members),
                np.array([self.rows[i][1] for i in members]),
            )
            for name, members in groups.items()
        }
        return Samples(self.grid, table)

    def alter(self, wanted: Callable[[dict[str, str]], bool], change: Callable[[Floats], Floats]) -> int:
        """Replace the values of every series that `wanted` says yes to; return how many."""
        count = 0
        for i, (labels, values) in enumerate(self.rows):
            if wanted(labels):
                self.rows[i] = (labels, change(values))
                count += 1
        return count
