"""Since when, and what sort of failure: what moved first, what followed, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.analysis.begins import fit
from assistant.analysis.dimensions import families
from assistant.analysis.kinds import kind_of, loss_kind
from assistant.analysis.logs import complaint
from assistant.analysis.rates import still
from assistant.core.evidence import Topology

T = np.arange(0.0, 5400.0, 15.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ramp", [1.0, 120.0, 480.0])
def test_a_step_and_a_ramp_are_traced_to_where_they_began(seed: int, ramp: float) -> None:
    noise = np.random.default_rng(seed).normal(0.0, 0.02, len(T))
    v = 0.1 + noise + 0.4 * np.clip((T - 3600.0) / ramp, 0.0, 1.0)
    found = fit(T, v, 3700.0, 1)
    assert found is not None and abs(found - 3600.0) <= 60.0


def test_a_chance_event_shortly_before_does_not_move_the_onset() -> None:
    v = np.where(T >= 3600.0, 0.5, 0.0) + np.where((T >= 3420.0) & (T < 3450.0), 0.3, 0.0)
    found = fit(T, v, 3420.0, 1)
    assert found is not None and abs(found - 3600.0) <= 30.0


def test_what_is_over_does_not_hide_where_it_began() -> None:
    v = np.where((T >= 3600.0) & (T < 4500.0), 0.5, 0.0)
    found = fit(T, v, 3600.0, 1)
    assert found is not None and abs(found - 3600.0) <= 30.0


def test_too_little_says_nothing() -> None:
    assert fit(T[:8], np.ones(8), 60.0, 1) is None
    assert fit(T, np.full(len(T), np.nan), 3600.0, 1) is None
    assert fit(T, np.zeros(len(T)), 3600.0, 1) is None


@pytest.mark.parametrize(
    ("votes", "losing", "kind"),
    [
        ({"acquirer_outage": 2.0, "certificate_expired": 0.8}, True, "certificate_expired"),
        ({"acquirer_outage": 2.0, "traffic_surge": 2.4}, True, "acquirer_outage"),
        ({"traffic_surge": 2.0}, False, "traffic_surge"),
        ({"acs_outage": 2.5, "clock_skew": 1.4}, False, "clock_skew"),
        ({"service_fault": 1.0, "bad_deploy": 0.05}, False, "service_fault"),
        ({}, False, "service_fault"),
    ],
)
def test_what_it_comes_from_is_said_before_how_it_shows(votes: dict[str, float], losing: bool, kind: str) -> None:
    assert kind_of(votes, losing=losing) == kind


@pytest.mark.parametrize(
    ("dimension", "codes", "swelling", "kind"),
    [
        ("scheme", {"96": 90.0, "91": 10.0}, False, "scheme_outage"),
        ("scheme", {"57": 90.0}, False, "issuer_declines"),
        ("scheme", {"14": 60.0, "82": 30.0, "05": 10.0}, True, "card_testing"),
        ("scheme", {"14": 60.0, "82": 30.0, "05": 10.0}, False, "scheme_outage"),
        ("currency", {"91": 90.0}, False, "issuer_outage"),
        ("currency", {"65": 80.0, "61": 5.0}, False, "sca_soft_declines"),
        ("region", {"not_permitted": 50.0}, False, "issuer_declines"),
        ("acquirer", {"96": 50.0}, False, "acquirer_outage"),
    ],
)
def test_the_codes_of_a_loss_say_what_sort_it_is(
    dimension: str, codes: dict[str, float], swelling: bool, kind: str
) -> None:
    assert loss_kind(dimension, families(codes), swelling=swelling)[0] == kind


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("endpoint answered 403", "provider"),
        ("sanctions list provider not reached", "provider"),
        ("panic recovered: no route for BIN range", "config"),
        ("panic: nil map", "crash"),
        ("403 forbidden", "denied"),
    ],
)
def test_complaints_are_told_apart(line: str, kind: str) -> None:
    assert complaint(line) == kind


def test_a_quiet_minute_of_few_payments_is_no_recovery() -> None:
    attempts = np.full(60, 2.0)
    declined = np.concatenate([np.full(20, 0.2), np.full(38, 0.6), np.full(2, 0.2)])
    assert still(declined, attempts, 0.1, 0.3, 15.0)
    assert not still(np.concatenate([declined[:-2], np.full(40, 0.2)]), np.full(98, 2.0), 0.1, 0.3, 15.0)


def test_what_a_service_depends_on_is_reached_through_others() -> None:
    calls = Topology(("a", "b", "c", "d"), (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")))
    assert calls.reached(["a"]) == {"a", "b", "c"}
    assert calls.reached([]) == frozenset()
