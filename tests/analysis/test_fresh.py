"""Whether it is over: rates look back for a minute, and what has come in since is told apart from what they hold."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.analysis.fresh import look_of, newest, over
from assistant.core.evidence import Floats
from assistant.core.query import Max, Query, Rate, Ratio, Select, Sum

LOOK, STEP = 3, 15.0


def rate(counts: Floats) -> Floats:
    """Counts per instant as a rate over `LOOK` instants says them, per second."""
    return np.convolve(counts, np.ones(LOOK), "full")[: len(counts)] / (LOOK * STEP)


def payments(seed: int, *, failing: Floats, each: float = 80.0) -> tuple[Floats, Floats]:
    """(failed, all) payments as rates, where a share `failing` (T,) of each instant's fails."""
    rng = np.random.default_rng(seed)
    many = rng.poisson(each, len(failing)).astype(np.float64)
    bad = rng.binomial(many.astype(int), failing).astype(np.float64)
    return rate(bad), rate(many)


def ended(seed: int, *, ago: int, share: float = 0.7, each: float = 80.0) -> bool:
    failing = np.full(60, share)
    failing[len(failing) - ago :] = 0.13
    bad, whole = payments(seed, failing=failing, each=each)
    return over(bad, whole, usual=0.13, during=share, look=LOOK, step=STEP)


def test_an_end_is_told_before_the_rate_has_forgotten_the_fault() -> None:
    assert all(ended(seed, ago=2) for seed in range(60))
    half_way = rate(np.where(np.arange(60) < 58, 56.0, 10.0))
    assert half_way[-1] > 0.4 * half_way[50]  # the rate itself is not back yet


def test_what_goes_on_is_not_called_over() -> None:
    assert not any(ended(seed, ago=0) for seed in range(300))


def test_what_fails_by_fits_and_starts_is_not_called_over_in_a_quiet_minute() -> None:
    spells = np.where((np.arange(60) // 4) % 2 == 0, 0.7, 0.13)
    assert spells[-1] == spells[-2] == 0.7
    for quiet in (spells[:-4], np.append(spells, [0.13, 0.13])):
        bad, whole = payments(1, failing=quiet)
        assert quiet[-1] == 0.13 and not over(bad, whole, usual=0.13, during=0.45, look=LOOK, step=STEP)


def test_a_few_payments_tell_no_end() -> None:
    assert not any(ended(seed, ago=1, share=0.3, each=4.0) for seed in range(100))


@pytest.mark.parametrize("length", [0, 3, 14])
def test_a_short_fault_has_no_history_to_tell_its_end_from(length: int) -> None:
    bad, whole = payments(1, failing=np.full(length, 0.13)) if length else (np.zeros(0), np.zeros(0))
    assert not over(bad, whole, usual=0.13, during=0.7, look=LOOK, step=STEP)


def test_counts_alone_tell_an_end_too() -> None:
    counts = np.random.default_rng(3).poisson(np.where(np.arange(60) < 58, 50.0, 0.5)).astype(np.float64)
    assert over(rate(counts), None, usual=0.0, during=50.0 / STEP, look=LOOK, step=STEP)
    assert not over(rate(counts[:58]), None, usual=0.0, during=50.0 / STEP, look=LOOK, step=STEP)


def test_the_newest_part_of_a_steady_rate_is_that_rate() -> None:
    steady = np.full(10, 4.0)
    assert np.allclose(newest(steady, LOOK, 1)[1:], 4.0) and np.isnan(newest(steady, LOOK, 1)[0])
    assert np.isnan(newest(steady[:2], LOOK, 3)).all()


@pytest.mark.parametrize(
    ("query", "look"),
    [
        (Sum(Rate(Select("x"), 60), ("a",)), 3),
        (Ratio(Sum(Rate(Select("x"), 120)), Sum(Rate(Select("y"), 120))), 7),
        (Max(Select("x")), 0),
        (Rate(Select("x"), 15), 1),
    ],
)
def test_how_far_a_query_looks_back(query: Query, look: int) -> None:
    assert look_of(query, STEP) == look
    assert look_of(query, 0.0) == 0
