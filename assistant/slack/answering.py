"""From a question in Slack to one reply in its thread: status within a second, an answer, or at 60 s what is known.

A question is kept before Slack is told that we have it, and worked on under a claim: a crash loses none, a repetition
(Slack sends again, replicas share a workspace) is answered once. At the hard stop the facts found so far are posted,
and whatever the work still finds is dropped. An edited question is answered again in the same reply; the reply to a
deleted one is taken back.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.ask import About, answer_to_json, ask
from assistant.case import Case
from assistant.core.incident import IncidentId
from assistant.errors import PayopsError, PromptLogError
from assistant.house import House, Sources
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.scope import Scope, scoped
from assistant.slack.blocks import Links, Message, answer_message, short_message
from assistant.slack.client import Refused, Sender, SlackTrouble, Unsure
from assistant.slack.routes import inside
from assistant.telemetry.logs import where
from assistant.workflow.asked import Asked, Questions
from assistant.workflow.claims import Claims
from assistant.workflow.incidents import Snapshot
from assistant.workflow.posted import Posted
from assistant.workflow.replicas import Probe, no_probe
from redaction import LeakBlocked, Redactor

HARD_STOP_S = 60.0
STATUS = "is looking at metrics, logs and changes"
_LOG = logging.getLogger("payops.slack")


@dataclass(frozen=True, slots=True)
class Desk:
    """What answering needs. `house` is read at each use; `who` maps a person to the identity of the log; `snapshot`
    gives an incident with its alerts; `allowed` is False while posts are switched off."""

    house: Callable[[], House]
    sender: Sender
    questions: Callable[[], Questions]
    claims: Callable[[], Claims]
    posted: Callable[[], Posted]
    snapshot: Callable[[str], Snapshot | None]
    scope: Callable[[str, bool], Scope | None]
    who: Callable[[str], str]
    links: Links
    answered: Callable[[str, float], None] = lambda kind, seconds: None
    allowed: Callable[[], bool] = lambda: True
    hard_stop_s: float = HARD_STOP_S
    probe: Probe = no_probe


@dataclass(slots=True)
class _Work:
    """One attempt at a question. `placeholder`: the reply is there already, and only changed."""

    asked: Asked
    began: float
    about: About | None = None
    found: list[Case] = field(default_factory=list)
    lookback_s: float = 0.0


class Answering:
    """`take` returns at once; `resume` goes on with what a dead process left. `close` ends."""

    def __init__(self, desk: Desk, *, workers: int = 4) -> None:
        self._desk = desk
        self._lines = ThreadPoolExecutor(max_workers=max(64, workers), thread_name_prefix="slack-reply")
        self._workers = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="slack-ask")
        self._mine: set[str] = set()
        self._guard = threading.Lock()

    def take(self, asked: Asked) -> Future[None] | None:
        """Begin, unless somebody has begun. Raises Away."""
        key = f"{asked.id}.{asked.turn}"
        with self._guard:
            if key in self._mine or not self._desk.allowed():
                return None
        if not self._desk.claims().take(key, span_s=600.0):
            return None
        with self._guard:
            self._mine.add(key)
        begun = self._lines.submit(self._attended, asked, key)
        begun.add_done_callback(lambda done: self._faulted(asked, done))
        return begun

    def privately(
        self, asked: Asked, tell: Callable[[Message], None], *, about: About | None = None, lookback_s: float = 0.0
    ) -> None:
        """Answer to one person: `tell` shows it, and a button below it posts it for all. In a thread of its own."""
        self._lines.submit(self._told, _Work(asked, time.monotonic(), about, lookback_s=lookback_s), tell)

    def _told(self, work: _Work, tell: Callable[[Message], None]) -> None:
        desk, asked = self._desk, work.asked
        scope = desk.scope(asked.channel, asked.channel.startswith("D"))
        try:
            if scope is None or (work.about and not inside(work.about.alerts, scope)):
                self._denied(asked, "scope", {})
                tell(_refused(asked))
                return
            said, incident = self._in_time(work, self._workers.submit(self._asked, work, scope))
            desk.questions().answered(asked.id, turn=asked.turn, reply="", incident=incident, answer=said)
            tell(self._drawn(asked, said, private=True))
        except (PayopsError, LeakBlocked) as error:
            _LOG.warning("an answer was not shown", extra={"question": asked.id, "reason": type(error).__name__})

    def _drawn(self, asked: Asked, said: Mapping[str, Any], *, private: bool = False) -> Message:
        return answer_message(said, self._desk.links, stamp=secrets.token_hex(4), question=asked.id, private=private)

    def resume(self) -> int:
        """Questions that nobody works on any more. Raises Away."""
        return sum(self.take(asked) is not None for asked in self._desk.questions().open(older_s=3.0))

    def close(self) -> None:
        self._lines.shutdown(wait=False, cancel_futures=True)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _attended(self, asked: Asked, key: str) -> None:
        """The claim is kept when it is done, and given back when it is not: then it is tried again."""
        done = False
        try:
            done = self._answer(_Work(asked, time.monotonic()))
        except (PayopsError, LeakBlocked) as error:
            _LOG.warning("a question waits", extra={"question": asked.id, "reason": type(error).__name__})
        finally:
            with self._guard:
                self._mine.discard(key)
            claims = self._desk.claims()
            (claims.done if done else claims.release)(key)

    def _faulted(self, asked: Asked, done: Future[None]) -> None:
        """A fault of ours is said, in the log and to who asked, and not tried for ever."""
        error = None if done.cancelled() else done.exception()
        if error is None:
            return
        _LOG.error("fault while answering", extra={"error": where(type(error), error.__traceback__)})
        words = "A fault of mine kept me from answering; it is in my log."
        try:
            self._desk.questions().give_up(asked.id)
            self._desk.sender.post(asked.channel, short_message(words, secrets.token_hex(4)), thread=asked.thread)
        except (PayopsError, LeakBlocked) as trouble:
            _LOG.warning("the fault was not told", extra={"reason": type(trouble).__name__})

    def _answer(self, work: _Work) -> bool:
        desk, asked = self._desk, work.asked
        work = self._announced(work)
        desk.probe("ask.announced")
        scope = desk.scope(asked.channel, asked.channel.startswith("D"))
        work.about = self._about(work.asked)
        if scope is None or (work.about and not inside(work.about.alerts, scope)):
            self._denied(asked, "scope", {})
            return self._reply(work, _refused(asked), {}, incident="")
        job = self._workers.submit(self._asked, work, scope)
        said, incident = self._in_time(work, job)
        desk.probe("ask.answered")
        message = self._drawn(asked, said)
        done = self._reply(work, message, said, incident=incident)
        desk.answered("partial" if said.get("partial") else "whole", time.monotonic() - work.began)
        return done

    def _announced(self, work: _Work) -> _Work:
        """A status below the question; where Slack offers none, a message that becomes the reply."""
        asked = work.asked
        if asked.reply or asked.intent:
            return work
        try:
            self._desk.sender.status(asked.channel, asked.thread, STATUS)
            return work
        except SlackTrouble:
            ts = self._post(asked, short_message("Looking at metrics, logs and changes…", secrets.token_hex(4)))
            self._desk.questions().replied(asked.id, ts)
            return replace(work, asked=replace(asked, reply=ts))

    def _about(self, asked: Asked) -> About | None:
        """The incident in whose thread it was asked."""
        incident = self._desk.posted().incident_of(asked.channel, asked.thread)
        snapshot = self._desk.snapshot(incident) if incident else None
        return About(IncidentId(incident), snapshot.alerts) if incident and snapshot else None

    def _asked(self, work: _Work, scope: Scope) -> tuple[Mapping[str, Any], str]:
        house = self._desk.house()
        who = self._desk.who(work.asked.person)

        def refused(query: str) -> None:
            self._denied(work.asked, "query", {"query": query.encode()})

        def sources(redactor: Redactor) -> Sources:
            return scoped(house.sources(redactor), scope, refused=refused)

        mine = replace(house, sources=sources, actor="slack")
        answer, record = ask(
            work.asked.text, mine, asker=who, about=work.about, lookback_s=work.lookback_s, seen=work.found.append
        )
        said = answer_to_json(answer, record)
        removed = sum(work.found[0].redactions.values()) if work.found else 0
        incident = str(work.found[0].incident.id) if work.found else ""
        return {**said, "redacted": removed + sum(answer.question.counts.values())}, incident

    def _in_time(self, work: _Work, job: Future[tuple[Mapping[str, Any], str]]) -> tuple[Mapping[str, Any], str]:
        """The answer, or at the hard stop what was found so far."""
        left = self._desk.hard_stop_s - (time.monotonic() - work.began)
        try:
            return job.result(timeout=max(left, 0.05))
        except TimeoutError:
            job.cancel()
        incident = str(work.found[0].incident.id) if work.found else ""
        return self._partial(work), incident

    def _partial(self, work: _Work) -> Mapping[str, Any]:
        """What is known without the rest: the facts of the case, else that there are none yet."""
        house, stop = self._desk.house(), round(self._desk.hard_stop_s)
        lead = f"I stopped after {stop} s; this is what is known so far."
        empty: dict[str, Any] = {
            "question": work.asked.text, "answered": False, "lead": lead, "claims": [], "looked_at": [], "evidence": [],
            "struck": [], "model": None, "without_model": f"stopped after {stop} s", "record": None, "redacted": 0,
            "not_known": ["the sources did not answer in time"], "partial": True,
        }  # fmt: skip
        if not work.found:
            return empty
        case = work.found[0]
        draft = house.facts(case.context).draft
        claims = [{"text": c.text, "evidence": list(c.evidence)} for c in draft.summary[:4]]
        evidence = [{"id": e.id, "kind": e.kind, "query": e.query, "text": e.text.text} for e in case.context.evidence]
        unknown = ["the answer to the question itself: it was not ready in time"]
        return {
            **empty, "claims": claims, "evidence": evidence, "not_known": unknown,
            "redacted": sum(case.redactions.values()),
        }  # fmt: skip

    def _reply(self, work: _Work, message: Message, said: Mapping[str, Any], *, incident: str) -> bool:
        """One reply: posted, or put in place of the placeholder or of the answer to an earlier wording."""
        desk, asked = self._desk, work.asked
        now = desk.questions().get(asked.id) or asked
        if now.state == "deleted" or now.turn != asked.turn:
            return True
        reply = now.reply or self._unsure_reply(now)
        if reply:
            self._change(asked, reply, message)
        else:
            reply = self._post(asked, message)
        desk.probe("ask.posted")
        desk.questions().answered(asked.id, turn=asked.turn, reply=reply, incident=incident, answer=said)
        if incident:
            desk.posted().belongs(asked.channel, reply, incident, "answer")
        desk.probe("ask.stored")
        return True

    def _unsure_reply(self, asked: Asked) -> str:
        """The reply of a process that died, where the app may look; "" where there is none, or nobody can tell."""
        if not asked.intent:
            return ""
        thread = "" if asked.channel.startswith("D") and asked.thread == asked.ts else asked.thread
        found = self._desk.sender.find(asked.channel, asked.intent, since=asked.asked_at, thread=thread or asked.thread)
        return found or ""

    def _post(self, asked: Asked, message: Message) -> str:
        """Post below the question; the intent is durable before. Raises SlackTrouble."""
        desk, intent = self._desk, secrets.token_hex(8)
        desk.sender.wait(asked.channel)
        desk.questions().intend(asked.id, intent)
        desk.probe("ask.intended")
        try:
            return desk.sender.post(asked.channel, message, thread=asked.thread, intent=intent, patient=True)
        except Refused:
            words = short_message(message.text, secrets.token_hex(4))
            return desk.sender.post(asked.channel, words, thread=asked.thread, intent=intent, patient=True)
        except Unsure:
            raise
        except SlackTrouble:
            desk.questions().intend(asked.id, "")
            raise

    def _change(self, asked: Asked, reply: str, message: Message) -> None:
        try:
            self._desk.sender.update(asked.channel, reply, message, patient=True)
        except Refused:
            self._desk.sender.update(asked.channel, reply, short_message(message.text, secrets.token_hex(4)))

    def _denied(self, asked: Asked, why: str, bodies: Mapping[str, bytes]) -> None:
        denied(self._desk.house(), who=self._desk.who(asked.person), why=why, channel=asked.channel, bodies=bodies)


def denied(house: House, *, who: str, why: str, channel: str, bodies: Mapping[str, bytes] | None = None) -> None:
    """What somebody may not is a record (PCI DSS 10.2.1.4), as far as the log takes one."""
    entry = Entry(
        event=Event.AUTH_DENIED,
        identity=who,
        origin="slack",
        outcome=Outcome.DENIED,
        resource="slack",
        facts={"why": why, "channel": channel or "none"},
        bodies=bodies or {},
    )
    try:
        house.promptlog.append(entry)
    except (PromptLogError, LeakBlocked):
        _LOG.error("a refusal could not be recorded", extra={"why": why})


def _refused(asked: Asked) -> Message:
    words = "This is outside of what may be asked in this channel; the refusal is recorded."
    return short_message(words, asked.id)
