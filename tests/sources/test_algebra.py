"""The algebra on samples small enough to reckon by hand, and the door that its labels cross."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assistant.core.evidence import Series
from assistant.core.query import Increase, Matcher, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.core.time import Instant, Window
from assistant.errors import SourceMalformed
from assistant.sources.door import Door
from assistant.sources.evaluate import Samples, evaluate, grid
from assistant.sources.probe_http import PROBES
from assistant.sources.promql import render
from redaction import RedactionError, Redactor
from tests.sources.test_proxies import PROXIES
from tests.sources.worlds import PAN

T0 = 1_795_440_000.0
NAN = math.nan


def series(name: str, values: list[float], *, step: float = 15.0, **labels: str) -> Series:
    t = T0 + step * np.arange(len(values))
    return Series({"__name__": name, **labels}, t, np.array(values, dtype=np.float64))


def at(query: Query, when: float, *raw: Series) -> dict[str, float]:
    """The answer at one moment, by the labels' values."""
    window = Window(Instant(T0 + when), Instant(T0 + when + 1))
    found = evaluate(query, Samples.of(raw), window=window, step=15)
    return {",".join(v for k, v in s.labels.items() if k != "__name__"): float(s.v[0]) for s in found}


def test_the_grid_is_half_open_and_starts_at_the_window() -> None:
    assert grid(Window(Instant(10.0), Instant(40.0)), 15).tolist() == [10.0, 25.0]
    assert grid(Window(Instant(10.0), Instant(40.1)), 15).tolist() == [10.0, 25.0, 40.0]
    with pytest.raises(SourceMalformed):
        grid(Window(Instant(10.0), Instant(40.0)), 0)


def test_a_value_holds_for_five_minutes_and_no_longer() -> None:
    raw = series("a", [7.0])
    assert at(Select("a"), 300, raw) == {"": 7.0}
    assert at(Select("a"), 301, raw) == {}
    assert at(Select("a"), -1, raw) == {}


def test_a_stale_marker_ends_a_series_at_once() -> None:
    raw = series("a", [7.0, NAN])
    assert at(Select("a"), 14, raw) == {"": 7.0} and at(Select("a"), 15, raw) == {}


def test_a_counter_that_restarts_has_not_gone_back() -> None:
    raw = series("a", [100.0, 130.0, 10.0, 40.0])  # 30, then restarted: 10, then 30
    assert at(Increase(Select("a"), 45), 45, raw) == {"": pytest.approx(70.0)}
    assert at(Rate(Select("a"), 45), 45, raw) == {"": pytest.approx(70.0 / 45)}


def test_one_sample_is_no_rate() -> None:
    assert at(Rate(Select("a"), 60), 0, series("a", [1.0, 2.0])) == {}


def test_extrapolation_stops_at_zero_for_a_counter_that_just_began() -> None:
    raw = series("a", [NAN, NAN, 1.0, 31.0])  # 30 in 15 s: it was 0 half a second before its first sample
    assert at(Increase(Select("a"), 45), 45, raw) == {"": pytest.approx(31.0)}


def test_a_ratio_by_zero_is_no_sample_also_inside_a_sum() -> None:
    raw = (series("a", [1.0], q="x"), series("a", [1.0], q="y"), series("b", [0.0], q="x"), series("b", [4.0], q="y"))
    ratio = Ratio(Select("a"), Select("b"))
    assert at(ratio, 0, *raw) == {"y": 0.25} and at(Sum(ratio), 0, *raw) == {"": 0.25}
    assert "!= 0" in render(Sum(ratio)) and "!= 0" not in render(ratio)


def test_the_largest_are_chosen_by_mean_once_for_the_whole_range() -> None:
    raw = (series("a", [9.0, 1.0], q="peak"), series("a", [6.0, 6.0], q="steady"), series("a", [1.0, 9.5], q="late"))
    window = Window(Instant(T0), Instant(T0 + 30))
    found = evaluate(TopK(2, Select("a")), Samples.of(raw), window=window, step=15)
    assert [s.labels["q"] for s in found] == ["steady", "late"]


