"""Scoped approval rates, watches and climbs: where a fault of a part is seen, and where a warning is only a warning."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.analysis.climbs import bend, stopped
from assistant.analysis.rates import still, stretch
from assistant.analysis.rules import plain
from assistant.analysis.signals import is_elapsed
from assistant.analysis.stats import Grid
from assistant.analysis.turnover import continued
from assistant.core.alert import Rule
from tests.analysis.shop import gauge

T = np.arange(0.0, 3600.0, 15.0)


def test_the_stretch_of_excess_declines_is_found_with_its_ends() -> None:
    attempts = np.full(120, 20.0)
    declined = np.full(120, 2.0)
    declined[40:80] = 12.0
    llr, first, last = stretch(declined, attempts, 0.1)
    assert (first, last) == (40, 80) and llr > 100


def test_usual_declines_have_no_stretch_to_speak_of() -> None:
    rng = np.random.default_rng(3)
    worst = max(
        stretch(np.array(rng.binomial(20, 0.1, 120), dtype=np.float64), np.full(120, 20.0), 0.1)[0] for _ in range(200)
    )
    assert worst < 12.0


@pytest.mark.parametrize(("tail", "goes_on"), [(12.0, True), (2.0, False)])
def test_whether_declines_go_on_is_read_from_the_last_payments(tail: float, goes_on: bool) -> None:
    declined = np.full(60, 12.0)
    declined[-6:] = tail
    assert still(declined, np.full(60, 20.0), 0.1, 0.6, 15.0) is goes_on


def test_without_payments_nothing_shows_that_it_is_over() -> None:
    attempts = np.concatenate([np.full(40, 20.0), np.zeros(60)])
    assert still(attempts * 0.9, attempts, 0.1, 0.9, 15.0)


def test_a_slope_begins_at_its_bend_and_a_step_has_none() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.01, len(T))
    climb = 0.5 + noise + np.clip((T - 2000.0) / 2000.0, 0.0, 0.4)
    found = bend(T, climb)
    assert found is not None and abs(found - 2000.0) <= 90.0
    assert bend(T, 0.5 + noise + 0.4 * (T >= 2000.0)) is None
    assert bend(T[:5], climb[:5]) is None


def test_a_feed_stopped_with_its_last_update() -> None:
    saw = T % 240.0
    frozen = np.where(T < 2400.0, saw, T - 2400.0 + saw[159])
    last = float(T[159] - saw[159])
    assert stopped(T, frozen) == pytest.approx(last, abs=15.0)


def test_an_age_that_is_no_difference_of_times_stopped_with_its_last_usual_tooth() -> None:
    faster = np.where(T < 2400.0, T % 240.0, 2.0 * (T - 2400.0) + T % 240.0)
    found = stopped(T, faster)
    assert found is not None and abs(found - 2400.0) <= 180.0


def test_an_age_that_was_never_young_tells_no_stop() -> None:
    assert stopped(T, T + 5.0) is None


@pytest.mark.parametrize(
    ("expr", "is_plain"),
    [
        ("max by (s) (node_clock_offset_seconds) > 2", True),
        ("max by (s) (disk_used / disk_size) > 0.9", True),
        ("sum(rate(x_total[5m])) > 1", False),
        ("sum(x) < 0.5 * sum(x offset 1h)", False),
    ],
)
def test_plain_rules_are_told_by_their_expression(expr: str, is_plain: bool) -> None:
    assert plain(Rule("R", expr, 60.0)) is is_plain


def test_a_series_that_goes_on_under_new_target_labels_is_one() -> None:
    old = ({"service": "core", "instance": "a:1"}, T[:100], np.full(100, 16.0))
    new = ({"service": "core", "instance": "b:1", "job": "payments"}, T[100:], np.full(140, 16.0))
    joined = continued(gauge("M9", "x", [old, new]))
    assert [dict(s.labels) for s in joined.series] == [{"service": "core"}]
    assert len(joined.series[0].t) == 240


def test_two_instances_side_by_side_stay_two() -> None:
    rows = [({"service": "core", "instance": f"{i}:1"}, T, np.full(240, 16.0)) for i in range(2)]
    assert len(continued(gauge("M9", "x", rows)).series) == 2


def test_a_job_that_runs_is_an_elapsed_time_and_a_leak_is_none() -> None:
    running = np.where((T > 1000.0) & (T < 2500.0), T - 1000.0, 0.0)
    assert is_elapsed(Grid(T, running[None, :]))
    assert not is_elapsed(Grid(T, (0.5 + T / 10_000.0)[None, :]))
