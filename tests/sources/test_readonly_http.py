"""The one session: what is not listed never opens a socket, and nothing a server does can hold or flood it."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import (
    ForbiddenRequest,
    SettingsError,
    SourceError,
    SourceMalformed,
    SourceRefused,
    SourceTimeout,
    SourceTooLarge,
)
from assistant.settings import Endpoint
from assistant.sources import reads
from assistant.sources.budget import Budget
from assistant.sources.readonly_http import ReadOnlySession
from tests.sources.certificates import Authority, authority
from tests.sources.http_server import Answer, Asked, Server, as_json, serving

OK = as_json({"status": "success", "data": []})
SECRET = "s3cr3t" + "-bearer-value"


def session(url: str, **settings: Any) -> ReadOnlySession:
    return ReadOnlySession("prometheus", Endpoint(url=url, **{"timeout_s": 2.0, **settings}), reads.PROMETHEUS)


ASKING = session("http://127.0.0.1:1")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda asked: OK) as server:
        yield server


def test_a_listed_read_is_answered(server: Server) -> None:
    assert session(server.url).get_json("/api/v1/rules", {"type": "alert"})["status"] == "success"
    assert [(a.method, a.path, a.body) for a in server.asked] == [("GET", "/api/v1/rules", b"")]


OUTSIDE: dict[str, Callable[[ReadOnlySession, str], object]] = {
    "another method": lambda s, u: s.post(f"{u}/api/v1/query", data={"query": "up"}),
    "HEAD": lambda s, u: s.head(f"{u}/api/v1/query"),
    "a body": lambda s, u: s.get(f"{u}/api/v1/rules", data=b"x"),
    "admin": lambda s, u: s.get(f"{u}/api/v1/admin/tsdb/snapshot"),
    "reload": lambda s, u: s.get(f"{u}/-/reload"),
    "delete": lambda s, u: s.delete(f"{u}/api/v1/series"),
    "write": lambda s, u: s.put(f"{u}/api/v1/write"),
    "dots": lambda s, u: s.get(f"{u}/api/v1/query/../admin/tsdb/snapshot"),
    "encoded dots": lambda s, u: s.get(f"{u}/api/v1/query/%2e%2e/admin"),
    "a longer path": lambda s, u: s.get(f"{u}/api/v1/query/x"),
    "a line break": lambda s, u: s.get(f"{u}/api/v1/query%0a"),
    "two slashes": lambda s, u: s.get(f"{u}//api/v1/query"),
    "a label with a slash": lambda s, u: s.get(f"{u}/api/v1/label/a%2Fb/values"),
    "another parameter": lambda s, u: s.get(f"{u}/api/v1/query", params={"query": "up", "_method": "DELETE"}),
    "another port": lambda s, u: s.get("http://127.0.0.1:1/api/v1/query"),
    "another host": lambda s, u: s.get("http://169.254.169.254/api/v1/query"),
    "another scheme": lambda s, u: s.get(u.replace("http:", "https:") + "/api/v1/query"),
    "a user in the url": lambda s, u: s.get(u.replace("//", "//a:b@") + "/api/v1/query"),
    "a fragment": lambda s, u: s.get(f"{u}/api/v1/query#x"),
}


@pytest.mark.parametrize("what", OUTSIDE)
def test_what_is_not_listed_never_opens_a_socket(what: str, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    mine = session(server.url)
    opened: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: opened.append(a))
    monkeypatch.setattr("urllib3.util.connection.create_connection", lambda *a, **k: opened.append(a))
    with pytest.raises(ForbiddenRequest):
        OUTSIDE[what](mine, server.url)
    assert opened == [] and server.asked == []


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "TRACE"]),
    path=st.one_of(
        st.text(max_size=40),
        st.text(max_size=8).map("/api/v1/query".__add__),
        st.sampled_from(["/api/v1/query", "/api/v1/admin/tsdb/snapshot", "/-/quit", "/api/v1/label/x/values"]),
        st.lists(st.sampled_from(["api", "v1", "query", "..", "%2e%2e", "admin", "tsdb", "label", "x", "values"])).map(
            lambda parts: "/" + "/".join(parts)
        ),
    ),
)
def test_of_anything_that_can_be_asked_only_the_list_gets_through(method: str, path: str) -> None:
    listed = method == "GET" and any(r.permits("GET", path, frozenset()) for r in reads.PROMETHEUS)
    request = requests.PreparedRequest()
    request.method, request.url = method, "http://127.0.0.1:1" + path
    assert ASKING._listed(request) == listed


@pytest.mark.parametrize("listed", [reads.PROMETHEUS, reads.ALERTMANAGER, reads.LOKI, reads.DOCUMENT])
def test_every_list_holds_reads_only(listed: tuple[reads.Read, ...]) -> None:
    assert all(r.method == "GET" for r in listed)
    words = ("admin", "delete", "push", "write", "reload", "quit", "flush", "shutdown", "snapshot", "clean", "ingester")
    assert not any(word in r.path for r in listed for word in words)


def test_a_redirect_is_never_followed(server: Server) -> None:
    def away(asked: Asked) -> Answer:
        return Answer(302, b"", headers={"Location": f"{server.url}/api/v1/rules"})

    with serving(away) as first, pytest.raises(SourceRefused, match="redirects"):
        session(first.url, bearer_file="").get_json("/api/v1/rules")
    assert server.asked == []


def test_the_environments_proxy_and_netrc_are_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(lambda asked: Answer(500)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        session(server.url).get_json("/api/v1/rules")
        assert proxy.asked == [] and "Authorization" not in server.asked[0].headers
        with pytest.raises(SourceRefused):
            session(server.url, use_environment_proxy=True).get_json("/api/v1/rules")
        assert proxy.asked


def test_secrets_are_read_for_each_request_and_shown_nowhere(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    token.write_text(SECRET + "\n")
    mine = session(server.url, bearer_file=str(token))
    with caplog.at_level(logging.DEBUG):
        mine.get_json("/api/v1/rules")
        token.write_text("rotated")
        mine.get_json("/api/v1/rules")
    sent = [a.headers["Authorization"] for a in server.asked]
    assert sent == [f"Bearer {SECRET}", "Bearer rotated"]
    assert SECRET not in caplog.text and SECRET not in repr(mine) + repr(vars(mine)) + str(dict(mine.headers))
    assert "query" not in caplog.text


def test_basic_auth_and_headers_are_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_PASSWORD", "pass")
    mine = session(server.url, basic_user="u", basic_password_env="PROM_PASSWORD", headers={"X-Scope-OrgID": "pay"})
    mine.get_json("/api/v1/rules")
    assert server.asked[0].headers["Authorization"] == requests.auth._basic_auth_str("u", "pass")
    assert server.asked[0].headers["X-Scope-OrgID"] == "pay"


def test_a_credential_that_cannot_be_read_is_a_gap_with_its_mend(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="credential") as caught:
        session(server.url, bearer_file=str(tmp_path / "absent")).get_json("/api/v1/rules")
    assert caught.value.mend and server.asked == []


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "ftp://host"},
        {"url": "host:9090"},
        {"url": "http://"},
        {"url": "http://a:b@host"},
        {"url": "http://host/?x=1"},
        {"url": "http://host:99999"},
        {"url": "http://host", "headers": {"X-HTTP-Method-Override": "DELETE"}},
        {"url": "http://host", "headers": {"X-A": "b\r\nX-C: d"}},
        {"url": "http://host", "headers": {"Authorization": "Bearer x"}},
    ],
)
def test_settings_that_cannot_be_meant_are_one_line(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        ReadOnlySession("prometheus", Endpoint(**settings), reads.PROMETHEUS)
    assert caught.value.mend and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "prefix", "path"),
    [
        ("{}/", "", "/api/v1/rules"),
        ("{}", "prometheus", "/prometheus/api/v1/rules"),
        ("{}/a/", "/select/0/b/", "/a/select/0/b/api/v1/rules"),
    ],
)
def test_a_prefix_goes_between_url_and_path(server: Server, url: str, prefix: str, path: str) -> None:
    session(url.format(server.url), prefix=prefix).get_json("/api/v1/rules")
    assert server.paths == [path]


def test_connections_are_used_again_and_cookies_are_not_kept() -> None:
    with serving(lambda asked: Answer(200, b"{}", headers={"Set-Cookie": "a=b"})) as server:
        mine = session(server.url)
        for _ in range(5):
            mine.get_json("/api/v1/rules")
        assert len({a.peer for a in server.asked}) == 1
        assert all("Cookie" not in a.headers for a in server.asked)


def test_no_more_calls_at_once_than_configured() -> None:
    now, most, lock = [0], [0], threading.Lock()

    def slowly(asked: Asked) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.03)
        with lock:
            now[0] -= 1
        return OK

    with serving(slowly) as server:
        mine = session(server.url, concurrency=3)
        threads = [threading.Thread(target=mine.get_json, args=("/api/v1/rules",)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 1 < most[0] <= 3 and len(server.asked) == 12


def drip(pieces: Iterator[bytes], stop: threading.Event) -> Callable[[Any], None]:
    def write(wfile: Any) -> None:
        for piece in pieces:
            wfile.write(piece)
            wfile.flush()
            if stop.wait(0.05):
                return

    return write


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW: dict[str, Callable[[], Iterator[bytes]]] = {
    "silence": lambda: iter([b""] * 1000),
    "headers a byte at a time": lambda: iter([b"H", *[HEAD[i : i + 1] for i in range(1, len(HEAD))], *[b"X"] * 1000]),
    "body a byte at a time": lambda: iter([HEAD + b"Content-Length: 100000\r\n\r\n", *[b" "] * 1000]),
    "chunks a byte at a time": lambda: iter([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 1000]),
}


@pytest.mark.parametrize("what", SLOW)
def test_one_deadline_holds_the_whole_answer(what: str) -> None:
    hold: list[Server] = []
    with serving(lambda asked: Answer(write=drip(SLOW[what](), hold[0].stop))) as server:
        hold.append(server)
        start = time.monotonic()
        with pytest.raises(SourceTimeout):
            session(server.url, timeout_s=0.4).get_json("/api/v1/rules")
        assert time.monotonic() - start < 10 * 0.4


def test_one_deadline_holds_a_handshake_that_never_ends() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        start = time.monotonic()
        with pytest.raises(SourceTimeout):
            session(f"https://127.0.0.1:{deaf.getsockname()[1]}", timeout_s=0.4).get_json("/api/v1/rules")
        assert time.monotonic() - start < 10 * 0.4


def test_an_answer_over_the_cap_is_not_read_to_its_end() -> None:
    sent = [0]

    def endless(wfile: Any) -> None:
        wfile.write(HEAD + b"Connection: close\r\n\r\n")
        for _ in range(100_000):
            wfile.write(b" " * 65536)
            sent[0] += 65536

    with serving(lambda asked: Answer(write=endless)) as server, pytest.raises(SourceTooLarge, match="bytes"):
        session(server.url, max_bytes=1_000_000).get_json("/api/v1/rules")
    assert sent[0] < 100 * 1_000_000


def test_a_packed_answer_counts_unpacked() -> None:
    body = gzip.compress(b" " * 50_000_000)
    packed = Answer(200, body, headers={"Content-Encoding": "gzip"})
    with serving(lambda asked: packed) as server, pytest.raises(SourceTooLarge):
        session(server.url, max_bytes=1_000_000).get_json("/api/v1/rules")


def test_a_packed_answer_is_unpacked() -> None:
    packed = Answer(200, gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})
    with serving(lambda asked: packed) as server:
        assert session(server.url).get_json("/api/v1/rules") == {"a": 1}


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 100\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_cut_answer_is_malformed_and_not_an_empty_one(framing: bytes) -> None:
    with (
        serving(lambda asked: Answer(write=lambda w: w.write(HEAD + framing))) as server,
        pytest.raises(SourceMalformed, match="cut"),
    ):
        session(server.url).get_json("/api/v1/rules")


def flaky(answers: list[Answer]) -> Callable[[Asked], Answer]:
    return lambda asked: answers.pop(0) if len(answers) > 1 else answers[0]


BUSY = Answer(503, b"busy", "text/plain")
RESET = Answer(write=lambda wfile: None)


@pytest.mark.parametrize("first", [BUSY, Answer(429, b""), Answer(502, b""), RESET])
def test_a_hiccup_is_asked_again(first: Answer) -> None:
    with serving(flaky([first, OK])) as server:
        assert session(server.url).get_json("/api/v1/rules")["status"] == "success"
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (Answer(503, b'{"status":"error","errorType":"timeout","error":"x"}'), 1),
        (Answer(500, b""), 1),
        (Answer(504, b""), 1),
        (Answer(400, b"", "text/plain"), 1),
        (Answer(429, b"", headers={"Retry-After": "3600"}), 1),
        (BUSY, 3),
    ],
)
def test_what_would_only_repeat_the_load_is_asked_once_and_nothing_more_than_three_times(
    answer: Answer, asked: int
) -> None:
    with serving(lambda _: answer) as server:
        with pytest.raises(SourceError):
            session(server.url).get_json("/api/v1/rules")
        assert len(server.asked) == asked


def test_retries_stay_inside_the_deadline() -> None:
    with serving(lambda _: Answer(429, b"", headers={"Retry-After": "1"})) as server:
        with pytest.raises(SourceRefused):
            session(server.url, timeout_s=0.9).get_json("/api/v1/rules")
        assert len(server.asked) == 1, "a second attempt would end after the deadline"


def test_a_source_that_keeps_failing_is_left_alone_and_tried_again() -> None:
    answers = [Answer(500, b"")] * 5 + [OK]
    with serving(flaky(answers)) as server:
        mine = session(server.url)
        for _ in range(5):
            with pytest.raises(SourceRefused):
                mine.get_json("/api/v1/rules")
        with pytest.raises(SourceRefused, match="not asked"):
            mine.get_json("/api/v1/rules")
        assert len(server.asked) == 5
        mine._breaker._until = time.monotonic()
        assert mine.get_json("/api/v1/rules")["status"] == "success"
        assert mine.get_json("/api/v1/rules")["status"] == "success"


def test_a_question_that_is_wrong_does_not_open_the_breaker() -> None:
    with serving(lambda _: Answer(400, b"")) as server:
        mine = session(server.url)
        for _ in range(8):
            with pytest.raises(SourceMalformed):
                mine.get_json("/api/v1/rules")
        assert len(server.asked) == 8


def test_an_incidents_budget_is_shared_and_ends() -> None:
    with serving(lambda _: Answer(200, b'"' + b"x" * 1000 + b'"')) as server:
        mine, other = session(server.url), session(server.url)
        requests_left, bytes_left = Budget(requests=3), Budget(bytes_=2500)
        for budget, kind in ((requests_left, "requests"), (bytes_left, "bytes")):
            with mine.within(budget):
                mine.get_json("/api/v1/rules")
            with other.within(budget):
                other.get_json("/api/v1/rules")
            with mine.within(budget), pytest.raises(SourceTooLarge, match=kind):
                mine.get_json("/api/v1/rules")
                mine.get_json("/api/v1/rules")
        with mine.within(Budget(seconds=0)), pytest.raises(SourceTimeout):
            mine.get_json("/api/v1/rules")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


def test_tls_is_verified_against_the_configured_authority(certificates: Authority) -> None:
    with serving(lambda _: OK, tls=certificates.server()) as server:
        with pytest.raises(SourceRefused, match="TLS"):
            session(server.url).get_json("/api/v1/rules")
        assert session(server.url, ca_file=str(certificates.ca)).get_json("/api/v1/rules")


def test_a_client_certificate_is_shown(certificates: Authority) -> None:
    mine = {
        "ca_file": str(certificates.ca),
        "client_cert_file": str(certificates.folder / "client.pem"),
        "client_key_file": str(certificates.folder / "client.key"),
    }
    with serving(lambda _: OK, tls=certificates.server(clients=True)) as server:
        with pytest.raises(SourceError):
            session(server.url, ca_file=str(certificates.ca)).get_json("/api/v1/rules")
        assert session(server.url, **mine).get_json("/api/v1/rules")


def test_a_library_cannot_mount_its_own_adapter(server: Server) -> None:
    mine = session(server.url)
    before = mine.get_adapter(server.url)
    mine.mount(server.url, requests.adapters.HTTPAdapter())
    assert mine.get_adapter(server.url) is before
