"""The forms of PromQL that the lab's alert rules use: rendered to text, and evaluated over gridded samples.

A real Prometheus computes the same from the same samples; `tests/lab/test_live.py` holds both side by side. The forms:
select, rate, sum / max / min / avg by, histogram_quantile, arithmetic, comparison, and, time(), offset.
Rate follows `extrapolatedRate` of Prometheus 2.x (promql/functions.go); the grid of evaluations never meets the grid
of scrapes, so that the closed or open left edge of a range makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels: TypeAlias = tuple[tuple[str, str], ...]
LOOKBACK = 300.0  # seconds that an instant selector looks back for a sample (Prometheus's default)


@dataclass(frozen=True, slots=True)
class Select:
    """An instant selector. `match` holds (label, "=" or "!=" or "=~", value); "=~" takes words joined by "|"."""

    metric: str
    match: tuple[tuple[str, str, str], ...] = ()
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    of: Select
    seconds: int = 300


@dataclass(frozen=True, slots=True)
class Aggregate:
    how: str  # sum, max, min, avg
    by: tuple[str, ...]
    of: Expr


@dataclass(frozen=True, slots=True)
class Quantile:
    q: float
    of: Expr


@dataclass(frozen=True, slots=True)
class Number:
    """A constant; `duration` marks one in seconds that a shop with millisecond metrics writes as milliseconds."""

    value: float
    duration: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """time()"""


@dataclass(frozen=True, slots=True)
class Binary:
    """+ - * / or a comparison > < == (which filters) or `and`. Both sides carry the same labels, or one is a number."""

    op: str
    left: Expr
    right: Expr


Expr: TypeAlias = Select | Rate | Aggregate | Quantile | Number | Now | Binary


def number(value: float) -> str:
    """A number as a person writes it in a rule."""
    return f"{value:.10g}"


def span(seconds: float) -> str:
    """A PromQL duration."""
    whole = round(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def render(e: Expr) -> str:
    """The PromQL text of an expression."""
    match e:
        case Select(metric, match, offset):
            inside = ",".join(f'{k}{op}"{v}"' for k, op, v in match)
            return metric + (f"{{{inside}}}" if inside else "") + (f" offset {span(offset)}" if offset else "")
        case Rate(of, seconds):
            plain, _, back = render(of).partition(" offset ")
            return f"rate({plain}[{span(seconds)}]{' offset ' + back if back else ''})"
        case Aggregate(how, by, of):
            grouping = f" by ({', '.join(by)})" if by else ""
            return f"{how}{grouping} ({render(of)})"
        case Quantile(q, of):
            return f"histogram_quantile({number(q)}, {render(of)})"
        case Number(value):
            return number(value)
        case Now():
            return "time()"
        case Binary(op, left, right):
            return f"{_side(left, op)} {op} {_side(right, op)}"


_TIGHT = {"*": 3, "/": 3, "+": 2, "-": 2, ">": 1, "<": 1, "==": 1, "and": 0}


def _side(e: Expr, op: str) -> str:
    text = render(e)
    return f"({text})" if isinstance(e, Binary) and _TIGHT[e.op] <= _TIGHT[op] and op != "and" else text


def metrics_of(e: Expr) -> set[str]:
    """Names of the metrics that an expression reads."""
    match e:
        case Select(metric):
            return {metric}
        case Rate(of) | Aggregate(_, _, of) | Quantile(_, of):
            return metrics_of(of)
        case Binary(_, left, right):
            return metrics_of(left) | metrics_of(right)
        case _:
            return set()


@dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector at many moments: label sets, and values [label set, moment]; NaN is absence."""

    labels: tuple[Labels, ...]
    values: Floats


@dataclass(frozen=True, slots=True)
class Samples:
    """Every series of a world on one grid of scrapes `t` (unix s); `values` [series, scrape], NaN is no sample."""

    t: Floats
    by_metric: Mapping[str, tuple[tuple[Labels, ...], Floats]]
    # rates of whole metrics: many rules read the same one
    rates: dict[tuple[str, float, int, bytes], Floats] = field(default_factory=dict, compare=False)


