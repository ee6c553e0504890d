"""The metric algebra over raw samples, with the meaning PromQL gives it (Prometheus 2.42, `promql/functions.go`,
`promql/quantile.go`, `promql/engine.go`).

Instant selection looks back five minutes, both ends included, and stops at a stale marker (a NaN sample). `rate` and
`increase` add back counter resets and extrapolate to the window's edges as `extrapolatedRate` does. Quantiles merge
equal bounds, force counts to rise, interpolate within the bucket as `bucketQuantile` does. Times are whole milliseconds
inside, as in the server: seconds as floats would differ in the tenth digit. Values are matrices of shape (series,
steps); NaN is "no sample". Series that share one array of times are worked on together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from assistant.core.alert import frozen
from assistant.core.evidence import Floats, Series
from assistant.core.query import Increase, Matcher, Max, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.core.time import Window
from assistant.errors import SourceMalformed
from assistant.sources.promql import matching, render

LOOKBACK = 300.0
NAME = "__name__"
Labels = Mapping[str, str]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Raw series scraped at the same times: `t` (n,), `v` (m, n) and m label sets."""

    labels: tuple[Labels, ...]
    t: Floats
    v: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Raw series by metric name, in blocks. `Samples.of` is the way to make one."""

    metrics: Mapping[str, tuple[Block, ...]]

    @classmethod
    def of(cls, series: Iterable[Series]) -> Samples:
        """Series that share one `t` object end up in one block; each `labels` holds `__name__`."""
        groups: dict[str, dict[int, list[Series]]] = {}
        for s in series:
            groups.setdefault(s.labels.get(NAME, ""), {}).setdefault(id(s.t), []).append(s)
        return cls({name: tuple(_block(g) for g in by_time.values()) for name, by_time in groups.items()})


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An answer: `v` (series, steps), NaN where there is no sample."""

    labels: tuple[Labels, ...]
    v: Floats


def grid(window: Window, step: float) -> Floats:
    """`window.start, +step, …`, before `window.end`. Raises SourceMalformed for a step that is not positive."""
    if not step > 0:
        raise SourceMalformed("prometheus", "a step must be positive", mend="change the query")
    return window.start + step * np.arange(max(1, int(np.ceil((window.seconds - 1e-6) / step))), dtype=np.float64)


def evaluate(query: Query, samples: Samples, *, window: Window, step: float) -> tuple[Series, ...]:
    """Series on `grid(window, step)`, NaN where there is no sample; series without any sample are left out.
    Raises SourceMalformed where PromQL would refuse."""
    render(query)  # one place says what is a query
    at = grid(window, step)
    frame = _frame(query, samples, np.rint(at * 1000))
    seen = np.isfinite(frame.v)
    v = np.where(seen, frame.v, np.nan)
    return tuple(Series(frozen(frame.labels[i]), at, v[i]) for i in np.flatnonzero(seen.any(axis=1)))


def _block(group: Sequence[Series]) -> Block:
    return Block(tuple(s.labels for s in group), group[0].t, np.stack([s.v for s in group]))


def _frame(query: Query, samples: Samples, at: Floats) -> Frame:
    match query:
        case Select():
            return _each(query, samples, lambda t, v: _instant(t, v, at), len(at))
        case Rate(of=of, seconds=seconds):
            return _nameless(_each(of, samples, lambda t, v: _increase(t, v, at, seconds) / seconds, len(at)))
        case Increase(of=of, seconds=seconds):
            return _nameless(_each(of, samples, lambda t, v: _increase(t, v, at, seconds), len(at)))
        case Sum(of=of, by=by):
            return _aggregated(_frame(of, samples, at), by, _sum)
        case Max(of=of, by=by):
            return _aggregated(_frame(of, samples, at), by, _max)
        case Ratio():
            return _ratio(query, _frame(query.part, samples, at), _frame(query.whole, samples, at))
        case Quantile(q=q, bucket=bucket, seconds=seconds, by=by):
            return _quantiles(_frame(Sum(Rate(bucket, seconds), ("le", *by)), samples, at), q, by)
        case TopK():
            return _top(query, samples, at)


def _top(query: TopK, samples: Samples, at: Floats) -> Frame:
    """The k largest by their mean over the range; ties fall to the label set that sorts first."""
    frame = _frame(query.of, samples, at)
    order = largest(frame.v, [tuple(sorted(x.items())) for x in frame.labels])[: query.k]
    return Frame(tuple(frame.labels[i] for i in order), frame.v[order])


