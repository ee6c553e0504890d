"""What every log promises, whatever keeps its rows: memory, SQLite, PostgreSQL."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import LogInconsistent, LogUnavailable, PromptLogError, UsageError
from assistant.promptlog.checkpoint import open_checkpoint, parse_checkpoint, parse_proof
from assistant.promptlog.keys import Keys
from assistant.promptlog.log import Log
from assistant.promptlog.merkle import verify_consistency, verify_inclusion
from assistant.promptlog.record import Address, Event, Gone, GoneReason, RecordId
from assistant.promptlog.sqlite import SqliteStore
from assistant.promptlog.store import Filter, Store, Taken, Transaction
from tests.fakes.promptlog import ORIGIN, fresh_keys, look_at_nothing
from tests.promptlog.conftest import Server, entry

Open = Callable[..., Log]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.live)])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same log as often as it is called (memory: once)."""
    keys = fresh_keys()
    opened: list[Log] = []

    def store() -> Store:
        if request.param == "memory":
            return SqliteStore(None)
        if request.param == "sqlite":
            return SqliteStore(tmp_path)
        from assistant.promptlog.postgres import PostgresStore

        return PostgresStore(request.getfixturevalue("postgres").url, schema=schema)

    def make(**given: Any) -> Log:
        values = {"keys": keys, "last_look": look_at_nothing, "origin": ORIGIN}
        log = Log(store(), **(values | given))
        opened.append(log)
        return log

    schema = "log_" + secrets.token_hex(6)
    make.kind = request.param
    yield make
    for log in opened:
        log.close()


@pytest.fixture
def log(again: Open) -> Log:
    return again()


def test_records_come_back_as_they_were_given(log: Log) -> None:
    made = entry(
        5, incident="inc-1", correlation="c-1", bodies={"query": b"rate(x[5m])", "empty": b""}, identity="slack:U1"
    )
    receipt = log.append(made)
    for which in (receipt.index, receipt.id, str(receipt.index)):
        record = log.get(which)
        assert (record.id, record.leaf_hash, record.facts) == (receipt.id, receipt.leaf_hash, {"n": 5})
    assert log.body(record, "query") == b"rate(x[5m])" and log.body(record, "empty") == b""
    assert log.identity(record) == "slack:U1"
    assert [r.index for r in log.scan()] == [0]


def test_indexes_have_no_gap_and_receipts_name_them(log: Log) -> None:
    receipts = [log.append(entry(n)) for n in range(20)]
    assert [r.index for r in receipts] == list(range(20)) and receipts[-1].tree_size == log.size() == 20


def test_many_at_once_are_in_order(log: Log) -> None:
    receipts = log.append_all(entry(n, bodies={"b": b"%d" % n}) for n in range(1200))
    assert [r.index for r in receipts] == list(range(1200)) == [r.facts["n"] for r in log.scan()]


def test_the_same_id_again_is_the_same_record(log: Log) -> None:
    first = log.append(entry(1, id=RecordId("rec_mine")))
    assert log.append(entry(1, id=RecordId("rec_mine"))).index == first.index and log.size() == 1
    with pytest.raises(LogInconsistent):
        log.append(entry(1, id=RecordId("rec_mine"), incident="another"))
    assert log.append(entry(2)).index == 1


def test_equal_bodies_are_kept_once_under_one_address(log: Log) -> None:
    log.append(entry(1, bodies={"a": b"same", "b": b"same"}))
    log.append(entry(2, bodies={"c": b"same"}))
    refs = {ref.address for record in log.scan() for ref in record.bodies.values()}
    assert len(refs) == 1 == len(list(log.store.blob_addresses()))
    assert log.store.uses(next(iter(refs))) == [0, 1]


def test_one_person_is_one_pseudonym_that_says_nothing(log: Log) -> None:
    for person in ("slack:U1", "slack:U1", "slack:U2"):
        log.append(entry(actor="", identity=person))
    actors = [record.actor for record in log.scan()]
    assert actors[0] == actors[1] != actors[2]
    assert log.pseudonyms_of("slack:U1") == (actors[0],) and log.pseudonyms_of("slack:U9") == ()
    assert not any(b"U1" in record.leaf for record in log.scan())


def test_bodies_lie_encrypted(log: Log) -> None:
    record = log.get(log.append(entry(bodies={"a": b"a prompt to be found"})).index)
    blob = log.store.blob(record.bodies["a"].address)
    assert blob is not None and b"prompt" not in blob.sealed and len(blob.sealed) == 20 + 12 + 32 + 16


