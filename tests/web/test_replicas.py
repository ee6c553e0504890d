"""Live updates between two replicas on one PostgreSQL: what replica A keeps reaches a page that replica B serves."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from assistant.guests import guests
from assistant.live import Live
from assistant.settings import Log as LogTable
from assistant.settings import Settings, Web, Workflow
from assistant.web.access.limits import Buckets
from tests.doubles.postgres import running
from tests.live.stack import payload
from tests.notebook.test_notes import a_note
from tests.web.served import chromium

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("console")]


@contextlib.contextmanager
def replica(url: str, state: Path, keys: Path) -> Iterator[Live]:
    settings = Settings(
        state=state,
        web=Web(webhook_port=0, console_port=0),
        workflow=Workflow(url=url),
        log=LogTable(url=url, signing_key_file=str(keys / "signing.key"), body_key_file=str(keys / "body.key")),
    )
    live = Live(settings, notes=state / "notes", guests=guests(settings))
    live.access.by_address = live.access.by_person = Buckets(rate=1e9, burst=1e9)
    live.start()
    try:
        yield live
    finally:
        live.stop(drain_s=2)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, Live]]:
    from assistant.promptlog.keys import load_keys

    keys = tmp_path_factory.mktemp("first")
    load_keys(origin="payops.example/promptlog", state=keys, signing="", body="", create=True)
    with running() as server:
        url = server.create_database("replicas")
        folders = [tmp_path_factory.mktemp(name) for name in ("a", "b")]
        with replica(url, folders[0], keys / "keys") as a, replica(url, folders[1], keys / "keys") as b:
            yield a, b


def inside(live: Live) -> tuple[requests.Session, str]:
    session, base = requests.Session(), live.console_listener.url
    session.trust_env = False
    login: Any = live.access.login
    assert session.get(login.link(base), timeout=60).status_code == 200
    return session, base


def next_change(lines: Iterator[str]) -> str:
    """The mark of the next `changed` event of a stream that is being read."""
    for line in lines:
        if line == "event: changed":
            found = re.fullmatch(r"id: (.+)", next(lines))
            assert found
            return found[1]
    raise AssertionError("the stream ended")


def test_a_note_kept_by_one_replica_is_told_by_the_other(both: tuple[Live, Live]) -> None:
    a, b = both
    a.service.notes.put(a_note(1, incident="inc-shared", title="Approvals fell"))
    session, base = inside(b)
    page = session.get(f"{base}/incidents/inc-shared", timeout=60).text
    address = re.search(r'data-live="([^"]+)"', page)
    assert address and "Approvals fell" in page
    with session.get(base + address[1], stream=True, timeout=60) as stream:
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(lines).startswith("retry:")
        a.service.notes.put(a_note(2, incident="inc-shared", title="Approvals fell further"))
        mark = next_change(lines)
    fresh = session.get(f"{base}/incidents/inc-shared", timeout=60).text
    assert "Approvals fell further" in fresh and f"mark={mark}" in fresh


def test_alerts_that_one_replica_takes_open_an_incident_in_the_list_of_the_other(both: tuple[Live, Live]) -> None:
    a, b = both
    session, base = inside(b)
    address = re.search(r'data-live="([^"]+)"', session.get(base + "/", timeout=60).text)
    assert address
    with session.get(base + address[1], stream=True, timeout=60) as stream:
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        told = json.dumps(payload("f1", at=time.time(), service="ledger")).encode()
        kind = {"Content-Type": "application/json"}
        posted = requests.post(f"{a.webhook_listener.url}/webhook/alertmanager", data=told, headers=kind, timeout=60)
        (incident,) = posted.json()["incidents"]
        next_change(lines)
    assert incident in session.get(base + "/", timeout=60).text


def test_a_page_of_the_other_replica_renews_itself(both: tuple[Live, Live]) -> None:
    a, b = both
    a.service.notes.put(a_note(1, incident="inc-seen", title="Approvals fell"))
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        login: Any = b.access.login
        page.goto(login.link(b.console_listener.url))
        page.goto(f"{b.console_listener.url}/incidents/inc-seen")
        page.wait_for_selector("#live:text-is('live')")
        page.evaluate("window.same = true")
        a.service.notes.put(a_note(2, incident="inc-seen", title="Approvals are back"))
        page.wait_for_selector("h1:has-text('Approvals are back')")
        assert page.evaluate("window.same")
