"""A world's series as OpenMetrics text: with timestamps for promtool, without for a scrape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evals.lab.make import World


def escape(value: str) -> str:
    """A label value inside quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def series_head(labels: Mapping[str, str]) -> str:
    """`name{label="value",...}`"""
    inside = ",".join(f'{k}="{escape(v)}"' for k, v in labels.items() if k != "__name__")
    return f"{labels['__name__']}{{{inside}}}"


def number(v: float) -> str:
    """A value so that it reads back the same."""
    return repr(int(v)) if v.is_integer() and abs(v) < 1e15 else repr(v)


def history_lines(w: World, *, until: float = math.inf) -> Iterator[str]:
    """Every sample up to `until` with its timestamp, metric by metric."""
    t = w.grid.tolist()
    for labels, values in sorted(w.rows, key=lambda row: row[0]["__name__"]):
        head = series_head(labels)
        for ts, v in zip(t, values.tolist(), strict=True):
            if v == v and ts <= until:
                yield f"{head} {number(v)} {ts:.3f}"
    yield "# EOF"


def page(w: World, column: int) -> str:
    """What the shop's exporters answer at one scrape, in the text format of Prometheus."""
    lines = [
        f"{series_head(labels)} {number(float(values[column]))}"
        for labels, values in w.rows
        if not math.isnan(values[column])
    ]
    return "\n".join(lines) + "\n"
