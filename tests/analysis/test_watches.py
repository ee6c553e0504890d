"""Warnings that pass their threshold while nothing fails, and those beside which something does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from assistant.analysis import analyse
from assistant.analysis.analyst import Analysis
from assistant.core.alert import Alert, Rule, frozen
from assistant.core.evidence import Floats, MetricEvidence
from assistant.core.time import Instant
from tests.analysis.shop import ONSET, START, STEP, Shop, gauge

T = np.arange(START, START + 4800.0, STEP)
DISK = Rule("DiskAlmostFull", "max by (service) (disk_used) > 0.9", 120.0)
FLEET = Rule("FleetOffline", "sum by (region) (online) / sum by (region) (online offset 1h) < 0.85", 120.0)


def ramp(begin: float, seconds: float, low: float, high: float) -> Floats:
    noise = np.random.default_rng(5).normal(0.0, 0.001 * high, len(T))
    return low + noise + (high - low) * np.clip((T - begin) / seconds, 0.0, 1.0)


def note(
    shop: Shop, rule: Rule, series: Sequence[MetricEvidence], *, severity: str = "warning", **labels: str
) -> Analysis:
    """What is said of a shop whose only alert is `rule` over one more measure."""
    alert = Alert("g", frozen({"alertname": rule.name, "severity": severity, **labels}), {}, Instant(ONSET + 300))
    seen = shop.observations()
    incident = replace(seen.incident, alerts=(alert,), rules=(rule,))
    return analyse(replace(seen, incident=incident, metrics=(*seen.metrics, *series)))


def disk(v: Floats, service: str = "books", t: Floats = T) -> MetricEvidence:
    return gauge("M8", "disk_used", [({"service": service}, t, v)], role="saturation")


def test_what_has_come_to_rest_a_little_over_its_limit_is_no_failure() -> None:
    rested = ramp(ONSET - 480.0, 900.0, 0.45, 0.932)  # a plateau three minutes old
    found = note(Shop(), DISK, [disk(rested)], service="books")
    assert found.findings.health == "healthy" and found.hypotheses == ()


def test_what_goes_on_rising_over_its_limit_is_a_failure() -> None:
    found = note(Shop(), DISK, [disk(ramp(ONSET - 480.0, 1200.0, 0.45, 0.96))], service="books")
    assert found.findings.health == "failing" and found.hypotheses[0].entity == "books"


def test_a_watch_that_was_never_seen_below_its_limit_is_held_against_the_limit_itself() -> None:
    late = T[T >= ONSET - 300.0]
    found = note(Shop(), DISK, [disk(np.full(len(late), 0.92), t=late)], service="books")
    assert found.findings.health == "healthy"


def test_a_service_whose_lines_say_what_does_not_work_fails_though_only_a_watch_fired() -> None:
    still = disk(np.full(len(T), 0.92))
    waiting = gauge("M9", "reviews_waiting", [({"service": "link"}, T, ramp(ONSET, 900.0, 20.0, 70.0))], role="queue")
    quiet = note(Shop(), DISK, [still, waiting], service="books")
    assert quiet.findings.health == "healthy"
    said = note(Shop().say("link", "screening provider not reached #", 60), DISK, [still, waiting], service="books")
    assert said.findings.health == "failing" and said.hypotheses[0].entity == "link"
    assert said.findings.onset is not None and abs(said.findings.onset.at - ONSET) <= 60.0


@pytest.mark.parametrize(("left", "health"), [(0.78, "failing"), (0.97, "healthy")])
def test_a_rule_over_what_was_before_says_how_much_matters(left: float, health: str) -> None:
    rows = [
        ({"service": "link", "region": r}, T, ramp(ONSET, 60.0, 5000.0, 5000.0 * x))
        for r, x in (("eu", left), ("us", 1.0))
    ]
    fleet = gauge("M8", "online", rows)
    found = note(Shop(), FLEET, [fleet], severity="critical", region="eu")
    assert found.findings.health == health
