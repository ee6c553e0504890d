"""Separation of duties: who took part in an incident does not sign it off."""

from __future__ import annotations

import pytest

from assistant.promptlog.record import Entry, Event
from assistant.web.access.duties import bar
from assistant.web.access.person import Person, person
from tests.fakes.promptlog import MemoryLog

ADA, BOB = "oidc:ada@idp", "oidc:bob@idp"


@pytest.fixture
def log() -> MemoryLog:
    made = MemoryLog()
    made.append(Entry(event=Event.LLM_BLOCKED, actor="serve", incident="inc-a"))
    made.append(Entry(event=Event.LLM_BLOCKED, actor="serve", incident="inc-b"))
    made.append(Entry(event=Event.CONFIG_CHANGE, identity=ADA, incident="inc-a", facts={"decision": "merge"}))
    made.append(Entry(event=Event.AUDIT_READ, identity=BOB, incident="inc-a"))
    return made


def auditor(identity: str, *more: str) -> Person:
    return person(identity, "", ["auditor", *more])


def test_who_took_part_in_an_incident_does_not_sign_it_off(log: MemoryLog) -> None:
    assert "took part" in bar(log, auditor(ADA, "commander"), log.get(0))
    assert bar(log, auditor(ADA, "commander"), log.get(1)) == ""


def test_reading_is_no_hand_in_it(log: MemoryLog) -> None:
    assert bar(log, auditor(BOB), log.get(0)) == ""


def test_nobody_signs_off_their_own_act(log: MemoryLog) -> None:
    assert "own act" in bar(log, auditor(ADA), log.get(2))


@pytest.mark.parametrize("roles", [[], ["responder"], ["commander"]])
def test_only_an_auditor_signs_off(log: MemoryLog, roles: list[str]) -> None:
    assert bar(log, person(BOB, "", roles), log.get(0)) == "only an auditor signs off"


def test_one_local_person_is_not_told_apart(log: MemoryLog) -> None:
    assert bar(log, person(ADA, "", ["auditor", "commander"], alone=True), log.get(0)) == ""
