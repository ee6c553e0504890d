"""A server that does not answer is asked once; the answer names the gap, and no record says it was asked again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from assistant.core.query import Matcher, Rate, Select
from assistant.core.time import Instant, Window
from assistant.errors import SourceNotAsked, SourceTimeout
from assistant.house import Sources
from assistant.patience import METRIC_TIMEOUTS, patient_once
from tests.fakes.sources import FakeSources

WINDOW = Window(Instant(0.0), Instant(60.0))
ONE = (Matcher("service_name", "=", "gateway"),)


@dataclass
class Asleep(FakeSources):
    """Never answers in time."""

    times: list[str] = field(default_factory=list)

    def search(self, **asked: object) -> object:  # type: ignore[override]
        self.times.append("loki")
        raise SourceTimeout("loki", "no whole answer within 8 s")

    def range(self, *asked: object, **more: object) -> object:  # type: ignore[override]
        self.times.append("prometheus")
        raise SourceTimeout("prometheus", "no whole answer within 8 s")


def test_logs_are_given_up_after_one_time_out_and_metrics_after_three() -> None:
    asleep = Asleep()
    sources = patient_once(Sources(asleep, asleep, asleep, asleep))  # type: ignore[arg-type]
    for _ in range(5):
        with pytest.raises((SourceTimeout, SourceNotAsked)):
            sources.logs.search(selector=ONE, window=WINDOW)
        with pytest.raises((SourceTimeout, SourceNotAsked)):
            sources.metrics.range(Rate(Select("x_total"), 60), window=WINDOW, step=15)
    assert asleep.times.count("loki") == 1 and asleep.times.count("prometheus") == METRIC_TIMEOUTS
    with pytest.raises(SourceNotAsked, match="not asked again: no whole answer within 8 s"):
        sources.logs.labels(WINDOW)


def test_another_incident_asks_again() -> None:
    asleep = Asleep()
    for _ in range(2):
        with pytest.raises(SourceTimeout):
            patient_once(Sources(asleep, asleep, asleep, asleep)).logs.search(  # type: ignore[arg-type]
                selector=ONE, window=WINDOW
            )
    assert asleep.times == ["loki", "loki"]
