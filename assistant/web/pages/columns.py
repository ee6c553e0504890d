"""Column charts: one stack of values for each span of time. Geometry in, numbers of an SVG out, as in `charts`.

For what is counted a day: a line between two days would show values that never were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.web.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Mark, steps_of
from assistant.web.pages.text import moment, quantity

GAP = 0.28
"""Of a column's place, what is left free beside it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One rectangle: of which series (number of its colour), where, and what it shows in words."""

    colour: int
    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A legend entry: the series, its colour, and its newest value in words."""

    name: str
    colour: int
    last: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A column chart ready to be written. `told` and `rows` are for who cannot see it."""

    id: str
    title: str
    told: str
    parts: tuple[Part, ...]
    lines: tuple[Stack, ...]
    x: tuple[Mark, ...]
    y: tuple[Mark, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM
    stacked: bool = True
    day: str = ""


def draw_columns(
    name: str, *, title: str, unit: str, t: Sequence[float], series: Mapping[str, Sequence[float | None]]
) -> Columns | None:
    """A stack for each of `t` (Unix seconds, evenly spread, the middle of its span); None where there is no value."""
    sums = [sum(vs[i] or 0.0 for vs in series.values()) for i in range(len(t))]
    if not t or not any(v is not None for vs in series.values() for v in vs):
        return None
    high = 1.0 if unit == "ratio" else (max(sums) or 1.0) * 1.08
    place = (WIDTH - LEFT - RIGHT) / len(t)
    tall = HEIGHT - TOP - BOTTOM
    parts: list[Part] = []
    for i, at in enumerate(t):
        base = float(HEIGHT - BOTTOM)
        for colour, (said, values) in enumerate(series.items()):
            value = values[i]
            if not value:
                continue
            height = value / high * tall
            base -= height
            x, text = round(LEFT + place * (i + GAP / 2), 1), f"{_day(at)}: {said} {quantity(value, unit)}"
            parts.append(Part(colour, x, round(base, 1), round(place * (1 - GAP), 1), round(height, 1), text))
    every = max(1, round(len(t) / 7))
    return Columns(
        id=name,
        title=title,
        told=_told(t, series, unit),
        parts=tuple(parts),
        lines=tuple(Stack(k, i, _newest(vs, unit)) for i, (k, vs) in enumerate(series.items())),
        x=tuple(Mark(round(LEFT + place * (i + 0.5), 1), _day(t[i])) for i in range(len(t) - 1, -1, -every)),
        y=tuple(Mark(round(HEIGHT - BOTTOM - v / high * tall, 1), quantity(v, unit)) for v in steps_of(0.0, high)),
        columns=("day", *series),
        rows=tuple((_day(at), *(quantity(vs[i], unit) for vs in series.values())) for i, at in enumerate(t)),
    )


def _day(at: float) -> str:
    when = moment(at)
    return "" if when is None else when.strftime("%-d %b")


def _newest(values: Sequence[float | None], unit: str) -> str:
    return quantity(next((v for v in reversed(values) if v is not None), None), unit)


def _told(t: Sequence[float], series: Mapping[str, Sequence[float | None]], unit: str) -> str:
    said = []
    for name, values in series.items():
        real = [v for v in values if v is not None]
        if real:
            said.append(f"{name}: between {quantity(min(real), unit)} and {quantity(max(real), unit)} a day")
    return f"Days from {_day(t[0])} to {_day(t[-1])}, UTC. " + "; ".join(said) + "."
