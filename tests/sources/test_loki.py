"""The Loki source against recorded exchanges of a real Loki 3.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assistant.core.query import Matcher
from assistant.core.time import Instant, Window
from assistant.errors import SourceError, SourceMalformed, SourceRefused, SourceTimeout, SourceTooLarge
from assistant.settings import LokiEndpoint
from assistant.sources.log_labels import as_labels, label_roles, with_roles
from assistant.sources.loki import Loki, lines_of
from redaction import Redactor
from tests.sources.http_server import Answer, Asked, Respond, Server, as_json, recorded, serving
from tests.sources.worlds import PAN

END = 1_795_447_297.0
WINDOW = Window(Instant(END - 7200), Instant(END))
GATEWAY = (Matcher("service", "=", "gateway"),)
API = "/loki/api/v1/"
Replies = dict[str, "str | Answer | Respond"]

USUAL: Replies = {
    "labels": "loki/labels",
    "label/": "loki/label_values",
    "index/stats": "loki/index_stats",
    "query_range": "loki/query_range_categorized",
    "drilldown-limits": "loki/drilldown_limits",
    "query": "loki/query_instant_vector",
}


def replaying(**replies: Any) -> Respond:
    """Recorded answers by the path's beginning; `query_range` before `query`."""
    table = {**USUAL, **{k.replace("__", "/").replace("_stats", "/stats"): v for k, v in replies.items()}}

    def respond(asked: Asked) -> Answer:
        path = asked.path.removeprefix(API)
        reply = next((table[k] for k in sorted(table, key=len, reverse=True) if path.startswith(k)), None)
        if callable(reply):
            return reply(asked)
        return recorded(reply) if isinstance(reply, str) else reply or Answer(404, b"404 page not found", "text/plain")

    return respond


def source(server: Server, **settings: Any) -> Loki:
    return Loki.from_settings(LokiEndpoint(url=server.url, **settings), redactor=Redactor.default())


def streams(count: int, *, line: str = "x", start: float = WINDOW.start) -> dict[str, Any]:
    values = [[str(int((start + i) * 1e9)), line] for i in range(count)]
    return {
        "status": "success",
        "data": {"resultType": "streams", "result": [{"stream": {"app": "a"}, "values": values}]},
    }


def test_lines_come_redacted_in_time_order_with_their_service_and_level() -> None:
    with serving(replaying()) as server:
        found = source(server).search(selector=GATEWAY, window=WINDOW, contains=("declined",), about="declines")
    assert [line.t for line in found.lines] == sorted(line.t for line in found.lines)
    assert {line.labels["service"] for line in found.lines} == {"gateway"}
    assert {line.labels["level"] for line in found.lines} == {"info"}
    assert found.query == '{service_name="gateway"} |~ "(?i)(?:declined)"'
    assert not any("7c26ece6d8dbcd7d" in str(line) for line in found.lines), "trace ids only make lines differ"
    asked = next(a for a in server.asked if a.path == API + "query_range")
    assert asked.headers["X-Loki-Response-Encoding-Flags"] == "categorize-labels"
    assert asked.query["limit"] == ["5000"] and asked.query["query"] == [found.query]


def test_structured_metadata_that_says_something_is_kept() -> None:
    values = [["1795447295500364995", "declined", {"structuredMetadata": {"rc": "91", "trace_id": "abc"}}]]
    document = {"data": {"resultType": "streams", "result": [{"stream": {"app": "a"}, "values": values}]}}
    ((_, labels, line),) = lines_of(document)
    assert line == "declined rc=91" and labels == {"app": "a"}


def test_the_level_that_loki_detected_is_the_level_where_there_is_none() -> None:
    values = [["1", "x", {"structuredMetadata": {"detected_level": "error"}}], ["2", "y"]]
    document = {"data": {"resultType": "streams", "result": [{"stream": {"app": "a"}, "values": values}]}}
    found = [with_roles(labels, label_roles(labels, {})) for _, labels, _ in lines_of(document)]
    assert [x.get("level") for x in found] == ["error", None]


