"""Living notes: kept once, never changed; the fake keeps the same promises as the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from assistant.core.incident import IncidentId
from assistant.core.note import Note
from assistant.incidents import incident_of
from assistant.notebook.database import open_database
from assistant.notebook.notes import TABLES, NoteBook, notes
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


def test_a_body_that_was_changed_is_looked_at_again(tmp_path: Path) -> None:
    """The last look is remembered for the same bytes only."""
    book = stored(tmp_path)
    book.put(a_note())
    for _ in range(2):
        assert book.latest("inc-a") is not None
    with book._db.write() as c:
        c.execute(sa.update(notes).values(body='{"title": "card 4111111111111111"}'))
    for _ in range(2):
        with pytest.raises(LeakBlocked):
            book.latest("inc-a")


def test_the_list_is_the_latest_of_each_newest_first(tmp_path: Path) -> None:
    book = stored(tmp_path)
    for incident, revisions in (("inc-a", (1, 2, 5)), ("inc-b", (1,)), ("inc-c", (3, 4))):
        for revision in revisions:
            book.put(a_note(revision, incident=incident))
    assert [(r.incident, r.revision) for r in book.newest()] == [("inc-a", 5), ("inc-c", 4), ("inc-b", 1)]
    assert [r.incident for r in book.newest(limit=1, offset=1)] == ["inc-c"]


def test_an_index_that_came_later_is_made_on_an_old_table(tmp_path: Path) -> None:
    book = stored(tmp_path)
    with book._db.write() as c:
        c.execute(sa.text("DROP INDEX payops_note_written"))
    book._db.prepare(TABLES)
    with book._db.read() as c:
        assert "payops_note_written" in {i["name"] for i in sa.inspect(c).get_indexes("payops_note")}
