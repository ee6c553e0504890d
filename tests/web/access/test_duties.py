"""Separation of duties: who took part in an incident does not sign it off."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from assistant.guests import guests
from assistant.live import Live
from assistant.promptlog.record import Entry, Event
from assistant.promptlog.review import screen, tasks
from assistant.settings import Settings, Web
from assistant.web.access.duties import bar
from assistant.web.access.person import Person, person
from tests.fakes.promptlog import MemoryLog
from tests.web.access.console import Answer, Browser

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


def test_the_review_page_holds_to_it(tmp_path: Path) -> None:
    """In the whole console, behind a proxy that says who it is: who muted an incident cannot sign its exception off."""
    web = Web(
        webhook_port=0,
        console_port=0,
        url="https://payops.example",
        login="proxy",
        proxy_user_header="Remote-User",
        proxy_groups_header="Remote-Groups",
        proxy_addresses=("127.0.0.2",),
        roles={"auditor": ("audit",), "commander": ("command",)},
    )
    chosen = Settings(state=tmp_path, web=web)
    live = Live(chosen, notes=tmp_path / "notes", guests=guests(chosen))
    live.start()
    try:
        log: Any = live.house.promptlog
        blocked = log.append(Entry(event=Event.LLM_BLOCKED, actor="serve", incident="inc-a"))
        facts = {"decision": "mute"}
        log.append(Entry(event=Event.CONFIG_CHANGE, identity="proxy:ada", incident="inc-a", facts=facts))
        screen(log)
        browser = Browser(live.console_listener.port, host="payops.example", source="127.0.0.2")

        def accept(user: str, groups: str) -> Answer:
            who = {"Remote_User": user, "Remote_Groups": groups}
            csrf = re.search(r'name="csrf"[^>]*value="([^"]+)"', browser.get("/review", **who).text)
            fields = {"action": "accept", "record": str(blocked.id), "csrf": csrf[1] if csrf else ""}
            return browser.post("/review", fields, **who)

        assert accept("ada", "command").status == 403
        refused = accept("ada", "audit,command")
        assert (refused.status, "took part in this incident" in refused.text) == (400, True)
        assert [t.state for t in tasks(log) if t.id == blocked.id] == ["open"]
        assert accept("bob", "audit").status == 303
        assert [t.state for t in tasks(log) if t.id == blocked.id] == ["accepted"]
    finally:
        live.stop(drain_s=2)