def test_a_level_detected_beside_the_streams_own_is_not_written_behind_the_line() -> None:
    values = [["1", "x", {"structuredMetadata": {"detected_level_extracted": "error", "rc": "91"}}]]
    document = {
        "data": {"resultType": "streams", "result": [{"stream": {"detected_level": "error"}, "values": values}]}
    }
    ((_, labels, line),) = lines_of(document)
    assert line == "x rc=91" and labels == {"detected_level": "error"}


def test_lines_that_are_no_json_in_a_json_stream_are_only_text() -> None:
    with serving(replaying(query_range="loki/query_range_json_error")) as server:
        found = source(server).search(selector=GATEWAY, window=WINDOW)
    assert any("IGNORE PREVIOUS INSTRUCTIONS" in line.text for line in found.lines)


def test_card_numbers_in_lines_and_labels_do_not_survive() -> None:
    document = streams(2, line=f"pan={PAN} declined")
    document["data"]["result"][0]["stream"]["holder"] = f"card {PAN}"
    with serving(replaying(query_range=as_json(document))) as server:
        loki = source(server)
        found = loki.search(selector=GATEWAY, window=WINDOW)
    assert len(found.lines) == 2 and PAN not in str(found)
    assert sum(loki.redactions.values()) >= 2


def test_labels_have_values_and_roles() -> None:
    with serving(replaying()) as server:
        loki = source(server)
        found = loki.labels(WINDOW)
        roles = {r.role: r.label for r in loki.roles(WINDOW)}
    assert set(found) >= {"app", "env", "job", "level", "pod", "service_name", "service"}
    assert found["service"] == ("authorizer", "gateway", "ledger", "pods")
    assert roles == {"service": "service_name", "level": "level"}


def test_an_unknown_label_is_success_without_data() -> None:
    with serving(replaying(labels=recorded("loki/label_values_unknown"))) as server:
        assert source(server).labels(WINDOW) == {}


def test_a_configured_label_wins_over_the_guess() -> None:
    with serving(replaying()) as server:
        found = source(server, labels={"service": "app"}).search(selector=GATEWAY, window=WINDOW)
    assert found.query == '{app="gateway"}'


def test_a_label_of_the_roles_name_is_taken_at_its_word() -> None:
    roles = label_roles(("service", "app"), {})
    assert as_labels(GATEWAY, roles, ("service", "app")) == GATEWAY


def test_a_tenant_is_sent() -> None:
    with serving(replaying(**{"drilldown-limits": "loki/t2_drilldown_limits"})) as server:
        loki = source(server, tenant="pay")
        limits = loki.server_limits()
    assert server.asked[0].headers["X-Scope-OrgID"] == "pay"
    assert (limits.entries, limits.length, limits.lookback) == (1000, 86400.0, 7200.0)


def test_a_limit_over_the_servers_is_learnt_from_its_refusal() -> None:
    def ranged(asked: Asked) -> Answer:
        return recorded("loki/err_limit_entries") if int(asked.query["limit"][0]) > 1000 else as_json(streams(3))

    with serving(replaying(query_range=ranged)) as server:
        loki = source(server)
        assert len(loki.search(selector=GATEWAY, window=WINDOW).lines) == 3
        assert loki.server_limits().entries == 1000