def largest(v: Floats, names: Sequence[object]) -> list[int]:
    """Row numbers of `v` (series, steps), largest mean over their samples first; rows without a sample are left out."""
    seen = np.isfinite(v)
    count = seen.sum(axis=1)
    mean = np.where(seen, v, 0.0).sum(axis=1) / np.maximum(count, 1)
    return sorted((int(i) for i in np.flatnonzero(count)), key=lambda i: (-mean[i], str(names[i])))


def matches(items: Iterable[Matcher], labels: Labels) -> bool:
    """Whether a label set meets every matcher; an absent label is "". Raises SourceMalformed for a bad expression."""
    return all(_predicate(m)(labels.get(m.label, "")) for m in items)


def _predicate(matcher: Matcher) -> Callable[[str], bool]:
    if matcher.op in ("=", "!="):
        return lambda value: (value == matcher.value) == (matcher.op == "=")
    try:
        pattern = re.compile(matcher.value)
    except re.error:
        raise SourceMalformed("prometheus", "a matcher is not a regular expression", mend="change it") from None
    return lambda value: (pattern.fullmatch(value) is not None) == (matcher.op == "=~")


def _each(select: Select, samples: Samples, of: Callable[[Floats, Floats], Floats], steps: int) -> Frame:
    labels: list[Labels] = []
    parts: list[Floats] = [np.empty((0, steps))]
    tests = [(m.label, _predicate(m)) for m in select.matchers]
    for name in (select.metric,) if select.metric else sorted(samples.metrics):
        for block in samples.metrics.get(name, ()):
            rows = [i for i, x in enumerate(block.labels) if all(test(x.get(n, "")) for n, test in tests)]
            if rows:
                labels.extend(block.labels[i] for i in rows)
                parts.append(of(np.rint(block.t * 1000), block.v if len(rows) == len(block.labels) else block.v[rows]))
    return Frame(tuple(labels), np.concatenate(parts))


def _instant(t: Floats, v: Floats, at: Floats) -> Floats:
    last = np.searchsorted(t, at, side="right") - 1
    known = (last >= 0) & (t[last] >= at - LOOKBACK * 1000)
    return np.where(known, v[:, last], np.nan)


def _increase(t: Floats, v: Floats, at: Floats, seconds: float) -> Floats:
    """`extrapolatedRate` without the division by the range. Rows with stale markers are done one by one."""
    reach = seconds * 1000.0
    out = np.full((len(v), len(at)), np.nan)
    whole = ~np.isnan(v).any(axis=1)
    if whole.any():
        out[whole] = _extrapolated(t, v[whole], at, reach)
    for i in np.flatnonzero(~whole):
        real = ~np.isnan(v[i])
        if real.any():
            out[i] = _extrapolated(t[real], v[i : i + 1, real], at, reach)[0]
    return out