def evaluate(e: Expr, samples: Samples, at: Floats) -> Vector:
    """The value of `e` at each moment of `at` (unix s)."""
    n = len(at)
    match e:
        case Number(value):
            return Vector(((),), np.full((1, n), value))
        case Now():
            return Vector(((),), at[None, :].copy())
        case Select():
            labels, values = _selected(e, samples)
            return Vector(labels, _instant(samples.t, values, at - e.offset))
        case Rate(of, seconds):
            return _rated(of, seconds, samples, at)
        case Aggregate(how, by, of):
            return _aggregate(how, by, evaluate(of, samples, at))
        case Quantile(q, of):
            return histogram_quantile(q, evaluate(of, samples, at))
        case Binary(op, left, right):
            return _binary(op, evaluate(left, samples, at), evaluate(right, samples, at))


def _matches(labels: Mapping[str, str], match: Sequence[tuple[str, str, str]]) -> bool:
    for name, op, value in match:
        have = labels.get(name, "")
        good = have in value.split("|") if op == "=~" else (have == value) == (op == "=")
        if not good:
            return False
    return True


def _rows(s: Select, labels: tuple[Labels, ...]) -> list[int] | slice:
    return [i for i, ls in enumerate(labels) if _matches(dict(ls), s.match)] if s.match else slice(None)


def _selected(s: Select, samples: Samples) -> tuple[tuple[Labels, ...], Floats]:
    labels, values = samples.by_metric.get(s.metric, ((), np.empty((0, len(samples.t)))))
    keep = _rows(s, labels)
    return labels if isinstance(keep, slice) else tuple(labels[i] for i in keep), values[keep]


def _rated(s: Select, seconds: int, samples: Samples, at: Floats) -> Vector:
    labels, values = samples.by_metric.get(s.metric, ((), np.empty((0, len(samples.t)))))
    key = (s.metric, s.offset, seconds, at.tobytes())
    if key not in samples.rates:
        samples.rates[key] = rate(samples.t, values, at - s.offset, float(seconds))
    keep = _rows(s, labels)
    kept = labels if isinstance(keep, slice) else tuple(labels[i] for i in keep)
    return Vector(tuple(tuple(x for x in ls if x[0] != "__name__") for ls in kept), samples.rates[key][keep])


def _instant(t: Floats, values: Floats, at: Floats) -> Floats:
    """The newest sample at or before each moment, not older than the look-back (absences are not stale markers)."""
    index = np.arange(len(t))
    newest = np.maximum.accumulate(np.where(np.isnan(values), -1, index[None, :]), axis=1)
    column = np.searchsorted(t, at, side="right") - 1
    which = np.where(column[None, :] >= 0, newest[:, np.maximum(column, 0)], -1)
    found = np.take_along_axis(values, np.maximum(which, 0), axis=1)
    fresh = (which >= 0) & (at[None, :] - t[np.maximum(which, 0)] <= LOOKBACK)
    return np.where(fresh, found, np.nan)


