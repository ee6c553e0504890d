"""Approval rates of single scopes: what an alert fired for, and what a loss is confined to.

A fault of one issuer hardly moves the rate of everything. Its own rate is judged on counts: the stretch of time whose
declines exceed the usual share by the largest binomial likelihood ratio (a generalised likelihood-ratio test for a
change and its end, Siegmund and Venkatraman, Annals of Statistics 1995). Where the stretch begins is the onset; whether
the last payments are still declined says whether it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from assistant.analysis.dimensions import FEW, LEAST, SURE, Cube, Explained
from assistant.analysis.fresh import look_of, over
from assistant.analysis.say import scope
from assistant.analysis.signals import Signal
from assistant.analysis.stats import Bools
from assistant.core.alert import Labels, frozen
from assistant.core.evidence import Floats
from assistant.core.incident import Incident
from assistant.core.observations import Observations
from assistant.core.time import Instant

SCOPES = 24
"""Scopes that are judged at most: alerts come in dozens when much fails."""
POINTS = 256
"""Instants of the window that are told apart; longer windows are counted in larger steps."""
TAIL = 20.0
"""Payments that say whether it goes on."""
LATE = 30.0
"""Seconds that a rate over a minute takes to show half of what happened."""
TOLD = 3.0
"""The log-likelihood ratio that tells the last payments' rate: one error in twenty."""


def scoped_rates(seen: Observations, cubes: Sequence[Cube], explained: Sequence[Explained]) -> list[Signal]:
    """One signal for each confined loss and each scope that an alert fired for, where a cube can tell it."""
    chosen = list(_scopes(seen, cubes, explained))[:SCOPES]
    looks = {e.id: look_of(e.query, e.step) for e in seen.metrics}
    found = (_signal(seen.incident, cube, labels, inside, looks[cube.evidence]) for cube, labels, inside in chosen)
    return [s for s in found if s is not None]


def _scopes(
    seen: Observations, cubes: Sequence[Cube], explained: Sequence[Explained]
) -> Iterable[tuple[Cube, Labels, Bools]]:
    said: set[tuple[tuple[str, str], ...]] = {()}
    for e in explained:
        cube = next((c for c in cubes if c.evidence == e.evidence and len(c.leaves) == len(e.inside)), None)
        if cube is not None and tuple(e.labels.items()) not in said:
            said.add(tuple(e.labels.items()))
            yield cube, e.labels, e.inside
    for alert in seen.incident.alerts:
        for cube in cubes:
            labels = frozen({k: v for k, v in alert.labels.items() if k in cube.names})
            inside = np.array([all(leaf.get(k) == v for k, v in labels.items()) for leaf in cube.leaves])
            if labels and inside.any():
                if tuple(labels.items()) not in said:
                    said.add(tuple(labels.items()))
                    yield cube, labels, inside
                break


