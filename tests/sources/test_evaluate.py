"""The algebra over raw samples gives the numbers that a real Prometheus gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import requests

from assistant.core.alert import frozen
from assistant.core.evidence import Series
from assistant.core.query import Increase, Matcher, Max, Quantile, Query, Rate, Ratio, Select, Sum
from assistant.core.time import Instant, Window
from assistant.sources.evaluate import Samples, evaluate
from assistant.sources.promql import render
from tests.sources.servers import needs, prometheus

START = 1_795_440_000.0
STEP = 60.0
WINDOW = Window(Instant(START + 600), Instant(START + 7200))


def _series(
    name: str, v: np.ndarray, *, every: float = 15.0, jitter: np.ndarray | None = None, **labels: str
) -> Series:
    t = START + every * np.arange(len(v))
    t = t if jitter is None else np.round(t + jitter, 3)
    return Series(frozen({"__name__": name, **labels}), t, v)


def history() -> tuple[Series, ...]:
    """Counters that reset, start late, stop early and miss scrapes; jittered scrapes; gauges; histograms."""
    rng = np.random.default_rng(7)
    n = 480
    found = []
    for issuer in ("aba", "bcd", "cde", 'q"u\\o'):
        for result in ("approved", "declined"):
            v = np.cumsum(rng.poisson(7 if result == "approved" else 2, n)).astype(float)
            if issuer == "bcd":
                v[200:] -= v[200]  # a restart
            if issuer == "cde":
                v[300:] = np.nan  # it disappears
            if issuer == "aba" and result == "declined":
                v[:150] = np.nan  # it appears late
            v[rng.random(n) < 0.05] = np.nan  # scrapes that failed
            jitter = rng.uniform(-0.5, 0.5, n)
            found.append(_series("auth_total", v, jitter=jitter, issuer=issuer, result=result, instance="a"))
    for queue, level in (("settle", 50.0), ("notify", 5.0), ("idle", 0.0)):
        v = level + (rng.normal(0, 3, n) if level else np.zeros(n))
        v[250:300] = np.nan  # longer than the look-back
        found.append(_series("queue_depth", v, queue=queue))
    for service in ("gateway", "switch"):
        counts = np.cumsum(rng.multinomial(20, [0.4, 0.3, 0.2, 0.1], n), axis=0).cumsum(axis=1).astype(float)
        if service == "switch":
            counts[100:160] = counts[100]  # nothing observed
            counts[60:120, 1] = np.nan  # a bucket that is away for a while
        for b, le in enumerate(("0.1", "0.5", "1.0", "+Inf")):
            found.append(_series("latency_bucket", counts[:, b], service=service, le=le, instance="a"))
            found.append(_series("latency_bucket", counts[:, b] * 2, service=service, le=le, instance="b"))
    return tuple(found)


AUTH = Select("auth_total")
APPROVED = Select("auth_total", (Matcher("result", "=", "approved"),))
BUCKET = Select("latency_bucket")
QUERIES: dict[str, Query] = {
    "select": Select("queue_depth"),
    "select counter": AUTH,
    "matchers": Select("auth_total", (Matcher("issuer", "=~", "a.*|b.d"), Matcher("result", "!=", "declined"))),
    "negative regex": Select("auth_total", (Matcher("issuer", "!~", "a.+"), Matcher("absent", "=", ""))),
    "quoted value": Select("auth_total", (Matcher("issuer", "=", 'q"u\\o'),)),
    "rate": Rate(AUTH, 300),
    "rate short": Rate(AUTH, 40),
    "rate long": Rate(AUTH, 1800),
    "increase": Increase(AUTH, 600),
    "sum all": Sum(Rate(AUTH, 300)),
    "sum by": Sum(Rate(AUTH, 300), ("issuer",)),
    "sum by absent label": Sum(Rate(AUTH, 300), ("issuer", "nothing")),
    "sum of gauge": Sum(Select("queue_depth")),
    "max": Max(Select("queue_depth")),
    "max by": Max(Rate(AUTH, 300), ("result",)),
    "ratio": Ratio(Sum(Rate(APPROVED, 300), ("issuer",)), Sum(Rate(AUTH, 300), ("issuer",))),
    "ratio left": Ratio(Sum(Rate(AUTH, 300), ("issuer", "result")), Sum(Rate(AUTH, 300), ("issuer",))),
    "ratio right": Ratio(Sum(Rate(AUTH, 300), ("issuer",)), Sum(Rate(AUTH, 300), ("issuer", "result"))),
    "ratio of all": Ratio(Sum(Rate(AUTH, 300), ("issuer",)), Sum(Rate(AUTH, 300))),
    "ratio raw": Ratio(Rate(APPROVED, 300), Increase(APPROVED, 300)),
    "ratio with zeros": Ratio(Sum(Select("queue_depth"), ("queue",)), Sum(Select("queue_depth"), ("queue",))),
    "sum of ratio with zeros": Sum(Ratio(Select("queue_depth"), Select("queue_depth"))),
    "quantile": Quantile(0.95, BUCKET, 300, ("service",)),
    "quantile all": Quantile(0.5, BUCKET, 300),
    "quantile high": Quantile(0.999, BUCKET, 300, ("service",)),
    "max of quantile": Max(Quantile(0.5, BUCKET, 120, ("service", "instance"))),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), history=history()) as url:
        yield url


def _asked(url: str, promql: str) -> dict[tuple[tuple[str, str], ...], dict[float, float]]:
    last = WINDOW.start + STEP * (int((WINDOW.seconds - 1e-9) // STEP))
    params = {"query": promql, "start": f"{WINDOW.start:.3f}", "end": f"{last:.3f}", "step": f"{STEP:g}"}
    answer = requests.get(f"{url}/api/v1/query_range", params=params, timeout=30).json()
    assert answer["status"] == "success", answer
    found = {}
    for item in answer["data"]["result"]:
        values = {float(t): float(v) for t, v in item["values"] if np.isfinite(float(v))}
        if values:
            found[tuple(sorted(item["metric"].items()))] = values
    return found


def _evaluated(query: Query) -> dict[tuple[tuple[str, str], ...], dict[float, float]]:
    raw = [Series(s.labels, s.t[~np.isnan(s.v)], s.v[~np.isnan(s.v)]) for s in history()]
    found = evaluate(query, Samples.of(raw), window=WINDOW, step=STEP)
    return {
        tuple(s.labels.items()): {t: v for t, v in zip(s.t.tolist(), s.v.tolist(), strict=True) if np.isfinite(v)}
        for s in found
    }


@pytest.mark.live
@needs("prometheus", "promtool")
@pytest.mark.parametrize("name", QUERIES)
def test_the_numbers_are_those_of_a_real_prometheus(name: str, url: str) -> None:
    theirs, ours = _asked(url, render(QUERIES[name])), _evaluated(QUERIES[name])
    assert ours.keys() == theirs.keys()
    assert ours, "a query that finds nothing compares nothing"
    for labels, values in theirs.items():
        assert ours[labels].keys() == values.keys(), labels
        for t, v in values.items():
            assert ours[labels][t] == pytest.approx(v, rel=1e-9, abs=1e-12), (labels, t)
