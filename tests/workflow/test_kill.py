"""SIGKILL at every point of a round: the next process finishes; one note of each kind, no record lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.notebook.database import open_database
from assistant.notebook.notes import NoteBook
from assistant.promptlog.keys import load_keys
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Event
from redaction import FinalScanner
from tests.workflow.victim import ORIGIN

POINTS = (
    "received", "round.begun", "round.started",
    "record.begun", "record.appended", "record.ended",
    "facts.begun", "facts.examined", "facts.kept", "facts.committed", "facts.ended",
    "note.begun", "note.examined", "note.written", "note.kept", "note.committed", "note.ended",
    "finish.begun", "finish.ended", "deliver.begun", "deliver.shown",
)  # fmt: skip


ALWAYS = {"round.begun", "record.appended", "facts.kept", "facts.committed", "note.written", "note.committed"}
"""Every point is in `make test-all`; these are in `make test` too."""


class Zygote:
    """The process that forks victims."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.workflow.victim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, **order: Any) -> int:
        return int(self._ask(order)["pid"])

    def wait(self, pid: int) -> int:
        return int(self._ask({"wait": pid})["status"])

    def run(self, **order: Any) -> int:
        return self.wait(self.start(**order))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture(scope="module")
def template(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory whose workflow tables exist already: making them takes longer than a round."""
    state = tmp_path_factory.mktemp("template") / "state"
    assert zygote.run(state=str(state), deliver=False) == 0
    return state


@pytest.mark.parametrize("point", [p if p in ALWAYS else pytest.param(p, marks=pytest.mark.slow) for p in (*POINTS,)])
def test_a_kill_leaves_one_note_of_each_kind_and_every_record(
    point: str, zygote: Zygote, template: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(template / "dbos.sqlite", state / "dbos.sqlite")
    assert zygote.run(state=str(state), point=point) == -9, (tmp_path / "state.log").read_text()
    assert zygote.run(state=str(state), deliver=False) == 0, (tmp_path / "state.log").read_text()

    notes = NoteBook(open_database("", state=state), scanner=FinalScanner())
    (newest,) = notes.newest()
    assert [r.key for r in notes.revisions(newest.incident)] == ["1.facts", "1.note"]
    shown = sorted(p.name for p in (state / "notes" / newest.incident).iterdir())
    assert shown == ["0001.json", "0002.json"]
    keys = load_keys(origin=ORIGIN, state=state, signing="", body="", create=False)
    log = open_log(state, keys=keys, last_look=lambda content: None, origin=ORIGIN)
    received = [r for r in log.scan() if r.event is Event.ALERT_RECEIVED]
    assert [r.id for r in received] == [f"{newest.incident}.1.alerts"]
    assert log.verify().ok
    log.close()


def test_a_round_begun_by_an_older_shape_of_the_workflow_is_finished_by_the_newer(
    zygote: Zygote, template: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(template / "dbos.sqlite", state / "dbos.sqlite")
    assert zygote.run(state=str(state), point="note.begun", shape="0") == -9
    assert zygote.run(state=str(state), deliver=False) == 0, (tmp_path / "state.log").read_text()
    notes = NoteBook(open_database("", state=state), scanner=FinalScanner())
    (newest,) = notes.newest()
    assert [r.key for r in notes.revisions(newest.incident)] == ["1.facts", "1.note"]


@pytest.mark.parametrize(
    ("point", "keys"), [("facts.examined", ["1.facts", "1.note"]), ("note.examined", ["1.facts", "1.note"])]
)
def test_two_crashes_of_one_round_end_in_the_deterministic_note(
    point: str, keys: list[str], zygote: Zygote, template: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(template / "dbos.sqlite", state / "dbos.sqlite")
    for deliver in (True, False):
        assert zygote.run(state=str(state), point=point, times=2, deliver=deliver) == -9
    assert zygote.run(state=str(state), deliver=False) == 0, (tmp_path / "state.log").read_text()
    notes = NoteBook(open_database("", state=state), scanner=FinalScanner())
    (newest,) = notes.newest()
    assert [r.key for r in notes.revisions(newest.incident)] == keys
    latest = notes.latest(newest.incident)
    assert latest and latest["model"] is None and "crashed twice" in str(latest["without_model"])