def _signal(incident: Incident, cube: Cube, labels: Labels, inside: Bools, look: int) -> Signal | None:
    attempts = cube.attempts[inside].sum(axis=0) * cube.step
    declined = np.maximum(attempts - cube.approved[inside].sum(axis=0) * cube.step, 0.0)
    before = (cube.t >= incident.baseline.start) & (cube.t < incident.baseline.end) & cube.covered
    during = (cube.t >= incident.baseline.end) & (cube.t < incident.window.end) & cube.covered
    if attempts[before].sum() < TAIL or attempts[during].sum() < FEW:
        return None
    usual = float(np.clip((declined[before].sum() + 0.5) / (attempts[before].sum() + 1.0), 0.002, 0.98))
    llr, first, last = stretch(declined[during], attempts[during], usual)
    t, a, d = cube.t[during], attempts[during], declined[during]
    part = slice(first, last)
    inside_rate = float(d[part].sum() / max(a[part].sum(), 1e-9))
    lost = float(d[part].sum() - usual * a[part].sum())
    moved = llr >= SURE and lost >= FEW and inside_rate - usual >= LEAST
    during_rate = float(np.clip(inside_rate, usual + 0.001, 0.999))
    ended = moved and over(d[first:] / cube.step, a[first:] / cube.step, usual=usual, during=during_rate, look=look,
        step=cube.step)  # fmt: skip
    now_bad = moved and not ended and still(d, a, usual, during_rate, cube.step)
    with np.errstate(invalid="ignore", divide="ignore"):
        v = np.where((attempts > 0) & cube.covered, 1.0 - declined / attempts, np.nan)
    score = min(float(np.sqrt(2.0 * llr)), 99.0) if llr > 0 else 0.0
    onset = Instant(float(t[first] - LATE)) if moved else None
    return Signal(
        cube.evidence, "approval rate", f"approval rate of {scope(labels)}", "", labels, "ratio", -1, cube.t, v,
        1.0 - usual, max((inside_rate - usual) / score, 1e-6) if score else 1.0, 1.0 - inside_rate, score,
        min(max(inside_rate - usual, 0.0), 1.0), onset, moved, now_bad, int(np.isfinite(v).sum()),
    )  # fmt: skip


def stretch(declined: Floats, attempts: Floats, usual: float) -> tuple[float, int, int]:
    """(log-likelihood ratio, first, past the last) of the stretch whose declines exceed `usual` (0..1) the most;
    (0, 0, n) where none does. Counts (n,) per instant."""
    n = len(attempts)
    width = max(-(-n // POINTS), 1)
    edges = np.append(np.arange(0, n, width), n)
    a = np.concatenate(([0.0], np.cumsum(attempts)))[edges]
    d = np.concatenate(([0.0], np.cumsum(declined)))[edges]
    many, bad = a[None, :] - a[:, None], d[None, :] - d[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.clip(bad / many, 1e-9, 1 - 1e-9)
        ratio = bad * np.log(rate / usual) + (many - bad) * np.log((1 - rate) / (1 - usual))
    ratio = np.where((many > 0) & (rate > usual), np.nan_to_num(ratio), 0.0)
    best = int(np.argmax(ratio))
    i, j = divmod(best, len(edges))
    return (float(ratio[i, j]), int(edges[i]), int(edges[j])) if ratio[i, j] > 0 else (0.0, 0, n)


def still(declined: Floats, attempts: Floats, usual: float, during: float, step: float) -> bool:
    """Whether the last payments are declined as those of the stretch were.

    Payments are read backwards until they tell `during` from `usual` (0..1) by Wald's sequential test (Annals of
    Mathematical Statistics 1945), at least half a minute's. Where hardly any arrive, nothing shows that it is over.
    """
    least = max(1, round(30.0 / step)) if step > 0 else 1
    many, bad = np.cumsum(attempts[::-1]), np.cumsum(declined[::-1])
    said = bad * np.log(during / usual) + (many - bad) * np.log((1.0 - during) / (1.0 - usual))
    place = np.arange(1, len(said) + 1)
    told = np.flatnonzero((np.abs(said) >= TOLD) & (place >= least) & (place * step <= 600.0))
    if not len(told):
        return True
    return bool(said[told[0]] > 0) and not _heals(declined, attempts, usual, during)


def _heals(declined: Floats, attempts: Floats, usual: float, during: float) -> bool:
    """Whether the last three instants come straight back, half of the way is done, and chance does not explain it:
    rates over a minute tell the end of a fault late."""
    if len(attempts) < 3 or attempts[-3:].min() <= 0:
        return False
    excess = declined[-3:] / attempts[-3:] - usual
    chance = float(np.sqrt(during * (1.0 - during) / attempts[-3:].mean()))
    return bool(
        np.all(np.diff(excess) < 0)
        and excess[-1] < 0.55 * (during - usual)
        and (during - usual) - excess[-1] > 2.0 * chance
    )
