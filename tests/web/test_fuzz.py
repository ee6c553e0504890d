"""Every endpoint of both listeners under generated and malformed requests: no fault, nothing reflected, still well."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from assistant.guests import guests
from assistant.live import Live
from assistant.promptlog.record import Entry, Event
from assistant.settings import Settings, Web
from assistant.web.access import unguarded
from assistant.web.access.headers import ALWAYS
from assistant.web.access.limits import Buckets
from assistant.web.access.loopback import LoopbackLogin
from assistant.web.listener import Listener
from tests.notebook.test_notes import a_note
from tests.web.access.console import Browser
from tests.web.openapi import described, each_request, endpoints

EXAMPLES = 12
CANARY = "fuzz<b>\"'&canary"


@dataclass
class Running:
    live: Live
    cookies: dict[str, str]
    csrf: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole `serve` with a note and some records, and somebody who is in with every role."""
    state = tmp_path_factory.mktemp("state")
    chosen = Settings(state=state, web=Web(webhook_port=0, console_port=0))
    live = Live(chosen, notes=state / "notes", guests=guests(chosen))
    wide = {"rate": 1e9, "burst": 1e9}
    live.access.by_address, live.access.by_person = Buckets(**wide), Buckets(**wide)
    live.start()
    live.service.notes.put(a_note())
    live.house.promptlog.append(Entry(event=Event.QUESTION_RECEIVED, identity="slack:U1", incident="inc-a"))
    assert isinstance(live.access.login, LoopbackLogin)
    browser = Browser(live.console_listener.port)
    assert browser.get(live.access.login.link("")).status == 303
    found = re.search(r'name="csrf"[^>]* value="([^"]+)"', browser.get("/").text)
    try:
        yield Running(live, browser.cookies, found[1] if found else "")
    finally:
        live.stop(drain_s=2)


def listener(running: Running, name: str) -> tuple[Listener, Any]:
    """The listener and its application's routes."""
    made = running.live.console_listener if name == "console" else running.live.webhook_listener
    return made, made.app.routes


def asked(running: Running, url: str, name: str, request: dict[str, Any]) -> requests.Response:
    """Send it as it was generated, with the session and the form's token where it is the console's; a stream is read by
    its beginning only."""
    request = {**request, "timeout": 60, "allow_redirects": False, "stream": True}
    if name == "console":
        request["cookies"] = running.cookies
        request["headers"] = {**(request.get("headers") or {}), "X-CSRF-Token": running.csrf}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(**{**request, "url": request["url"].replace("http://placeholder", url)})
        stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        answer._content = next(answer.iter_content(4096), b"") if stream else answer.content
        answer.close()
        return answer


