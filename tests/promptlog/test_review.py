"""The daily review: rules screen every record once, people settle the exceptions, all of it in the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.errors import UsageError
from assistant.promptlog.record import Event, Outcome
from assistant.promptlog.review import RULES, accept, flag, progress, screen, take_next, tasks
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
    with pytest.raises(UsageError, match="own act"):
        accept(log, own, identity="oidc:a")
    assert accept(log, own, identity="oidc:b").id == own


def test_there_is_nothing_to_take_in_an_empty_queue(log: MemoryLog) -> None:
    assert take_next(log, identity="oidc:a") is None and log.size() == 0
