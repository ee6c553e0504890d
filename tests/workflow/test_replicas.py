"""Replicas on one PostgreSQL: shared incidents, claims and one ordered log; a dead one's round is taken over."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.notebook.database import open_database
from assistant.notebook.notes import NoteBook
from assistant.promptlog.keys import load_keys
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Event
from redaction import FinalScanner
from tests.doubles.postgres import Postgres, running
from tests.workflow.test_kill import Zygote, zygote  # noqa: F401
from tests.workflow.victim import ORIGIN

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    return server.create_database(f"t{uuid.uuid4().hex[:12]}")


def notes_at(url: str, state: Path) -> dict[str, list[str]]:
    book = NoteBook(open_database(url, state=state), scanner=FinalScanner())
    return {n.incident: [r.key for r in book.revisions(n.incident)] for n in book.newest()}


def received(url: str, state: Path) -> list[str]:
    keys = load_keys(origin=ORIGIN, state=state, signing="", body="", create=False)
    log = open_log(url, keys=keys, last_look=lambda content: None, origin=ORIGIN)
    try:
        report = log.verify()
        assert report.ok
        return [r.id for r in log.scan() if r.event is Event.ALERT_RECEIVED]
    finally:
        log.close()


@pytest.mark.slow
@pytest.mark.parametrize("point", ["facts.examined", "note.kept", "deliver.begun"])
def test_a_killed_replica_is_taken_over_by_a_living_one(
    point: str,
    zygote: Zygote,  # noqa: F811
    url: str,
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    living = zygote.start(state=str(state), url=url, service="ledger", within=60, idle_s=12)
    time.sleep(3.5)
    assert zygote.run(state=str(state), url=url, point=point) == -9
    assert zygote.wait(living) == 0, (tmp_path / "state.log").read_text()
    kept = notes_at(url, state)
    assert sorted(kept.values()) == [["1.facts", "1.note"]] * 2
    assert sorted(received(url, state)) == sorted(f"{incident}.1.alerts" for incident in kept)


@pytest.mark.slow
def test_a_replica_that_slept_through_its_takeover_adds_nothing_when_it_wakes(
    zygote: Zygote,  # noqa: F811
    url: str,
    tmp_path: Path,
) -> None:
    """SIGSTOP is what a long pause of a virtual machine looks like: the sleeper does not know that it was given up."""
    state, mine = tmp_path / "state", tmp_path / "sleeper"
    living = zygote.start(state=str(state), url=url, service="ledger", within=90, idle_s=20)
    time.sleep(4)
    mine.mkdir()
    shutil.copytree(state / "keys", mine / "keys")
    sleeper = zygote.start(state=str(mine), url=url, service="gateway", slow_s=1.5, within=60)
    until = time.monotonic() + 20
    while not (mine / "points").exists() or "facts.begun" not in (mine / "points").read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(sleeper, signal.SIGSTOP)
    time.sleep(9)
    assert len(notes_at(url, state)) == 2
    os.kill(sleeper, signal.SIGCONT)
    assert zygote.wait(sleeper) == 0, (tmp_path / "sleeper.log").read_text()
    assert zygote.wait(living) == 0, (tmp_path / "state.log").read_text()
    kept = notes_at(url, state)
    assert sorted(kept.values()) == [["1.facts", "1.note"]] * 2
    assert sorted(received(url, state)) == sorted(f"{incident}.1.alerts" for incident in kept)


def test_two_replicas_that_get_the_same_delivery_write_one_note(
    zygote: Zygote,  # noqa: F811
    url: str,
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    assert zygote.run(state=str(state), url=url, deliver=False) == 0
    both = [zygote.start(state=str(state), url=url, slow_s=0.3) for _ in range(2)]
    assert [zygote.wait(pid) for pid in both] == [0, 0], (tmp_path / "state.log").read_text()
    kept = notes_at(url, state)
    assert list(kept.values()) == [["1.facts", "1.note"]]
    assert received(url, state) == [f"{incident}.1.alerts" for incident in kept]


@pytest.mark.slow
def test_a_database_that_goes_away_in_the_middle_of_a_step_costs_time_and_nothing_else(
    zygote: Zygote,  # noqa: F811
    server: Postgres,
    url: str,
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    assert zygote.run(state=str(state), url=url, deliver=False) == 0
    pid = zygote.start(state=str(state), url=url, slow_s=2.0, within=60)
    points = state / "points"
    until = time.monotonic() + 20
    while "facts.begun" not in points.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    server.stop()
    time.sleep(3)
    server.start()
    assert zygote.wait(pid) == 0, (tmp_path / "state.log").read_text()
    kept = notes_at(url, state)
    assert list(kept.values()) == [["1.facts", "1.note"]]
    assert received(url, state) == [f"{incident}.1.alerts" for incident in kept]
