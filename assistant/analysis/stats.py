"""Robust statistics over arrays. Shapes: (n, T) is n series on one grid of T instants; NaN is "no sample".

Location and scale are the median and the interquartile range (BARO, FSE 2024, uses the same robust score), because a
baseline may hold a little of the fault itself when the alert came late.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.core.evidence import Floats, Series

Bools = NDArray[np.bool_]

IQR_TO_SIGMA = 1.349
"""The interquartile range of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Series on one grid: `t` (T,), `v` (n, T), NaN where a series has no sample."""

    t: Floats
    v: Floats


def tidy(series: Series) -> tuple[Floats, Floats]:
    """Finite samples in time order, the last of duplicates kept. Both arrays may be empty."""
    t, v = np.asarray(series.t, dtype=np.float64), np.asarray(series.v, dtype=np.float64)
    n = min(len(t), len(v))
    keep = np.isfinite(t[:n]) & np.isfinite(v[:n])
    t, v = t[:n][keep], v[:n][keep]
    if len(t) > 1 and not bool(np.all(np.diff(t) > 0)):
        order = np.argsort(t, kind="stable")
        t, v = t[order], v[order]
        last = np.append(np.diff(t) > 0, True)
        t, v = t[last], v[last]
    return t, v


def samples_any(v: Floats) -> Bools:
    """Which columns of (n, T) hold a sample in any row: (T,)."""
    return np.asarray(np.isfinite(v).any(axis=0), dtype=np.bool_)


def to_grid(series: Sequence[Series], *, start: float, end: float, step: float) -> Grid:
    """All of `series` on the instants start, start + step, … < end: each sample goes to its nearest instant.

    Duplicated and unordered samples are mended, samples outside are dropped. Linear in samples.
    """
    size = max(int(np.ceil((end - start) / step)), 1)
    grid = start + step * np.arange(size, dtype=np.float64)
    out = np.full((len(series), size), np.nan)
    for i, one in enumerate(series):
        t, v = tidy(one)
        at = np.rint((t - start) / step).astype(np.int64)
        inside = (at >= 0) & (at < size)
        out[i, at[inside]] = v[inside]
    return Grid(grid, out)


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What is usual for each series: median (n,), sigma (n,) from the IQR with a floor, samples (n,)."""

    median: Floats
    sigma: Floats
    samples: Floats


def usual(v: Floats, baseline: Bools, *, floor: float = 0.02, absolute: Floats | float = 0.0) -> Usual:
    """Median and robust sigma of the columns where `baseline` (T,) is true.

    The floor keeps a constant series from making a mountain of a molehill: `floor` times the median's size, or
    `absolute`, whichever is larger. A series without baseline samples has a NaN median and an infinite sigma.
    """
    part = v[:, np.asarray(baseline, dtype=bool)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN rows answer NaN, which is meant
        q1, median, q3 = np.nanpercentile(part, (25, 50, 75), axis=1) if part.shape[1] else np.full((3, len(v)), np.nan)
    samples = np.sum(np.isfinite(part), axis=1).astype(np.float64)
    sigma = (q3 - q1) / IQR_TO_SIGMA
    sigma = np.maximum(np.maximum(sigma, floor * np.abs(median)), absolute)
    sigma = np.where(sigma > 0, sigma, np.where(np.isfinite(median), 1e-9 + 0.05 * np.abs(median), np.inf))
    return Usual(median, np.where(np.isfinite(sigma), sigma, np.inf), samples)


def zscores(v: Floats, typical: Usual, *, clip: float = 30.0) -> Floats:
    """Robust z of every sample, clipped; 0 where there is no sample or no usual value."""
    z = (v - typical.median[:, None]) / typical.sigma[:, None]
    return np.clip(np.nan_to_num(z, nan=0.0, posinf=clip, neginf=-clip), -clip, clip)


def smooth(v: Floats, width: int) -> Floats:
    """Running mean over `width` samples that ends at each sample, NaN-aware, same shape."""
    if width <= 1 or v.shape[1] == 0:
        return v
    filled, seen = np.nan_to_num(v), np.isfinite(v).astype(np.float64)
    total, count = (np.cumsum(np.pad(x, ((0, 0), (width, 0))), axis=1) for x in (filled, seen))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = (total[:, width:] - total[:, :-width]) / (count[:, width:] - count[:, :-width])
    return mean


def wilson(hits: float, of: float, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927); (0, 1) when nothing was counted."""
    if of <= 0:
        return 0.0, 1.0
    p, zz = hits / of, z * z / of
    centre, half = (p + zz / 2) / (1 + zz), z / (1 + zz) * np.sqrt(p * (1 - p) / of + zz / of / 4)
    return float(max(centre - half, 0.0)), float(min(centre + half, 1.0))
