"""Who is suspected: whose failures account for a loss, and what has nothing to do with the alert."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assistant.analysis import analyse
from assistant.core.alert import Alert, Rule, frozen
from assistant.core.evidence import Floats, MetricEvidence, Topology
from assistant.core.query import Rate, Select, Sum
from assistant.core.time import Instant
from tests.analysis.shop import ONSET, START, STEP, Shop, gauge

T = np.arange(START, START + 4800.0, STEP)
BACKLOG = Rule("Backlog", "max by (service) (waiting) > 50", 120.0)


def step(low: float, high: float, since: float = ONSET) -> Floats:
    return np.random.default_rng(4).normal(1.0, 0.02, len(T)) * np.where(since <= T, high, low)


def authentications(extra: float) -> MetricEvidence:
    """Failed authentications by who was asked: one of three fails `extra` per second more since the onset."""
    rows = [
        ({"service": "edge", "acs": a}, T, step(0.02, 0.02 + x)) for a, x in (("s1", extra), ("s2", 0.0), ("s3", 0.0))
    ]
    made = gauge("M8", "authentication_errors_total", rows, role="errors")
    return replace(made, query=Sum(Rate(Select("authentication_errors_total"), 60), ("service", "acs")), unit="per s")


@pytest.mark.parametrize(("extra", "entity"), [(1.8, "s1"), (0.2, "i2")])
def test_a_party_whose_failures_account_for_the_loss_is_suspected_before_a_scope(extra: float, entity: str) -> None:
    """Two issuers' cards are looked after by the same party: some 1.9 of 12 payments per second are lost, in neither
    issuer alone."""
    shop = Shop().fail({"issuer": "i2"}, 0.45, "1A").fail({"issuer": "i3"}, 0.25, "1A")
    seen = shop.observations()
    labels = {**seen.payments.labels, "acs": replace(seen.payments.labels["issuer"], role="acs", label="acs")}
    seen = replace(
        seen, payments=replace(seen.payments, labels=labels), metrics=(*seen.metrics, authentications(extra))
    )
    found = analyse(seen)
    assert found.hypotheses[0].entity == entity
    reasons = [r.text for h in found.hypotheses for r in (*h.supports, *h.against)]
    assert any("approvals per s are missing" in r for r in reasons) is (entity == "s1")


def backlog(*edges: tuple[str, str]) -> list[str]:
    """Whom a backlog of `books` is ascribed to where `link` warns of its clock at the same time; `core` is as usual."""
    seen = Shop().say("link", "clock drifts #", 60).say("books", "entries are waiting #", 20).observations()
    alert = Alert(
        "g", frozen({"alertname": "Backlog", "severity": "critical", "service": "books"}), {}, Instant(ONSET + 300)
    )
    waiting = gauge("M8", "waiting", [({"service": "books"}, T, step(20.0, 90.0))], role="queue")
    clock = gauge("M9", "clock_offset_seconds", [({"service": "link"}, T, step(0.01, 1.5))])
    seen = replace(
        seen,
        incident=replace(seen.incident, alerts=(alert,), rules=(BACKLOG,)),
        topology=Topology(seen.topology.services, edges),
        metrics=(*seen.metrics, waiting, clock),
    )
    against = {h.entity: [r.text for r in h.against] for h in analyse(seen).hypotheses}
    return against.get("link", [])


def test_what_nothing_that_moved_connects_with_the_alert_is_another_matter() -> None:
    apart = "nothing that moved lies between it and what the alert fired for"
    assert apart in backlog(("books", "core"), ("core", "link"))
    assert apart not in backlog(("books", "link"))
    assert apart not in backlog(("link", "books"))