def _extrapolated(t: Floats, v: Floats, at: Floats, reach: float) -> Floats:
    first = np.searchsorted(t, at - reach, side="left")
    last = np.searchsorted(t, at, side="right") - 1
    enough = last > first  # two samples at least
    first, last = np.where(enough, first, 0), np.where(enough, last, 0)
    before = v[:, :-1]
    lost = np.cumsum(np.where(v[:, 1:] < before, before, 0.0), axis=1)
    lost = np.concatenate([np.zeros((len(v), 1)), lost], axis=1)
    start = v[:, first]
    rise = v[:, last] - start + (lost[:, last] - lost[:, first])
    sampled = np.where(enough, t[last] - t[first], 1.0)
    between = sampled / np.maximum(last - first, 1)
    to_start = np.broadcast_to(t[first] - (at - reach), rise.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero = np.where((rise > 0) & (start >= 0), sampled * (start / rise), np.inf)
    to_start = np.minimum(to_start, to_zero)
    to_end = at - t[last]
    near = between * 1.1
    span = sampled + np.where(to_start < near, to_start, between / 2) + np.where(to_end < near, to_end, between / 2)
    return np.where(enough, rise * (span / sampled), np.nan)


def _aggregated(frame: Frame, by: tuple[str, ...], join: Callable[[Floats], Floats]) -> Frame:
    groups = _grouped(frame.labels, by)
    rows = [join(frame.v[members]) for members in groups.values()]
    steps = frame.v.shape[1]
    return Frame(tuple(dict(key) for key in groups), np.stack(rows) if rows else np.empty((0, steps)))


def _sum(v: Floats) -> Floats:
    return np.where(np.isnan(v).all(axis=0), np.nan, np.nansum(v, axis=0))


def _max(v: Floats) -> Floats:
    best: Floats = np.fmax.reduce(v, axis=0)
    return best


def _grouped(labels: Sequence[Labels], by: Iterable[str]) -> dict[tuple[tuple[str, str], ...], list[int]]:
    names = sorted(by)
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for i, x in enumerate(labels):
        groups.setdefault(tuple((n, x[n]) for n in names if x.get(n)), []).append(i)
    return groups


def _ratio(query: Ratio, part: Frame, whole: Frame) -> Frame:
    on, side = matching(query)
    key = _key(on)
    one, many = (part, whole) if side == "right" else (whole, part)
    index = _unique(one.labels, key)
    if not side:
        _unique(many.labels, key)
    pairs = [(i, index[k]) for i, x in enumerate(many.labels) if (k := key(x)) in index]
    left = [i for i, _ in pairs]
    right = [j for _, j in pairs]
    above, below = (one.v[right], many.v[left]) if side == "right" else (many.v[left], one.v[right])
    with np.errstate(divide="ignore", invalid="ignore"):
        v = np.where(below == 0, np.nan, above / below)
    return Frame(tuple(_without_name(many.labels[i]) for i in left), v)


def _key(on: frozenset[str] | None) -> Callable[[Labels], frozenset[tuple[str, str]]]:
    if on is None:
        return lambda x: frozenset((n, v) for n, v in x.items() if n != NAME and v)
    return lambda x: frozenset((n, x[n]) for n in on if x.get(n))


def _unique(labels: Sequence[Labels], key: Callable[[Labels], frozenset[tuple[str, str]]]) -> dict[object, int]:
    index: dict[object, int] = {key(x): i for i, x in enumerate(labels)}
    if len(index) != len(labels):
        raise SourceMalformed("prometheus", "two series match where a ratio needs one", mend="sum by fewer labels")
    return index


def _nameless(frame: Frame) -> Frame:
    labels = tuple(_without_name(x) for x in frame.labels)
    _unique(labels, _key(None))
    return Frame(labels, frame.v)


def _without_name(labels: Labels) -> Labels:
    return {n: v for n, v in labels.items() if n != NAME}


def _quantiles(buckets: Frame, q: float, by: tuple[str, ...]) -> Frame:
    bounded = [(i, bound) for i, x in enumerate(buckets.labels) if (bound := _bound(x.get("le", ""))) is not None]
    rest = tuple(n for n in by if n != "le")
    groups = _grouped([buckets.labels[i] for i, _ in bounded], rest)
    rows = []
    for members in groups.values():
        bounds = np.array([bounded[m][1] for m in members])
        counts = buckets.v[[bounded[m][0] for m in members]]
        rows.append(_quantile(q, *_merged(bounds, counts)))
    steps = buckets.v.shape[1]
    return Frame(tuple(dict(key) for key in groups), np.stack(rows) if rows else np.empty((0, steps)))


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _merged(bounds: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Buckets in order, those of equal bounds ("1" and "1.0") added."""
    unique, where = np.unique(bounds, return_inverse=True)
    rows = [reduce(_added, counts[where == k]) for k in range(len(unique))]
    return unique, np.stack(rows)


def _added(a: Floats, b: Floats) -> Floats:
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, a + b))


def _quantile(q: float, bounds: Floats, counts: Floats) -> Floats:
    """`bounds` (b,) ascending, `counts` (b, steps) cumulative. Steps at which the same buckets exist go together."""
    out = np.full(counts.shape[1], np.nan)
    present: Bools = ~np.isnan(counts)
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    for k in range(patterns.shape[1]):
        rows, steps = patterns[:, k], np.flatnonzero(which.reshape(-1) == k)
        if rows.sum() >= 2 and np.isposinf(bounds[rows][-1]):
            out[steps] = _bucket_quantile(q, bounds[rows], counts[np.ix_(rows, steps)])
    return out


def _bucket_quantile(q: float, bounds: Floats, counts: Floats) -> Floats:
    counts = np.maximum.accumulate(counts, axis=0)
    total = counts[-1]
    if not 0 <= q <= 1:
        return np.full(total.shape, np.nan)  # PromQL says -Inf or +Inf: not a measurement
    rank = q * total
    b = np.minimum((counts[:-1] < rank).sum(axis=0), len(bounds) - 1)
    steps = np.arange(len(total))
    inner = np.minimum(b, len(bounds) - 2)
    below = np.maximum(inner - 1, 0)
    start = np.where(inner > 0, bounds[below], 0.0)
    base = np.where(inner > 0, counts[below, steps], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = start + (bounds[inner] - start) * ((rank - base) / (counts[inner, steps] - base))
    value = np.where((inner == 0) & (bounds[0] <= 0), bounds[0], value)
    value = np.where(b == len(bounds) - 1, bounds[-2], value)
    return np.where(total > 0, value, np.nan)
