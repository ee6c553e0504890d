"""What `doctor` learns of servers, and what it says when they do not tell."""

from __future__ import annotations

import time
from typing import Any

import pytest

from assistant.core.time import Instant, Window
from assistant.settings import Endpoint, LokiEndpoint, Settings
from assistant.sources.catalogue import catalogue_of, metric_type
from assistant.sources.door import Door
from assistant.sources.metric_discovery import in_order
from assistant.sources.prometheus import Prometheus
from assistant.sources.survey import survey
from redaction import Redactor
from tests.sources.http_server import Answer, Asked, as_json, serving
from tests.sources.test_loki import replaying
from tests.sources.worlds import PAN

REDACTOR = Redactor.default()


def prometheus(ahead: float, **more: Any) -> Any:
    def respond(asked: Asked) -> Answer:
        if asked.path == "/api/v1/query":
            value = f"{time.time() + ahead:.3f}"
            return as_json({"status": "success", "data": {"resultType": "scalar", "result": [0, value]}})
        return as_json({"status": "success", "data": more.get(asked.path.rpartition("/")[2], {})})

    return respond


@pytest.mark.parametrize(("ahead", "said"), [(0.0, 0), (90.0, 1), (-90.0, 1)])
def test_a_clock_that_is_off_is_a_problem_with_its_mend(ahead: float, said: int) -> None:
    with serving(prometheus(ahead)) as server:
        (facts,) = survey(Settings(prometheus=Endpoint(url=server.url)), REDACTOR)
    assert facts.clock_offset == pytest.approx(ahead, abs=2)
    assert sum("NTP" in p for p in facts.problems) == said


def test_version_retention_and_limits_are_redacted_text() -> None:
    answers = {
        "buildinfo": {"version": f"2.42 {PAN}"},
        "runtimeinfo": {"storageRetention": "15d"},
        "flags": {"query.timeout": "2m"},
    }
    with serving(prometheus(0.0, **answers)) as server:
        (facts,) = survey(Settings(prometheus=Endpoint(url=server.url)), REDACTOR)
    assert facts.version.startswith("2.42") and PAN not in facts.version
    assert (facts.retention, facts.limits) == ("15d", {"query.timeout": "2m"})


def test_loki_tells_its_limits_and_which_labels_play_which_role() -> None:
    with serving(replaying(**{"drilldown-limits": "loki/t2_drilldown_limits", "status": "loki/buildinfo"})) as server:
        (facts,) = survey(Settings(loki=LokiEndpoint(url=server.url, tenant="pay")), REDACTOR)
    assert facts.reachable and facts.limits["max_entries_limit_per_query"] == "1000"
    assert {r.role: r.label for r in facts.labels} == {"service": "service_name", "level": "level"}
    assert all(r.why for r in facts.labels)


@pytest.mark.parametrize("answer", [Answer(500, b""), as_json([]), as_json({"data": 3}), Answer(200, b"x")])
def test_a_server_that_answers_nonsense_is_described_and_never_raises(answer: Answer) -> None:
    with serving(lambda asked: answer) as server:
        endpoint = Endpoint(url=server.url)
        found = survey(
            Settings(prometheus=endpoint, alertmanager=endpoint, loki=LokiEndpoint(url=server.url)), REDACTOR
        )
    assert [f.server for f in found] == ["prometheus", "alertmanager", "loki"]
    assert all(f.version == "" and f.retention == "" for f in found)


def test_a_server_that_is_down_is_asked_once_and_said_once() -> None:
    with serving(lambda asked: Answer(write=lambda wfile: None)) as server:
        (facts,) = survey(Settings(prometheus=Endpoint(url=server.url)), REDACTOR)
        assert {a.path for a in server.asked} == {"/api/v1/query"}
    assert not facts.reachable and len(facts.problems) == 1


def test_metrics_are_looked_into_in_the_order_of_their_use() -> None:
    names = ["go_goroutines", "zeta", "up", "card_declines_total", "a b", "x" * 200, "process_cpu_seconds_total"]
    assert in_order(names, ["up", "unknown"]) == ["up", "card_declines_total", "zeta"]


def test_discovery_of_a_server_full_of_large_metrics_stays_within_an_incidents_requests() -> None:
    names = [f"payment_{i}_total" for i in range(600)]

    def respond(asked: Asked) -> Answer:
        if asked.path.endswith("__name__/values"):
            return as_json({"status": "success", "data": names})
        if asked.path.endswith("/query_range"):
            start, end = asked.query["start"][0], float(asked.query["end"][0])
            told = [n for n in names if n in asked.query["query"][0].replace('"})', "|").replace('"', "|").split("|")]
            result = [{"metric": {"__name__": n}, "values": [[float(start), "9000"], [end, "9000"]]} for n in told]
            return as_json({"status": "success", "data": {"resultType": "matrix", "result": result}})
        data: object = [f"label{i}" for i in range(40)] if "label" in asked.path else {"groups": []}
        return as_json({"status": "success", "data": data if "metadata" not in asked.path else {}})

    window = Window(Instant(1.7e9), Instant(1.7e9 + 7200))
    with serving(respond) as server:
        source = Prometheus.from_settings(Endpoint(url=server.url), redactor=REDACTOR)
        found = source.catalogue(window)
        assert len(server.asked) < 200
    assert len(found) == 400 and all(m.series == 9000 for m in found)
    assert sum(bool(m.labels) for m in found) == 10
    assert "200 metrics were not looked into" in source.notices()[0].reason


def test_types_come_from_metadata_and_else_from_names() -> None:
    metadata = {"lat": [{"type": "histogram"}], "size": [{"type": "summary"}], "odd_total": [{"type": "gauge"}]}
    told = {n: metric_type(n, metadata) for n in ("lat_bucket", "lat_count", "size_sum", "odd_total", "x_total", "y")}
    assert told == {
        "lat_bucket": "histogram",
        "lat_count": "counter",
        "size_sum": "counter",
        "odd_total": "gauge",
        "x_total": "counter",
        "y": "unknown",
    }


def test_a_metric_whose_name_would_be_redacted_is_left_out_and_labels_cross_whole() -> None:
    door = Door("prometheus", REDACTOR)
    labels = [{"__name__": f"m_{PAN}"}, {"__name__": "a", "pan": PAN, "app": "x"}]
    (info,) = catalogue_of(labels, {"a": [{"type": "counter", "help": f"of {PAN}"}]}, door)
    assert info.name == "a" and PAN not in str(info) and info.labels["app"] == ("x",)