def test_what_is_not_there_is_said(log: Log) -> None:
    record = log.get(log.append(entry()).index)
    with pytest.raises(UsageError):
        log.get(9)
    with pytest.raises(UsageError):
        log.get("rec_none")
    with pytest.raises(UsageError):
        log.body(record, "none")
    assert log.open_body(Address("0" * 64)) == Gone(GoneReason.ABSENT)


def test_search_filters_on_every_column(log: Log) -> None:
    request = log.append(entry(1, event=Event.LLM_REQUEST, incident="a", facts={"model": "m"}))
    log.append(
        entry(2, event=Event.LLM_RESPONSE, outcome="failed", incident="a", facts={"request": request.id, "model": "m"})
    )
    log.append(entry(3, incident="b", correlation="c", facts={"redactions": {"PAN": 2, "EMAIL": 0}}))
    times = [row.time for row in log.store.rows(Filter())]
    expected = {
        Filter(incident="a"): [0, 1],
        Filter(events=("llm.request", "llm.response")): [0, 1],
        Filter(outcome="failed"): [1],
        Filter(model="m"): [0, 1],
        Filter(about=request.id): [1],
        Filter(correlation="c"): [2],
        Filter(actor="nobody"): [],
        Filter(redacted="PAN"): [2],
        Filter(redacted="EMAIL"): [],
        Filter(redacted="PAN", incident="a"): [],
        Filter(events=("llm.request", "source.query"), actor="serve", since=times[1]): [2],
        Filter(outcome="ok", until=times[1]): [0],
        Filter(since="9"): [],
        Filter(since=times[1]): [1, 2],
        Filter(until=times[1]): [0],
        Filter(start=1, stop=2): [1],
    }
    for wanted, indexes in expected.items():
        assert [r.index for r in log.search(wanted)] == indexes, wanted
        assert [r.index for r in log.search(wanted, newest_first=True)] == indexes[::-1], wanted


def test_tables_of_the_first_schema_are_brought_up_on_a_server(postgres: Server) -> None:
    from assistant.promptlog.postgres import PostgresStore

    schema = "log_" + secrets.token_hex(6)
    keys = fresh_keys()

    def opened() -> Log:
        return Log(PostgresStore(postgres.url, schema=schema), keys=keys, last_look=look_at_nothing, origin=ORIGIN)

    log = opened()
    log.append_all(entry(n, facts={"redactions": {"PAN": n % 2}}) for n in range(8))
    with log.store.reading() as cursor:
        for change in (
            "DROP TABLE redacted",
            "DROP INDEX entry_time",
            "CREATE INDEX entry_time ON entry (time)",
            "UPDATE meta SET value = '1'",
        ):
            cursor.all(change)
    log.close()
    log = opened()
    assert [r.index for r in log.search(Filter(redacted="PAN"))] == [1, 3, 5, 7] and log.verify().ok
    log.close()


