"""Every source against every way a server goes wrong: one SourceError within the deadline, nothing quoted.

The matrix: refused, slow, 4xx, 5xx, cut body, not JSON, wrong shape, huge, thousands of series, warnings, a redirect to
another host.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assistant.core.query import Matcher, Rate, Select, Sum
from assistant.core.time import Instant, Window
from assistant.errors import SourceError, SourceMalformed, SourceRefused, SourceTimeout, SourceTooLarge
from assistant.settings import Changes, Endpoint, LokiEndpoint
from assistant.sources.alertmanager import Alertmanager
from assistant.sources.changes import ChangeEvents
from assistant.sources.loki import Loki
from assistant.sources.prometheus import Prometheus
from redaction import Redactor
from tests.sources.http_server import Answer, Asked, Respond, Server, as_json, serving
from tests.sources.worlds import PAN

END = 1_795_447_297.0
WINDOW = Window(Instant(END - 3600), Instant(END))
REDACTOR = Redactor.default()
PATIENT, HASTY = 5.0, 0.5
"""Deadlines (s): one that no fault but slowness reaches, and one that a slow server does."""
Ask = Callable[[str, float], object]


def prometheus(url: str, timeout: float = PATIENT, **limits: int) -> Prometheus:
    endpoint = Endpoint(url=url, timeout_s=timeout, max_bytes=300_000, **limits)  # type: ignore[arg-type]
    return Prometheus.from_settings(endpoint, redactor=REDACTOR)


def alertmanager(url: str, timeout: float) -> Alertmanager:
    return Alertmanager.from_settings(Endpoint(url=url, timeout_s=timeout, max_bytes=300_000), redactor=REDACTOR)


def loki(url: str, timeout: float) -> Loki:
    return Loki.from_settings(LokiEndpoint(url=url, timeout_s=timeout, max_bytes=300_000), redactor=REDACTOR)


def changes(url: str, timeout: float) -> ChangeEvents:
    settings = Changes(url=url + "/changes.json", timeout_s=timeout, metrics=False)
    return ChangeEvents.from_settings(settings, redactor=REDACTOR)


ASKS: dict[str, Ask] = {
    "prometheus range": lambda url, s: prometheus(url, s).range(Sum(Rate(Select("a"), 300)), window=WINDOW, step=60),
    "prometheus ask": lambda url, s: prometheus(url, s).ask("sum(rate(a[5m]))", window=WINDOW, step=60),
    "prometheus catalogue": lambda url, s: prometheus(url, s).catalogue(WINDOW),
    "prometheus rules": lambda url, s: prometheus(url, s).rules(),
    "prometheus alerts": lambda url, s: prometheus(url, s).alerts(),
    "alertmanager alerts": lambda url, s: alertmanager(url, s).alerts(now=END),
    "alertmanager silences": lambda url, s: alertmanager(url, s).silences(),
    "loki labels": lambda url, s: loki(url, s).labels(WINDOW),
    "loki search": lambda url, s: loki(url, s).search(selector=(Matcher("app", "=", "a"),), window=WINDOW),
    "changes url": lambda url, s: changes(url, s).changes(WINDOW),
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def cut(wfile: Any) -> None:
    wfile.write(HEAD + b'Content-Length: 1000\r\n\r\n{"status":"success","data":[')


def endless(wfile: Any) -> None:
    wfile.write(HEAD + b"Connection: close\r\n\r\n[")
    for _ in range(10_000):
        wfile.write(b'"x",' * 8192)


FAULTS: dict[str, tuple[Answer, type[SourceError]]] = {
    "400": (Answer(400, f"bad {PAN}".encode(), "text/plain"), SourceMalformed),
    "401": (Answer(401, b"", "text/plain"), SourceRefused),
    "403": (Answer(403, PAN.encode()), SourceRefused),
    "404": (Answer(404, b"404 page not found", "text/plain"), SourceRefused),
    "405": (Answer(405, b""), SourceMalformed),
    "429": (Answer(429, b"", "text/plain"), SourceRefused),
    "500": (Answer(500, PAN.encode()), SourceRefused),
    "502 in HTML": (Answer(502, b"<html>", "text/html"), SourceRefused),
    "503": (Answer(503, b"", "text/plain"), SourceRefused),
    "504": (Answer(504, b"", "text/plain"), SourceTimeout),
    "204": (Answer(204, b""), SourceMalformed),
    "an empty body": (Answer(200, b""), SourceMalformed),
    "a cut body": (Answer(write=cut), SourceMalformed),
    "not HTTP": (Answer(write=lambda w: w.write(b"SSH-2.0-OpenSSH_9.6\r\n")), SourceRefused),
    "HTML": (Answer(200, b"<html>login</html>", "text/html"), SourceMalformed),
    "cut JSON": (Answer(200, b'{"status":"success","data":{"result":[{'), SourceMalformed),
    "deep JSON": (Answer(200, b"[" * 100_000), SourceMalformed),
    "a number": (as_json(7), SourceMalformed),
    "null": (as_json(None), SourceMalformed),
    "a text": (as_json(PAN), SourceMalformed),
    "another shape": (
        as_json({"status": "success", "data": {"result": [PAN], "groups": 1, "resultType": "streams"}}),
        SourceMalformed,
    ),
    "data of numbers": (as_json({"status": "success", "data": [1, 2]}), SourceMalformed),
    "an error in 200": (as_json({"status": "error", "errorType": "internal", "error": PAN}), SourceMalformed),
    "huge": (Answer(write=endless), SourceTooLarge),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("ask", ASKS)
def test_a_fault_is_one_source_error(ask: str, fault: str) -> None:
    answer, kind = FAULTS[fault]
    with serving(lambda asked: answer) as server, pytest.raises(SourceError) as caught:
        ASKS[ask](server.url, PATIENT)
    if ask != "loki search" or fault != "404":
        assert isinstance(caught.value, kind)
    assert PAN not in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.source == ask.split()[0]


@pytest.mark.parametrize("ask", ASKS)
def test_refused(ask: str) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with pytest.raises(SourceRefused):
        ASKS[ask](f"http://127.0.0.1:{port}", PATIENT)


@pytest.mark.parametrize("ask", ASKS)
def test_slow(ask: str) -> None:
    done = threading.Event()

    def never(wfile: Any) -> None:
        done.wait(20)

    with serving(lambda asked: Answer(write=never)) as server:
        start = time.monotonic()
        with pytest.raises(SourceTimeout):
            ASKS[ask](server.url, HASTY)
        took = time.monotonic() - start
        done.set()
    assert took < 10 * HASTY


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", [302, 308])
def test_a_redirect_to_another_host_is_not_followed(ask: str, status: int) -> None:
    with serving(lambda asked: as_json({"status": "success", "data": []})) as other:
        away = Answer(status, b"", headers={"Location": other.url + "/api/v1/rules"})
        with serving(lambda asked: away) as server, pytest.raises(SourceRefused, match="redirects"):
            ASKS[ask](server.url, PATIENT)
        assert other.asked == []


def matrix(
    series: int, *, warnings: bool = False, shape: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> Respond:
    """A Prometheus that answers any query with this many series, counts included."""

    def respond(asked: Asked) -> Answer:
        query = asked.query.get("query", [""])[0]
        start = float(asked.query.get("start", ["0"])[0])
        count = 1 if query.startswith("count(") else series
        result = [
            {"metric": {} if count == 1 else {"__name__": "a", "n": str(i)}, "values": [[start, str(series)]]}
            for i in range(count)
        ]
        body: dict[str, Any] = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        if warnings:
            body["warnings"] = [f"partial response {PAN}"]
        return as_json(shape(body) if shape else body)

    return respond


def test_thousands_of_series_are_refused_before_they_are_fetched() -> None:
    with serving(matrix(200_000)) as server:
        with pytest.raises(SourceTooLarge, match="raw series"):
            prometheus(server.url).range(Sum(Rate(Select("a"), 300)), window=WINDOW, step=60)
        assert all(a.query["query"][0].startswith("count(") for a in server.asked)


def test_series_that_come_although_they_were_not_counted_are_left_out_and_counted() -> None:
    def respond(asked: Asked) -> Answer:
        return matrix(1 if asked.query["query"][0].startswith("count(") else 700)(asked)

    with serving(respond) as server:
        found, dropped = prometheus(server.url, max_series=500).range(Rate(Select("a"), 300), window=WINDOW, step=60)
    assert (len(found), dropped) == (500, 200)


def test_a_warning_is_a_notice_that_quotes_nothing() -> None:
    with serving(matrix(3, warnings=True)) as server:
        source = prometheus(server.url)
        source.range(Rate(Select("a"), 300), window=WINDOW, step=60)
        (notice,) = source.notices()
    assert notice.source == "prometheus" and "incomplete" in notice.reason and PAN not in notice.reason
    assert source.notices() == ()


SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "values no pairs": lambda d: _with(d, [{"metric": {}, "values": [[1]]}]),
    "values of words": lambda d: _with(d, [{"metric": {}, "values": [[1, "many"]]}]),
    "values absent": lambda d: _with(d, [{"metric": {}}]),
    "metric of numbers": lambda d: _with(d, [{"metric": {"a": 1}, "values": [[END - 3600, "1"]]}]),
    "metric a list": lambda d: _with(d, [{"metric": [], "values": [[END - 3600, "1"]]}]),
    "result a mapping": lambda d: _with(d, {}),
}


def _with(document: dict[str, Any], result: object) -> dict[str, Any]:
    return {**document, "data": {"resultType": "matrix", "result": result}}


@pytest.mark.parametrize("what", SHAPES)
def test_a_matrix_of_another_shape_is_malformed(what: str) -> None:
    with serving(matrix(1, shape=SHAPES[what])) as server, pytest.raises(SourceMalformed):
        prometheus(server.url).range(Rate(Select("a"), 300), window=WINDOW, step=60)


def test_times_off_the_grid_and_values_that_are_no_numbers_are_no_samples() -> None:
    start = END - 3600
    values = [[start - 60, "1"], [start, "NaN"], [start + 60, "+Inf"], [start + 120, "2"], [END + 600, "3"]]
    with serving(matrix(1, shape=lambda d: _with(d, [{"metric": {}, "values": values}]))) as server:
        ((series,), _) = prometheus(server.url).range(Rate(Select("a"), 300), window=WINDOW, step=60)
    assert [(t, v) for t, v in zip(series.t.tolist(), series.v.tolist(), strict=True) if v == v] == [(start + 120, 2.0)]


@pytest.fixture
def changing() -> Iterator[Server]:
    with serving(
        lambda asked: as_json([{"ts": END - 60, "kind": "deploy", "service": "a", "id": "1", "title": "t"}])
    ) as s:
        yield s


def test_one_place_of_changes_may_fail_alone(changing: Server, tmp_path: Any) -> None:
    (tmp_path / "changes.json").write_text("[{")
    settings = Changes(url=changing.url + "/changes.json", file=str(tmp_path / "changes.json"), metrics=False)
    events = ChangeEvents.from_settings(settings, redactor=REDACTOR)
    assert [c.id for c in events.changes(WINDOW)] == ["1"]
    assert [g.reason for g in events.notices()] == ["file: the file is not JSON"]


def test_a_document_of_another_shape_is_malformed() -> None:
    for document in ({"changes": 1}, [[]], [{"ts": "now"}], [{"ts": END, "title": []}], [{"ts": END}] * 6000):
        body = json.dumps(document).encode()
        with serving(lambda asked, b=body: Answer(200, b)) as server, pytest.raises(SourceError):  # type: ignore[misc]
            ASKS["changes url"](server.url, PATIENT)
