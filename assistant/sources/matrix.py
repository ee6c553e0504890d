"""The `matrix` and `vector` of Prometheus' HTTP API as arrays. https://prometheus.io/docs/prometheus/latest/querying/api/"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assistant.core.evidence import Floats
from assistant.errors import SourceMalformed
from assistant.sources.metric_budget import RangeRequest


def matrix_of(result: Any, request: RangeRequest, *, most: int) -> tuple[list[dict[str, str]], Floats, int]:
    """Label sets, values (series, steps) on the request's grid with NaN where there is none, and how many series over
    `most` the server sent and were left out. Raises SourceMalformed."""
    steps = request.points
    labels: list[dict[str, str]] = []
    rows: list[Floats] = []
    for item in _items(result)[:most]:
        row = np.full(steps, np.nan)
        t, v = _samples(item.get("values"))
        at = np.rint((t - request.start) / request.step)
        good = (at >= 0) & (at < steps) & np.isfinite(v)
        row[at[good].astype(np.intp)] = v[good]
        if good.any():
            labels.append(_metric(item))
            rows.append(row)
    return labels, np.stack(rows) if rows else np.empty((0, steps)), max(0, len(result) - most)


def vector_of(result: Any) -> list[tuple[dict[str, str], float]]:
    """Label sets with their value, not a number left out. Raises SourceMalformed."""
    found = []
    for item in _items(result):
        t, v = _samples([item.get("value")])
        if np.isfinite(v[0]) and len(t):
            found.append((_metric(item), float(v[0])))
    return found


def _items(result: Any) -> list[Mapping[str, Any]]:
    if not isinstance(result, list) or not all(isinstance(i, Mapping) for i in result):
        raise _malformed()
    return result


def _metric(item: Mapping[str, Any]) -> dict[str, str]:
    metric = item.get("metric")
    if not isinstance(metric, dict) or not all(isinstance(v, str) for v in metric.values()):
        raise _malformed()
    return metric


def _samples(values: Any) -> tuple[Floats, Floats]:
    try:
        times, texts = zip(*values, strict=True)
        return np.array(times, dtype=np.float64), np.array(list(map(float, texts)), dtype=np.float64)
    except (TypeError, ValueError):
        raise _malformed() from None


def _malformed() -> SourceMalformed:
    return SourceMalformed("prometheus", "the answer is not the matrix or vector that the API describes")
