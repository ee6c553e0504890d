"""When it began: a change point per series, then a robust consensus over series.

Per series: Page's CUSUM (Biometrika 1954) on robust z-scores, both directions; the change is placed where the path
last left its minimum before its largest excursion. All series at once, linear in samples. Multivariate evidence is
joined as BARO does (Pham et al., FSE 2024: one change point for the system rather than one per metric), here as the
densest cluster of onsets weighted by how strongly each series moved. An alert's `startsAt` is never trusted to the
minute: it only says where to look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assistant.analysis.stats import Usual, zscores
from assistant.core.evidence import Floats
from assistant.core.finding import Onset
from assistant.core.time import Instant

SLACK = 1.0
"""CUSUM's allowance in sigmas: drifts smaller than this are not followed."""

EARLIER = 0.25
"""Series react late (rates and quantiles look back), never early: the first quarter of a cluster is nearest the
truth."""

ALARM = 12.0
"""CUSUM's decision height in sigma-samples; four samples at four sigma pass it, ordinary noise does not."""


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """How n series moved: `at` (n,) Unix seconds of the change or NaN, `direction` (n,) +1 or -1 or 0, `height` (n,)
    the CUSUM excursion, `z` (n, T)."""

    at: Floats
    direction: Floats
    height: Floats
    z: Floats


def cusum(z: Floats, slack: float = SLACK) -> tuple[Floats, Floats]:
    """(height, start) of the largest upward excursion of each row of `z` (n, T): `start` (n,) is the index of the first
    sample of it (T if there is none)."""
    n, size = z.shape
    if size == 0:
        return np.zeros(n), np.zeros(n)
    path = np.cumsum(z - slack, axis=1)
    path = np.concatenate((np.zeros((n, 1)), path), axis=1)
    low = np.minimum.accumulate(path, axis=1)
    excess = path - low
    top = np.argmax(excess, axis=1)
    rows = np.arange(n)
    # The first index at which the running minimum took the value it has at the top: the excursion starts there.
    reached = low == low[rows, top][:, None]
    start = np.argmax(reached & (path == low), axis=1)
    height = excess[rows, top]
    return height, np.where(height > 0, start, size).astype(np.float64)


def moves(t: Floats, v: Floats, typical: Usual, *, since: float) -> Moves:
    """Where each row of `v` (n, T) on `t` (T,) left what is usual. Samples before `since` are not searched (they are
    baseline), so that an old wobble is not taken for the onset."""
    z = zscores(v, typical, clip=10.0)
    searched = t >= since
    part, first = z[:, searched], int(np.argmax(searched)) if bool(np.any(searched)) else len(t)
    up, up_at = cusum(part)
    down, down_at = cusum(-part)
    rising = up >= down
    height = np.where(rising, up, down)
    index = np.where(rising, up_at, down_at).astype(np.int64) + first
    alarmed = (height >= ALARM) & (index < len(t))
    step = float(np.median(np.diff(t))) if len(t) > 1 else 0.0
    at = np.where(alarmed, t[np.minimum(index, len(t) - 1)] - step / 2, np.nan) if len(t) else np.full(len(v), np.nan)
    return Moves(at, np.where(alarmed, np.where(rising, 1.0, -1.0), 0.0), np.where(alarmed, height, 0.0), z)


def consensus(at: Floats, weight: Floats, *, spread: float = 120.0) -> Onset | None:
    """The onset on which most of the weight agrees: the heaviest cluster no wider than `spread` seconds.

    `at` (k,) onsets of single series (NaN ignored), `weight` (k,) how strongly each moved. The cluster's first
    quarter is the onset; of clusters with similar weight (within 30 %) the earlier wins, because what follows is
    effect.
    """
    keep = np.isfinite(at) & (weight > 0)
    at, weight = at[keep], weight[keep]
    if len(at) == 0:
        return None
    order = np.argsort(at)
    at, weight = at[order], weight[order]
    total = np.concatenate(([0.0], np.cumsum(weight)))
    end = np.searchsorted(at, at + spread, side="right")
    mass = total[end] - total[: len(at)]
    first = int(np.flatnonzero(mass >= 0.7 * mass.max())[0])
    inside = slice(first, int(end[first]))
    centre = weighted_quantile(at[inside], weight[inside], EARLIER)
    return Onset(
        Instant(centre), Instant(float(at[first])), Instant(float(at[end[first] - 1])), int(end[first]) - first
    )


def weighted_quantile(x: Floats, weight: Floats, q: float) -> float:
    """The value at which a share `q` of the weight is reached; `x` ascending."""
    return float(x[int(np.argmax(np.cumsum(weight) >= q * weight.sum()))])