def test_over_the_limit_lines_are_fetched_evenly_and_the_rest_counted() -> None:
    def ranged(asked: Asked) -> Answer:
        start, limit = int(asked.query["start"][0]) / 1e9, int(asked.query["limit"][0])
        return as_json(streams(limit, start=start))

    total = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [END, "5000"]}]}}
    with serving(replaying(query_range=ranged, query=as_json(total))) as server:
        found = source(server).search(selector=GATEWAY, window=WINDOW, limit=80)
    assert len(found.lines) == 80 and found.dropped == 4920
    eighths = {int((line.t - WINDOW.start) // 900) for line in found.lines}
    assert eighths == set(range(8)), "a cut end would look like an onset"


def test_lines_left_out_are_at_least_one_where_the_server_will_not_count() -> None:
    def ranged(asked: Asked) -> Answer:
        return as_json(streams(int(asked.query["limit"][0])))

    with serving(replaying(query_range=ranged, query=recorded("loki/t2_query_timeout"))) as server:
        loki = source(server)
        assert loki.search(selector=GATEWAY, window=WINDOW, limit=80).dropped == 1
        assert [g.source for g in loki.notices()] == ["loki"]


REFUSALS: dict[str, tuple[type[SourceError], str]] = {
    "loki/t2_err_no_org": (SourceRefused, "tenant"),
    "loki/t2_multi_tenant_disabled": (SourceRefused, "tenant"),
    "loki/t2_query_timeout": (SourceTimeout, "time limit"),
    "loki/err_range_too_long": (SourceTooLarge, "limits"),
    "loki/err_too_many_series": (SourceTooLarge, "limits"),
    "loki/t3_bytes_read_after_flush": (SourceTooLarge, "limits"),
    "loki/err_404": (SourceRefused, "404"),
    "loki/err_regex": (SourceMalformed, "400"),
    "loki/t2_push_429_ratelimit": (SourceRefused, "rate"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_in_plain_text_has_its_meaning_and_is_not_quoted(name: str) -> None:
    kind, word = REFUSALS[name]
    with serving(replaying(query_range=name)) as server, pytest.raises(kind, match=word) as caught:
        source(server, timeout_s=3.0).search(selector=GATEWAY, window=WINDOW)
    assert recorded(name).body.decode() not in str(caught.value)


GUARDED: dict[str, Callable[[Loki], object]] = {
    "no matcher": lambda x: x.search(selector=(), window=WINDOW),
    "a matcher that matches anything": lambda x: x.search(selector=(Matcher("app", "=~", ".+"),), window=WINDOW),
    "only negative matchers": lambda x: x.search(selector=(Matcher("app", "!=", "a"),), window=WINDOW),
    "a range over the cap": lambda x: x.search(selector=GATEWAY, window=WINDOW.__class__(Instant(0.0), Instant(END))),
    "no room for a line": lambda x: x.search(selector=GATEWAY, window=WINDOW, limit=0),
    "an empty word": lambda x: x.search(selector=GATEWAY, window=WINDOW, contains=("",)),
    "a thousand words": lambda x: x.search(selector=GATEWAY, window=WINDOW, contains=["w"] * 1000),
}


@pytest.mark.parametrize("what", GUARDED)
def test_the_guard_stops_it_before_any_search(what: str) -> None:
    with serving(replaying()) as server:
        with pytest.raises((SourceTooLarge, SourceMalformed)):
            GUARDED[what](source(server))
        assert API + "query_range" not in server.paths


@pytest.mark.parametrize(
    "stats", [Answer(404, b""), as_json({}), as_json({"bytes": True}), as_json({"bytes": 9 << 33})]
)
def test_the_guard_fails_closed_when_the_index_does_not_answer_or_says_too_much(stats: Answer) -> None:
    with serving(replaying(**{"index/stats": stats})) as server:
        with pytest.raises(SourceError):
            source(server).search(selector=GATEWAY, window=WINDOW)
        assert API + "query_range" not in server.paths


def test_a_window_before_the_servers_look_back_is_no_silent_success() -> None:
    with serving(replaying(**{"drilldown-limits": "loki/t2_drilldown_limits"})) as server, pytest.raises(SourceRefused):
        source(server).search(selector=GATEWAY, window=Window(Instant(0.0 + 1e9), Instant(1e9 + 60)))


def test_an_empty_result_is_no_lines() -> None:
    with serving(replaying(query_range="loki/empty_result")) as server:
        found = source(server).search(selector=GATEWAY, window=WINDOW)
    assert found.lines == () and found.dropped == 0
