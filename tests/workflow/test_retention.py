"""What is over and old goes with everything that hangs on it; what is open, held, busy or waiting stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from assistant.core.incident import IncidentId
from assistant.incidents import incident_of
from assistant.notebook.database import Database, open_database
from assistant.notebook.notes import NoteBook
from assistant.workflow.incidents import IncidentBook
from assistant.workflow.outbox import Outbox, parcels
from assistant.workflow.plain import plain_note
from assistant.workflow.retention import Forgotten, forget, forget_files, known_in
from assistant.workflow.rounds import Rounds
from assistant.workflow.service import ALL_TABLES
from redaction import FinalScanner
from tests.fakes.alerts import T0, alert

DAY = 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database("", state=tmp_path)
    database.prepare(*ALL_TABLES)
    return database


def incident(database: Database, name: str, *, resolved: bool = True, finished: bool = True, shown: bool = True) -> str:
    """One that began at T0, with a note, a round and a parcel."""
    scanner = FinalScanner()
    book = IncidentBook(database, scanner=scanner, fresh_id=lambda: IncidentId(f"inc-{name}"))
    at = T0 + 2000.0 * len(name)
    book.receive([alert(name, at=at, labels={"service": name})], now=at)
    rounds = Rounds(database, me="exe", shape="1")
    (due,) = [d for d in rounds.due(apart_s=0.0) if d.incident == f"inc-{name}"]
    begun = rounds.begin(due)
    assert begun
    rounds.step_begins(begun.incident, 1, "record")
    if finished:
        rounds.finish(begun.incident, 1, outcome="note")
    value = incident_of([alert(name, at=at)], (), now=at + 60, incident_id=begun.incident)
    note = plain_note(value, why="x", now=at, revision=1, scanner=scanner)
    with database.write() as c:
        NoteBook(database, scanner=scanner).keep(c, note, key="1.facts")
        Outbox(database, scanner=scanner, me="exe").put(
            c, incident=begun.incident, outlet="file", revision=1, payload={"a": 1}
        )
        if shown:
            c.execute(sa.update(parcels).where(parcels.c.incident == begun.incident).values(state="delivered"))
    if resolved:
        book.receive([alert(name, at=at, labels={"service": name}, status="resolved")], now=at + 60)
    return begun.incident


def left(database: Database) -> dict[str, set[str]]:
    """The incidents that each table still knows."""
    found = {}
    for name in sa.inspect(database.engine).get_table_names():
        column = {"payops_incident": "id"}.get(name, "incident")
        columns = {c["name"] for c in sa.inspect(database.engine).get_columns(name)}
        if name.startswith("payops_") and column in columns and not name.endswith(("executor", "switch")):
            with database.read() as c:
                found[name] = set(c.execute(sa.text(f"SELECT DISTINCT {column} FROM {name}")).scalars())
    return found


def test_what_is_over_and_old_goes_whole_and_the_rest_stays_whole(database: Database) -> None:
    gone = incident(database, "a")
    stay = {
        incident(database, "bb", resolved=False),
        incident(database, "ccc"),
        incident(database, "dddd", finished=False),
        incident(database, "eeeee", shown=False),
    }
    before = T0 + 400 * DAY
    done = forget(database, before=before, held=frozenset({"inc-ccc"}))
    assert done.incidents == 1 and done.rows >= 7
    for table, known in left(database).items():
        assert gone not in known, table
        assert known <= stay, table
    assert left(database)["payops_note"] == stay
    assert forget(database, before=before, held=frozenset({"inc-ccc"})) == Forgotten()


def test_what_ended_later_stays(database: Database) -> None:
    incident(database, "a")
    assert forget(database, before=T0) == Forgotten()


def test_a_merged_incident_goes_after_the_one_that_it_is_part_of(database: Database) -> None:
    one, two = incident(database, "a", resolved=False), incident(database, "bb", resolved=False)
    book = IncidentBook(database, scanner=FinalScanner())
    book.merge(IncidentId(one), IncidentId(two))
    assert forget(database, before=T0 + 400 * DAY) == Forgotten()
    for name, length in (("a", 1), ("bb", 2)):
        at = T0 + 2000.0 * length
        book.receive([alert(name, at=at, labels={"service": name}, status="resolved")], now=at + 90)
    assert forget(database, before=T0 + 400 * DAY).incidents == 2
    assert left(database)["payops_incident"] == set()


def test_files_of_forgotten_incidents_go_and_others_stay(database: Database, tmp_path: Path) -> None:
    kept = incident(database, "a", resolved=False)
    notes = tmp_path / "notes"
    for name, age in ((kept, 500 * DAY), ("inc-gone", 500 * DAY), ("inc-young", 0.0)):
        (notes / name).mkdir(parents=True)
        for path in (notes / name / "0001.json", notes / f"{name}.json"):
            path.write_text("{}")
            os.utime(path, (path.stat().st_mtime - age,) * 2)
    import time

    assert forget_files(notes, before=time.time() - 400 * DAY, known=known_in(database)) == 1
    assert sorted(p.name for p in notes.iterdir()) == sorted([kept, f"{kept}.json", "inc-young", "inc-young.json"])
