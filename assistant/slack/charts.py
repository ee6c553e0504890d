"""Charts of a note as Slack draws them (`data_visualization`), else as a table, else as words. Pure.

At most 2 charts a message, 20 points, 6 series, names of 20 characters; every series has a number at every category, so
a time without a sample in some series is left out. Some workspaces refuse the block: the caller then asks for less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from assistant.core.time import clock, parse_iso
from assistant.slack.blocks import Message
from assistant.slack.elements import Block, Part, Purse, context, cut, fit, one_line, rich, run, section, units

Form = Literal["chart", "table", "words"]
FORMS: tuple[Form, ...] = ("chart", "table", "words")
POINTS, SERIES, CHARTS, NAME = 20, 6, 2, 20


def chart_message(charts: Sequence[Mapping[str, Any]], *, form: Form, stamp: str) -> Message:
    """Charts as `note_to_json` tells them. Without a sample there are words that say so."""
    parts: list[Part] = []
    for n, chart in enumerate(charts[:CHARTS]):
        label = f"{n}-{stamp}"
        parts.append(Part(0, (rich(f"h{label}", section(run(_title(chart), "bold"), run(f" [{chart['evidence']}]"))),)))
        parts.append(Part(n + 1, _drawn(chart, form, label)))
        parts.append(Part(n + 3, (context(f"w{label}", _words(chart)),) if form != "words" else ()))
    if not parts:
        parts = [Part(0, (rich(f"h-{stamp}", section(run("This note has no chart."))),))]
    return Message("Charts: " + "; ".join(_title(c) for c in charts[:CHARTS]), fit(parts))


def _drawn(chart: Mapping[str, Any], form: Form, label: str) -> tuple[Block, ...]:
    times, series = sampled(chart)
    if form == "words" or len(times) < 2 or not series:
        return (rich(f"t{label}", section(run(Purse(600).take(_words(chart), 600)))),)
    if form == "table":
        return (_table(times, series, label),)
    return (_native(chart, times, series, label),)


def _native(chart: Mapping[str, Any], times: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> Block:
    axis: dict[str, Any] = {"categories": list(times)}
    if unit := cut(one_line(chart["unit"]), 50):
        axis["y_label"] = unit
    lines = [
        {"name": name, "data": [{"label": t, "value": v} for t, v in zip(times, values, strict=True)]}
        for name, values in series.items()
    ]
    return {
        "type": "data_visualization",
        "block_id": f"c{label}",
        "title": cut(one_line(_title(chart)), 50) or "chart",
        "chart": {"type": "line", "series": lines, "axis_config": axis},
    }


def _table(times: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> Block:
    names = list(series)[:4]
    rows = [["time", *names], *([t, *(f"{series[n][i]:.4g}" for n in names)] for i, t in enumerate(times))]
    cells = [[{"type": "raw_text", "text": c} for c in row] for row in rows]
    return {"type": "table", "block_id": f"t{label}", "rows": cells}


def sampled(chart: Mapping[str, Any]) -> tuple[list[str], dict[str, list[float]]]:
    """At most 20 times with unique labels, and at most 6 series with unique names, a number at each time."""
    t: list[float] = list(chart["t"])
    raw = dict(list(chart["series"].items())[:SERIES])
    whole = [i for i in range(len(t)) if all(i < len(v) and v[i] is not None for v in raw.values())]
    if not whole or not raw:
        return [], {}
    size = -(-len(whole) // POINTS)
    groups = [whole[i : i + size] for i in range(0, len(whole), size)]
    seen: set[str] = set()
    kept = [g for g in groups if not (clock(t[g[0]]) in seen or seen.add(clock(t[g[0]])))]  # type: ignore[func-returns-value]
    names = _unique([cut(one_line(n), NAME) or "all" for n in raw])
    means = {
        name: [round(sum(values[i] for i in g) / len(g), 6) for g in kept]
        for name, values in zip(names, raw.values(), strict=True)
    }
    return [clock(t[g[0]]) for g in kept], means


def _unique(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        made, n = name, 2
        while made in found:
            tail = f" {n}"
            made, n = (name if units(name) + len(tail) <= NAME else name[: NAME - len(tail) - 6].rstrip()) + tail, n + 1
        found.append(made)
    return found


def _title(chart: Mapping[str, Any]) -> str:
    return cut(one_line(chart["title"]), 140) or "chart"


def _words(chart: Mapping[str, Any]) -> str:
    """What the chart shows, for those who cannot see it."""
    times, series = sampled(chart)
    onset = f"; it begins at {clock(parse_iso(chart['onset']))}" if chart.get("onset") else ""
    if not times:
        return "no samples"
    said = [f"{n}: {v[0]:.4g} to {v[-1]:.4g}, lowest {min(v):.4g}, highest {max(v):.4g}" for n, v in series.items()]
    return f"{times[0]} to {times[-1]} {chart['unit']}: {'; '.join(said)}{onset}"
