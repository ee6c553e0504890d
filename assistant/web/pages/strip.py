"""What happened when, as lanes over one axis of time: changes, logs, metrics, alerts, and where it began.

Pure: the timeline of a note in, numbers of an SVG out. The list beside it says the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.web.pages.charts import Mark, hour_of, ticks_of
from assistant.web.pages.text import moment

WIDTH, LEFT, RIGHT, TOP, LANE, FOOT = 960, 74, 16, 18, 24, 22
LANES = (("change", "changes", "C"), ("log", "logs", "L"), ("metric", "metrics", "M"), ("alert", "alerts", "A"))
"""Kind of evidence, the lane's name, and the letter that its ids begin with."""


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    kind: str
    text: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Strip:
    """`onset` None where it is not known."""

    dots: tuple[Dot, ...]
    lanes: tuple[Mark, ...]
    x: tuple[Mark, ...]
    onset: Mark | None
    height: int
    day: str
    width: int = WIDTH
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP


def strip_of(timeline: Sequence[Mapping[str, Any]], *, since: object, until: object) -> Strip | None:
    """None where fewer than two moments are known. `since` is the onset, `until` when the note was written."""
    events = [(at.timestamp(), e) for e in timeline if (at := moment(e.get("at"))) is not None]
    began, ended = moment(since), moment(until)
    times = [t for t, _ in events] + [m.timestamp() for m in (began, ended) if m is not None]
    if not events or len(set(times)) < 2:
        return None
    low, high = min(times), max(times)
    room = (high - low) * 0.02
    low, high = low - room, high + room

    def px(at: float) -> float:
        return round(LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    used = [lane for lane in LANES if any(_kind(e) == lane[0] for _, e in events)]
    lane = {kind: TOP + LANE * i + LANE / 2 for i, (kind, _, _) in enumerate(used)}
    day = moment(low)
    return Strip(
        dots=tuple(
            Dot(px(t), lane[_kind(e)], _kind(e), f"{hour_of(t, 0)} {e.get('text', '')}", str(e.get("evidence") or ""))
            for t, e in events
        ),
        lanes=tuple(Mark(lane[kind], name) for kind, name, _ in used),
        x=tuple(Mark(px(t), hour_of(t, high - low)) for t in ticks_of(low, high)),
        onset=Mark(px(began.timestamp()), f"onset {hour_of(began.timestamp(), 0)}") if began else None,
        height=TOP + LANE * len(used) + FOOT,
        day=day.strftime("%-d %b %Y") if day else "",
    )


def _kind(event: Mapping[str, Any]) -> str:
    """By the letter of its evidence; an event without any is something a metric showed."""
    letter = str(event.get("evidence") or "M")[:1]
    return next((kind for kind, _, mark in LANES if mark == letter), "metric")