def texts(value: Any) -> Iterator[str]:
    """Every text that was sent."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from texts(k)
            yield from texts(v)
    elif isinstance(value, list | tuple):
        for v in value:
            yield from texts(v)


def sound(answer: requests.Response, request: dict[str, Any], name: str) -> None:
    """No fault, nothing that was sent comes back as markup, and on the console the headers."""
    assert answer.status_code < 500 or answer.status_code == 503, (answer.status_code, request)
    sent = (t for part in ("params", "data", "json", "url") for t in texts(request.get(part)))
    if "html" in answer.headers.get("content-type", ""):
        for text in sent:
            if len(text) > 2 and re.search(r"""[<"']""", text) and re.search(r"[<>]", text):
                assert text not in answer.text, request
    assert "Traceback" not in answer.text
    if name == "console" and answer.status_code != 400:
        assert answer.headers["content-security-policy"] == ALWAYS["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["webhook", "console"])
def test_generated_requests(running: Running, name: str) -> None:
    made, routes = listener(running, name)

    def ask(request: dict[str, Any]) -> None:
        sound(asked(running, made.url, name, request), request, name)

    count = each_request(routes, ask, examples=EXAMPLES)
    assert count == sum(len(methods) for _, methods in endpoints(routes)) > 3
    assert Browser(made.port).get("/livez").status == 200


@pytest.mark.parametrize("name", ["webhook", "console"])
def test_a_canary_in_every_place_comes_back_nowhere(running: Running, name: str) -> None:
    made, routes = listener(running, name)
    for path, methods in endpoints(routes):
        for method in methods:
            where = re.sub(r"\{(\w+)(?::\w+)?\}", "fuzz%3Cb%3E%22canary", path)
            request: dict[str, Any] = {
                "method": method,
                "url": made.url + where,
                "params": dict.fromkeys(("q", "next", "event", "incident", "class", "page", "since", "state"), CANARY),
                "headers": {"Referer": CANARY, "User-Agent": CANARY, "X-Forwarded-Host": "canary.example"},
            }
            if method == "POST":
                request["data"] = dict.fromkeys(("kind", "reason", "what", "which"), CANARY)
            answer = asked(running, made.url, name, request)
            assert answer.status_code < 500 or answer.status_code == 503, (method, path)
            assert "<b>" not in answer.text.replace("<b>fuzz", "") or "fuzz<b>" not in answer.text
            assert "canary.example" not in answer.text + str(answer.headers)


HEAD = b"Host: HOST\r\nConnection: close\r\n"
MALFORMED = [
    b"GET / HTTP/1.1\r\n" + HEAD + b"Cookie: " + b"a=b; " * 2000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HEAD + b"Cookie: =; ;=;\x80\xff; payops=\"\\\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HEAD + b"".join(b"X%d: y\r\n" % i for i in range(2000)) + b"\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /static/../../../../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /static/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /static/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /static/....//....//etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /static//etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /static/%00 HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /%ff%fe%00%0d%0a HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /%zz?%=%&&;=%f0%28 HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET //evil.example/ HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET * HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"TRACE / HTTP/1.1\r\n" + HEAD + b"X-Canary: fuzz\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HEAD + b"X-HTTP-Method-Override: DELETE\r\nX-Method-Override: POST\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP",
    b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Type: multipart/form-data\r\nContent-Length: 4\r\n\r\n----",
    b"GET / HTTP/1.1\r\n" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/9.9\r\n" + HEAD + b"\r\n",
    b"GET /\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 200,
    b"GET / HTTP/1.1\r\n" + HEAD + b"Range: bytes=0-18446744073709551615\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HEAD + b"Accept: " + b"text/html;q=" * 500 + b"\r\n\r\n",
    b"GET /?" + b"a=1&" * 3000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
]  # fmt: skip


@pytest.mark.parametrize("name", ["webhook", "console"])
def test_malformed_requests(running: Running, name: str) -> None:
    """Each is answered with a refusal or a closed connection, never with a fault or a file."""
    made, _ = listener(running, name)
    cookie = "; ".join(f"{k}={v}" for k, v in running.cookies.items()).encode()
    for raw in MALFORMED:
        sent = raw.replace(b"HOST", f"127.0.0.1:{made.port}".encode())
        if b"Cookie:" not in sent:
            sent = sent.replace(b"Connection: close\r\n", b"Connection: close\r\nCookie: " + cookie + b"\r\n", 1)
        with socket.create_connection(("127.0.0.1", made.port), timeout=30) as plug:
            got = b""
            try:
                plug.sendall(sent)
                plug.shutdown(socket.SHUT_WR)
                while part := plug.recv(65536):
                    got += part
            except ConnectionError:
                pass
        status = int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/") else 0
        assert status < 500, (raw[:80], got[:200])
        assert b"root:" not in got and b"Traceback" not in got
        assert not re.search(rb"(?i)location: *(https?:)?//evil", got), raw[:80]
        if raw.startswith(b"TRACE"):
            assert b"fuzz" not in got
    assert Browser(made.port).get("/livez").status == 200


def test_every_page_says_whom_it_is_for(running: Running) -> None:
    assert unguarded(listener(running, "console")[1], running.live.access.is_public) == []


def test_the_description_names_every_endpoint(running: Running, tmp_path: Path) -> None:
    found = described(listener(running, "webhook")[1])["paths"]
    assert {"/webhook/alertmanager", "/healthz", "/metrics"} <= set(found)
    assert "requestBody" in found["/webhook/alertmanager"]["post"]
