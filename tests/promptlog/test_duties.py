"""Separation of duties: who took part in an incident does not sign it off, whichever way they come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.errors import UsageError
from assistant.promptlog.duties import HANDS, Hands
from assistant.promptlog.record import Entry, Event
from assistant.promptlog.review import accept, flag, screen, take, take_next, tasks
from tests.fakes.promptlog import MemoryLog

ADA, BOB = "oidc:ada@idp", "os:bob"


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    """0 and 1 are exceptions of two incidents; ada decided about the first (2), bob looked at it (3)."""
    made = MemoryLog()
    made.append(Entry(event=Event.LLM_BLOCKED, actor="serve", incident="inc-a"))
    made.append(Entry(event=Event.LLM_BLOCKED, actor="serve", incident="inc-b"))
    made.append(Entry(event=Event.CONFIG_CHANGE, identity=ADA, incident="inc-a", facts={"decision": "merge"}))
    made.append(Entry(event=Event.AUDIT_READ, identity=BOB, incident="inc-a"))
    yield made
    made.close()


def test_who_took_part_in_an_incident_does_not_sign_it_off(log: MemoryLog) -> None:
    ada = Hands(log, ADA)
    assert "took part" in ada.bar(log.get(0)) and ada.bar(log.get(1)) == ""


def test_reading_is_no_hand_in_it(log: MemoryLog) -> None:
    assert Hands(log, BOB).bar(log.get(0)) == ""


def test_nobody_signs_off_their_own_act(log: MemoryLog) -> None:
    assert "own act" in Hands(log, ADA).bar(log.get(2))
    assert "own act" in Hands(log, ADA, alone=True).bar(log.get(2))


def test_one_local_person_is_not_told_apart(log: MemoryLog) -> None:
    assert Hands(log, ADA, alone=True).bar(log.get(0)) == ""


@pytest.mark.parametrize("event", HANDS)
def test_each_kind_of_hand_counts(log: MemoryLog, event: Event) -> None:
    log.append(Entry(event=event, identity=BOB, incident="inc-b", facts={"judgement": "useful"}))
    assert "took part" in Hands(log, BOB).bar(log.get(1)) and Hands(log, BOB).bar(log.get(0)) == ""


def test_a_hand_in_what_became_part_of_an_incident_is_a_hand_in_it(log: MemoryLog) -> None:
    """However many steps it took; what joined something else does not count."""
    log.append(Entry(event=Event.QUESTION_RECEIVED, identity=BOB, incident="inc-young"))
    assert Hands(log, BOB).bar(log.get(1)) == ""
    for elder, other in (("inc-mid", "inc-young"), ("inc-b", "inc-mid"), ("inc-mid", "inc-b")):
        facts = {"decision": "merge", "other": other}
        log.append(Entry(event=Event.CONFIG_CHANGE, actor="analyst", incident=elder, facts=facts))
    assert "took part" in Hands(log, BOB).bar(log.get(1)) and Hands(log, BOB).bar(log.get(0)) == ""


def test_every_step_of_the_review_holds_to_it(log: MemoryLog) -> None:
    screen(log)
    for step in (take, accept):
        with pytest.raises(UsageError, match="took part"):
            step(log, 0, identity=ADA)
    with pytest.raises(UsageError, match="took part"):
        flag(log, 0, identity=ADA, reason="odd")
    taken = take_next(log, identity=ADA)
    assert taken is not None and taken.index == 1
    assert take_next(log, identity=ADA) is None, "what is left is hers"
    assert [t.state for t in tasks(log) if t.index == 0] == ["open"]
    assert accept(log, 0, identity=BOB).index == 0
