"""The machines' listener: every route says what it leaves in the log, and leaves it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from assistant.live import Live
from assistant.promptlog.record import Event, Outcome
from assistant.promptlog.store import Filter
from assistant.settings import Settings, Web
from assistant.web.access import declared
from tests.live.stack import payload

TOKEN = "a-token-for-tests"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    state: Path = tmp_path_factory.mktemp("state")
    (state / "token").write_text(TOKEN)
    web = Web(webhook_port=0, console_port=0, webhook_token_file=str(state / "token"))
    made = Live(Settings(state=state, web=web), notes=state / "notes")
    made.start()
    yield made
    made.stop(drain_s=2)


def delivery(fingerprint: str) -> bytes:
    return json.dumps(payload(fingerprint, at=time.time())).encode()


def log_of(live: Live) -> Any:
    return live.house.promptlog


def ask(live: Live, method: str, path: str, *, token: str = TOKEN, body: bytes = b"") -> int:
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, live.webhook_listener.url + path, data=body, headers=headers, timeout=30)
    return answer.status_code


def test_every_route_says_what_it_leaves(live: Live) -> None:
    said = declared(live.webhook_listener.app.routes)
    assert [route for route, leaves in said.items() if leaves is None] == []
    silent = {path: leaves.why for (_, path), leaves in said.items() if leaves and leaves.event is None}
    assert set(silent) == {"/healthz", "/livez", "/readyz", "/metrics"} and all(silent.values())
    assert said["POST", "/webhook/alertmanager"].event is Event.ALERT_RECEIVED  # type: ignore[union-attr]


def test_an_alert_that_was_answered_200_becomes_a_record(live: Live) -> None:
    log, start = log_of(live), log_of(live).size()
    assert ask(live, "POST", "/webhook/alertmanager", body=delivery("one")) == 200
    wanted = Filter(start=start, events=(Event.ALERT_RECEIVED.value,))
    until = time.monotonic() + 60
    while not (found := list(log.search(wanted))) and time.monotonic() < until:
        time.sleep(0.05)
    assert [r.resource for r in found] == ["alert"] and found[0].incident


def test_forged_deliveries_become_one_record_a_minute(live: Live) -> None:
    log, start = log_of(live), log_of(live).size()
    for _ in range(3):
        assert ask(live, "POST", "/webhook/alertmanager", token="forged", body=delivery("two")) == 401
    live._record_denied()
    live._record_denied()
    (found,) = log.search(Filter(start=start, events=(Event.AUTH_DENIED.value,)))
    assert (found.resource, found.outcome, found.facts["requests"]) == ("webhook", Outcome.DENIED, 3)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics"])
def test_probes_leave_nothing(live: Live, path: str) -> None:
    """Nothing of theirs: what the service itself records meanwhile names another resource."""
    log = log_of(live)
    before = log.size()
    assert ask(live, "GET", path) == 200
    assert [r.event for r in log.scan(before) if r.event in (Event.AUDIT_READ, Event.AUTH_LOGIN)] == []
