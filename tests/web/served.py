"""The served demo with a prompt, an answer and a hostile note in it, and Chromium to look at it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from assistant.core.draft import Claim
from assistant.core.evidence import EvidenceId, Gap
from assistant.core.note import Event as NoteEvent
from assistant.core.note import Note
from assistant.core.time import Instant
from assistant.notebook.database import open_database
from assistant.notebook.notes import NoteBook
from assistant.promptlog.record import Entry, Event
from assistant.promptlog.replay import recipe_for
from assistant.settings import Settings
from assistant.showing import Showing
from assistant.web.access.limits import Buckets
from redaction import FinalScanner
from tests.notebook.test_notes import a_note

WORLD = Path(__file__).resolve().parents[2] / "evals" / "worlds" / "first"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOW = "no Chromium: apt-get install chromium"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg/onload=document.title='owned'>",
    "{{ 7*7 }} {% raw %}",
    "javascript:document.title='owned'",
    "<!channel> <@U123> @here",
    "[click](https://evil.example/x) https://evil.example/y",
    "pay\u202eyap\u2066 \u200b",
    "</bdi></li></ul><h1>owned</h1>",
    "\" onmouseover=\"document.title='owned'",
)
_EVIDENCE = b"card <PAN_1 visa 411111> of <EMAIL_1> declined"
PROMPT_INCIDENT = "inc-prompt"
HOSTILE_INCIDENT = "inc-hostile"


@dataclass
class Served:
    """The running demo. `link` lets in; `replica` is another process's view of the same notebook."""

    showing: Showing
    incident: str
    request: int
    state: Path

    @property
    def base(self) -> str:
        return self.showing.live.console_listener.url

    def replica(self) -> NoteBook:
        return NoteBook(open_database("", state=self.state), scanner=FinalScanner())

    def count(self, event: Event) -> int:
        from assistant.promptlog.store import Filter

        log: Any = self.showing.live.house.promptlog
        return sum(1 for _ in log.search(Filter(events=(event.value,))))


@contextlib.contextmanager
def served(state: Path) -> Iterator[Served]:
    settings = Settings(state=state)
    showing = Showing(WORLD, settings, port=0, tell=lambda stage: None)
    showing.live.access.by_address = showing.live.access.by_person = Buckets(rate=1e9, burst=1e9)
    incident = showing.start()
    try:
        request = add_prompt(showing)
        showing.live.service.notes.put(hostile_note())
        yield Served(showing, incident, request, state)
    finally:
        showing.live.stop(drain_s=2)


def add_prompt(showing: Showing) -> int:
    """A request with its parts and recipe, and an answer, as the gate records them."""
    parts = {
        "system.md": b"You are given evidence only.",
        "evidence.txt": _EVIDENCE,
    }
    body = {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": parts["system.md"].decode()},
            {"role": "user", "content": parts["evidence.txt"].decode() + " " + HOSTILE[0]},
        ],
    }
    request = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    recipe = recipe_for(request, parts)
    assert recipe is not None
    log: Any = showing.live.house.promptlog
    asked = log.append(
        Entry(
            event=Event.LLM_REQUEST, actor="serve", resource="model", incident=PROMPT_INCIDENT,
            facts={"model": "m-1", "redactions": {"PAN": 1, "EMAIL": 1}},
            bodies={"request": request, "recipe.json": recipe, **parts},
        )
    )  # fmt: skip
    said = json.dumps({"choices": [{"message": {"content": "It is the acquirer. " + HOSTILE[1]}}]}).encode()
    log.append(
        Entry(
            event=Event.LLM_RESPONSE, actor="serve", resource="model", incident=PROMPT_INCIDENT,
            facts={"request": asked.id, "model": "m-1", "grounding": "passed"}, bodies={"response": said},
        )
    )  # fmt: skip
    return int(asked.index)


def hostile_note() -> Note:
    """Markup, scripts, links and direction overrides in every field that comes from outside."""
    note = a_note(1, title=HOSTILE[0], incident=HOSTILE_INCIDENT)
    claims = tuple(Claim(text, (EvidenceId("A1"),)) for text in HOSTILE)
    return replace(
        note,
        summary=claims,
        cause=claims,
        next_steps=claims,
        not_known=HOSTILE,
        warnings=HOSTILE,
        gaps=tuple(Gap(f"source{i}", text) for i, text in enumerate(HOSTILE)),
        timeline=tuple(NoteEvent(Instant(1.0 + i), text) for i, text in enumerate(HOSTILE)),
        runbook_none=HOSTILE[1],
        without_model=HOSTILE[2],
        record_missing=HOSTILE[8],
    )


@dataclass
class Looked:
    """What a browser did beside showing pages: requests, errors of the console (CSP's among them) and of scripts."""

    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def at(self, page: Any) -> Any:
        page.set_default_timeout(60_000)
        page.on("request", lambda r: self.hosts.add(re.sub(r"^(\w+://[^/]+).*", r"\1", r.url)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.errors.append(str(e)))
        return page


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip(HOW)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
