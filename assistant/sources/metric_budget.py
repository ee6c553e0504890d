"""What a metric query may cost, decided before it is asked. Pure, and it fails closed.

The range is capped; the step is raised until a series has at most `max_points` points; an expression from a person or a
model is parsed and every selector, range and subquery in it held to the same bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from assistant.core.query import Increase, Max, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.core.time import Window
from assistant.errors import SourceMalformed, SourceTooLarge
from assistant.settings import Endpoint
from assistant.sources.promql import METRIC_NAME, render
from assistant.sources.promql_parse import nodes_of, parsed, select_of

MAX_QUERY = 8 * 1024
MAX_SAMPLES = 20_000_000
RAW_PER_SERIES = 50
SCRAPE = 15.0
"""Where nothing else is known, samples are taken to be this far apart (s)."""


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """A query that may be asked: at `start, +step … end` (end included, as the API has it)."""

    promql: str
    start: float
    end: float
    step: float

    @property
    def points(self) -> int:
        return round((self.end - self.start) / self.step) + 1


def bounded(promql: str, window: Window, step: float, limits: Endpoint) -> RangeRequest:
    """The request for `[start, end)` with the step raised to the point budget, in multiples of what was asked.
    Raises SourceTooLarge over the range cap or for too long a query, SourceMalformed for a step of 0."""
    if not (math.isfinite(step) and step > 0):
        raise SourceMalformed("prometheus", "a step must be positive", mend="change the query")
    if window.seconds > limits.max_range_s:
        raise SourceTooLarge("prometheus", f"the range is over {limits.max_range_s} s", mend="look at a shorter window")
    if len(promql.encode()) > MAX_QUERY:
        raise SourceTooLarge("prometheus", f"the query is over {MAX_QUERY} bytes", mend="ask for fewer label values")
    points = max(1, limits.max_points)
    step = max(step, 0.001)
    step *= max(1, math.ceil(window.seconds / (step * points) - 1e-9))
    count = max(1, math.ceil((window.seconds - 1e-6) / step))
    return RangeRequest(promql, window.start, window.start + (count - 1) * step, step)


def selects_of(query: Query) -> tuple[Select, ...]:
    """The selectors of a query, each once."""
    match query:
        case Select():
            return (query,)
        case Rate(of=of) | Increase(of=of) | Sum(of=of) | Max(of=of) | TopK(of=of):
            return selects_of(of)
        case Quantile(bucket=bucket):
            return (bucket,)
        case Ratio(part=part, whole=whole):
            return tuple(dict.fromkeys(selects_of(part) + selects_of(whole)))


def reach_of(query: Query) -> float:
    """How far before a step its samples may lie, in seconds."""
    match query:
        case Select():
            return 300.0
        case Rate(seconds=seconds) | Increase(seconds=seconds) | Quantile(seconds=seconds):
            return float(seconds)
        case Sum(of=of) | Max(of=of) | TopK(of=of):
            return reach_of(of)
        case Ratio(part=part, whole=whole):
            return max(reach_of(part), reach_of(whole))


def affordable(series: float, seconds: float, limits: Endpoint) -> None:
    """Raises SourceTooLarge when reading this many raw series over this span is over budget."""
    most = limits.max_series * RAW_PER_SERIES
    if series > most:
        raise SourceTooLarge("prometheus", f"over {most} raw series", mend="add a matcher")
    if series * seconds / SCRAPE > MAX_SAMPLES:
        raise SourceTooLarge("prometheus", f"over {MAX_SAMPLES} samples to read", mend="add a matcher or look less far")


def held(query: Query, window: Window, limits: Endpoint) -> None:
    """Raises what `render` raises, and SourceTooLarge for a rate over more than the range cap."""
    render(query)
    if reach_of(query) > limits.max_range_s:
        raise SourceTooLarge("prometheus", f"a rate is over more than {limits.max_range_s} s", mend="shorten it")


def held_expression(expr: str, limits: Endpoint) -> tuple[tuple[Select, ...], float]:
    """The selectors of free PromQL and its longest reach in seconds, after every bound has been checked.
    Raises SourceMalformed or SourceTooLarge."""
    selects: dict[Select, None] = {}
    reach = 300.0
    subqueries = 0
    for node in nodes_of(parsed(expr)):
        match type(node).__name__:
            case "VectorSelector":
                selects[_named(select_of(node))] = None
                reach = max(reach, _seconds(node))
            case "MatrixSelector":
                reach = max(reach, node.range.total_seconds() + _seconds(node.vector_selector))
            case "SubqueryExpr":
                subqueries += 1
                reach = max(reach, _subquery(node))
    if subqueries > 1:
        raise SourceTooLarge("prometheus", "more than one subquery", mend="ask for less at once")
    if not selects:
        raise SourceMalformed("prometheus", "the expression asks for no metric", mend="name one")
    if reach > limits.max_range_s:
        raise SourceTooLarge("prometheus", f"it reaches back over {limits.max_range_s} s", mend="shorten its range")
    return tuple(selects), reach


def _named(select: Select) -> Select:
    if not METRIC_NAME.match(select.metric):
        raise SourceTooLarge("prometheus", "a selector names no metric", mend="name one: it would read everything")
    return select


def _subquery(node: Any) -> float:
    span = node.range.total_seconds()
    step = node.step.total_seconds() if node.step else 60.0
    if step <= 0 or span / step > 1000:
        raise SourceTooLarge("prometheus", "a subquery of more than 1,000 steps", mend="give it a longer step")
    return float(span) + _seconds(node)


def _seconds(node: Any) -> float:
    if node.at is not None:
        raise SourceTooLarge("prometheus", "an @ modifier looks outside the window", mend="leave it out")
    return 0.0 if node.offset is None else abs(float(node.offset.total_seconds()))
