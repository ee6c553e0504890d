"""Tables of an older version are brought forward with everything in them; a newer version's are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from assistant.core.incident import IncidentId
from assistant.notebook import database as module
from assistant.notebook import migrations
from assistant.notebook.database import Damaged, Database, open_database
from assistant.notebook.migrations import STEPS, Step
from assistant.notebook.notes import NoteBook
from assistant.workflow.incidents import IncidentBook
from assistant.workflow.rounds import Rounds
from assistant.workflow.service import ALL_TABLES
from redaction import FinalScanner
from tests.doubles.postgres import running

OLD = Path(__file__).with_name("schema_1.sql")
"""A notebook as version 1 left it (SQLite's `.dump`): two incidents, one over with its note and an undelivered parcel,
one with a round under way."""


@pytest.fixture
def old(tmp_path: Path) -> Database:
    with sqlite3.connect(tmp_path / "live.sqlite") as db:
        db.executescript(OLD.read_text(encoding="utf-8"))
    return open_database("", state=tmp_path)


def schema(database: Database) -> str:
    with database.read() as c:
        return str(c.execute(sa.text("SELECT value FROM payops_meta WHERE name = 'schema'")).scalar())


def indexes(database: Database) -> set[str]:
    found = sa.inspect(database.engine)
    return {str(i["name"]) for t in found.get_table_names() for i in found.get_indexes(t)}


def columns(database: Database) -> dict[str, list[str]]:
    found = sa.inspect(database.engine)
    return {t: [str(c["name"]) for c in found.get_columns(t)] for t in found.get_table_names()}


def test_a_notebook_of_version_1_is_brought_forward_whole(old: Database) -> None:
    assert schema(old) == "1" and "payops_note_written" not in indexes(old)
    old.prepare(*ALL_TABLES)
    assert schema(old) == str(module.SCHEMA)
    assert {"payops_note_written", "payops_outbox_outlet"} <= indexes(old)
    book = IncidentBook(old, scanner=FinalScanner())
    over, going = book.snapshot(IncidentId("inc-oldone")), book.snapshot(IncidentId("inc-oldtwo"))
    assert over and going and over.head.resolved_at and not going.head.resolved_at
    assert NoteBook(old, scanner=FinalScanner()).by_key("inc-oldone", "1.facts") == 1
    assert [r.incident for r in Rounds(old, me="exe-new", shape="1").unfinished()] == ["inc-oldtwo"]


def test_tables_brought_forward_are_those_that_are_made_new(old: Database, tmp_path: Path) -> None:
    old.prepare(*ALL_TABLES)
    new = open_database("", state=tmp_path / "new")
    new.prepare(*ALL_TABLES)
    assert indexes(old) == indexes(new)
    assert columns(old) == columns(new)


def test_a_step_that_fails_leaves_the_old_tables(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Step(to=2, why="", statements=(*STEPS[0].statements, "CREATE INDEX x ON payops_note (absent)"))
    monkeypatch.setattr(migrations, "STEPS", (broken,))
    with pytest.raises(Damaged):
        old.prepare(*ALL_TABLES)
    monkeypatch.undo()
    assert schema(old) == "1" and "payops_note_written" not in indexes(old)
    old.prepare(*ALL_TABLES)
    assert schema(old) == str(module.SCHEMA)


def test_an_older_program_does_not_start_on_newer_tables(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    old.prepare(*ALL_TABLES)
    monkeypatch.setattr(module, "SCHEMA", 1)
    with pytest.raises(Damaged, match="newer payops"):
        old.prepare(*ALL_TABLES)
    with pytest.raises(Damaged, match="newer payops"):
        old.refuse_newer()


def test_steps_are_in_order_without_a_gap() -> None:
    assert [step.to for step in STEPS] == list(range(2, module.SCHEMA + 1))


@pytest.mark.live
def test_replicas_that_start_together_take_each_step_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with running() as server:
        url = server.create_database("old")
        first = open_database(url, state=tmp_path)
        first.prepare(*ALL_TABLES)
        with first.write() as c:
            for index in ("payops_note_written", "payops_outbox_outlet"):
                c.execute(sa.text(f"DROP INDEX {index}"))
            c.execute(sa.text("UPDATE payops_meta SET value = '1' WHERE name = 'schema'"))
        replicas = [open_database(url, state=tmp_path) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda d: d.prepare(*ALL_TABLES), replicas))
        assert schema(first) == str(module.SCHEMA) and "payops_note_written" in indexes(first)
        for database in (first, *replicas):
            database.close()
