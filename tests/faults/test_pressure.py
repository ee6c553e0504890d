"""A full disk, clocks that jump, fifty incidents at once: nothing lost, nothing twice."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Event
from assistant.settings import Settings
from assistant.workflow.service import ALL_TABLES
from tests.fakes.alerts import T0, alert
from tests.live.stack import notes_of, payload, start_serve
from tests.live.test_end_to_end import eventually
from tests.workflow.test_service import Stand, keys
from tests.workflow.test_service import eventually as soon


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here; run as root with CAP_SYS_ADMIN")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_refuses_alerts_and_keeps_every_one_that_it_took(small_disk: Path, tmp_path: Path) -> None:
    config, state = tmp_path / "payops.toml", small_disk / "state"
    config.write_text("[web]\nwebhook_port = 0\nconsole_port = 0\n[runbooks]\ndense = false\n")
    serve = start_serve(config, state, tmp_path / "log")
    serve.wait_ready()
    taken = 0

    def post(name: str) -> int:
        nonlocal taken
        status = serve.post(payload(name, at=time.time(), group=name, service=name))[0]
        taken += status == 200
        return status

    assert post("before") == 200
    eventually(lambda: len(notes_of(state)) == 1, why=serve.log.read_text)
    filler = small_disk / "filler"
    with filler.open("wb") as file, pytest.raises(OSError):
        while True:
            file.write(bytes(65536))
            file.flush()
    statuses = [post(f"full-{i}") for i in range(8)]
    assert set(statuses) <= {200, 503} and 503 in statuses, statuses
    filler.unlink()
    eventually(lambda: post("after") == 200, why=serve.log.read_text)
    eventually(lambda: serve.metric("payops_alerts_kept") == taken, why=serve.log.read_text)
    eventually(lambda: serve.metric("payops_rounds_unfinished") == serve.metric("payops_outbox_waiting") == 0)
    eventually(lambda: serve.call("GET", "/healthz")[0] == 200, why=lambda: serve.call("GET", "/healthz")[1].decode())
    opened = serve.metric("payops_incidents_open")
    assert serve.stop() == 0
    assert len(notes_of(state)) == opened
    log = open_configured(Settings(state=state), last_look=lambda content: None, service="")
    assert log.verify().ok
    ids = [r.id for r in log.scan() if r.event is Event.ALERT_RECEIVED and r.id.endswith(".alerts")]
    log.close()
    assert len(ids) == len(set(ids)) >= opened


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "state")
    yield stand
    stand.service.stop(timeout_s=10)


@pytest.mark.parametrize("jump", [-3600.0, -1.0, 3600.0, 40 * 86400.0])
def test_a_clock_that_jumps_in_the_middle_changes_nothing(stand: Stand, jump: float) -> None:
    """Both clocks: that of the house, and that of the database (which is the machine's for SQLite)."""
    skew = 0.0
    database = stand.service.database
    database.moment = lambda connection: time.time() + skew  # type: ignore[method-assign]
    stand.investigator.slow_s = 0.3
    stand.service.start()
    (one,) = {p.incident for p in stand.service.receive([alert("A", labels={"service": "a"})]).placements}
    soon(lambda: stand.investigator.examined)
    skew = jump
    stand.clock.move(jump)
    (two,) = {p.incident for p in stand.service.receive([alert("B", labels={"service": "b"})]).placements}
    stand.service.receive([alert("A", labels={"service": "a"})])
    for incident in (one, two):
        assert incident
        soon(lambda incident=incident: len(keys(stand, incident)) >= 2, within=30)  # type: ignore[misc]
        assert keys(stand, incident)[:2] == ["1.facts", "1.note"]
        soon(lambda incident=incident: [p for p in stand.outlet.shown if p.incident == incident])  # type: ignore[misc]
    assert one != two
    for incident in (one, two):
        shown = [p.revision for p in stand.outlet.shown if p.incident == incident]
        assert len(shown) == len(set(shown)), shown


def test_fifty_incidents_at_once_are_fifty_notes(stand: Stand) -> None:
    stand.investigator.slow_s = 0.02
    stand.service.database.prepare(*ALL_TABLES)
    for i in range(50):
        stand.clock.move(61)
        stand.service.receive([alert(f"A{i}", at=T0 + 61 * i, labels={"service": f"s{i}"})])
    assert stand.service.incidents.summary().open == 50
    stand.service.start()
    soon(lambda: len(stand.service.notes.newest()) == 50 and not stand.service.rounds.unfinished(), within=90)
    soon(lambda: not stand.service.outbox.waiting().count, within=60)
    shown = [(p.incident, p.revision) for p in stand.outlet.shown]
    assert len(shown) == len(set(shown))
    assert len({incident for incident, _ in shown}) == 50
    received = [r.id for r in stand.log.records() if r.event is Event.ALERT_RECEIVED]
    assert len([r for r in received if r.endswith(".1.alerts")]) == 50
