"""A fault's effect is there, and as large as stated: counted over the attempts that it could hit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evals.lab import spec
from evals.lab.alerts import Board
from evals.lab.answers import effects
from evals.lab.authorise import C
from evals.lab.make import World
from evals.lab.traffic import in_scope
from tests.lab.worlds import world


def stated_sizes_hold(made: World) -> int:
    """How many stated shares were checked; each lies within five standard errors (binomial) of what was counted."""
    checked = 0
    for row in effects(made.truth):
        if row.get("reached"):
            stated, n, hit = float(str(row["stated"])), int(str(row["reached"])), int(str(row["hit"]))
            error = math.sqrt(stated * (1 - stated) / n)
            assert abs(hit / n - stated) <= 5 * error + 0.012, row
            checked += 1
    return checked


def own_alerts(made: World) -> set[str]:
    board: Board = made.truth.board
    return {a.rule.alert for a in board.firing if a.since >= made.truth.onset} & set(made.truth.scenario.alerts)


@pytest.mark.parametrize("kind", ["issuer-outage", "acquirer-timeouts"])
def test_a_stated_share_is_the_counted_share(kind: str) -> None:
    made = world(kind, 11, "metrics")
    assert stated_sizes_hold(made) >= 1
    assert own_alerts(made)


def test_nobody_outside_the_scope_is_hit_and_nothing_before_the_onset() -> None:
    t = world("issuer-outage", 11, "metrics").truth
    fault = t.scenario.faults[0]
    hit = t.outcome.fault == 0
    assert hit.sum() > 200
    assert not (hit & ~in_scope(fault, t.attempts, t.shop)).any()
    assert t.attempts.t[hit].min() >= t.onset
    before = t.attempts.t < t.onset
    np.testing.assert_array_equal(t.outcome.code[before], t.outcome.healthy[before])


def test_the_series_show_what_happened_to_the_orders() -> None:
    """Counters gained, between two scrapes, exactly the attempts that ended between them."""
    made = world("issuer-outage", 11, "metrics")
    t, name = made.truth, made.truth.shop.naming
    lo, hi = len(made.grid) // 2, len(made.grid) - 5
    ended = t.attempts.t + t.outcome.total
    inside = (ended > made.grid[lo]) & (ended <= made.grid[hi])
    gained = sum(
        np.nan_to_num(v[hi]) - np.nan_to_num(v[lo]) for ls, v in made.rows if ls["__name__"] == name.metric("retries")
    )
    assert gained == (inside & (t.attempts.wave > 0)).sum() > 50
    amounts = [
        (ls[name.label("result")], v[hi] - v[lo]) for ls, v in made.rows if ls["__name__"] == name.metric("amount")
    ]
    approved = inside & (t.outcome.code == C["00"])
    assert sum(v for r, v in amounts if r == "approved") == t.attempts.amount[approved].sum()


@pytest.mark.slow
@pytest.mark.parametrize("kind", spec.shipped())
def test_every_kind_shows_in_some_alert_and_at_its_stated_size(kind: str) -> None:
    made = world(kind, 77)
    stated_sizes_hold(made)
    assert own_alerts(made) or not made.truth.scenario.faults
    assert made.truth.board.firing
