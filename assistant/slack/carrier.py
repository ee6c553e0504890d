"""The living message: one an incident, posted once, edited on material change, frozen at the end.

Once: the intent of a post is durable before it leaves (see `workflow.posted`), and goes along in the message as an
opaque id. After a crash or a lost answer the id is looked for, where the app may read the channel (`channels:history`,
optional). Where it may not, nobody can tell a post that happened from one that did not; we then post again and say so
in the message, because an incident that nobody sees costs more than one that is seen twice.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.identity import Head
from assistant.slack.blocks import Links, Message, note_message, short_message
from assistant.slack.card import Card, card_of
from assistant.slack.client import Blocked, Locked, NotEditable, Refused, Sender, SlackTrouble, Unsure
from assistant.slack.routes import Routes
from assistant.workflow.outbox import Later, Never, Parcel
from assistant.workflow.posted import Place, Posted
from assistant.workflow.replicas import Probe, no_probe

APART_S = 30.0
_LOG = logging.getLogger("payops.slack")


class SlackCarrier:
    """`Carrier` and `Retractor`. `head` looks an incident up (None where there is none); `has_model` says that a draft
    follows the facts; `quiet` records and shows nothing."""

    name = "slack"
    every_revision = False

    def __init__(
        self,
        sender: Sender,
        posted: Callable[[], Posted],
        *,
        routes: Routes,
        links: Links,
        head: Callable[[str], Head | None],
        has_model: Callable[[], bool],
        quiet: bool = False,
        apart_s: float = APART_S,
        probe: Probe = no_probe,
    ) -> None:
        self._sender = sender
        self._posted = posted
        self._routes = routes
        self._links = links
        self._head = head
        self._has_model = has_model
        self._quiet = quiet
        self._apart = apart_s
        self._probe = probe

    def render(self, note: Note, incident: Incident) -> Mapping[str, object] | None:
        channel = self._routes.channel(incident.alerts)
        if self._quiet or not channel:
            return None
        head = self._head(note.incident_id)
        facts = note.revision == 1 and not note.model and self._has_model()
        card = card_of(note, incident.alerts, facts=facts, storm=bool(head and head.storm))
        return {"channel": channel, "card": card.as_json()}

    def deliver(self, parcel: Parcel) -> str:
        card = Card.from_json(parcel.payload["card"])  # type: ignore[arg-type]
        place = self._posted().of(parcel.incident) or Place(parcel.incident, str(parcel.payload["channel"]))
        if place.state == "hidden":
            return f"{place.channel}:{place.ts}"
        try:
            place = self._settled(place)
            if place.ts:
                return self._update(place, card)
            return self._post(place, card)
        except Blocked as error:
            raise Never(error.message, mend="see the prompt log, redaction.block") from None
        except SlackTrouble as error:
            raise Later(error.message, after=_patience(error), mend=error.mend) from None

    def retract(self, ref: str) -> None:
        """Take a message away because a leaked value stood in it; the next revision is posted anew."""
        channel, _, ts = ref.partition(":")
        if not ts:
            return
        try:
            self._sender.delete(channel, ts)
        except NotEditable:
            pass  # it is gone already
        except SlackTrouble as error:
            raise Later(error.message, after=_patience(error), mend=error.mend) from None
        self._posted().gone(channel, ts)

    def _settled(self, place: Place) -> Place:
        """The place after looking whether an unsure post happened."""
        if not place.intent:
            return place
        found = self._sender.find(place.channel, place.intent, since=place.intent_at)
        if found:
            self._posted().shown(place.incident, place.channel, found, revision=0, digest="")
        elif found == "":
            self._posted().not_posted(place.incident)
        else:
            _LOG.warning("a post is unsure, and the app may not look", extra={"incident": place.incident})
            return place
        return self._posted().of(place.incident) or place

    def _update(self, place: Place, card: Card) -> str:
        ref = f"{place.channel}:{place.ts}"
        if place.digest == card.digest or (place.revision and card.revision <= place.revision):
            return ref
        now = self._posted().now()
        drafted = place.revision == 1 and not card.facts
        if place.updated_at and not drafted and now - place.updated_at < self._apart:
            raise Later("an update of a moment ago is read first", after=self._apart - (now - place.updated_at))
        try:
            self._in_a_form_it_takes(lambda m: self._sender.update(place.channel, place.ts, m), card, now=now)
        except NotEditable as error:
            earlier = "" if error.error == "message_not_found" else self._sender.permalink(place.channel, place.ts)
            return self._post(place, card, earlier, continues=True)
        except Locked as error:
            return self._elsewhere(place, card, error)
        self._posted().shown(place.incident, place.channel, place.ts, revision=card.revision, digest=card.digest)
        return ref

    def _elsewhere(self, place: Place, card: Card, error: Locked) -> str:
        """A channel that was archived or left: one new message in the default channel, with a link to the old."""
        other = self._routes.fallback
        if error.error not in {"is_archived", "not_in_channel", "channel_not_found"} or other in {"", place.channel}:
            raise error
        earlier = self._sender.permalink(place.channel, place.ts) if place.ts else ""
        moved = Place(place.incident, other, revision=place.revision)
        return self._post(moved, card, earlier, continues=bool(place.ts))

    def _post(self, place: Place, card: Card, earlier: str = "", *, continues: bool = False) -> str:
        if wait := self._sender.pause(place.channel):
            raise Later("one post a second and channel", after=max(wait, 0.05))
        intent = secrets.token_hex(8)
        posted, doubtful = self._posted(), bool(place.intent)
        self._probe("slack.before")
        posted.intend(place.incident, place.channel, intent)
        self._probe("slack.intended")
        try:
            ts = self._in_a_form_it_takes(
                lambda m: self._sender.post(place.channel, m, intent=intent),
                card,
                now=posted.now(),
                earlier=earlier,
                linked=continues,
                doubtful=doubtful,
            )
        except Unsure:
            raise
        except Locked as error:
            posted.not_posted(place.incident)
            if place.channel != self._routes.fallback:
                return self._elsewhere(place, card, error)
            raise
        except SlackTrouble:
            posted.not_posted(place.incident)
            raise
        self._probe("slack.posted")
        posted.shown(place.incident, place.channel, ts, revision=card.revision, digest=card.digest)
        self._probe("slack.stored")
        return f"{place.channel}:{ts}"

    def _in_a_form_it_takes(
        self,
        send: Callable[[Message], str | None],
        card: Card,
        *,
        now: float,
        earlier: str = "",
        linked: bool = False,
        doubtful: bool = False,
    ) -> str:
        """The whole message; where Slack refuses its blocks, the few words that no limit can touch."""
        stamp = secrets.token_hex(4)
        if doubtful:
            warning = "This may stand here twice: posting it was interrupted."
            card = Card.from_json({**card.as_json(), "warnings": [warning, *card.warnings]})
        message = note_message(card, self._links, stamp=stamp, updated_at=now, earlier=earlier, linked=linked)
        try:
            return send(message) or ""
        except Refused as error:
            _LOG.warning("slack refused the blocks", extra={"incident": card.incident, "reason": error.error})
        words = f"{message.text}. The whole note is in the record {card.recorded}."
        return send(short_message(words, stamp)) or ""


class CaseCarrier:
    """`Carrier` of the security channel: cases, each once, see `workflow.cases`."""

    name = "security"
    every_revision = True

    def __init__(self, sender: Sender, posted: Callable[[], Posted], *, channel: str) -> None:
        self._sender = sender
        self._posted = posted
        self._channel = channel

    def render(self, note: Note, incident: Incident) -> Mapping[str, object] | None:
        return None

    def deliver(self, parcel: Parcel) -> str:
        from assistant.slack.details import case_message

        key = f"case.{parcel.incident}.{parcel.revision}"
        posted = self._posted()
        place = posted.of(key)
        lines = [str(line) for line in parcel.payload["lines"]]  # type: ignore[attr-defined]
        try:
            if place and place.ts:
                return f"{place.channel}:{place.ts}"
            if (
                place
                and place.intent
                and (found := self._sender.find(self._channel, place.intent, since=place.intent_at))
            ):
                posted.shown(key, self._channel, found, revision=1, digest="")
                return f"{self._channel}:{found}"
            if wait := self._sender.pause(self._channel):
                raise Later("one post a second and channel", after=max(wait, 0.05))
            intent = secrets.token_hex(8)
            posted.intend(key, self._channel, intent)
            ts = self._sender.post(self._channel, case_message(lines, stamp=intent[:8]), intent=intent)
        except Blocked as error:
            raise Never(error.message) from None
        except SlackTrouble as error:
            if not isinstance(error, Unsure):
                posted.not_posted(key)
            raise Later(error.message, after=_patience(error), mend=error.mend) from None
        posted.shown(key, self._channel, ts, revision=1, digest="")
        return f"{self._channel}:{ts}"


def _patience(error: SlackTrouble) -> float:
    """Seconds to wait: what Slack asked for; longer where a person has to do something; else the outbox chooses."""
    return error.after or (60.0 if isinstance(error, Locked) else 0.0)
