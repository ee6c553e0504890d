"""Slack's room on a stage: a service, a house of fakes, `emulate` behind the proxy, and signed requests to Bolt."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.testclient import TestClient

from assistant.core.alert import Question
from assistant.core.answer import Answer, Looked
from assistant.core.draft import Claim
from assistant.core.evidence import EvidenceId
from assistant.core.prompt import Context
from assistant.drafting.writer import write_without_model
from assistant.guests import Guest
from assistant.house import Findings, House, Sources
from assistant.notebook.database import open_database
from assistant.settings import Settings, Slack, SlackRoutes, Web, Workflow
from assistant.slack.guest import _Slack
from assistant.slack.room import Room
from assistant.telemetry.metrics import new_metrics
from assistant.workflow.loops import Courier
from assistant.workflow.service import Service, Wiring
from redaction import FinalScanner, Redactor
from tests.doubles.slack import BOT_TOKEN, TEAM, SlackDouble
from tests.fakes.alerts import T0
from tests.fakes.clock import StandingClock
from tests.fakes.investigator import WritingInvestigator
from tests.fakes.promptlog import MemoryLog
from tests.fakes.runbooks import KnownRunbooks
from tests.fakes.sources import FakeSources

SECRET = "signing-secret-of-the-tests"
PERSON = "U000000777"


def eventually(what: Callable[[], object], *, within: float = 30.0) -> None:
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@dataclass
class Answers:
    """An answerer that says what it is told, after `slow_s`; `asked` are the questions as they reached it."""

    text: str = "Visa approvals fell from 97 % to 31 % since 12:03:11Z."
    slow_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    sources: list[Sources] = field(default_factory=list)

    def __call__(self, question: Question, context: Context, sources: Sources) -> Answer:
        self.asked.append(question.text.text)
        self.contexts.append(context)
        self.sources.append(sources)
        time.sleep(self.slow_s)
        ids = tuple(e.id for e in context.evidence[:1]) or (EvidenceId("M1"),)
        return _answer(question, self.text, ids, context)


def _answer(question: Question, text: str, ids: tuple[EvidenceId, ...], context: Context) -> Answer:
    return Answer(
        question=question.text,
        answered=True,
        claims=(Claim(text, ids), Claim("Issuer Nordhavn carries most of it.", ids)),
        not_known=("why the issuer declines",),
        evidence=context.evidence,
        looked_at=(Looked("query_metric", "approvals by scheme", "fell", "M1"),),
        without_model="no model is configured",
    )


class Stage:
    """Stands in for `assistant.live.Live`: what the room needs of it."""

    def __init__(
        self, state: Path, double: SlackDouble, *, channel: str, house: House | None = None, apart_s: float = 0.0,
        web: str = "https://payops.example", hard_stop_s: float = 60.0, **slack: Any,
    ) -> None:  # fmt: skip
        state.mkdir(parents=True, exist_ok=True)
        self.state, self.double, self.channel = state, double, channel
        for name, value in (("bot", BOT_TOKEN), ("app", "xapp-of-the-tests"), ("secret", SECRET)):
            (state / name).write_text(value)
        slack.setdefault("routes", SlackRoutes(channels={"default": channel}))
        slack.setdefault("mode", "http")
        self.settings = Settings(
            state=state,
            web=Web(url=web),
            slack=Slack(
                url=double.url, bot_token_file=str(state / "bot"), app_token_file=str(state / "app"),
                signing_secret_file=str(state / "secret"), **slack,
            ),
        )  # fmt: skip
        self.scanner = FinalScanner()
        self.log = MemoryLog(last_look=partial(self.scanner.check, sink="promptlog"))
        self.answers = Answers()
        self.clock = StandingClock(T0 + 30)
        self.fake_sources = FakeSources()
        self.house = house or self._house()
        self.house = replace(self.house, promptlog=self.log)
        self.metrics = new_metrics()
        self.told: list[Findings] = []
        self.investigator = WritingInvestigator(now=T0 + 30)
        self._slack = _Slack()
        self.guest: Guest = self._slack.guest()
        self.room = self._slack.room(self)  # type: ignore[arg-type]
        self.room.carrier._apart = apart_s
        object.__setattr__(self.room.answering._desk, "hard_stop_s", hard_stop_s)
        self.service = self._service()
        self.client: TestClient = TestClient(
            Starlette(routes=list(self.guest.webhook_routes(self))),
            raise_server_exceptions=False,  # type: ignore[arg-type]
        )

    def _house(self) -> House:
        fake = self.fake_sources
        facts = partial(_plainly, reason="no model is configured")
        return House(
            redactor=Redactor.default(), scanner=self.scanner,
            sources=lambda redactor: Sources(fake, fake, fake, fake),
            runbooks=KnownRunbooks(), promptlog=self.log, facts=facts, draft=partial(_plainly, reason="draft"),
            clock=self.clock, selects=lambda text: (), answer=self.answers,
        )  # fmt: skip

    def _service(self) -> Service:
        return Service(
            Wiring(
                database=open_database("", state=self.state), state=self.state,
                settings=Workflow(heartbeat_s=0.3, takeover_s=1.5, concurrency=4), scanner=self.scanner,
                promptlog=self.log, investigator=self.investigator, clock=self.clock, metrics=self.metrics,
                carriers=self.guest.carriers(self), apart_s=0.0,  # type: ignore[arg-type]
            )
        )  # fmt: skip

    def tell_findings(self, tell: Callable[[Any, Findings], None]) -> None:
        self._found = tell

    def start(self) -> Stage:
        self.service.start()
        return self

    def stop(self) -> None:
        self._slack._stop(self)  # type: ignore[arg-type]
        self.service.stop(timeout_s=10)

    def deliver(self) -> int:
        """Once, without the service's loops."""
        carrier = self.room.carrier
        return Courier(self.service.outbox, carrier, allowed=lambda: True, sent=lambda a, b: None).deliver_all()

    def __enter__(self) -> Stage:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What Slack sends.

    def event(self, event: dict[str, Any], *, event_id: str = "", **outer: Any) -> Any:
        body = {
            "type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event_time": int(time.time()),
            "event_id": event_id or f"Ev{secrets.token_hex(6)}", "event": event, **outer,
        }  # fmt: skip
        return self.signed(json.dumps(body).encode(), "application/json")

    def mention(
        self, text: str, *, ts: str = "", thread: str = "", person: str = PERSON, channel: str = "", **more: Any
    ) -> Any:
        channel = channel or self.channel
        ts = ts or self.double.said(channel, "(a person's message)", thread=thread)
        event: dict[str, Any] = {"type": "app_mention", "channel": channel, "user": person, "text": text, "ts": ts}
        event["event_ts"] = ts
        if thread:
            event["thread_ts"] = thread
        outer = {k: more.pop(k) for k in ("event_id", "is_ext_shared_channel") if k in more}
        return self.event({**event, **more}, **outer), ts

    def command(self, text: str, *, person: str = PERSON, trigger: str = "", **more: str) -> Any:
        form = {
            "command": "/triage", "text": text, "team_id": TEAM, "channel_id": self.channel, "user_id": person,
            "trigger_id": trigger or secrets.token_hex(6), "response_url": "https://hooks.slack.com/commands/x", **more,
        }  # fmt: skip
        return self.signed(urlencode(form).encode(), "application/x-www-form-urlencoded")

    def press(self, action: str, value: str, *, ts: str, channel: str = "", trigger: str = "t", **more: Any) -> Any:
        channel = channel or self.channel
        body = {
            "type": "block_actions", "team": {"id": TEAM}, "user": {"id": PERSON, "team_id": TEAM},
            "channel": {"id": channel}, "trigger_id": trigger, "api_app_id": "A1",
            "container": {"type": "message", "message_ts": ts, "channel_id": channel},
            "message": {"ts": ts}, "actions": [
                {"type": "button", "action_id": action, "block_id": "b", "value": value,
                 "action_ts": f"{time.time():.6f}{secrets.token_hex(2)}", **more}
            ],
        }  # fmt: skip
        return self.interact(body)

    def interact(self, body: dict[str, Any]) -> Any:
        return self.signed(urlencode({"payload": json.dumps(body)}).encode(), "application/x-www-form-urlencoded")

    def signed(self, body: bytes, kind: str, *, at: float = 0.0, secret: str = SECRET) -> Any:
        stamp = str(int(at or time.time()))
        digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
        return self.client.post("/slack/events", content=body, headers=headers)

    # What is there afterwards.

    def whispers(self) -> list[str]:
        """Private words, as plain text."""
        return [words_of(c.given) for c in self.double.of("chat.postEphemeral")]

    def records(self, event: str) -> list[Any]:
        return [r for r in self.log.records() if r.event.value == event]


def room_of(stage: Stage) -> Room:
    return stage.room


def words_of(message: dict[str, Any]) -> str:
    """Every text in a message's blocks, joined."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(v for k, v in value.items() if k == "text" and isinstance(v, str))
            for v in value.values():
                walk(v)
        elif isinstance(value, list):
            for v in value:
                walk(v)

    blocks = message.get("blocks") or []
    walk(json.loads(blocks) if isinstance(blocks, str) else blocks)
    return " ".join(found)


def _plainly(context: Context, *, reason: str) -> Any:
    return write_without_model(context, reason=reason)
