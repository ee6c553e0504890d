"""The webhook on a real socket: who is let in, what is refused and how, what is kept."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from assistant.core.alert import Alert
from assistant.errors import AlertError
from assistant.notebook.database import Away
from assistant.telemetry.metrics import new_metrics
from assistant.web.app import webhook_app
from assistant.web.listener import Listener
from assistant.web.webhook import Webhook
from redaction import RedactionError
from tests.fakes.alerts import alert

TOKEN = "a-token-for-tests"
LIMIT = 20_000


@dataclass
class Behind:
    """What stands behind the endpoint."""

    kept: list[Alert] = field(default_factory=list)
    fault: Exception | None = None
    unwell: str = ""
    draining: bool = False
    hold: threading.Event | None = None

    def read(self, body: bytes, /) -> Sequence[Alert]:
        document = json.loads(body)
        if document.get("version") != "4":
            raise AlertError("version of the webhook is not 4")
        if self.fault is not None and isinstance(self.fault, RedactionError | ValueError):
            raise self.fault
        return [alert(fingerprint=a) for a in document["alerts"]]

    def receive(self, alerts: Sequence[Alert], /) -> Sequence[str]:
        if self.hold is not None:
            self.hold.wait(10)
        if self.fault is not None:
            raise self.fault
        self.kept.extend(alerts)
        return ["inc-aaaaaa"]


@dataclass
class Web:
    behind: Behind
    listener: Listener

    def call(
        self, method: str = "POST", path: str = "/webhook/alertmanager", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.listener.port, timeout=20)
        every = {"Authorization": f"Bearer {TOKEN}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body, {k: v for k, v in every.items() if v})
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found


def delivery(*fingerprints: str, version: str = "4") -> bytes:
    return json.dumps({"version": version, "alerts": list(fingerprints)}).encode()


@pytest.fixture
def web() -> Iterator[Web]:
    behind, metrics = Behind(), new_metrics()
    webhook = Webhook(
        read=behind.read,
        receive=behind.receive,
        metrics=metrics,
        token=TOKEN,
        max_bytes=LIMIT,
        draining=lambda: behind.draining,
    )
    app = webhook_app(webhook, health=lambda: {"database": behind.unwell}, metrics=metrics)
    listener = Listener(app, host="127.0.0.1", port=0, name="webhook")
    listener.start()
    yield Web(behind, listener)
    listener.stop()


def test_a_delivery_is_kept_before_it_is_answered(web: Web) -> None:
    status, _, body = web.call(body=delivery("one", "two"))
    assert status == 200
    assert json.loads(body) == {"alerts": 2, "incidents": ["inc-aaaaaa"]}
    assert [a.fingerprint for a in web.behind.kept] == ["one", "two"]


@pytest.mark.parametrize(
    "given", ["", "Bearer wrong", "Bearer", "Basic " + TOKEN, TOKEN, "Bearer " + TOKEN + "x", "Bearer é"]
)
def test_a_forged_delivery_is_refused_unread(web: Web, given: str) -> None:
    status, headers, body = web.call(body=delivery("one"), Authorization=given.encode().decode("latin-1"))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert not web.behind.kept
    assert TOKEN.encode() not in body


def test_a_forged_body_is_not_even_read(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.listener.port), timeout=10) as raw:
        raw.sendall(b"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert raw.recv(200).startswith(b"HTTP/1.1 401 ")


def test_an_oversized_delivery_is_refused_by_its_stated_length(web: Web) -> None:
    assert web.call(body=b"x" * (LIMIT + 1))[0] == 413
    assert not web.behind.kept


def test_an_oversized_delivery_is_refused_without_a_stated_length(web: Web) -> None:
    head = (
        f"POST /webhook/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    with socket.create_connection(("127.0.0.1", web.listener.port), timeout=10) as raw:
        raw.sendall(head + chunk * 6)
        assert raw.recv(200).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("version", ["3", "5", ""])
def test_an_unknown_version_is_refused_with_words_of_ours(web: Web, version: str) -> None:
    status, _, body = web.call(body=delivery("one", version=version))
    assert (status, json.loads(body)) == (400, {"error": "version of the webhook is not 4"})


def test_a_compressed_delivery_is_refused(web: Web) -> None:
    assert web.call(body=delivery("one"), Content_Encoding="gzip")[0] == 415


@pytest.mark.parametrize("fault", [Away("database away"), RedactionError("no policy")])
def test_what_cannot_be_kept_is_asked_for_again(web: Web, fault: Exception) -> None:
    web.behind.fault = fault
    status, headers, _ = web.call(body=delivery("one"))
    assert (status, headers["retry-after"]) == (503, "5")
    web.behind.fault = None
    assert web.call(body=delivery("one"))[0] == 200


def test_a_fault_of_ours_says_nothing_of_itself(web: Web) -> None:
    web.behind.fault = ValueError("card 4111111111111111 was here")
    status, _, body = web.call(body=delivery("one"))
    assert status == 500
    assert b"4111" not in body


def test_nothing_is_taken_while_stopping(web: Web) -> None:
    web.behind.draining = True
    assert web.call(body=delivery("one"))[0] == 503


def test_other_methods_and_paths_are_not_there(web: Web) -> None:
    assert web.call("GET")[0] == 405
    assert web.call("POST", "/webhook/other")[0] == 404


def test_health_tells_what_is_wrong(web: Web) -> None:
    assert web.call("GET", "/healthz", Authorization="")[0] == 200
    web.behind.unwell = "away"
    status, _, body = web.call("GET", "/healthz", Authorization="")
    assert (status, json.loads(body)) == (503, {"ok": False, "checks": {"database": "away"}})


def test_metrics_count_what_happened(web: Web) -> None:
    web.call(body=delivery("one"))
    web.call(body=delivery("one"), Authorization="")
    _, headers, body = web.call("GET", "/metrics")
    assert headers["content-type"].startswith("text/plain")
    assert b'payops_webhook_requests_total{code="200"} 1.0' in body
    assert b'payops_webhook_requests_total{code="401"} 1.0' in body
