"""The analyst over a whole shop: causes, verdicts, health, and what must not change them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from assistant.analysis import Analysis, analyse
from assistant.core.evidence import Gap
from assistant.core.incident import Incident
from assistant.core.time import Instant, Window
from tests.analysis.shop import BASELINE, ONSET, START, WINDOW, Names, Shop

OTHER = Names(
    issuers=("zq-11", "zq-12", "zq-13", "zq-14"),
    acquirers=("route-x", "route-y"),
    schemes=("visa", "mastercard"),
    services=("svc-9f", "svc-2c", "svc-77", "svc-d0"),
    labels=("lbl_a", "lbl_b", "lbl_c", "lbl_d"),
)


def issuer_down(names: Names | None = None, **more: float) -> Shop:
    shop = Shop(names=names or Names(), **more)  # type: ignore[arg-type]
    issuer, link = shop.names.issuers[1], shop.names.services[2]
    shop.fail({shop.names.labels[0]: issuer}, 0.8, "91")
    return shop.say(link, f"issuer host does not answer issuer={issuer} stan=# rc=91", 120)


def top(analysis: Analysis) -> tuple[str, str]:
    assert analysis.hypotheses, "no hypothesis"
    return analysis.hypotheses[0].entity, analysis.hypotheses[0].kind


def test_an_issuer_that_fails_over_every_acquirer_is_named() -> None:
    found = analyse(issuer_down().observations())
    assert top(found) == ("i2", "issuer_outage")
    assert found.hypotheses[0].fault == "theirs"
    assert found.hypotheses[0].verdict == "confirmed"
    assert found.findings.health == "failing" and found.status == "open"
    assert found.findings.onset is not None and abs(found.findings.onset.at - ONSET) <= 60
    assert any("cannot be observed from here" in line for line in found.not_known)


def test_an_issuer_that_fails_over_one_acquirer_only_is_not_blamed() -> None:
    shop = Shop().fail({"issuer": "i2", "acquirer": "a1"}, 0.9, "91")
    assert top(analyse(shop.observations()))[0] == "a1"


def test_a_change_that_names_the_failing_route_beats_the_partner() -> None:
    shop = Shop().fail({"issuer": "i2", "acquirer": "a1"}, 0.9, "91")
    shop.say("link", "host link refused acquirer=a1 stan=# link=host-9", 80)
    shop.change("link", "c0ffee1", "move ranges of i2 to host-9", before=60, diff="- i2: host-1\n+ i2: host-9")
    shop.change("books", "c0ffee2", "larger batches", before=20)
    found = analyse(shop.observations())
    assert top(found)[0] == "link" and found.hypotheses[0].change == "c0ffee1"
    assert found.hypotheses[0].fault == "ours"


def test_a_near_change_that_has_nothing_to_do_with_it_is_not_blamed() -> None:
    shop = issuer_down()
    shop.change("books", "dec0de1", "larger batches", before=30).change("edge", "dec0de2", "new logo", before=5)
    assert analyse(shop.observations()).hypotheses[0].change == ""


def test_a_change_after_the_onset_is_never_blamed() -> None:
    shop = issuer_down().change("link", "1a7e000", "issuer i2 host", before=-300)
    assert all(h.change != "1a7e000" for h in analyse(shop.observations()).hypotheses)


def test_a_service_is_the_cause_and_its_callers_are_victims() -> None:
    shop = Shop(latency={"link": 3.0, "core": 3.0, "edge": 3.0}, errors={"link": 0.3, "core": 0.3, "edge": 0.3})
    shop.fail({}, 0.4, "96").say("link", "connection pool exhausted, # waiting", 90)
    found = analyse(shop.observations())
    assert top(found) == ("link", "pool_exhausted")
    victims = {h.entity: h for h in found.hypotheses[1:]}
    assert all(h.verdict != "confirmed" for h in victims.values())


def test_two_faults_give_two_causes() -> None:
    shop = Shop(rate=30).fail({"issuer": "i1"}, 0.8, "91").fail({"acquirer": "a2", "scheme": "mastercard"}, 0.8, "96")
    found = analyse(shop.observations())
    named = [h.entity for h in found.hypotheses[:3]]
    assert "i1" in named and "a2" in named
    assert {h.verdict for h in found.hypotheses if h.entity in {"i1", "a2"}} <= {"likely", "confirmed"}


def test_a_healthy_shop_has_no_cause() -> None:
    found = analyse(Shop().observations())
    assert found.findings.health == "healthy" and found.status == "nothing wrong now"
    assert found.hypotheses == () and found.findings.onset is None and found.findings.impact is None
    assert found.severity == "low" and found.evidence_texts


def test_what_ended_is_called_recovered() -> None:
    found = analyse(issuer_down(until=ONSET + 240).observations())
    assert found.findings.health == "recovered" and found.status == "nothing wrong now"
    assert top(found)[0] == "i2"


def test_a_missing_source_lowers_the_verdict_and_is_named() -> None:
    gap = Gap("loki", "connection refused")
    found = analyse(issuer_down().observations(gaps=[gap], logs=False))
    assert found.hypotheses[0].entity == "i2" and found.hypotheses[0].verdict == "likely"
    assert any("loki" in line for line in found.not_known)


def test_without_metrics_the_logs_still_speak() -> None:
    gap = Gap("prometheus", "timed out")
    found = analyse(issuer_down().observations(gaps=[gap], metrics=False))
    assert found.findings.health == "failing"
    assert all(h.verdict != "confirmed" for h in found.hypotheses)
    assert any("prometheus" in line for line in found.not_known)


def test_without_anything_the_health_is_unknown() -> None:
    found = analyse(Shop().observations(metrics=False, logs=False))
    assert found.findings.health == "unknown" and found.hypotheses == ()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_names_give_the_same_result(seed: int) -> None:
    one = analyse(issuer_down(seed=seed).observations())
    two = analyse(issuer_down(OTHER, seed=seed).observations())
    assert (one.hypotheses[0].entity, two.hypotheses[0].entity) == ("i2", "zq-12")
    assert one.hypotheses[0].kind == two.hypotheses[0].kind
    assert one.hypotheses[0].verdict == two.hypotheses[0].verdict
    assert one.hypotheses[0].confidence == pytest.approx(two.hypotheses[0].confidence, abs=0.02)
    assert one.findings.onset is not None and two.findings.onset is not None
    assert one.findings.onset.at == two.findings.onset.at
    assert [len(h.supports) for h in one.hypotheses[:1]] == [len(h.supports) for h in two.hypotheses[:1]]


def late(incident: Incident, seconds: float) -> Incident:
    """The same incident with its alert, and so its windows, late by some seconds."""
    window = Window(Instant(WINDOW.start + seconds), WINDOW.end)
    return replace(incident, window=window, baseline=Window(BASELINE.start, window.start))


@pytest.mark.parametrize("seconds", [60.0, 120.0, 660.0])
def test_a_late_alert_changes_neither_cause_nor_onset(seconds: float) -> None:
    """At 660 s the window starts a minute after the onset, which then lies in the baseline."""
    seen = issuer_down().observations()
    found = analyse(replace(seen, incident=late(seen.incident, seconds)))
    assert top(found) == ("i2", "issuer_outage")
    assert found.findings.onset is not None and abs(found.findings.onset.at - ONSET) <= 60


def test_every_number_of_a_reason_stands_in_its_evidence() -> None:
    shop = issuer_down().change("link", "abc1234", "issuer i2 host", before=60)
    found = analyse(shop.observations())
    for h in found.hypotheses:
        for reason in (*h.supports, *h.against):
            text = "\n".join(found.evidence_texts[e][0] for e in reason.evidence if e in found.evidence_texts)
            missing = [n for n in re.findall(r"\d+(?:\.\d+)?", reason.text) if n not in text]
            assert not missing, (reason.text, missing)


def test_the_facts_are_json() -> None:
    found = analyse(issuer_down().observations())
    json.dumps({k: facts for k, (_, facts) in found.evidence_texts.items()}, default=float)


def test_charts_show_the_failing_part_beside_the_rest() -> None:
    charts = analyse(issuer_down().observations()).findings.charts
    assert charts and set(charts[0].series) == {"all", "issuer=i2", "the rest"}
    rates = charts[0].series["issuer=i2"]
    after = charts[0].t > ONSET + 60
    assert np.nanmean(rates[after]) < 0.3 < 0.8 < np.nanmean(rates[charts[0].t < ONSET])


def test_more_traffic_with_the_usual_approvals_is_nothing_wrong() -> None:
    seen = Shop().observations()
    joint = seen.metrics[0]
    more = tuple(replace(s, v=np.where(s.t >= ONSET, s.v * 2.5, s.v)) for s in joint.series)
    found = analyse(replace(seen, metrics=(replace(joint, series=more), *seen.metrics[1:])))
    assert found.findings.health == "healthy"


def test_baseline_without_data_is_no_fault() -> None:
    seen = Shop().observations()
    cut = tuple(
        replace(m, series=tuple(replace(s, t=s.t[s.t >= START + 3900], v=s.v[s.t >= START + 3900]) for s in m.series))
        for m in seen.metrics
    )
    assert analyse(replace(seen, metrics=cut)).hypotheses == ()
