"""Living notes: kept once, never changed; the fake keeps the same promises as the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.core.incident import IncidentId
from assistant.core.note import Note
from assistant.incidents import incident_of
from assistant.notebook.database import open_database
from assistant.notebook.notes import TABLES, NoteBook
from assistant.ports import Notebook
from assistant.workflow.plain import plain_note
from redaction import FinalScanner, LeakBlocked
from tests.fakes.alerts import T0, alert
from tests.fakes.notebook import MemoryNotebook


def stored(folder: Path) -> NoteBook:
    database = open_database("", state=folder)
    database.prepare(TABLES)
    return NoteBook(database, scanner=FinalScanner())


KINDS: dict[str, Callable[[Path], Notebook]] = {"store": stored, "fake": lambda folder: MemoryNotebook()}


def a_note(revision: int = 1, *, title: str = "", incident: str = "inc-a") -> Note:
    value = incident_of([alert()], (), now=T0 + 60, incident_id=IncidentId(incident))
    note = plain_note(value, why="a test", now=T0 + revision, revision=revision, scanner=FinalScanner())
    return replace(note, title=title or note.title)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_latest_revision_is_the_highest(kind: str, tmp_path: Path) -> None:
    book = KINDS[kind](tmp_path)
    for revision in (2, 1, 3):
        book.put(a_note(revision))
    latest = book.latest("inc-a")
    assert latest and latest["revision"] == 3
    assert book.latest("inc-b") is None


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_revision_never_changes(kind: str, tmp_path: Path) -> None:
    book = KINDS[kind](tmp_path)
    book.put(a_note(title="first"))
    book.put(a_note(title="second"))
    latest = book.latest("inc-a")
    assert latest and latest["title"] == "first"


def test_work_done_twice_keeps_one_note(tmp_path: Path) -> None:
    book = stored(tmp_path)
    with book._db.write() as c:
        assert book.keep(c, a_note(1), key="1.facts")
    with book._db.write() as c:
        assert not book.keep(c, a_note(2), key="1.facts")
    assert [r.revision for r in book.revisions("inc-a")] == [1]
    assert book.by_key("inc-a", "1.facts") == 1


def test_the_list_shows_each_incident_once_newest_first(tmp_path: Path) -> None:
    book = stored(tmp_path)
    for revision, incident in ((1, "inc-a"), (2, "inc-a"), (3, "inc-b"), (4, "inc-c")):
        book.put(a_note(revision, incident=incident))
    assert [(r.incident, r.revision) for r in book.newest()] == [("inc-c", 4), ("inc-b", 3), ("inc-a", 2)]
    assert [r.incident for r in book.newest(limit=1, offset=1)] == ["inc-b"]


def test_a_card_number_does_not_get_in(tmp_path: Path) -> None:
    book = stored(tmp_path)
    with pytest.raises(LeakBlocked):
        book.put(a_note(title="card 4111111111111111"))
    assert book.newest() == ()
