"""Rows judged: what is usual, whether it left that for good, since when, and by how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assistant.analysis.fresh import look_of, over
from assistant.analysis.onset import Moves, moves
from assistant.analysis.rules import alarms_above, alerted, allowed_move
from assistant.analysis.signals import PAYMENT_ROLES, Rows, Signal, entity_of, grid_of, is_elapsed, role_of, rows_of
from assistant.analysis.stats import Bools, Usual, samples_any, smooth, usual
from assistant.analysis.turnover import continued
from assistant.core.evidence import Floats
from assistant.core.observations import Observations
from assistant.core.time import Instant, Window

LEAST = 8
"""Samples of the baseline without which nothing is usual."""
CLEAR = 4.0
"""The robust z at which a series has moved."""
NEARLY = 0.7
"""Of the move that a rule does not allow: so much has moved for good, counted from the whole baseline."""
FULL = 0.97
"""Of a share: as good as full, whatever was usual."""
RARE = 0.1
"""Events per second below which single minutes are empty by chance."""
EARLY = 0.4
"""The part of the baseline that stays when a slow climb is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Rows over time with their statistics: `t` (T,), `v` and `steady` (n, T)."""

    rows: Rows
    t: Floats
    v: Floats
    steady: Floats
    typical: Usual
    found: Moves
    since: float
    step: float


def signals_of(seen: Observations) -> list[Signal]:
    """Every signal of the metric evidence, except what `dimensions` and `impact` read."""
    service = seen.payments.labels.get("service")
    infos = {m.name: m for m in seen.catalogue}
    out: list[Signal] = []
    covered = coverage(seen)
    for evidence in seen.metrics:
        role = role_of(evidence, infos)
        if role in PAYMENT_ROLES:
            continue
        label = service.label if service else ""
        limit = alarms_above(seen, evidence)
        asked, allowed = bool(alerted(seen, evidence)), allowed_move(seen, evidence)
        if not asked and role in {"gauge", "saturation", "score"} and is_elapsed(grid_of(evidence)):
            continue  # how long a job has run so far: it runs, and nothing more
        for rows in rows_of(continued(evidence), role, covered.get((evidence.window, evidence.step))):
            if limit is not None and rows.role in {"requests", "flow"}:
                # An alert counts these because they are bad, and says how many are too many.
                small = min(rows.absolute, limit / 6.0) if limit > 0 else rows.absolute
                rows = replace(rows, bad=1, role="errors", few=3.0, absolute=small)
            if asked and rows.role in {"gauge", "queue"}:
                # By its rule, less than usual moves matter here.
                least = min(rows.least, 0.2, NEARLY * allowed if allowed else 1.0)
                rows = replace(rows, least=least, floor=min(rows.floor, least / CLEAR) if allowed else rows.floor)
            out += judge(rows, since=seen.incident.baseline.end, until=seen.incident.window.end, service_label=label)
    return out


def coverage(seen: Observations) -> dict[tuple[Window, float], Bools]:
    """When the server had samples of anything, (T,) for each grid that was asked for."""
    out: dict[tuple[Window, float], Bools] = {}
    for e in seen.metrics:
        some = samples_any(grid_of(e).v)
        key = (e.window, e.step)
        out[key] = out[key] | some if key in out else some
    return out


def judge(rows: Rows, *, since: float, until: float, service_label: str) -> list[Signal]:
    """Signals of the rows. `since` ends what is usual; samples in [since, until) are judged."""
    keep = rows.grid.t < until
    t, v = rows.grid.t[keep], rows.grid.v[:, keep]
    if v.shape[1] == 0:
        return []
    typical = usual(v, t < since, floor=rows.floor, absolute=rows.absolute)
    step = float(np.median(np.diff(t))) if len(t) > 1 else 0.0
    steady = smooth(v, min(4, max(1, v.shape[1] // 10)))
    judged = _Judged(rows, t, v, steady, typical, moves(t, v, typical, since=since), since, step)
    return [_signal(judged, i, entity_of(labels, service_label)) for i, labels in enumerate(rows.labels)]


def _signal(j: _Judged, i: int, entity: str) -> Signal:
    rows, v = j.rows, j.v[i]
    median, sigma = float(j.typical.median[i]), float(j.typical.sigma[i])
    if rows.role == "expiry":
        return _expiry(j, i, entity)
    at, direction = float(j.found.at[i]), float(j.found.direction[i])
    seen = _level(j, i, at, direction)
    known = np.isfinite(seen) and np.isfinite(median) and sigma > 0
    score = float(min(abs(seen - median) / sigma, 99.0)) if known else 0.0
    size = max(abs(median), 1.0 if rows.unit == "ratio" else rows.absolute or 1e-9)
    weight = abs(seen - median) / size if score else 0.0
    if rows.role == "saturation" and direction > 0 and FULL <= float(np.nanmax(v)) <= 1.0:
        weight = 1.0  # of a share there is no more than all
    hurts = rows.bad == 0 or direction == rows.bad
    moved = bool(
        np.isfinite(at)
        and hurts
        and score >= CLEAR
        and weight >= rows.least
        and j.typical.samples[i] >= LEAST
        and _enough(j, i, at)
    )
    last = j.steady[i][np.isfinite(j.steady[i])][-1:]
    bad = len(last) and (last[0] - median) * direction > max(3 * sigma, 0.3 * abs(seen - median))
    back = moved and (_healing(v, median, seen) or _over(j, i, at))
    now_bad = bool(moved and ((bad and not back) or _goes_on(j, i, median, seen)))
    onset = Instant(_earlier(j, i, at, direction)) if moved else None
    return Signal(
        rows.evidence.id, rows.role, rows.what, entity, rows.labels[i], rows.unit, rows.bad, j.t, v, median, sigma,
        seen,
        score, min(weight, 1.0), onset, moved, now_bad, int(np.isfinite(v).sum()),
    )  # fmt: skip


def _healing(v: Floats, median: float, seen: float) -> bool:
    """Whether the last three samples come straight back, and half of the way is done: a rate looks back for a minute,
    and tells the end of a fault late."""
    tail = np.abs(v[np.isfinite(v)][-3:] - median)
    return bool(len(tail) == 3 and np.all(np.diff(tail) < 0) and tail[-1] < 0.55 * abs(seen - median))


def _over(j: _Judged, i: int, at: float) -> bool:
    """Whether the newest of the events that rows count are as few as usual."""
    if j.rows.events is None or j.rows.bad != 1:
        return False
    events = j.rows.events[i, : len(j.t)]
    before, since = events[j.t < j.since], np.nan_to_num(events[j.t >= at])
    if not np.isfinite(before).any() or not len(since):
        return False
    look = look_of(j.rows.evidence.query, j.step)
    usual, during = float(np.nanmean(before)), float(np.median(since))
    return over(since, None, usual=usual, during=during, look=look, step=j.step)


def _goes_on(j: _Judged, i: int, median: float, seen: float) -> bool:
    """Whether a count of few events goes on: a minute without one says nothing where one a minute was all there was."""
    if j.rows.events is None or not 0.0 < seen - median < RARE:
        return False
    tail = j.v[i][j.t > j.t[-1] - min(10.0 / seen, 300.0)]
    tail = tail[np.isfinite(tail)]
    return bool(len(tail) and float(tail.mean()) - median > 0.5 * (seen - median))


def _level(j: _Judged, i: int, at: float, direction: float) -> float:
    """The typical value after the change: of the samples that are outside, if it moved."""
    part = j.v[i][(j.t >= (at if np.isfinite(at) else j.since)) & np.isfinite(j.v[i])]
    if not len(part):
        return float("nan")
    median, sigma = j.typical.median[i], j.typical.sigma[i]
    outside = part[(part - median) * direction > 2 * sigma]
    return float(np.median(outside)) if np.isfinite(at) and len(outside) >= 2 else float(np.median(part))


def _enough(j: _Judged, i: int, at: float) -> bool:
    """Whether a count stands behind the change: `few` events more or fewer than usual, where rows count events."""
    if j.rows.events is None:
        return True
    events = j.rows.events[i, : len(j.t)]
    before = events[j.t < j.since]
    level = float(np.nanmean(before)) if np.isfinite(before).any() else 0.0
    extra = np.nansum(events[j.t >= at] - level) * j.step
    return bool(abs(extra) >= j.rows.few)


def _earlier(j: _Judged, i: int, at: float, direction: float) -> float:
    """The onset, looked for again from an earlier start where the series was outside already as the window began: a
    slow climb reaches into the baseline, and a late alert brings its window late."""
    if at - j.since > 120.0 or j.t[0] >= j.since:
        return at
    start = float(j.t[0] + EARLY * (j.since - j.t[0]))
    row = j.v[i : i + 1]
    typical = usual(row, j.t < start, floor=j.rows.floor, absolute=j.rows.absolute)
    again = moves(j.t, row, typical, since=start)
    found = float(again.at[0])
    if not np.isfinite(found) or again.direction[0] != direction or found >= at:
        return at
    between = again.z[0][(j.t >= found) & (j.t <= at)] * direction
    return found if len(between) and float((between > 1.5).mean()) > 0.8 else at


def _expiry(j: _Judged, i: int, entity: str) -> Signal:
    """A certificate moved when its time left passed zero inside the window."""
    rows, t, v = j.rows, j.t, j.v[i]
    over = np.isfinite(v) & (v <= 0)
    last = v[np.isfinite(v)][-1:]
    began = float(t[int(np.argmax(over))]) if over.any() else float("nan")
    moved = bool(over.any() and began >= j.since - 900.0)
    seen = float(last[0]) if len(last) else float("nan")
    now_bad = moved and bool(len(last) and last[0] <= 0)
    score, weight = (20.0, 1.0) if moved else (0.0, 0.0)
    return Signal(
        rows.evidence.id, "expiry", rows.what, entity, rows.labels[i], "s", -1, t, v, float(j.typical.median[i]), 1.0,
        seen,
        score, weight, Instant(began) if moved else None, moved, now_bad, int(np.isfinite(v).sum()),
    )  # fmt: skip
