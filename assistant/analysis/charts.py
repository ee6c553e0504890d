"""Charts as values: what a person would look at first. Terminal, Slack and page render them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assistant.analysis.dimensions import Cube, Explained
from assistant.analysis.ranking import force
from assistant.analysis.say import labelled, scope
from assistant.analysis.signals import Signal
from assistant.core.evidence import Floats
from assistant.core.finding import Chart
from assistant.core.time import Instant, Window

MOST = 5
LEGENDS = 4
_TICKS = "▁▂▃▄▅▆▇█"


def charts_of(
    cube: Cube | None,
    explained: Sequence[Explained],
    signals: Sequence[Signal],
    *,
    window: Window,
    onset: Instant | None,
) -> tuple[Chart, ...]:
    """At most five: the approval rate (whole, inside the loss and outside it), then the strongest signals, one per
    evidence."""
    charts = [_approvals(cube, explained, window, onset)] if cube is not None else []
    seen: set[str] = set()
    for s in sorted((s for s in signals if s.moved), key=lambda s: -force(s)):
        if s.evidence in seen or len(charts) >= MOST:
            continue
        seen.add(s.evidence)
        beside = [
            o for o in signals if o.evidence == s.evidence and o.what == s.what and o is not s and len(o.t) == len(s.t)
        ]
        rows = [s, *sorted(beside, key=lambda o: -o.score)[: LEGENDS - 1]]
        charts.append(
            Chart(
                s.evidence, s.what, s.unit, s.t, {labelled(o.labels) or "all": o.v for o in rows}, None, onset, window
            )
        )
    return tuple(charts)


def _approvals(cube: Cube, explained: Sequence[Explained], window: Window, onset: Instant | None) -> Chart:
    attempts, approved = cube.total()
    series = {"all": _rate(approved, attempts)}
    for e in explained[:2]:
        if e.labels:
            series[scope(e.labels)] = _rate(cube.approved[e.inside].sum(axis=0), cube.attempts[e.inside].sum(axis=0))
    inside = np.any([e.inside for e in explained if e.labels], axis=0) if any(e.labels for e in explained) else None
    if inside is not None and not bool(np.all(inside)):
        series["the rest"] = _rate(cube.approved[~inside].sum(axis=0), cube.attempts[~inside].sum(axis=0))
    return Chart(cube.evidence, "approval rate", "ratio", cube.t, series, None, onset, window)


def _rate(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        rate: Floats = np.where(whole > 0, part / whole, np.nan)
    return rate


def sparkline(v: Floats, width: int = 40) -> str:
    """A series as one line of block characters for a terminal: lowest to highest, a blank where there is no sample."""
    if len(v) == 0 or width < 1:
        return ""
    parts = [p[np.isfinite(p)] for p in np.array_split(v, min(width, len(v)))]
    means = np.array([p.mean() if len(p) else np.nan for p in parts])
    if not np.isfinite(means).any():
        return " " * len(means)
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    span = high - low
    return "".join(
        " " if not np.isfinite(m) else _TICKS[min(int((m - low) / span * 8), 7) if span > 0 else 3] for m in means
    )