def test_pages_join_without_gap(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.promptlog.sql.PAGE", 3)
    for n in range(10):
        log.append(entry(n, bodies={"b": str(n).encode()}))
    assert [r.index for r in log.scan()] == list(range(10))
    assert [r.index for r in log.search(Filter(), newest_first=True)] == list(range(10))[::-1]
    assert len(list(log.store.blob_addresses())) == 10


def test_checkpoints_proofs_and_consistency_hold(log: Log, again: Open) -> None:
    notes = []
    for n in range(12):
        log.append(entry(n))
        notes.append(log.checkpoint())
    heads = [open_checkpoint(n, origin=ORIGIN, trusted=log.keys.verifiers()).checkpoint for n in notes]
    for old, new in zip(heads, heads[3:], strict=False):
        proof = log.consistency(old.size, new.size)
        verify_consistency(old.size, new.size, proof, old_root=old.root, new_root=new.root)
    for index in range(12):
        proof_file = parse_proof(log.prove(index))
        head = parse_checkpoint(proof_file.checkpoint)
        verify_inclusion(index, head.size, log.get(index).leaf_hash, proof_file.path, head.root)
    assert [s.size for s in log.store.signed()] == list(range(1, 13))
    assert log.verify(outside=notes).ok
    with pytest.raises(UsageError):
        log.prove(12)


def test_the_last_look_sees_leaf_and_bodies_and_stops_everything(again: Open) -> None:
    class Blocked(Exception):
        pass

    seen: list[bytes] = []

    def look(content: bytes) -> None:
        seen.append(content)
        if b"planted" in content:
            raise Blocked

    log = again(last_look=look)
    log.append(entry(7, bodies={"a": b"fine"}))
    assert b"fine" in seen and any(b'"n":7' in content for content in seen)
    for bad in ({"bodies": {"a": b"planted"}}, {"facts": {"n": "planted"}}, {"resource": "planted"}):
        with pytest.raises(Blocked):
            log.append(entry(**bad))
    assert log.size() == 1 and len(list(log.store.blob_addresses())) == 1


def test_a_body_that_was_taken_says_by_which_record(log: Log) -> None:
    record = log.get(log.append(entry(bodies={"a": b"x"})).index)
    address = record.bodies["a"].address
    gone = log.append(entry(event=Event.BODY_EXPIRE))
    log.perform(lambda tx: tx.take([Taken(address, "purged", gone.id, "2026-01-01T00:00:00.000000Z")]))
    log.store.scrub()
    assert log.body(record, "a") == Gone(GoneReason.PURGED, record=gone.id)
    assert not log.body(record, "a")
    assert [t.address for t in log.store.all_taken()] == [address]
    assert log.verify().ok and log.verify().bodies_gone == 1


def test_requests_without_an_answer_are_found(log: Log) -> None:
    ids = [log.append(entry(n, event=Event.LLM_REQUEST)).id for n in range(3)]
    log.append(entry(event=Event.LLM_RESPONSE, facts={"request": ids[0]}))
    log.append(entry(event=Event.LLM_BLOCKED, facts={"request": ids[2]}))
    assert [row.id for row in log.store.open_requests()] == [ids[1]]


def test_a_run_is_alive_while_its_log_is_open(again: Open) -> None:
    log = again()
    assert log.store.run_alive(log.run) and not log.store.run_alive("run_never")
    if again.kind != "memory":
        other = again()
        assert other.store.run_alive(log.run)
        log.close()
        deadline = time.monotonic() + 20  # a server hears of a closed connection a moment later
        while other.store.run_alive(log.run):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_two_logs_over_one_store_take_turns(again: Open) -> None:
    if again.kind == "memory":
        pytest.skip("memory is not shared")
    logs = [again(), again()]
    failures: list[BaseException] = []

    def produce(log: Log) -> None:
        try:
            for n in range(25):
                log.append(entry(n, bodies={"b": f"{n}".encode()}))
        except PromptLogError as fault:
            failures.append(fault)

    threads = [threading.Thread(target=produce, args=(log,)) for log in logs for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and [r.index for r in logs[0].scan()] == list(range(100))
    assert logs[1].verify(outside=[logs[0].checkpoint()]).ok
    assert {record.run for record in logs[0].scan()} == {log.run for log in logs}


def test_concurrent_producers_lose_and_double_nothing(log: Log) -> None:
    receipts: list[tuple[int, str]] = []

    def produce(worker: int) -> None:
        for n in range(10):
            receipt = log.append(entry(worker * 100 + n, bodies={"same": b"template", "own": f"{worker}/{n}".encode()}))
            receipts.append((receipt.index, receipt.id))

    threads = [threading.Thread(target=produce, args=(worker,)) for worker in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(index for index, _ in receipts) == list(range(320))
    assert {r.index: r.id for r in log.scan()} == dict(receipts)
    assert sorted(r.facts["n"] for r in log.scan()) == sorted(w * 100 + n for w in range(32) for n in range(10))
    assert log.verify().ok


def test_a_failing_task_undoes_itself_and_the_log_goes_on(log: Log) -> None:
    log.append(entry(bodies={"a": b"x"}))
    address = log.get(0).bodies["a"].address

    def work(tx: Transaction) -> None:
        tx.take([Taken(address, "purged", RecordId("rec_x"), "t")])
        raise UsageError("no")

    with pytest.raises(UsageError):
        log.perform(work)
    assert log.body(log.get(0), "a") == b"x" and log.append(entry()).index == 1


def test_a_closed_log_refuses(log: Log) -> None:
    log.append(entry())
    log.close()
    with pytest.raises(LogUnavailable):
        log.append(entry())
    log.close()
    assert log.failure


def test_keys_that_came_later_find_earlier_bodies(again: Open) -> None:
    old, new = fresh_keys(), fresh_keys()
    log = again(keys=old)
    log.append(entry(actor="", identity="slack:U1", bodies={"a": b"x"}))
    log.keys = Keys(signer=old.signer, bodies=(*old.bodies, *new.bodies))
    log.append(entry(actor="", identity="slack:U1", bodies={"a": b"x", "b": b"new"}))
    first, second = log.scan()
    assert first.actor == second.actor and first.bodies["a"] == second.bodies["a"]
    assert log.body(second, "b") == b"new"
