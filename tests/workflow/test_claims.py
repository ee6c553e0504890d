"""Claims on outside events: one taker, also among replicas, and nothing lost when the taker dies."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from assistant.notebook.database import Database, open_database
from assistant.workflow.claims import TABLES, Claims


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database("", state=tmp_path)
    database.prepare(TABLES)
    return database


def test_an_event_is_taken_once(database: Database) -> None:
    one, two = Claims(database, me="exe-1"), Claims(database, me="exe-2")
    assert [one.take("Ev1"), one.take("Ev1"), two.take("Ev1"), two.take("Ev2")] == [True, False, False, True]


def test_of_many_takers_at_once_one_gets_it(database: Database) -> None:
    got: list[bool] = []
    takers = [
        threading.Thread(target=lambda i=i: got.append(Claims(database, me=f"e{i}").take("Ev"))) for i in range(8)
    ]
    for t in takers:
        t.start()
    for t in takers:
        t.join()
    assert sorted(got) == [False] * 7 + [True]


def test_a_repetition_after_the_work_is_known_for_the_span(database: Database) -> None:
    claims = Claims(database, me="exe-1")
    claims.take("Ev")
    claims.done("Ev")
    claims.release("Ev")
    assert not claims.take("Ev")


def test_work_that_failed_is_given_back(database: Database) -> None:
    claims = Claims(database, me="exe-1")
    claims.take("Ev")
    claims.release("Ev")
    assert Claims(database, me="exe-2").take("Ev")


def test_what_a_dead_process_had_begun_is_free_and_what_it_did_is_not(database: Database) -> None:
    dead, alive = Claims(database, me="exe-dead"), Claims(database, me="exe-alive")
    dead.take("begun")
    dead.take("did")
    dead.done("did")
    alive.free_all_but(frozenset({"exe-alive"}))
    assert [alive.take("begun"), alive.take("did")] == [True, False]


def test_a_claim_runs_out(database: Database) -> None:
    Claims(database, me="exe-1").take("Ev", span_s=-1.0)
    assert Claims(database, me="exe-2").take("Ev")
