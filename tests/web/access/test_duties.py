"""Separation of duties in the whole console: who took part in an incident does not sign it off."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from assistant.guests import guests
from assistant.live import Live
from assistant.promptlog.record import Entry, Event
from assistant.promptlog.review import screen, tasks
from assistant.settings import Settings, Web
from tests.web.access.console import Answer, Browser


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
        page = browser.get("/review", Remote_User="ada", Remote_Groups="audit,command").text
        assert "you took part in this incident" in page and ">Take<" not in page
        assert ">Take<" in browser.get("/review", Remote_User="bob", Remote_Groups="audit").text
        assert accept("bob", "audit").status == 303
        assert [t.state for t in tasks(log) if t.id == blocked.id] == ["accepted"]
    finally:
        live.stop(drain_s=2)
