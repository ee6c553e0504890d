"""The daily review: rules screen every record once, people settle the exceptions, all of it in the log."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.errors import UsageError
from assistant.promptlog.record import Entry, Event, Outcome, RecordId
from assistant.promptlog.review import RULES, Queue, accept, flag, progress, screen, take, take_next, tasks
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry

CAUGHT = {
    "blocked": {"event": Event.LLM_BLOCKED},
    "unknown-outcome": {"event": Event.LLM_UNKNOWN_OUTCOME},
    "denied": {"event": Event.AUTH_DENIED},
    "roles": {"event": Event.ROLE_CHANGE},
    "keys": {"event": Event.KEY_ROTATE},
    "configuration": {"event": Event.CONFIG_CHANGE},
    "hold": {"event": Event.HOLD_SET, "facts": {"case": "a", "state": "set"}},
    "erased": {"event": Event.BODY_EXPIRE, "facts": {"reason": "purged"}},
    "export": {"event": Event.AUDIT_READ, "facts": {"action": "export"}},
    "verify": {"event": Event.AUDIT_READ, "facts": {"action": "verify", "doubts": 2}},
    "writable": {"event": Event.CREDENTIALS_ATTEST, "outcome": Outcome.FAILED},
    "model-failed": {"event": Event.LLM_RESPONSE, "outcome": Outcome.FAILED},
    "struck": {"event": Event.NOTE_POST, "facts": {"struck": 3}},
    "many-values": {"facts": {"redactions": {"PAN": 40, "EMAIL": 20}}},
}


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    yield made
    made.close()


def test_every_rule_has_a_case() -> None:
    assert {rule.name for rule in RULES} == set(CAUGHT)


@pytest.mark.parametrize("name", CAUGHT)
def test_each_rule_catches_its_case(log: MemoryLog, name: str) -> None:
    receipt = log.append(entry(**CAUGHT[name]))
    assert screen(log).exceptions == ((receipt.index, receipt.id, (name,)),)


def test_ordinary_records_are_no_exceptions(log: MemoryLog) -> None:
    log.append(entry(facts={"redactions": {"PAN": 2}, "struck": 0}))
    log.append(entry(event=Event.AUDIT_READ, facts={"action": "verify", "doubts": 0}))
    log.append(entry(event=Event.BODY_EXPIRE, facts={"reason": "expired"}))
    assert screen(log).exceptions == ()


def test_screenings_join_without_gap_and_are_records(log: MemoryLog) -> None:
    spans = []
    for n in range(3):
        log.append(entry(n))
        done = screen(log)
        spans.append((done.start, done.stop))
    assert spans == [(0, 1), (1, 3), (3, 5)]
    assert [r.event for r in log.records()].count(Event.AUDIT_REVIEW) == 3
    assert progress(log).screened == 5 and progress(log).last is not None


def test_exceptions_are_taken_accepted_and_flagged_once(log: MemoryLog) -> None:
    ids = [log.append(entry(n, event=Event.AUTH_DENIED)).id for n in range(3)]
    screen(log)
    first = take_next(log, identity="oidc:a")
    second = take_next(log, identity="oidc:b")
    assert first is not None and second is not None and [first.id, second.id] == ids[:2]
    accept(log, ids[0], identity="oidc:a")
    flag(log, ids[1], identity="oidc:b", reason="ask them why")
    assert [t.state for t in tasks(log)] == ["accepted", "flagged", "open"]
    how = progress(log)
    assert (how.open, how.taken, how.accepted, how.flagged) == (1, 0, 1, 1)
    with pytest.raises(UsageError, match="already"):
        flag(log, ids[0], identity="oidc:b", reason="late")
    with pytest.raises(UsageError, match="no exception"):
        accept(log, log.append(entry()).id, identity="oidc:a")
    with pytest.raises(UsageError, match="reason"):
        flag(log, ids[2], identity="oidc:a", reason=" ")
    flagged = next(r for r in log.records() if r.facts.get("kind") == "flag")
    assert log.body(flagged, "reason") == b"ask them why" and flagged.facts["record"] == ids[1]


def test_nobody_signs_off_their_own_act(log: MemoryLog) -> None:
    own = log.append(entry(event=Event.CONFIG_CHANGE, actor="", identity="oidc:a")).id
    screen(log)
    for step in (accept, take):
        with pytest.raises(UsageError, match="own act"):
            step(log, own, identity="oidc:a")
    assert take_next(log, identity="oidc:a") is None
    assert accept(log, own, identity="oidc:b").id == own


def test_two_who_ask_at_once_never_get_the_same(log: MemoryLog) -> None:
    """Both had read the queue before either wrote: the second to write is told, and gets the next."""
    ids = [log.append(entry(n, event=Event.AUTH_DENIED)).id for n in range(2)]
    screen(log)
    stale = tasks(log)
    first = take_next(log, identity="oidc:a")
    late = Entry(
        event=Event.AUDIT_REVIEW, identity="oidc:b", resource=f"record:{ids[0]}", id=RecordId(f"take_{ids[0]}"),
        facts={"kind": "take", "record": ids[0]},
    )  # fmt: skip
    assert stale[0].state == "open" and log.get(log.append(late).index).actor in log.pseudonyms_of("oidc:a")
    second = take_next(log, identity="oidc:b")
    assert first is not None and second is not None and (first.id, second.id) == tuple(ids)
    assert [r.facts.get("kind") for r in log.records()].count("take") == 2


def test_many_at_once_take_each_exception_once(log: MemoryLog) -> None:
    ids = {log.append(entry(n, event=Event.AUTH_DENIED)).id for n in range(12)}
    screen(log)
    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda n: take_next(log, identity=f"oidc:{n}"), range(14)))
    assert sorted(t.id for t in got if t is not None) == sorted(ids) and got.count(None) == 2


def test_what_somebody_took_is_theirs_until_it_is_taken_over(log: MemoryLog) -> None:
    ids = [log.append(entry(n, event=Event.AUTH_DENIED)).id for n in range(2)]
    screen(log)
    take(log, ids[0], identity="oidc:a")
    with pytest.raises(UsageError, match="somebody else has taken"):
        accept(log, ids[0], identity="oidc:b")
    take(log, ids[0], identity="oidc:b")
    with pytest.raises(UsageError, match="somebody else has taken"):
        accept(log, ids[0], identity="oidc:a")
    accept(log, ids[0], identity="oidc:b")
    with pytest.raises(UsageError, match="already"):
        take(log, ids[0], identity="oidc:a")
    assert [(t.state, t.by in log.pseudonyms_of("oidc:b")) for t in tasks(log)] == [("accepted", True), ("open", False)]


def test_a_queue_kept_up_to_date_says_what_one_read_anew_says(log: MemoryLog) -> None:
    queue = Queue()
    for n in range(6):
        one = log.append(entry(n, event=Event.AUTH_DENIED)).id
        screen(log)
        assert queue.look(log) == Queue().look(log)
        if n % 2:
            accept(log, one, identity="oidc:a")
        assert queue.look(log) == Queue().look(log)
    assert queue.look(log).progress.accepted == 3 and len(queue.look(log).tasks) == 6


def test_there_is_nothing_to_take_in_an_empty_queue(log: MemoryLog) -> None:
    assert take_next(log, identity="oidc:a") is None and log.size() == 0
