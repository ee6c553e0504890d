"""When a slow climb began, and when a feed stopped.

A leak or a backlog leaves its usual range long after it began to grow: a change point in the level comes late. Where
a flat line that bends into a slope (a hinge, Hinkley, Biometrika 1969) explains a series better than a step does, the
bend is the onset. An age grows in a saw: what was the last normal tooth says when the feed stopped.
"""

from __future__ import annotations

import numpy as np

from assistant.core.evidence import Floats

FLAT = 0.4
"""The first part of a series, that is taken as before the climb."""
SAME = 5.0
"""Seconds by which an age may be off when it was evaluated beside the scrape."""
TOP = 0.9
"""Of the whole rise: what comes after it may be a plateau and says nothing of the bend."""


def bend(t: Floats, v: Floats) -> float | None:
    """The instant at which `v` (T,) on `t` bends from flat into a slope; None where a step explains it as well."""
    finite = np.isfinite(v)
    t, v = t[finite], v[finite]
    if len(v) < 12:
        return None
    usual = float(np.median(v[: max(int(FLAT * len(v)), 4)]))
    y = v - usual
    y = y if abs(float(y.max())) >= abs(float(y.min())) else -y
    reached = np.flatnonzero(y >= TOP * float(y.max()))
    end = int(reached[0]) + 1
    t, y = t[:end], y[:end]
    if float(y.max(initial=0.0)) <= 0 or len(y) < 12:
        return None
    x = t - t[0]
    after, weighed, many = (_suffix(s) for s in (y, x * y, np.ones(len(y))))
    xs, squares = _suffix(x), _suffix(x * x)
    cross = weighed - x * after
    spread = squares - 2 * x * xs + x * x * many
    with np.errstate(divide="ignore", invalid="ignore"):
        slope_gain = np.where(spread > 0, cross**2 / spread, 0.0)
        step_gain = np.where(many > 0, after**2 / many, 0.0)
    k = int(np.argmax(np.where(cross > 0, slope_gain, 0.0)))
    if slope_gain[k] <= float(step_gain.max()) or len(y) - k < 6:
        return None
    return float(t[k])


def stopped(t: Floats, v: Floats) -> float | None:
    """When the feed behind an age stopped, `v` seconds old at `t`: its last update, where the age has grown by a second
    a second ever since; else the last age that was still usual, less what is left of a usual tooth. None where the age
    was never usual, or never fell."""
    finite = np.isfinite(v)
    t, v = t[finite], v[finite]
    last = _last_update(t, v)
    if last is not None:
        return last
    early = v[: max(int(FLAT * len(v)), 4)]
    if len(v) < 12:
        return None
    highest, middle = float(early.max()), float(np.median(early))
    inside = np.flatnonzero(v <= highest)
    if not (np.diff(v) < -1.0).any() or not len(inside) or inside[-1] + 1 >= len(v):
        return None
    return float(t[inside[-1]]) - (highest - middle)


def _last_update(t: Floats, v: Floats) -> float | None:
    """The moment that the age counts from, where it lies among the samples and the age has been counted from it since;
    None where the age is no plain difference of times."""
    if len(v) < 4:
        return None
    since, step = t - v, float(np.median(np.diff(t)))
    last = float(np.median(since[-4:]))
    if last < t[0] or float(np.max(np.abs(since[t > last + 2.0 * step] - last), initial=0.0)) > max(SAME, step):
        return None
    return last


def _suffix(x: Floats) -> Floats:
    """Sums from each element to the end."""
    return np.cumsum(x[::-1])[::-1]
