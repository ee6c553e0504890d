"""A real Alertmanager whose webhook never comes: the poll brings the alert, and its end."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import requests

from assistant.core.time import iso
from tests.live.stack import notes_of, start_serve
from tests.live.test_end_to_end import eventually
from tests.sources.servers import alertmanager, needs


@pytest.mark.live
@needs("prometheus-alertmanager")
def test_an_alert_whose_webhook_is_lost_becomes_a_note_and_ends(tmp_path: Path) -> None:
    with alertmanager(tmp_path / "am") as url:
        config, state = tmp_path / "payops.toml", tmp_path / "state"
        config.write_text(
            f'[alertmanager]\nurl = "{url}"\npoll_s = 1.0\nreceiver = "assistant"\n'
            "[web]\nwebhook_port = 0\nconsole_port = 0\n"
        )
        serve = start_serve(config, state, tmp_path / "log")
        serve.wait_ready()
        try:
            lost = {"labels": {"alertname": "Lost", "service": "ledger"}, "endsAt": iso(time.time() + 600)}
            requests.post(f"{url}/api/v2/alerts", json=[lost], timeout=20).raise_for_status()
            eventually(lambda: notes_of(state), why=serve.log.read_text)
            ((incident, (first, *_)),) = notes_of(state).items()
            assert "Lost" in json.dumps(first["evidence"])
            over = {**lost, "endsAt": iso(time.time() - 1)}
            requests.post(f"{url}/api/v2/alerts", json=[over], timeout=20).raise_for_status()
            eventually(lambda: notes_of(state)[incident][-1]["status"] == "resolved", why=serve.log.read_text)
            assert list(notes_of(state)) == [incident]
            assert serve.metric("payops_incidents_opened_total") == 1
        finally:
            assert serve.stop() == 0


def test_an_alertmanager_that_cannot_be_asked_is_named_in_the_health(tmp_path: Path) -> None:
    config = tmp_path / "payops.toml"
    config.write_text(
        '[alertmanager]\nurl = "http://127.0.0.1:9"\npoll_s = 0.5\n[web]\nwebhook_port = 0\nconsole_port = 0\n'
    )
    serve = start_serve(config, tmp_path / "state", tmp_path / "log")
    serve.wait_ready()
    try:
        said = lambda: json.loads(serve.call("GET", "/healthz")[1])["checks"]["alertmanager-poll"]  # noqa: E731
        eventually(lambda: said() == "alertmanager-poll: SourceRefused", why=serve.log.read_text)
        assert serve.call("GET", "/readyz")[0] == 200
    finally:
        assert serve.stop() == 0
