"""The metric algebra written out as PromQL (https://prometheus.io/docs/prometheus/latest/querying/basics/).

Nothing here can be injected into: metric and label names must be names, values are quoted as Go string literals,
numbers are numbers. A ratio is matched on the labels both sides are known to have. Inside another form a ratio and a
quantile are filtered so that "no sample" means the same to a server as to `assistant.sources.evaluate`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from assistant.core.query import Increase, Matcher, Max, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.errors import SourceMalformed

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
MAX_DEPTH = 16
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def render(query: Query) -> str:
    """The query as PromQL. Raises SourceMalformed for a name, number or nesting that PromQL cannot hold."""
    return _render(query, inner=False, depth=0)


def quote(text: str) -> str:
    """A string literal of PromQL and LogQL (Go syntax), whatever the text holds."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + '"'


def duration(seconds: float) -> str:
    """`300` → `5m`: the largest unit that divides it, milliseconds where it is not whole."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise _wrong("a duration must be longer than nothing")
    if seconds != int(seconds):
        return f"{max(1, round(seconds * 1000))}ms"
    whole = int(seconds)
    unit, size = next(((u, s) for u, s in (("d", 86400), ("h", 3600), ("m", 60)) if whole % s == 0), ("s", 1))
    return f"{whole // size}{unit}"


def matchers(items: Iterable[Matcher]) -> str:
    """`name="value",…`: what stands between the braces of a selector."""
    return ",".join(f"{label(m.label)}{_operator(m)}{quote(m.value)}" for m in items)


def label(name: str) -> str:
    """The name itself, if it is one."""
    if not LABEL_NAME.match(name):
        raise _wrong("a label name must be letters, digits and underscores")
    return name


def labels_of(query: Query) -> frozenset[str] | None:
    """The labels its series can have at most, or None where only the data tells."""
    match query:
        case Sum(by=by) | Max(by=by) | Quantile(by=by):
            return frozenset(by)
        case TopK(of=of):
            return labels_of(of)
        case Ratio(part=part, whole=whole):
            return labels_of(whole) if _one_side(part, whole) == "right" else labels_of(part)
        case _:
            return None


def matching(ratio: Ratio) -> tuple[frozenset[str] | None, str]:
    """How a ratio's sides meet: the labels they match on (None: all of them) and which side may repeat:
    "" (one to one), "left" or "right". Raises SourceMalformed where neither side's labels hold the other's."""
    part, whole = labels_of(ratio.part), labels_of(ratio.whole)
    side = _one_side(ratio.part, ratio.whole)
    if not side:
        return None, ""
    return (whole, "left") if side == "left" else (part, "right")


def narrowed(query: Query, values: Mapping[str, Iterable[str]]) -> Query:
    """The query with its selectors held to these label values, where its result has the label: a range query for the
    series that an instant query has named. It keeps every named series (and may keep others: filter the answer)."""
    match query:
        case Select(metric=metric, matchers=have):
            return Select(metric, have + _held_to(values))
        case Rate(of=of, seconds=seconds):
            return Rate(Select(of.metric, of.matchers + _held_to(values)), seconds)
        case Increase(of=of, seconds=seconds):
            return Increase(Select(of.metric, of.matchers + _held_to(values)), seconds)
        case Sum(of=of, by=by):
            return Sum(narrowed(of, _only(values, by)), by)
        case Max(of=of, by=by):
            return Max(narrowed(of, _only(values, by)), by)
        case Quantile(bucket=bucket, by=by):
            return replace(query, bucket=Select(bucket.metric, bucket.matchers + _held_to(_only(values, by))))
        case Ratio(part=part, whole=whole):
            return Ratio(narrowed(part, _held(part, values)), narrowed(whole, _held(whole, values)))
        case TopK(k=k, of=of):
            return TopK(k, narrowed(of, values))


def selecting(query: Query, change: Callable[[tuple[Matcher, ...]], tuple[Matcher, ...]]) -> Query:
    """The query with the matchers of each selector changed."""
    match query:
        case Select(metric=metric, matchers=have):
            return Select(metric, change(have))
        case Rate(of=of, seconds=seconds):
            return Rate(Select(of.metric, change(of.matchers)), seconds)
        case Increase(of=of, seconds=seconds):
            return Increase(Select(of.metric, change(of.matchers)), seconds)
        case Sum(of=of, by=by):
            return Sum(selecting(of, change), by)
        case Max(of=of, by=by):
            return Max(selecting(of, change), by)
        case Quantile(bucket=bucket):
            return replace(query, bucket=Select(bucket.metric, change(bucket.matchers)))
        case Ratio(part=part, whole=whole):
            return Ratio(selecting(part, change), selecting(whole, change))
        case TopK(k=k, of=of):
            return TopK(k, selecting(of, change))


def re2_escape(text: str) -> str:
    """Literal text inside an RE2 expression. Unlike `re.escape` it leaves alone what RE2 would call a bad escape."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def _render(query: Query, *, inner: bool, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise _wrong("a query must not be nested more than 16 deep")

    def sub(q: Query) -> str:
        return _render(q, inner=True, depth=depth + 1)

    match query:
        case Select(metric=metric, matchers=items):
            return _selector(metric, items)
        case Rate(of=of, seconds=seconds):
            return f"rate({sub(of)}[{duration(seconds)}])"
        case Increase(of=of, seconds=seconds):
            return f"increase({sub(of)}[{duration(seconds)}])"
        case Sum(of=of, by=by):
            return _aggregate("sum", sub(of), by)
        case Max(of=of, by=by):
            return _aggregate("max", sub(of), by)
        case Ratio():
            return _ratio(query, sub, inner=inner)
        case Quantile():
            return _quantile(query, inner=inner)
        case TopK(k=k, of=of):
            if inner:
                raise _wrong("top k must be the outermost form")
            return f"topk({_count(k)}, {sub(of)})"