def rate(t: Floats, values: Floats, at: Floats, seconds: float) -> Floats:
    """`rate(...[seconds])` at each moment, as extrapolatedRate does it. `values` [series, scrape], NaN is no sample."""
    n = len(t)
    have = ~np.isnan(values)
    index = np.arange(n)
    before = np.maximum.accumulate(np.where(have, index, -1), axis=1)  # newest sample at or before a column
    after = np.minimum.accumulate(np.where(have, index, n)[:, ::-1], axis=1)[:, ::-1]  # oldest at or after it
    previous = np.concatenate([np.full((len(values), 1), -1), before[:, :-1]], axis=1)
    last_value = np.where(previous >= 0, np.take_along_axis(values, np.maximum(previous, 0), axis=1), np.nan)
    step_down = np.where(have & (values < last_value), last_value, 0.0)  # a reset adds what the counter had
    resets = np.cumsum(step_down, axis=1)
    seen = np.cumsum(have, axis=1)
    lo = np.searchsorted(t, at - seconds, side="left")
    hi = np.searchsorted(t, at, side="right") - 1
    inside = (lo <= hi) & (hi >= 0) & (lo < n)
    lo_c, hi_c = np.clip(lo, 0, n - 1), np.clip(hi, 0, n - 1)
    first, last = after[:, lo_c], before[:, hi_c]
    good = inside[None, :] & (first < last) & (first < n)
    f, g = np.where(good, first, 0), np.where(good, last, 0)
    fv, gv = np.take_along_axis(values, f, axis=1), np.take_along_axis(values, g, axis=1)
    delta = gv - fv + np.take_along_axis(resets, g, axis=1) - np.take_along_axis(resets, f, axis=1)
    count = np.take_along_axis(seen, g, axis=1) - np.take_along_axis(seen, f, axis=1)
    width = np.where(good, t[g] - t[f], 1.0)
    to_start, to_end = t[f] - (at - seconds)[None, :], at[None, :] - t[g]
    mean = width / np.maximum(count, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero = np.where((delta > 0) & (fv >= 0), width * (fv / delta), np.inf)
    to_start = np.minimum(to_start, to_zero)
    reach = (
        width + np.where(to_start < mean * 1.1, to_start, mean / 2) + np.where(to_end < mean * 1.1, to_end, mean / 2)
    )
    return np.where(good, delta * (reach / width) / seconds, np.nan)


def _aggregate(how: str, by: tuple[str, ...], v: Vector) -> Vector:
    groups: dict[Labels, list[int]] = {}
    for i, ls in enumerate(v.labels):
        have = dict(ls)
        groups.setdefault(tuple((k, have[k]) for k in sorted(by) if have.get(k)), []).append(i)
    out = np.full((len(groups), v.values.shape[1]), np.nan)
    for row, members in enumerate(groups.values()):
        part = v.values[members]
        some = ~np.isnan(part).all(axis=0)
        match how:
            case "sum":
                value = np.nansum(part, axis=0)
            case "max":
                value = np.max(np.where(np.isnan(part), -np.inf, part), axis=0)
            case "min":
                value = np.min(np.where(np.isnan(part), np.inf, part), axis=0)
            case "avg":
                value = np.nansum(part, axis=0) / np.maximum((~np.isnan(part)).sum(axis=0), 1)
            case _:
                raise ValueError(f"no aggregation {how}")
        out[row] = np.where(some, value, np.nan)
    return Vector(tuple(groups), out)


def histogram_quantile(q: float, v: Vector) -> Vector:
    """`histogram_quantile`: linear inside a bucket, the highest finite edge in the last (promql/quantile.go)."""
    groups: dict[Labels, list[tuple[float, int]]] = {}
    for i, ls in enumerate(v.labels):
        le = float(dict(ls)["le"])
        groups.setdefault(tuple(x for x in ls if x[0] != "le"), []).append((le, i))
    out = np.full((len(groups), v.values.shape[1]), np.nan)
    for row, members in enumerate(groups.values()):
        members.sort()
        edges = np.array([le for le, _ in members])
        counts = np.maximum.accumulate(np.nan_to_num(v.values[[i for _, i in members]]), axis=0)
        total = counts[-1]
        rank = q * total
        b = np.minimum((counts < rank[None, :]).sum(axis=0), len(edges) - 1)
        below = np.where(b > 0, np.take_along_axis(counts, np.maximum(b - 1, 0)[None, :], axis=0)[0], 0.0)
        inside = np.take_along_axis(counts, b[None, :], axis=0)[0] - below
        low, high = np.where(b > 0, edges[np.maximum(b - 1, 0)], 0.0), edges[b]
        with np.errstate(divide="ignore", invalid="ignore"):
            value = low + (high - low) * ((rank - below) / inside)
        value = np.where(b == len(edges) - 1, edges[-2] if len(edges) > 1 else np.nan, value)
        out[row] = np.where(total > 0, value, np.nan)
    return Vector(tuple(groups), out)


def _binary(op: str, left: Vector, right: Vector) -> Vector:
    if left.labels == ((),) and right.labels != ((),) and op != "and":
        return Vector(right.labels, _apply(op, np.broadcast_to(left.values, right.values.shape), right.values))
    if right.labels == ((),) and op != "and":
        return Vector(_nameless(left), _apply(op, left.values, np.broadcast_to(right.values, left.values.shape)))
    keyed = {ls: i for i, ls in enumerate(_nameless(right))}
    pairs = [(i, keyed[ls]) for i, ls in enumerate(_nameless(left)) if ls in keyed]
    a, b = left.values[[i for i, _ in pairs]], right.values[[j for _, j in pairs]]
    names = _nameless(left)
    return Vector(
        tuple(names[i] for i, _ in pairs), np.where(np.isnan(b), np.nan, a) if op == "and" else _apply(op, a, b)
    )


def _nameless(v: Vector) -> tuple[Labels, ...]:
    return tuple(tuple(x for x in ls if x[0] != "__name__") for ls in v.labels)


def _apply(op: str, a: Floats, b: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        match op:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                return a / b
            case ">":
                return np.where(a > b, a, np.nan)
            case "<":
                return np.where(a < b, a, np.nan)
            case "==":
                return np.where(a == b, a, np.nan)
    raise ValueError(f"no operator {op}")
