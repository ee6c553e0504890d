"""Onset, dimensions, robust numbers and bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.analysis import analyse
from assistant.analysis.analyst import symptom_of
from assistant.analysis.changes import weigh
from assistant.analysis.dimensions import cubes, explain
from assistant.analysis.onset import consensus, cusum, moves
from assistant.analysis.ranking import rank
from assistant.analysis.signals import Signal
from assistant.analysis.stats import smooth, tidy, to_grid, usual, wilson, zscores
from assistant.core.alert import frozen
from assistant.core.evidence import Change, EvidenceId, Series, Topology
from assistant.core.time import Instant, Window
from tests.analysis.shop import BASELINE, ONSET, START, STEP, WHOLE, WINDOW, Shop, gauge

T = np.arange(WHOLE.start, WHOLE.end, STEP)


def step(size: float, at: float = ONSET, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(10, 1, len(T)) + size * (at <= T)


@pytest.mark.parametrize("size", [6.0, -6.0, 30.0])
def test_a_step_is_found_where_it_is(size: float) -> None:
    v = step(size)[None, :]
    found = moves(T, v, usual(v, WINDOW.start > T), since=WINDOW.start)
    assert abs(float(found.at[0]) - ONSET) <= 2 * STEP
    assert found.direction[0] == np.sign(size)


def test_noise_has_no_onset() -> None:
    v = np.random.default_rng(3).normal(10, 1, (200, len(T)))
    found = moves(T, v, usual(v, WINDOW.start > T), since=WINDOW.start)
    assert np.isfinite(found.at).mean() < 0.05


def test_a_bump_that_ended_keeps_its_beginning() -> None:
    v = (step(20) - 20 * (T >= ONSET + 240))[None, :]
    found = moves(T, v, usual(v, WINDOW.start > T), since=WINDOW.start)
    assert abs(float(found.at[0]) - ONSET) <= 2 * STEP


def moved(role: str, onset: float, score: float = 20.0, weight: float = 1.0) -> Signal:
    """A signal of the service "link" that moved at `onset`."""
    none = np.zeros(0)
    name, labels = EvidenceId("M1"), frozen({"service": "link"})
    return Signal(
        name,
        role,
        role,
        "link",
        labels,
        "",
        1,
        none,
        none,
        0.0,
        1.0,
        9.0,
        score,
        weight,
        Instant(onset),
        True,
        True,
        90,
    )


def test_one_weak_series_that_moved_early_does_not_make_a_change_look_late() -> None:
    signals = [moved("retries", ONSET - 420, score=6.0, weight=0.3)]
    signals += [moved("error share", ONSET + 20), moved("latency", ONSET + 40), moved("errors", ONSET + 10)]
    symptom = symptom_of(rank(signals, Topology()), (), ())
    assert abs(symptom.began["link"] - ONSET) <= 40
    (link,) = weigh(
        (Change(Instant(ONSET - 70), "deploy", "link", "c0ffee1", "order state"),),
        onset=ONSET, symptom=symptom, topology=Topology(),
    )  # fmt: skip
    assert link.seconds_before_onset > 0 and not any("after the onset" in r for r in link.against)


def test_cusum_of_nothing_is_nothing() -> None:
    height, start = cusum(np.zeros((2, 0)))
    assert height.tolist() == [0, 0] and start.tolist() == [0, 0]
    assert cusum(np.zeros((1, 9)))[0].tolist() == [0]


def test_consensus_takes_the_heavy_cluster_and_its_early_part() -> None:
    at = np.array([10.0, 500.0, 505.0, 515.0, 530.0, 2000.0, np.nan])
    onset = consensus(at, np.array([0.2, 1, 1, 1, 1, 0.5, 9]))
    assert onset is not None and 500 <= onset.at <= 515 and onset.series == 4
    assert consensus(np.array([np.nan]), np.array([1.0])) is None


def test_a_constant_series_is_not_a_mountain() -> None:
    v = np.full((1, len(T)), 5.0)
    assert not np.isfinite(moves(T, v, usual(v, WINDOW.start > T), since=WINDOW.start).at[0])
    assert float(np.abs(zscores(v, usual(v, WINDOW.start > T))).max()) == 0.0


def test_tidy_mends_order_duplicates_and_gaps() -> None:
    s = Series(frozen({}), np.array([30.0, 10.0, 20.0, 20.0, 40.0]), np.array([3.0, 1.0, 2.0, 9.0, np.nan]))
    t, v = tidy(s)
    assert t.tolist() == [10, 20, 30] and v.tolist() == [1, 9, 3]
    grid = to_grid([s], start=10, end=50, step=10)
    assert grid.v[0, :3].tolist() == [1, 9, 3] and np.isnan(grid.v[0, 3])


def test_smooth_and_wilson() -> None:
    assert smooth(np.array([[1.0, 3.0, np.nan, 5.0]]), 2).tolist()[0][1:] == [2.0, 3.0, 5.0]
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(8, 10)
    assert 0.4 < low < 0.8 < high < 1.0


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"issuer": "i3"}, {"issuer": "i3"}),
        ({"acquirer": "a2"}, {"acquirer": "a2"}),
        ({"issuer": "i1", "scheme": "visa"}, {"issuer": "i1", "scheme": "visa"}),
        ({}, {}),
    ],
)
def test_the_label_values_that_carry_a_loss_are_found(where: dict[str, str], found: dict[str, str]) -> None:
    cube = cubes(Shop(rate=30).fail(where, 0.6, "91").observations())[0]
    first = explain(cube, baseline=BASELINE, window=Window(Instant(ONSET), WINDOW.end))[0]
    assert dict(first.labels) == found
    assert next(iter(first.codes)) == "91" and first.share > 0.85
    assert first.seen < first.usual - 0.4


def test_nothing_lost_explains_nothing() -> None:
    cube = cubes(Shop(rate=30).observations())[0]
    assert explain(cube, baseline=BASELINE, window=Window(Instant(ONSET), WINDOW.end)) == []


BAD = {
    "nan only": (T, np.full(len(T), np.nan)),
    "infinite": (T, np.where(np.arange(len(T)) % 3, np.inf, -np.inf)),
    "one point": (T[:1], np.array([4.0])),
    "no point": (T[:0], T[:0]),
    "constant": (T, np.full(len(T), 7.0)),
    "gaps": (T[np.arange(len(T)) % 17 < 3], np.arange(len(T))[np.arange(len(T)) % 17 < 3].astype(float)),
    "resets": (T, (np.arange(len(T)) % 40).astype(float)),
    "huge": (T, np.where(T > ONSET, 1e300, -1e300)),
    "backwards": (T[::-1], np.arange(len(T)).astype(float)),
    "doubled": (np.repeat(T, 2), np.arange(2 * len(T)).astype(float)),
    "skewed": (T + 3600.0, np.arange(len(T)).astype(float)),
    "lengths differ": (T, np.arange(len(T) // 2).astype(float)),
}


@pytest.mark.parametrize("name", sorted(BAD))
@pytest.mark.parametrize("role", ["gauge", "age", "expiry", "latency.p95", "requests", "up", "saturation"])
def test_bad_series_beside_a_fault_do_not_hide_it(name: str, role: str) -> None:
    seen = Shop().fail({"issuer": "i2"}, 0.8, "91").observations()
    odd = gauge("M9", "odd_metric", [({"service": "core"}, *BAD[name])], role=role)
    found = analyse(replace(seen, metrics=(*seen.metrics, odd)))
    assert found.hypotheses and "i2" in [h.entity for h in found.hypotheses[:3]]


def test_unordered_and_doubled_log_lines_change_nothing() -> None:
    shop = Shop().fail({"issuer": "i2"}, 0.8, "91").say("link", "no answer issuer=i2 stan=#", 60)
    seen = shop.observations()
    log = seen.logs[0]
    mixed = replace(log, lines=tuple(reversed((*log.lines, *log.lines))))
    one, two = analyse(seen), analyse(replace(seen, logs=(mixed,)))
    assert [h.entity for h in one.hypotheses] == [h.entity for h in two.hypotheses]
    assert [p.count for p in one.findings.patterns] == [p.count for p in two.findings.patterns]


def test_a_log_clock_that_is_a_minute_off_leaves_the_cause() -> None:
    shop = Shop().fail({"issuer": "i2"}, 0.8, "91").say("link", "no answer issuer=i2 stan=#", 60)
    seen = shop.observations()
    late = tuple(replace(line, t=line.t + 60.0) for line in seen.logs[0].lines)
    found = analyse(replace(seen, logs=(replace(seen.logs[0], lines=late),)))
    assert found.hypotheses[0].entity == "i2"
    assert found.findings.onset is not None and abs(found.findings.onset.at - ONSET) <= 60


def test_ten_thousand_series_are_read() -> None:
    rng = np.random.default_rng(5)
    v = rng.normal(1.0, 0.1, (10_000, len(T)))
    v[4321] += 30.0 * (T >= ONSET)
    many = gauge("M9", "pool_depth", [({"service": f"s{i}"}, T, v[i]) for i in range(10_000)], role="queue")
    seen = Shop().observations()
    found = analyse(replace(seen, metrics=(many,)))
    assert found.findings.shifts[0].entity == "s4321"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=60), st.integers(0, 3))
def test_any_numbers_are_survived(values: list[float], shuffle: int) -> None:
    t = START + STEP * np.arange(len(values)) * (1 if shuffle % 2 else -1)
    odd = gauge("M9", "odd", [({"service": "core"}, t, np.array(values, dtype=np.float64))])
    seen = Shop().observations(metrics=False)
    assert analyse(replace(seen, metrics=(odd,))).findings.health in {"healthy", "failing", "recovered", "unknown"}
