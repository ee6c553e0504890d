"""Everything of Slack around one `Live` service, made once; the handlers of `app` work with it."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from assistant.core.incident import IncidentId
from assistant.core.time import Instant
from assistant.errors import OutletError, PayopsError
from assistant.house import Findings, House
from assistant.identity import Head
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.serving import open_cases
from assistant.slack.answering import Answering, Desk, denied
from assistant.slack.blocks import Links, Message, short_message
from assistant.slack.carrier import CaseCarrier, SlackCarrier
from assistant.slack.client import Sender
from assistant.slack.elements import button
from assistant.slack.routes import Caller, Routes, identity
from assistant.telemetry.logs import where
from assistant.workflow.asked import Questions
from assistant.workflow.cases import Case, Cases
from assistant.workflow.incidents import Snapshot
from assistant.workflow.outbox import Carrier
from assistant.workflow.posted import Posted
from redaction import LeakBlocked

if TYPE_CHECKING:
    from assistant.live import Live

_LOG = logging.getLogger("payops.slack")


class Room:
    """Made before the service (its carriers belong to it), used after it started."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.settings = live.settings.slack
        self.routes = Routes.of(self.settings)
        self.links = Links(live.settings.web.url)
        self.security = self.settings.security_channel or live.settings.redaction.security_channel
        self.sender = Sender(self.settings, scanner=live.house.scanner, blocked=self._blocked, sent=self._sent)
        self._who: dict[str, str] = {}
        self._hands = ThreadPoolExecutor(max_workers=8, thread_name_prefix="slack-hand")
        self.carrier = SlackCarrier(
            self.sender,
            lambda: self.posted,
            routes=self.routes,
            links=self.links,
            head=self.head,
            has_model=lambda: live.house.draft is not live.house.facts,
            quiet=self.settings.quiet,
        )
        self.answering = Answering(self._desk())

    def carriers(self) -> Sequence[Carrier]:
        """The living notes, and the security channel where one is named: it is told in quiet mode too."""
        cases = (CaseCarrier(self.sender, lambda: self.posted, channel=self.security),) if self.security else ()
        return (self.carrier, *cases)

    @property
    def house(self) -> House:
        return self.live.house

    @property
    def posted(self) -> Posted:
        return Posted(self.live.service.database)

    @property
    def questions(self) -> Questions:
        return Questions(self.live.service.database, scanner=self.house.scanner)

    @property
    def cases(self) -> Cases:
        return open_cases(self.live, channel=bool(self.security))

    def head(self, incident: str) -> Head | None:
        snapshot = self.live.service.incidents.snapshot(IncidentId(incident), limit=1)
        return snapshot.head if snapshot else None

    def snapshot(self, incident: str) -> Snapshot | None:
        """The incident that now stands for this id, after merges."""
        seen: set[str] = set()
        while incident not in seen:
            seen.add(incident)
            found = self.live.service.incidents.snapshot(IncidentId(incident))
            if found is None or found.head.merged_into is None:
                return found
            incident = found.head.merged_into
        return None

    def who(self) -> dict[str, str]:
        """Our workspace and bot, asked once. Raises SlackTrouble."""
        if not self._who:
            self._who = self.sender.who()
        return self._who

    def person(self, slack_id: str) -> str:
        return identity(slack_id, self.settings.identities)

    def found(self, incident: IncidentId, findings: Findings) -> None:
        """Card data in telemetry: a case each, told once. Nothing of it may stop the note."""
        self.cases.open_found(incident, findings)
        self.live.service.wake("outlet-security")

    def case(self, case: Case) -> None:
        try:
            if self.cases.open(case):
                _LOG.warning("cardholder data: a case", extra={"incident": case.incident, "class": case.klass})
                self.live.service.wake("outlet-security")
        except (PayopsError, LeakBlocked) as error:
            _LOG.error("a case could not be opened", extra={"reason": type(error).__name__})

    def privately(self, caller: Caller, message: Message, *, thread: str = "") -> None:
        """To one person alone, on a thread of ours; a direct message is private already."""
        self._hands.submit(self._whispered, caller, message, thread).add_done_callback(_faulted)

    def later(self, work: Callable[..., None], *arguments: Any) -> None:
        """Work that Slack does not wait for; a fault of it is said in the log."""
        self._hands.submit(self._done, work, arguments).add_done_callback(_faulted)

    def _done(self, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            work(*arguments)
        except (PayopsError, LeakBlocked) as error:
            _LOG.warning("slack: not done", extra={"reason": str(error)[:200]})

    def _whispered(self, caller: Caller, message: Message, thread: str) -> None:
        try:
            if caller.direct:
                self.sender.post(caller.channel, message, thread=thread, patient=True)
            else:
                self.sender.whisper(caller.channel, caller.person, message, thread=thread)
        except OutletError as error:
            _LOG.warning("a private word was not heard", extra={"reason": error.message})

    def refuse(self, caller: Caller, why: str) -> None:
        """Record it, once a minute for one person and reason; tell the person, unless they are not of this house."""
        key = f"refused.{why}.{caller.person}.{caller.channel}"
        if not self.live.service.claims.take(key, span_s=60.0):
            return
        self.live.metrics.slack_refused.labels(why).inc()
        denied(self.house, who=self.person(caller.person or "unknown"), why=why, channel=caller.channel)
        words = {
            "person": "You are not on the list of people who may ask me. The refusal is recorded.",
            "channel": "I may not be asked in this channel. The refusal is recorded.",
        }
        if why in words:
            self.privately(caller, short_message(words[why], secrets.token_hex(4)))

    def tidy(self) -> None:
        """Questions that nobody works on any more, and a token that was replaced."""
        self.sender.renew_token()
        self.answering.resume()

    def hide(self, incident: str, *, record: str) -> None:
        """Take a note out of sight until a person shows it again."""
        place = self.posted.of(incident)
        if place is None or not place.ts:
            return
        self.posted.state(incident, "hidden")
        words = f"{incident}: hidden, because a person said that it shows data it should not. Record {record or '–'}."
        shown = short_message(
            words, secrets.token_hex(4), buttons=(button("Open record", "open_record", record or "–"),)
        )
        self.sender.update(place.channel, place.ts, shown)

    def weekly(self) -> None:
        """The report of the last seven days, to the report channel, once a week over all replicas."""
        from assistant.slack.report import report_of

        channel = self.settings.report_channel
        now = self.house.clock.now()
        week = time.strftime("%G-W%V", time.gmtime(now))
        if not channel or time.gmtime(now).tm_hour < 8:
            return
        claims, key = self.live.service.claims, f"slack.report.{week}"
        if not claims.take(key, span_s=8 * 86400.0):
            return
        done = False
        try:
            log: Any = self.house.promptlog
            found = report_of(
                log, now=now, seconds=7 * 86400.0, currency=self.live.settings.model.currency, quiet=self.settings.quiet
            )
            self.sender.post(channel, short_message(f"payops, {week}", secrets.token_hex(4), more=found.lines()))
            done = True
        finally:
            if done:
                claims.done(key, span_s=8 * 86400.0)
            else:
                claims.release(key)

    def close(self) -> None:
        self.answering.close()
        self._hands.shutdown(wait=True, cancel_futures=True)

    def health(self) -> str:
        return self.sender.trouble

    def now(self) -> Instant:
        return self.house.clock.now()

    def _blocked(self, method: str, classes: tuple[str, ...], where: str) -> None:
        """The last look stopped a payload: a record, a count; nothing left."""
        self.live.metrics.slack_blocked.labels(method).inc()
        _LOG.error("a payload was blocked", extra={"method": method, "found": ",".join(classes), "where": where[:500]})
        entry = Entry(
            event=Event.REDACTION_BLOCK,
            actor="slack",
            outcome=Outcome.BLOCKED,
            resource="slack",
            facts={"method": method, "classes": list(classes)},
            bodies={"where": where.encode()},
        )
        try:
            self.house.promptlog.append(entry)
        except PayopsError:
            _LOG.error("the block could not be recorded")

    def _sent(self, method: str) -> None:
        self.live.metrics.slack_calls.labels(method).inc()

    def _desk(self) -> Desk:
        def answered(kind: str, seconds: float) -> None:
            self.live.metrics.slack_answers.labels(kind).inc()
            self.live.metrics.reply_seconds.observe(seconds)

        return Desk(
            house=lambda: self.house,
            sender=self.sender,
            questions=lambda: self.questions,
            claims=lambda: self.live.service.claims,
            posted=lambda: self.posted,
            snapshot=self.snapshot,
            scope=lambda channel, direct: self.routes.scope(channel, direct=direct),
            who=self.person,
            links=self.links,
            answered=answered,
            allowed=lambda: not self.live.service.switch.off,
        )


def _faulted(done: Future[None]) -> None:
    """A fault of ours in a thread is said; a future alone would swallow it."""
    error = None if done.cancelled() else done.exception()
    if error is not None:
        _LOG.error("fault in Slack's room", extra={"error": where(type(error), error.__traceback__)})
