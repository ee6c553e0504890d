"""Counters that contradict each other: a fault of measuring and not of payments.

Approvals are often counted twice, by code and by channel or by amount. Where one approval rate falls and every other
one holds, the counting broke: the alert is false, though its threshold was passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assistant.analysis import words as w
from assistant.analysis.dimensions import Cube
from assistant.analysis.signals import grid_of, selected
from assistant.core.evidence import EvidenceId, MetricEvidence
from assistant.core.observations import Observations
from assistant.core.time import Window

LEAST = 0.04
"""A fall of the approval rate that is worth an explanation."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The counter that says approvals fell, and those that say they did not: (evidence, usual, seen)."""

    evidence: EvidenceId
    metric: str
    service: str
    usual: float
    seen: float
    others: tuple[tuple[EvidenceId, str, float, float], ...]


def contradiction_of(seen: Observations, cube: Cube | None, window: Window) -> Contradiction | None:
    """None where nothing fell, where there is no second counter, or where one of them fell as well."""
    if cube is None:
        return None
    attempts, approved = cube.total()
    before = (cube.t >= seen.incident.baseline.start) & (cube.t < seen.incident.baseline.end)
    during = (cube.t >= window.start) & (cube.t < window.end)
    usual, now = (float(approved[x].sum() / max(attempts[x].sum(), 1e-9)) for x in (before, during))
    if usual - now < LEAST:
        return None
    own = next(e for e in seen.metrics if e.id == cube.evidence)
    others = []
    for e in seen.metrics:
        if selected(e.query) == selected(own.query) or not set(w.words(selected(e.query))) & w.AUTHORISATION:
            continue
        rates = _rates(e, seen.incident.baseline, window)
        if rates is not None:
            others.append((e.id, selected(e.query), *rates))
    if not others or any(a - b > 0.35 * (usual - now) for *_, a, b in others):
        return None
    service = seen.payments.labels.get("service")
    names = (
        [
            s.labels.get(service.label, "")
            for e in seen.metrics
            if selected(e.query) == selected(own.query)
            for s in e.series
        ]
        if service
        else []
    )
    return Contradiction(
        cube.evidence, selected(own.query), next((n for n in names if n), ""), usual, now, tuple(others)
    )


def _rates(e: MetricEvidence, baseline: Window, window: Window) -> tuple[float, float] | None:
    """Approved share before and in the window, where a label of the answer tells approved from declined."""
    for name in {k for s in e.series for k in s.labels}:
        values = {s.labels.get(name, "") for s in e.series}
        yes = {v for v in values if v.lower() in w.APPROVED_WORDS}
        if not yes or not any(v.lower() in w.DECLINED_WORDS for v in values):
            continue
        grid = grid_of(e)
        good = np.array([s.labels.get(name, "") in yes for s in e.series])
        shares = []
        for part in (baseline, window):
            inside = (grid.t >= part.start) & (grid.t < part.end)
            whole, ok = float(np.nansum(grid.v[:, inside])), float(np.nansum(grid.v[good][:, inside]))
            if whole <= 0:
                return None
            shares.append(ok / whole)
        return shares[0], shares[1]
    return None
