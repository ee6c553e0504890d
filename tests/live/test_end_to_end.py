"""From a failing payment counter to a note, through real servers; and back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Event, Record
from assistant.settings import Settings
from tests.doubles.files import kept
from tests.live.stack import TOKEN, Serve, Stack, notes_of, payload, stack, start_serve
from tests.sources.servers import needs

PAYOPS = (sys.executable, "-c", "import sys; from assistant.cli import main; sys.exit(main())")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Stack]:
    with stack(tmp_path) as made:
        yield made


def eventually(what: Callable[[], object], *, within: float = 60.0, why: Callable[[], str] = lambda: "") -> None:
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, why()
        time.sleep(0.1)


@pytest.mark.live
@needs("prometheus", "promtool", "prometheus-alertmanager")
def test_an_alert_that_fires_in_prometheus_becomes_a_note(made: Stack) -> None:
    serve, state = made.serve(made.webhook_ports[0]), made.home / "state"
    serve.wait_ready()
    made.payments.failed_at = time.time()
    eventually(lambda: notes_of(state), why=serve.log.read_text)
    ((_, (first, *_)),) = notes_of(state).items()
    assert "ApprovalRateLow" in json.dumps(first["evidence"])
    assert any(e["kind"] == "metric" for e in first["evidence"]), first["gaps"]
    assert not [g for g in first["gaps"] if g["source"] in {"prometheus", "alertmanager"}]
    assert serve.metric("payops_facts_seconds_count") == 1
    assert [serve.call("GET", path)[0] for path in ("/healthz", "/livez", "/readyz")] == [200, 200, 200]
    assert serve.stop() == 0
    assert "Traceback" not in serve.log.read_text()


@pytest.mark.slow
@pytest.mark.live
@needs("prometheus", "promtool", "prometheus-alertmanager")
def test_the_end_of_an_alert_becomes_the_last_revision_of_the_same_note(made: Stack) -> None:
    serve, state = made.serve(made.webhook_ports[0]), made.home / "state"
    serve.wait_ready()
    made.payments.failed_at = time.time()
    eventually(lambda: notes_of(state), why=serve.log.read_text)
    (incident,) = notes_of(state)
    made.payments.mended_at = time.time()
    eventually(lambda: notes_of(state)[incident][-1]["status"] == "resolved", within=90, why=serve.log.read_text)
    assert list(notes_of(state)) == [incident]
    assert serve.stop() == 0


@pytest.mark.slow
@pytest.mark.live
@needs("prometheus", "promtool", "prometheus-alertmanager")
def test_ten_thousand_alerts_through_alertmanager_are_grouped_without_loss(made: Stack) -> None:
    serve = made.serve(made.webhook_ports[0])
    serve.wait_ready()
    began, size = time.monotonic(), 500
    for i in range(0, 10_000, size):
        alerts = [
            {"labels": {"alertname": f"A{k % 40}", "severity": "warning", "service": f"s{k % 200}", "pod": f"p{k}"}}
            for k in range(i, i + size)
        ]
        assert requests.post(f"{made.alertmanager}/api/v2/alerts", json=alerts, timeout=20).status_code == 200
    eventually(lambda: serve.metric("payops_alerts_kept") == 10_000, why=serve.log.read_text)
    assert time.monotonic() - began <= 60
    assert serve.metric("payops_incidents_open") <= 6
    assert serve.stop() == 0


@dataclass
class Alone:
    """A `payops serve` without any server to read from."""

    serve: Serve
    config: Path
    state: Path

    def new_notes(self, before: set[str]) -> dict[str, list[dict[str, Any]]]:
        return {k: v for k, v in notes_of(self.state).items() if k not in before}


def alone_in(home: Path) -> Alone:
    (home / "token").write_text(TOKEN)
    config = home / "payops.toml"
    config.write_text(
        f'[web]\nwebhook_port = 0\nconsole_port = 0\nmax_body_bytes = 50000\nwebhook_token_file = "{home / "token"}"\n'
    )
    serve = start_serve(config, home / "state", home / "log")
    serve.wait_ready()
    return Alone(serve, config, home / "state")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    alone = alone_in(tmp_path_factory.mktemp("alone"))
    yield alone
    assert alone.serve.stop() == 0


def test_forged_oversized_and_unknown_deliveries_leave_nothing_behind(alone: Alone) -> None:
    serve, path = alone.serve, "/webhook/alertmanager"
    good = json.dumps(payload("a", at=time.time())).encode()
    kept = serve.metric("payops_alerts_kept")
    assert serve.call("POST", path, good, token="wrong")[0] == 401
    assert serve.call("POST", path, b"x" * 60_000)[0] == 413
    assert serve.call("POST", path, b"{")[0] == 400
    assert serve.call("POST", path, good.replace(b'"version": "4"', b'"version": "5"'))[0] == 400
    assert serve.metric("payops_alerts_kept") == kept
    assert serve.call("POST", path, good)[0] == 200
    assert serve.metric("payops_alerts_kept") == kept + 1


def test_a_card_number_in_an_alert_is_nowhere_in_what_serve_leaves(alone: Alone) -> None:
    pan = "4111" + "1111" + "1111" + "1111"
    before = set(notes_of(alone.state))
    alerts = payload("pan", at=time.time(), service=f"card {pan}", group=f"{{pan={pan}}}")
    alerts["alerts"][0]["annotations"]["summary"] = f"declined for {pan} cvv=123"
    assert alone.serve.post(alerts)[0] == 200
    eventually(lambda: alone.new_notes(before), why=alone.serve.log.read_text)
    held = {**dict(kept(alone.state)), alone.serve.log: alone.serve.log.read_bytes()}
    assert len(held) > 5
    assert not [p.name for p, data in held.items() if pan.encode() in data]


def test_off_and_on_reach_a_running_serve_and_are_recorded(alone: Alone) -> None:
    serve, facts = alone.serve, 'payops_notes_total{kind="facts",model="no"}'
    eventually(lambda: serve.metric("payops_rounds_unfinished") == serve.metric("payops_outbox_waiting") == 0)
    before, kept = set(notes_of(alone.state)), serve.metric(facts)
    assert switch("off", alone) == 0
    eventually(lambda: serve.metric("payops_switched_off") == 1)  # a reading may be half a second old
    assert serve.post(payload("switched", at=time.time(), group="{switched}", service="switched"))[0] == 200
    eventually(lambda: serve.metric(facts) == kept + 1, why=serve.log.read_text)
    assert serve.metric("payops_outbox_waiting") == 1
    assert not alone.new_notes(before)
    assert switch("on", alone) == 0
    eventually(lambda: alone.new_notes(before), why=serve.log.read_text)
    assert [r.facts["off"] for r in records(alone.state, Event.CONFIG_CHANGE)] == [True, False]


@pytest.mark.slow
def test_sigterm_lets_the_running_round_end(tmp_path: Path) -> None:
    alone = alone_in(tmp_path)
    assert alone.serve.post(payload("a", at=time.time()))[0] == 200
    assert alone.serve.stop() == 0
    ((_, revisions),) = notes_of(alone.state).items()
    assert len(revisions) == 1
    assert '"drained":true' in alone.serve.log.read_text()


def test_a_second_serve_on_the_same_directory_is_one_line(alone: Alone, tmp_path: Path) -> None:
    second = start_serve(alone.config, alone.state, tmp_path / "log2")
    assert second.process.wait(60) == 1
    last = (tmp_path / "log2").read_text().splitlines()[-1]
    assert last.startswith("payops: another payops serve (process")
    assert "Traceback" not in (tmp_path / "log2").read_text()
    assert alone.serve.call("GET", "/healthz")[0] == 200


def switch(to: str, alone: Alone) -> int:
    """`payops off` or `on` as a person runs it."""
    command = [*PAYOPS, to, "--config", str(alone.config), "--state", str(alone.state)]
    return subprocess.run(command, capture_output=True).returncode


def records(state: Path, event: Event) -> list[Record]:
    """Records of one event, after the whole log was verified."""
    settings = Settings(state=state)
    log = open_configured(settings, last_look=lambda content: None, service="")
    try:
        assert log.verify().ok
        return [r for r in log.scan() if r.event is event]
    finally:
        log.close()
