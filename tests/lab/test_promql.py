"""The lab's PromQL: rendered so that a parser accepts it, computed as the rules of Prometheus say."""

from __future__ import annotations

import numpy as np
import promql_parser
import pytest

from evals.lab import naming, rulebook
from evals.lab.alerts import fingerprint, humanize
from evals.lab.promql import (
    Aggregate,
    Binary,
    Now,
    Number,
    Quantile,
    Rate,
    Samples,
    Select,
    evaluate,
    rate,
    render,
    span,
)

T = np.arange(100.0, 400.0, 15.0)
AT = np.array([391.0])


def one(values: np.ndarray, seconds: float = 300.0, at: np.ndarray = AT) -> float:
    return float(rate(T, values[None, :], at, seconds)[0, 0])


def test_a_steady_counter_has_its_slope() -> None:
    assert one(1000 + 2.0 * (T - T[0])) == pytest.approx(2.0, rel=0.06)


def test_a_reset_is_no_fall() -> None:
    values = 1000 + 2.0 * (T - T[0])
    values[10:] -= values[10]
    assert one(values) == pytest.approx(2.0, rel=0.12)


def test_a_young_counter_is_not_drawn_out_before_zero() -> None:
    """extrapolatedRate stops at the moment where the counter would have been zero."""
    values = np.full(len(T), np.nan)
    values[-3:] = [1.0, 31.0, 61.0]
    # 60 in 30 s; before the first sample only half a second would have been needed to count 1
    assert one(values) == pytest.approx(60 * (30 + 0.5 + 6) / 30 / 300)


def test_one_sample_has_no_rate() -> None:
    values = np.full(len(T), np.nan)
    values[-1] = 5.0
    assert np.isnan(one(values))


def test_a_quantile_lies_inside_its_bucket() -> None:
    table = {"d_bucket": (tuple((("le", le),) for le in ("1", "2", "+Inf")), np.array([[10.0], [30.0], [40.0]]))}
    samples = Samples(np.array([0.0]), table)
    assert evaluate(Quantile(0.5, Select("d_bucket")), samples, np.array([1.0])).values[0, 0] == pytest.approx(1.5)
    assert evaluate(Quantile(0.99, Select("d_bucket")), samples, np.array([1.0])).values[0, 0] == 2.0


def test_matching_comparing_and_and() -> None:
    labels = ((("__name__", "m"), ("a", "x")), (("__name__", "m"), ("a", "y")))
    samples = Samples(np.array([0.0]), {"m": (labels, np.array([[1.0], [5.0]]))})
    at = np.array([1.0])
    big = evaluate(Binary(">", Select("m"), Number(2)), samples, at)
    assert [v for v in big.values[:, 0] if v == v] == [5.0]
    both = evaluate(Binary("and", Select("m"), Binary(">", Select("m"), Number(2))), samples, at)
    assert [v for v in both.values[:, 0] if v == v] == [5.0]
    assert evaluate(Aggregate("sum", (), Select("m")), samples, at).values[0, 0] == 6.0
    assert evaluate(Binary("-", Now(), Select("m", (("a", "=", "x"),))), samples, at).values[0, 0] == 0.0


def test_a_sample_goes_stale_after_five_minutes() -> None:
    samples = Samples(np.array([0.0]), {"m": (((("__name__", "m"),),), np.array([[1.0]]))})
    values = evaluate(Select("m"), samples, np.array([299.0, 301.0])).values[0]
    assert values[0] == 1.0
    assert np.isnan(values[1])


@pytest.mark.parametrize("name", naming.names())
def test_every_rule_in_every_naming_parses(name: str) -> None:
    for rule in rulebook.RULES:
        promql_parser.parse(render(naming.load(name).express(rule.expr)))


def test_brackets_stand_where_they_change_the_meaning() -> None:
    a, b, c = Select("a"), Select("b"), Select("c")
    assert render(Binary("-", a, Binary("-", b, c))) == "a - (b - c)"
    assert render(Binary("/", Binary("+", a, b), c)) == "(a + b) / c"
    assert render(Binary("-", Number(1), Binary("/", a, b))) == "1 - a / b"
    assert render(Rate(Select("a", (("x", "=", "1"),), 3600), 300)) == 'rate(a{x="1"}[5m] offset 1h)'
    assert (span(90), span(7200), span(86400)) == ("90s", "2h", "1d")


def test_milliseconds_scale_the_threshold_too() -> None:
    rule = rulebook.BY_NAME["AcquirerLatencyHigh"]
    assert render(naming.load("plain").express(rule.expr)).endswith("> 2.5")
    assert render(naming.load("terse").express(rule.expr)).endswith("> 2500")


def test_fingerprints_and_numbers_as_the_servers_write_them() -> None:
    """Both were read off real answers of Alertmanager 0.25 and Prometheus 2.42 (evals/worlds/first)."""
    labels = {
        "acquirer": "vela",
        "alertname": "AcquirerLatencyHigh",
        "service": "acquirer-connector",
        "severity": "warning",
        "team": "acquirer",
    }
    assert fingerprint(labels) == "53e00e7212d53907"
    assert (humanize(1234.5), humanize(0.0), humanize(0.0123)) == ("1.234k", "0", "12.3m")
