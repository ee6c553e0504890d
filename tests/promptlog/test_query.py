"""Searching walks an index, never the log: whatever is asked for, on a log of any size."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from assistant.promptlog.audit import Auditor
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.query import one_event_each, query, span_query
from assistant.promptlog.record import Event
from assistant.promptlog.reindex import Reindexed, reindex
from assistant.promptlog.retention import Segments, archive
from assistant.promptlog.search import Search
from assistant.promptlog.sqlite import FILE, SqliteStore
from assistant.promptlog.store import Filter
from tests.fakes.promptlog import ORIGIN, MemoryLog, fresh_keys, look_at_nothing
from tests.promptlog.conftest import entry

CONDITIONS = {
    "incident": "inc-1",
    "correlation": "c-1",
    "about": "rec_x",
    "actor": "serve",
    "outcome": "failed",
    "model": "m",
    "events": ("llm.request", "note.post"),
    "redacted": "PAN",
    "since": "2026-01-01T00:00:00.000000Z",
    "until": "2027-01-01T00:00:00.000000Z",
}
FILTERS = [Filter(**dict(pairs)) for n in (0, 1, 2, 3) for pairs in combinations(CONDITIONS.items(), n)]


@pytest.mark.parametrize("descending", [False, True])
def test_no_statement_scans_the_table_or_sorts(tmp_path: Path, descending: bool) -> None:
    SqliteStore(tmp_path).close()
    database = sqlite3.connect(tmp_path / FILE)
    for wanted in FILTERS:
        for one in one_event_each(wanted):
            asked = query(one, start=0, stop=10**6, descending=descending, aside=SqliteStore.aside)
            sql = asked.sql("e.idx, e.leaf", descending=descending)
            plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql, asked.values(10, 50))]
            assert all("SEARCH" in step or "SUBQUERY" in step for step in plan), (wanted, plan)
            driven = [name for name in CONDITIONS if getattr(one, name) and name not in {"since", "until"}]
            assert bool(driven) == ("INTEGER PRIMARY KEY" not in plan[0]), (wanted, plan)
    database.close()


def test_a_span_of_time_is_read_from_the_index_of_times_alone(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    database = sqlite3.connect(tmp_path / FILE)
    for wanted in (Filter(since="a"), Filter(until="b"), Filter(since="a", until="b")):
        sql, values = span_query(wanted)
        [plan] = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql, values)]
        assert "COVERING INDEX entry_time" in plan
    database.close()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = MemoryLog()
    for n in range(400):
        facts = {"n": n, "model": f"m{n % 3}", "redactions": {"PAN": n % 2, "email": n % 5 == 0}}
        event = (Event.LLM_REQUEST, Event.SOURCE_QUERY, Event.NOTE_POST, Event.FEEDBACK)[n % 4]
        outcome = "failed" if n % 7 == 0 else "ok"
        made.append(
            entry(event=event, outcome=outcome, incident=f"inc-{n % 11}", correlation=f"c-{n % 13}", facts=facts)
        )
    return made


def test_every_combination_finds_what_looking_at_every_record_finds(log: Log) -> None:
    rows = list(log.store.rows(Filter()))
    values = {
        **CONDITIONS,
        "model": "m1",
        "incident": "inc-3",
        "correlation": "c-5",
        "since": rows[40].time,
        "until": rows[350].time,
    }
    for wanted in FILTERS:
        wanted = replace(wanted, **{n: values[n] for n in CONDITIONS if getattr(wanted, n)})
        slow = [
            r.index
            for r in rows
            if all(
                getattr(wanted, name) in (None, getattr(r, name))
                for name in ("incident", "correlation", "about", "actor", "outcome", "model")
            )
            and (not wanted.events or r.event in wanted.events)
            and (wanted.redacted is None or (wanted.redacted == "PAN" and r.index % 2))
            and (wanted.since is None or r.time >= wanted.since)
            and (wanted.until is None or r.time < wanted.until)
        ]
        assert [r.index for r in log.store.rows(wanted)] == slow, wanted
        assert [r.index for r in log.store.rows(wanted, descending=True)] == slow[::-1], wanted


def test_pages_of_a_search_join_without_gap_or_double(log: Log) -> None:
    auditor, stop, seen = Auditor(log, "os:a"), log.size(), []
    while True:
        found = auditor.search(Search(redacted="pan", stop=stop), limit=17)
        seen += [r.index for r in found.records]
        if found.older is None:
            break
        stop = found.older
    assert seen == list(range(399, 0, -2))


def test_a_person_under_two_pseudonyms_comes_in_the_order_of_the_log(tmp_path: Path) -> None:
    log = MemoryLog()
    for n in range(6):
        log.append(entry(n, actor="", identity="slack:U1" if n % 2 else "slack:U2"))
    both = log.pseudonyms_of("slack:U1") + log.pseudonyms_of("slack:U2")
    log.pseudonyms_of = lambda identity: both  # type: ignore[method-assign]
    found = Auditor(log, "os:a").search(Search(person="slack:U1"), newest_first=True)
    assert [r.index for r in found.records] == [5, 4, 3, 2, 1, 0]


def test_verify_sees_a_record_hidden_from_the_search_by_class(tmp_path: Path) -> None:
    keys = fresh_keys()
    with_log = open_log(tmp_path, keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    for n in range(4):
        with_log.append(entry(n, facts={"redactions": {"PAN": n, "EMAIL": 1}}))
    assert with_log.verify().ok
    for change in ("DELETE FROM redacted WHERE class = 'PAN' AND idx = 2", "INSERT INTO redacted VALUES ('PAN', 0)"):
        database = sqlite3.connect(tmp_path / FILE)
        database.execute("BEGIN")
        database.execute(change)
        database.commit()
        database.close()
        report = with_log.verify()
        assert [d.kind for d in report.doubts] == ["columns"] and "classes" in report.doubts[0].text
    with_log.close()


def _as_schema_1(folder: Path) -> None:
    """The tables as the first release made them."""
    database = sqlite3.connect(folder / FILE)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'entry_%'").fetchall():
        database.execute(f"DROP INDEX {name}")
    database.execute("DROP TABLE redacted")
    database.execute("ALTER TABLE entry DROP COLUMN release")
    database.execute("CREATE INDEX entry_time ON entry (time)")
    database.execute("CREATE INDEX entry_incident ON entry (incident) WHERE incident IS NOT NULL")
    database.execute("CREATE INDEX entry_about ON entry (about) WHERE about IS NOT NULL")
    database.execute("CREATE INDEX entry_request ON entry (idx) WHERE event = 'llm.request'")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()


def test_a_log_of_the_first_schema_is_brought_up_and_still_verifies(tmp_path: Path) -> None:
    keys = fresh_keys()
    log = open_log(tmp_path, keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    for n in range(30):
        facts = {"redactions": {"PAN": n % 2}, "release": f"r{n % 3}"}
        log.append(entry(n, facts=facts, bodies={"b": b"%d" % n}))
    note = log.checkpoint()
    log.close()
    _as_schema_1(tmp_path)
    log = open_log(tmp_path, keys=keys, last_look=look_at_nothing, origin=ORIGIN, outside=[note])
    assert [r.index for r in log.search(Filter(redacted="PAN"))] == list(range(1, 30, 2))
    assert [r.index for r in log.search(Filter(release="r1"))] == list(range(1, 30, 3))
    assert log.verify(outside=[note]).ok and log.append(entry()).index == 30
    log.close()


def test_cold_records_of_an_older_schema_are_found_again_once_their_segment_is_here(tmp_path: Path) -> None:
    keys, cold = fresh_keys(), tmp_path / "cold"
    given: dict[str, Any] = {"keys": keys, "last_look": look_at_nothing, "origin": ORIGIN}
    log = open_log(tmp_path, **given, segments=Segments(cold))
    for n in range(30):
        log.append(entry(n, facts={"redactions": {"PAN": n % 2}, "release": f"r{n % 3}"}))
    archive(log, before=log.clock() + timedelta(days=1), directory=cold)
    log.close()
    _as_schema_1(tmp_path)
    cold.rename(tmp_path / "away")
    log = open_log(tmp_path, **given, segments=Segments(cold))
    assert list(log.store.rows(Filter(release="r1"))) == []
    assert reindex(log, identity="os:ada") == Reindexed(0, ("segment-000000000000-000000000030",))
    (tmp_path / "away").rename(cold)
    assert reindex(log, identity="os:ada").records == 30
    assert [r.index for r in log.search(Filter(release="r1"))] == list(range(1, 30, 3))
    assert [r.index for r in log.search(Filter(redacted="PAN"))] == list(range(1, 30, 2))
    size = log.size()
    assert reindex(log, identity="os:ada").records == 30 and log.verify().ok
    told = log.get(size)
    assert (told.event, told.resource, told.facts["records"]) == (Event.CONFIG_CHANGE, "promptlog.index", 30)
    log.close()
