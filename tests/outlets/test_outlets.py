"""File and terminal: what is shown, once, also after a delivery that may have happened."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from assistant.core.incident import IncidentId
from assistant.incidents import incident_of
from assistant.outlets.file import FileOutlet
from assistant.outlets.terminal import TerminalOutlet
from assistant.workflow.outbox import Later, Parcel
from assistant.workflow.plain import plain_note
from redaction import FinalScanner
from tests.fakes.alerts import T0, alert

INCIDENT = incident_of([alert()], (), now=T0 + 60, incident_id=IncidentId("inc-a"))


def parcel(revision: int, payload: object, *, unsure: bool = False) -> Parcel:
    assert isinstance(payload, dict)
    return Parcel("inc-a", "x", revision, payload, 1, "", unsure, "claim")


def test_a_note_becomes_a_file_of_its_revision_and_the_newest_one(tmp_path: Path) -> None:
    outlet = FileOutlet(tmp_path / "notes")
    for revision in (1, 2):
        note = plain_note(INCIDENT, why="x", now=T0, revision=revision, scanner=FinalScanner())
        assert outlet.deliver(parcel(revision, outlet.render(note, INCIDENT))) == f"inc-a/000{revision}.json"
    assert json.loads((tmp_path / "notes" / "inc-a.json").read_text())["revision"] == 2
    assert [p.name for p in sorted((tmp_path / "notes" / "inc-a").iterdir())] == ["0001.json", "0002.json"]


def test_delivering_again_leaves_the_same_files(tmp_path: Path) -> None:
    outlet = FileOutlet(tmp_path)
    note = plain_note(INCIDENT, why="x", now=T0, revision=1, scanner=FinalScanner())
    for unsure in (False, True):
        outlet.deliver(parcel(1, outlet.render(note, INCIDENT), unsure=unsure))
    assert [p.name for p in (tmp_path / "inc-a").iterdir()] == ["0001.json"]


def test_a_folder_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Later):
        FileOutlet(tmp_path / "file").deliver(parcel(1, {"a": 1}))


def test_a_revision_that_is_taken_back_leaves_no_file_of_it(tmp_path: Path) -> None:
    outlet = FileOutlet(tmp_path)
    for revision in (1, 2):
        note = plain_note(INCIDENT, why="x", now=T0, revision=revision, scanner=FinalScanner())
        outlet.deliver(parcel(revision, outlet.render(note, INCIDENT)))
    outlet.retract("inc-a/0001.json")
    assert [p.name for p in (tmp_path / "inc-a").iterdir()] == ["0002.json"]
    for _ in range(2):
        outlet.retract("inc-a/0002.json")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_the_terminal_shows_a_note_once_and_not_what_a_dead_process_may_have_shown() -> None:
    stream = io.StringIO()
    outlet = TerminalOutlet(lambda note: f"note {note.revision}", stream)
    payload = outlet.render(plain_note(INCIDENT, why="x", now=T0, revision=3, scanner=FinalScanner()), INCIDENT)
    assert outlet.deliver(parcel(3, payload)) == "shown"
    assert outlet.deliver(parcel(3, payload, unsure=True)) == "perhaps"
    assert stream.getvalue() == "note 3\n"