def test_a_quantile_interpolates_in_its_bucket_and_stops_at_the_last_bound() -> None:
    counts = {"1": 10.0, "2": 30.0, "+Inf": 40.0}
    raw = [series("b", [0.0, v * 4], le=le) for le, v in counts.items()]
    assert at(Quantile(0.5, Select("b"), 15), 15, *raw) == {"": pytest.approx(1.5)}
    assert at(Quantile(0.99, Select("b"), 15), 15, *raw) == {"": 2.0}
    assert at(Quantile(0.1, Select("b"), 15), 15, *raw) == {"": pytest.approx(0.4)}
    assert at(Quantile(0.5, Select("b"), 15), 15, *raw[:2]) == {}, "without +Inf nothing is known of the rest"


@pytest.mark.parametrize(
    "query",
    [
        Ratio(Sum(Select("a"), ("x",)), Sum(Select("a"), ("y",))),
        Sum(TopK(1, Select("a"))),
        Select(""),
        Select("a b"),
        Select("", (Matcher("x", "=~", ".+"),)),
        Rate(Select("a"), 0),
        TopK(0, Select("a")),
        Sum(Select("a"), ("x-y",)),
        Select("a", (Matcher("x", "=~", "("),)),
        Quantile(NAN, Select("b"), 60),
    ],
)
def test_what_promql_would_refuse_is_malformed(query: Query) -> None:
    with pytest.raises(SourceMalformed):
        at(query, 0, series("a", [1.0], x="1"))


def test_two_series_that_become_one_are_refused() -> None:
    raw = (series("a", [1.0, 2.0]), series("b", [1.0, 2.0]))
    with pytest.raises(SourceMalformed, match="two series"):
        at(Rate(Select("", (Matcher("__name__", "=", "a"),)), 60), 15, raw[0], series("a", [1.0, 2.0]))
    with pytest.raises(SourceMalformed, match="two series"):
        at(Ratio(Select("a"), Select("b")), 0, raw[0], raw[1], series("b", [3.0]))


def test_the_door_turns_redacted_values_back_for_the_server_only() -> None:
    door = Door("prometheus", Redactor.default())
    labels = [door.labels({"holder": f"card {PAN}", "app": "a"}) for _ in range(2)]
    assert labels[0] == labels[1] and PAN not in str(labels)
    shown = labels[0]["holder"]
    equal, unequal, pattern = door.asked(
        (Matcher("holder", "=", shown), Matcher("holder", "!=", shown), Matcher("holder", "=~", f"x|{shown}"))
    )
    assert (equal.op, equal.value) == ("=~", f"card {PAN}") and unequal.op == "!~"
    assert pattern.value == f"x|{shown}|card {PAN}"
    assert door.asked((Matcher("app", "=", "a"),)) == (Matcher("app", "=", "a"),)


class Broken(Redactor):
    """A redactor that fails: nothing may cross then."""

    def __init__(self) -> None:
        return

    def redact_many(self, texts: object) -> list[object]:  # type: ignore[override]
        raise RedactionError("policy")

    def redact_labels(self, labels: object) -> dict[str, str]:  # type: ignore[override]
        raise RedactionError("policy")


def test_when_redaction_fails_nothing_crosses() -> None:
    door = Door("loki", Broken())
    for call in (lambda: door.text(PAN), lambda: door.labels({"a": PAN})):
        with pytest.raises(SourceMalformed) as caught:
            call()
        assert PAN not in str(caught.value)


def test_the_page_on_credentials_lists_the_probes_that_there_are() -> None:
    page = (PROXIES.parent / "CREDENTIALS.md").read_text()
    for probe in PROBES:
        row = next(line for line in page.splitlines() if line.startswith("|") and f"`POST {probe.path}`" in line)
        let_in, kept_out = ([int(x) for x in cell.split()] for cell in row.split("|")[3:5])
        assert set(let_in) == probe.let_in and set(kept_out) == probe.kept_out
    assert sum("`POST " in line for line in page.splitlines() if line.startswith("|")) == len(PROBES)
