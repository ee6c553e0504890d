"""`/triage` done: each answer is for the person who typed it, with a button that posts it for all."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from assistant.ask import About
from assistant.core.incident import IncidentId
from assistant.core.note_restored import note_of
from assistant.core.time import iso
from assistant.errors import PromptLogError, UsageError
from assistant.identity import Head
from assistant.slack.blocks import Message, note_message, short_message
from assistant.slack.card import card_of
from assistant.slack.client import Locked, SlackTrouble
from assistant.slack.commands import Command, parse, question_of
from assistant.slack.details import help_message, post_button, status_message
from assistant.slack.elements import Part, actions, fit
from assistant.slack.report import report_of
from assistant.slack.room import Room
from assistant.slack.routes import Caller, inside
from assistant.slack.security import private_word, typed
from assistant.workflow.asked import Asked, question_id
from assistant.workflow.cases import typed_case


class Triage:
    def __init__(self, room: Room) -> None:
        self._room = room

    def run(self, body: Mapping[str, Any], caller: Caller) -> Message:
        """What is said in the acknowledgement; a look around is told later, to the same person."""
        room, stamp = self._room, secrets.token_hex(4)
        question = question_id(room.who()["team_id"], caller.channel, str(body.get("trigger_id") or stamp))
        said = typed(str(body.get("text") or ""), room.house.redactor.for_incident(question))
        if said.card:
            room.case(typed_case(question, said.card, channel=caller.channel, at=room.now()))
            return private_word(stamp)
        try:
            command = parse(said.text)
            return self._done(command, body, caller, question)
        except UsageError as error:
            return short_message(str(error), stamp)

    def _done(self, command: Command, body: Mapping[str, Any], caller: Caller, question: str) -> Message:
        stamp, words = secrets.token_hex(4), command.words
        service, who = self._room.live.service, self._room.person(caller.person)
        match command.verb:
            case "help":
                return help_message(stamp=stamp)
            case "status":
                return self.status(caller, button=True)
            case "merge":
                self._seen(caller, words[0], words[1])
                service.merge(IncidentId(words[0]), IncidentId(words[1]), by=who)
                return short_message(f"{words[1]} is part of {words[0]} now; recorded.", stamp)
            case "split":
                self._seen(caller, words[0])
                fresh = service.split(IncidentId(words[0]), self._fingerprints(words[0], words[1:]), by=who)
                return short_message(f"{fresh} was split from {words[0]}; recorded.", stamp)
            case "mute" | "unmute":
                self._seen(caller, words[0])
                service.mute(IncidentId(words[0]), by=who, muted=command.verb == "mute")
                how = "followed without being shown" if command.verb == "mute" else "shown again"
                return short_message(f"{words[0]} is {how}; recorded.", stamp)
            case "show":
                self._seen(caller, words[0])
                self._room.posted.state(words[0], "open")
                return short_message(f"{words[0]} is shown again with its next revision.", stamp)
            case "report":
                return self._report(command.seconds)
            case _:
                return self._asked(command, body, caller, question)

    def status(self, caller: Caller, *, button: bool) -> Message:
        """Open incidents that may be spoken of here, worst first."""
        heads = [h for h in self._open() if self._may_see(caller, h.id)]
        titles = {r.incident: r.title for r in self._room.live.service.notes.newest(limit=200)}
        rows = [
            (str(h.id), h.severity, titles.get(h.id, ", ".join(sorted(h.names)[:3])), f"since {iso(h.onsets[0])}")
            for h in sorted(heads, key=lambda h: (("critical", "high", "medium", "low").index(h.severity), h.onsets))
        ]
        buttons = (post_button("status"),) if button else ()
        return status_message(rows, stamp=secrets.token_hex(4), buttons=buttons)

    def note(self, incident: str, *, button: bool) -> Message | None:
        """The newest note of an incident as a message."""
        room = self._room
        raw, snapshot = room.live.service.notes.latest(incident), room.snapshot(incident)
        if raw is None or snapshot is None:
            return None
        note = note_of(raw, room.house.scanner.restore)
        card = card_of(note, snapshot.alerts, storm=snapshot.head.storm)
        stamp = secrets.token_hex(4)
        message = note_message(card, room.links, stamp=stamp, updated_at=note.written_at)
        if not button:
            return message
        extra = actions(f"p-{stamp}", post_button(f"note|{incident}"))
        return Message(message.text, fit([Part(0, message.blocks), Part(0, (extra,))]))

    def _asked(self, command: Command, body: Mapping[str, Any], caller: Caller, question: str) -> Message:
        """What is known of an alert or a service: the open incident's note, else a look of our own."""
        room, target = self._room, " ".join(command.words)
        head = self._about(target)
        if head and not self._may_see(caller, head.id):
            room.refuse(caller, "scope")
            return short_message("This is outside of what may be asked in this channel; recorded.", question)
        if head and not command.seconds and (known := self.note(head.id, button=True)):
            return known
        snapshot = room.snapshot(head.id) if head else None
        about = About(head.id, snapshot.alerts) if head and snapshot else None
        asked = Asked(question, "triage", caller.channel, "", "", caller.person, question_of(command))
        if room.settings.quiet:
            return short_message("I run in quiet mode: I record, and post nothing yet.", question)
        if room.questions.put(asked):
            tell = self._telling(body, caller)
            room.answering.privately(asked, tell, about=about, lookback_s=command.seconds)
        return short_message(f"Looking at {target}… only you will see the answer.", question)

    def _telling(self, body: Mapping[str, Any], caller: Caller) -> Callable[[Message], None]:
        """To this person alone: where we are in the channel as a message, else by the command's own address."""
        address = str(body.get("response_url") or "")

        def tell(message: Message) -> None:
            try:
                self._room.sender.whisper(caller.channel, caller.person, message)
            except Locked:
                self._room.sender.respond(address, message)
            except SlackTrouble:
                time.sleep(1.0)
                self._room.sender.whisper(caller.channel, caller.person, message)

        return tell

    def _report(self, seconds: float) -> Message:
        room: Any = self._room
        try:
            found = report_of(
                room.house.promptlog,
                now=room.now(),
                seconds=seconds,
                currency=room.live.settings.model.currency,
                quiet=room.settings.quiet,
            )
        except PromptLogError as error:
            return short_message(f"The prompt log cannot be read: {error.message}", secrets.token_hex(4))
        title = f"payops, the last {found.days} days"
        return short_message(title, secrets.token_hex(4), more=found.lines())

    def _fingerprints(self, incident: str, names: tuple[str, ...]) -> list[str]:
        """Alerts by name, or by the beginning of their fingerprint. Raises UsageError."""
        snapshot = self._room.snapshot(incident)
        alerts = snapshot.alerts if snapshot else ()
        found = [a.fingerprint for a in alerts if any(n == a.name or a.fingerprint.startswith(n) for n in names)]
        if not found:
            known = ", ".join(sorted({a.name for a in alerts})[:8]) or "none"
            raise UsageError(f"no such alert in {incident}", mend=f"there are: {known}")
        return found

    def _open(self) -> list[Head]:
        return [h for h in self._room.live.service.incidents.wanted() if h.open]

    def _about(self, target: str) -> Head | None:
        """The open incident that is called so, fires this alert, or concerns this service."""
        wanted = target.lower()
        for head in self._open():
            names = {n.lower() for n in head.names} | {value for _, value in head.entities} | {str(head.id)}
            if wanted in names:
                return head
        return None

    def _may_see(self, caller: Caller, incident: str) -> bool:
        scope = self._room.routes.scope(caller.channel, direct=caller.direct)
        snapshot = self._room.snapshot(incident)
        return scope is not None and snapshot is not None and inside(snapshot.alerts, scope)

    def _seen(self, caller: Caller, *incidents: str) -> None:
        """Nobody decides about what they may not see. Raises UsageError, as for an incident that is not there."""
        for incident in incidents:
            if not self._may_see(caller, incident):
                if self._room.snapshot(incident) is not None:
                    self._room.refuse(caller, "scope")
                raise UsageError(f"no such incident here: {incident}", mend="look at /triage status")
