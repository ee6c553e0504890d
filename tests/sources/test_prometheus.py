"""The Prometheus source against a real one: the same numbers as a world, found without configuration, within budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.core.evidence import Series
from assistant.core.query import Matcher, Query, Rate, Select, Sum, TopK
from assistant.core.time import Instant, Window
from assistant.errors import SourceMalformed, SourceTooLarge
from assistant.ports import MetricSource
from assistant.settings import Endpoint
from assistant.sources.budget import Budget
from assistant.sources.evaluate import Samples, evaluate
from assistant.sources.prometheus import Prometheus
from redaction import Redactor
from tests.sources.servers import needs, prometheus
from tests.sources.test_evaluate import AUTH, QUERIES, STEP, WINDOW, history
from tests.sources.worlds import PAN

pytestmark = [pytest.mark.live, needs("prometheus", "promtool")]
RULE = {"alert": "Declines", "expr": 'rate(auth_total{result="declined"}[5m]) > 0.1', "for": "2m"}
Key = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("prometheus")
    (home / "rules.yml").write_text(json.dumps({"groups": [{"name": "payments", "rules": [RULE]}]}))
    many = tuple(
        Series(
            {"__name__": "wide_total", "n": f"n{i}"}, WINDOW.start + 15.0 * np.arange(440), np.arange(440) * (i + 1.0)
        )
        for i in range(60)
    )
    card = Series({"__name__": "seen_total", "holder": f"card {PAN}"}, many[0].t, many[0].v)
    config: dict[str, Any] = {"rule_files": [str(home / "rules.yml")]}
    with prometheus(home, config=config, history=(*history(), *many, card)) as url:
        yield url


@pytest.fixture
def source(url: str) -> Prometheus:
    return Prometheus.from_settings(Endpoint(url=url), redactor=Redactor.default())


def limited(url: str, **limits: int) -> Prometheus:
    return Prometheus.from_settings(Endpoint(url=url, **limits), redactor=Redactor.default())  # type: ignore[arg-type]


def keyed(series: tuple[Series, ...]) -> dict[Key, Series]:
    return {tuple(sorted(s.labels.items())): s for s in series}


@pytest.mark.parametrize("name", QUERIES)
def test_it_answers_as_a_world_does(name: str, source: MetricSource) -> None:
    raw = Samples.of(Series(s.labels, s.t[~np.isnan(s.v)], s.v[~np.isnan(s.v)]) for s in history())
    ours = keyed(evaluate(QUERIES[name], raw, window=WINDOW, step=STEP))
    found, dropped = source.range(QUERIES[name], window=WINDOW, step=STEP)
    theirs = keyed(found)
    assert dropped == 0 and ours.keys() == theirs.keys()
    for labels, series in theirs.items():
        np.testing.assert_allclose(series.t, ours[labels].t)
        np.testing.assert_allclose(series.v, ours[labels].v, rtol=1e-9, atol=1e-12)


TOPS: dict[str, Query] = {
    "raw": TopK(3, Rate(AUTH, 300)),
    "sum": TopK(2, Sum(Rate(AUTH, 300), ("issuer",))),
    "ratio": TopK(2, QUERIES["ratio left"]),
    "select": TopK(1, Select("queue_depth")),
    "quantile": TopK(1, QUERIES["quantile"]),
    "more than there are": TopK(50, Sum(Rate(AUTH, 300), ("issuer",))),
}


@pytest.mark.parametrize("name", TOPS)
def test_the_largest_by_mean_are_those_of_a_world(name: str, source: Prometheus) -> None:
    raw = Samples.of(Series(s.labels, s.t[~np.isnan(s.v)], s.v[~np.isnan(s.v)]) for s in history())
    ours = keyed(evaluate(TOPS[name], raw, window=WINDOW, step=STEP))
    found, _ = source.range(TOPS[name], window=WINDOW, step=STEP)
    assert ours.keys() == keyed(found).keys()
    for labels, series in keyed(found).items():
        np.testing.assert_allclose(series.v, ours[labels].v, rtol=1e-9, atol=1e-12)


def test_over_the_series_budget_the_largest_are_kept_and_the_rest_counted(url: str) -> None:
    found, dropped = limited(url, max_series=10).range(Rate(Select("wide_total"), 300), window=WINDOW, step=STEP)
    assert {s.labels["n"] for s in found} == {f"n{i}" for i in range(50, 60)}
    assert dropped == 50


def test_over_the_point_budget_the_step_is_raised(url: str) -> None:
    (found,), _ = limited(url, max_points=20).range(Sum(Rate(AUTH, 300)), window=WINDOW, step=STEP)
    assert len(found.t) <= 20
    assert np.diff(found.t).min() % STEP == 0


def test_too_many_raw_series_fail_closed(url: str) -> None:
    with pytest.raises(SourceTooLarge, match="raw series"):
        limited(url, max_series=1).range(Sum(Rate(Select("wide_total"), 300)), window=WINDOW, step=STEP)


def test_the_range_cap_fails_closed(url: str) -> None:
    with pytest.raises(SourceTooLarge, match="range"):
        limited(url, max_range_s=600).range(Sum(Rate(AUTH, 300)), window=WINDOW, step=STEP)


def test_a_team_with_a_url_alone_finds_its_metrics(source: Prometheus) -> None:
    found = {m.name: m for m in source.catalogue(WINDOW)}
    assert found["auth_total"].type == "counter" and found["auth_total"].series == 8
    assert found["auth_total"].labels["result"] == ("approved", "declined")
    assert found["latency_bucket"].type == "histogram"
    assert PAN not in str(found)


def test_a_metric_that_went_away_is_still_found(source: Prometheus) -> None:
    early = Window(WINDOW.start, Instant(WINDOW.end + 3600))
    assert "auth_total" in {m.name for m in source.catalogue(early)}


def test_rules_come_with_expression_and_for(source: Prometheus) -> None:
    (rule,) = source.rules()
    assert (rule.name, rule.duration, rule.group) == ("Declines", 120.0, "payments")
    assert "auth_total" in rule.expr


def test_a_redacted_value_can_be_asked_for(source: Prometheus) -> None:
    (info,) = [m for m in source.catalogue(WINDOW) if m.name == "seen_total"]
    (shown,) = info.labels["holder"]
    found, _ = source.range(Select("seen_total", (Matcher("holder", "=", shown),)), window=WINDOW, step=STEP)
    assert [s.labels["holder"] for s in found] == [shown] and PAN not in shown


def test_free_promql_is_answered_within_its_bounds(source: Prometheus) -> None:
    found, _ = source.ask("sum by (issuer) (rate(auth_total[5m])) > 0", window=WINDOW, step=STEP)
    assert {s.labels["issuer"] for s in found} == {"aba", "bcd", "cde", 'q"u\\o'}


FREE = {
    "everything": '{__name__=~".+"}',
    "nothing": "vector(1)",
    "far back": "rate(auth_total[90d])",
    "far offset": "auth_total offset 90d",
    "another time": "auth_total @ 0",
    "fine subquery": "max_over_time(auth_total[1h:1s])",
    "two subqueries": "max_over_time(auth_total[1h:1m]) + max_over_time(auth_total[1h:1m])",
}


@pytest.mark.parametrize("what", FREE)
def test_free_promql_over_its_bounds_is_never_sent(source: Prometheus, what: str) -> None:
    with pytest.raises((SourceTooLarge, SourceMalformed)):
        source.ask(FREE[what], window=WINDOW, step=STEP)
    assert source.session.last() is None


def test_the_servers_own_refusal_quotes_nothing(source: Prometheus) -> None:
    with pytest.raises(SourceMalformed) as caught:
        source.ask("auth_total / on (issuer) auth_total", window=WINDOW, step=STEP)
    assert "issuer" not in str(caught.value)


def test_an_incident_out_of_budget_asks_no_more(source: Prometheus) -> None:
    spent = source.for_incident(redactor=Redactor.default(), budget=Budget(requests=0))
    with pytest.raises(SourceTooLarge, match="used up"):
        spent.range(Sum(Rate(AUTH, 300)), window=WINDOW, step=STEP)
