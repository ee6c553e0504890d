"""Metric queries as values: a small algebra that a server gets as PromQL and the world source evaluates on raw series.

Each form has one meaning, that of the PromQL it renders to (see `assistant.sources.promql`), extrapolation and counter
resets included; `tests/sources` loads the same samples into a real Prometheus and compares the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Op = Literal["=", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    """A label matcher; regular expressions are RE2 and anchored, as in PromQL."""

    label: str
    op: Op
    value: str


@dataclass(frozen=True, slots=True)
class Select:
    """Samples of one metric: `metric{matchers}`."""

    metric: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Rate:
    """Per-second increase of a counter over `seconds`: `rate(select[seconds])`."""

    of: Select
    seconds: int


@dataclass(frozen=True, slots=True)
class Increase:
    """`increase(select[seconds])`."""

    of: Select
    seconds: int


@dataclass(frozen=True, slots=True)
class Sum:
    """`sum by (labels) (of)`; no labels sums everything into one series."""

    of: Query
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Max:
    """`max by (labels) (of)`: for gauges such as queue depth or lag."""

    of: Query
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """`part / whole`, matched on their shared labels. Where `whole` is 0 there is no sample (PromQL says NaN)."""

    part: Query
    whole: Query


@dataclass(frozen=True, slots=True)
class Quantile:
    """`histogram_quantile(q, sum by (le, labels) (rate(bucket[seconds])))` over classic histogram buckets."""

    q: float
    bucket: Select
    seconds: int
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TopK:
    """The `k` largest series. A range query picks them by their mean over the range, so that the set does not flicker;
    a server gets it as one instant query for the names and one range query for the samples."""

    k: int
    of: Query


Query: TypeAlias = Select | Rate | Increase | Sum | Max | Ratio | Quantile | TopK