def _selector(metric: str, items: tuple[Matcher, ...]) -> str:
    if metric and not METRIC_NAME.match(metric):
        raise _wrong("a metric name must be letters, digits, underscores and colons")
    if metric and any(m.label == "__name__" for m in items):
        raise _wrong("a metric is named once")
    if not metric and not any(m.op == "=" and m.value for m in items):
        raise _wrong("a selector without a metric needs a matcher with a value")
    inside = matchers(items)
    return f"{metric}{{{inside}}}" if inside or not metric else metric


def _aggregate(name: str, of: str, by: tuple[str, ...]) -> str:
    return f"{name} by ({', '.join(map(label, by))}) ({of})" if by else f"{name}({of})"


def _ratio(ratio: Ratio, sub: Callable[[Query], str], *, inner: bool) -> str:
    on, side = matching(ratio)
    how = "" if on is None else f" on ({', '.join(map(label, sorted(on)))}) group_{side} ()"
    whole = sub(ratio.whole)
    text = f"{sub(ratio.part)} /{how} {f'({whole} != 0)' if inner else whole}"
    return f"({text})" if inner else text


def _quantile(query: Quantile, *, inner: bool) -> str:
    if not math.isfinite(query.q):
        raise _wrong("a quantile must be a number")
    buckets = _render(Sum(Rate(query.bucket, query.seconds), ("le", *query.by)), inner=True, depth=0)
    text = f"histogram_quantile({query.q:g}, {buckets})"
    return f"({text} > -Inf)" if inner else text


def _one_side(part: Query, whole: Query) -> str:
    left, right = labels_of(part), labels_of(whole)
    if left == right:
        return ""
    if right is not None and (left is None or right < left):
        return "left"
    if left is not None and (right is None or left < right):
        return "right"
    raise _wrong("one side of a ratio must hold the labels of the other")


def _held(side: Query, values: Mapping[str, Iterable[str]]) -> Mapping[str, Iterable[str]]:
    have = labels_of(side)
    return values if have is None else _only(values, have)


def _only(values: Mapping[str, Iterable[str]], names: Iterable[str]) -> dict[str, Iterable[str]]:
    wanted = set(names)
    return {n: v for n, v in values.items() if n in wanted}


def _held_to(values: Mapping[str, Iterable[str]]) -> tuple[Matcher, ...]:
    return tuple(Matcher(n, "=~", "|".join(sorted(map(re2_escape, v)))) for n, v in sorted(values.items()))


def _operator(matcher: Matcher) -> str:
    if matcher.op not in ("=", "!=", "=~", "!~"):
        raise _wrong('a matcher compares with "=", "!=", "=~" or "!~"')
    return matcher.op


def _count(k: int) -> int:
    if k < 1:
        raise _wrong("top k needs at least one")
    return int(k)


def _escape(c: str) -> str:
    n = ord(c)
    if 0xD800 <= n <= 0xDFFF:
        return "\\ufffd"  # a lone surrogate is not text, and Go refuses it in a literal
    return f"\\x{n:02x}" if n < 0x80 else f"\\u{n:04x}" if n < 0x10000 else f"\\U{n:08x}"


def _wrong(message: str) -> SourceMalformed:
    return SourceMalformed("prometheus", message, mend="change the query")
