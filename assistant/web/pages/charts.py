"""Charts drawn from values: geometry in, numbers of an SVG out. Templates write the elements; no style attribute.

Every chart carries what it shows in words (`told`) and as a table (`rows`), for who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.web.pages.text import moment, quantity

WIDTH, HEIGHT = 640, 190
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 16, 24
COLOURS = 8
TABLE_ROWS = 24


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, the number of its colour, the SVG path, and its last value in words."""

    name: str
    colour: int
    path: str
    last: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick or a mark: where (in the chart's units), and what stands there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A line chart ready to be written. `onset` and `threshold` are None where there is none; `day` is where the axis
    shows hours only."""

    id: str
    title: str
    unit: str
    told: str
    lines: tuple[Line, ...]
    x: tuple[Mark, ...]
    y: tuple[Mark, ...]
    onset: Mark | None
    threshold: Mark | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    day: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar: its label, its value in words, and its width in per cent of the longest."""

    name: str
    value: str
    width: float


def draw(
    name: str,
    *,
    title: str,
    unit: str,
    t: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    onset: float | None = None,
    threshold: float | None = None,
) -> Drawing | None:
    """A line chart; None where there is nothing to draw. `t` Unix seconds ascending."""
    values = [v for vs in series.values() for v in vs if _real(v)]
    if len(t) < 2 or not values:
        return None
    low, high = _span(values, threshold, unit)
    x0, x1 = float(t[0]), float(t[-1]) if t[-1] > t[0] else float(t[0]) + 1.0

    def px(at: float) -> float:
        return round(LEFT + (at - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT), 1)

    def py(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def drawn(values: Sequence[float | None]) -> str:
        return _path([px(at) for at in t], [py(v) if v is not None and _real(v) else None for v in values])

    lines = tuple(Line(k, i % COLOURS, drawn(vs), _last(vs, unit)) for i, (k, vs) in enumerate(series.items()))
    began = onset is not None and x0 <= onset <= x1
    return Drawing(
        id=name,
        title=title,
        unit=unit,
        told=_told(t, series, unit, onset, threshold),
        lines=lines,
        x=tuple(Mark(px(at), hour_of(at, x1 - x0)) for at in ticks_of(x0, x1)),
        y=tuple(Mark(py(v), quantity(v, unit)) for v in steps_of(low, high)),
        onset=Mark(px(float(onset)), f"onset {hour_of(float(onset), 0)}") if onset is not None and began else None,
        threshold=None if threshold is None else Mark(py(threshold), f"threshold {quantity(threshold, unit)}"),
        columns=("time", *series),
        rows=_rows(t, series, unit, x1 - x0),
        day=_day(x0, x1),
    )


def note_charts(charts: Sequence[Mapping[str, Any]]) -> dict[str, list[Drawing]]:
    """The charts of a note as JSON by the evidence they show."""
    found: dict[str, list[Drawing]] = {}
    for i, chart in enumerate(charts):
        began = moment(chart.get("onset"))
        drawing = draw(
            f"chart-{i}",
            title=str(chart.get("title", "")),
            unit=str(chart.get("unit", "")),
            t=chart.get("t") or [],
            series=chart.get("series") or {},
            onset=began.timestamp() if began else None,
            threshold=chart.get("threshold"),
        )
        if drawing is not None:
            found.setdefault(str(chart.get("evidence", "")), []).append(drawing)
    return found


def bars(values: Mapping[str, float], *, most: int = 12, form: str = "") -> tuple[Bar, ...]:
    """Largest first; what is beyond `most` is summed up as "others"."""
    ordered = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(v for _, v in ordered[most:])
    shown = [*ordered[:most], *([("others", rest)] if rest else [])]
    longest = max((v for _, v in shown), default=0.0) or 1.0
    return tuple(Bar(k, quantity(v, form), round(max(0.0, v / longest * 100), 1)) for k, v in shown)


def _real(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _span(values: Sequence[float | None], threshold: float | None, unit: str) -> tuple[float, float]:
    """From 0 unless everything is far from it; room above; ratios end at 100 %."""
    seen = [float(v) for v in values if v is not None] + ([threshold] if threshold is not None else [])
    low, high = min(seen), max(seen)
    low = 0.0 if low >= 0 and (unit != "ratio" or low < 0.5) else low
    if unit == "ratio" and high <= 1.0:
        return max(0.0, low - 0.02), 1.0
    if high == low:
        return (0.0, abs(high) * 1.08 or 1.0) if low >= 0 else (low * 1.08, 0.0)
    gap = high - low
    return low if low == 0 else low - gap * 0.05, high + gap * 0.08


def _path(xs: Sequence[float], ys: Sequence[float | None]) -> str:
    """Moves over gaps, lines between samples, and a dot for a sample that stands alone."""
    parts: list[str] = []
    alone = ""
    for x, y in zip(xs, ys, strict=False):
        if y is None:
            parts.append(alone)
            alone = ""
        elif parts and (alone or parts[-1].startswith("L")):
            parts.append(f"L{x:g} {y:g}")
            alone = ""
        else:
            parts.append(f"M{x:g} {y:g}")
            alone = "h0.01"
    return "".join([*parts, alone])


def steps_of(low: float, high: float) -> list[float]:
    raw = (high - low) / 4
    size = 10 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next((m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw), raw)
    first = math.ceil(low / step) * step
    return [round(first + i * step, 12) for i in range(6) if first + i * step <= high + 1e-12]


def ticks_of(x0: float, x1: float) -> list[float]:
    sizes = (10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800, 2592000)
    step = next((s for s in sizes if (x1 - x0) / s <= 7), 7776000)
    first = math.ceil(x0 / step) * step
    return [first + i * step for i in range(int((x1 - first) // step) + 1)]


def hour_of(at: float, span: float) -> str:
    when = moment(at)
    if when is None:
        return ""
    if span == 0:
        return when.strftime("%H:%M:%S")
    return when.strftime("%H:%M:%S" if span < 300 else "%H:%M" if span <= 172800 else "%-d %b")


def _day(x0: float, x1: float) -> str:
    first, last = moment(x0), moment(x1)
    if first is None or last is None or x1 - x0 > 172800:
        return ""
    days = dict.fromkeys(m.strftime("%-d %b %Y") for m in (first, last))
    return " to ".join(days)


def _last(values: Sequence[float | None], unit: str) -> str:
    return quantity(next((v for v in reversed(values) if _real(v)), None), unit)


def _told(
    t: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    unit: str,
    onset: float | None,
    threshold: float | None,
) -> str:
    said = []
    for name, values in list(series.items())[:COLOURS]:
        real = [v for v in values if v is not None and _real(v)]
        if real:
            first, last = quantity(real[0], unit), quantity(real[-1], unit)
            said.append(f"{name}: from {first} to {last}, between {quantity(min(real), unit)} and "
                        f"{quantity(max(real), unit)}")  # fmt: skip
    said += [f"onset at {hour_of(onset, 0)} UTC"] if onset is not None else []
    said += [f"threshold {quantity(threshold, unit)}"] if threshold is not None else []
    return f"From {hour_of(float(t[0]), 0)} to {hour_of(float(t[-1]), 0)} UTC. " + "; ".join(said) + "."


def _rows(
    t: Sequence[float], series: Mapping[str, Sequence[float | None]], unit: str, span: float
) -> tuple[tuple[str, ...], ...]:
    """At most TABLE_ROWS moments, evenly spread, the last included."""
    every = max(1, math.ceil(len(t) / TABLE_ROWS))
    at = sorted({*range(0, len(t), every), len(t) - 1})
    form = 0 if span <= 172800 else span
    columns = list(series.values())
    return tuple(
        (hour_of(float(t[i]), form), *(quantity(vs[i] if i < len(vs) else None, unit) for vs in columns)) for i in at
    )
