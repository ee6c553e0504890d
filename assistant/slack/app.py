"""The Bolt app: what Slack tells us, in Socket Mode or over HTTP, by the same handlers.

Bolt acknowledges after a handler returned (`process_before_response`), so handlers only keep what came and begin the
work: what was acknowledged is durable. Bolt does not deduplicate: every event, command, button and view is claimed
first, over all replicas, for ten minutes; a handler that fails gives its claim back, and Slack sends again. Nothing is
dropped by a retry header: after a restart the retry is the only copy.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from assistant.promptlog.record import Entry, Event
from assistant.slack.actions import Actions
from assistant.slack.blocks import Message, short_message
from assistant.slack.client import quiet_logger
from assistant.slack.elements import fallback
from assistant.slack.room import Room
from assistant.slack.routes import Caller, caller_of, refusal
from assistant.slack.security import private_word, typed
from assistant.slack.triage import Triage
from assistant.telemetry.logs import where
from assistant.workflow.asked import Asked, question_id
from assistant.workflow.cases import typed_case
from redaction import LeakBlocked

if TYPE_CHECKING:
    from slack_bolt import App

Body = Mapping[str, Any]
EVENTS = ("app_mention", "message.im", "app_home_opened")
"""What the app subscribes to; `message.channels` would bring each mention twice."""
COMMAND = "/triage"
BUTTONS = (
    "evidence", "runbook", "chart", "timeline", "handover", "post_incident", "stakeholder_update", "looked",
    "open_record", "post_to_channel", "feedback",
)  # fmt: skip
PROMPTS = (
    ("What is going on?", "What is going on right now, and since when?"),
    ("Which payments fail?", "Which payments fail, by scheme, issuer and acquirer?"),
    ("What changed?", "What was deployed or changed in the last hour?"),
    ("Is it getting better?", "Is the approval rate getting better?"),
)
_LOG = logging.getLogger("payops.slack")


def bolt_app(room: Room) -> App:
    """The app with its listeners. Signatures are checked by Bolt where requests come over HTTP."""
    from slack_bolt import App
    from slack_bolt.authorization import AuthorizeResult

    def authorize(team_id: str | None) -> AuthorizeResult:
        who = room.who()
        return AuthorizeResult(
            enterprise_id=None,
            team_id=who["team_id"] or team_id,
            bot_token=str(room.sender.client.token or ""),
            bot_id=who["bot_id"],
            bot_user_id=who["user_id"],
        )

    app = App(
        name="payops",
        logger=quiet_logger(),
        signing_secret=room.settings.signing_secret().read() or secrets.token_hex(32),
        client=room.sender.client,
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=False,
    )
    heard = Heard(room)
    app.event("app_mention")(heard.once("event", heard.mention))
    app.event("message")(heard.once("event", heard.message))
    app.event("app_home_opened")(heard.once("event", heard.opened))
    app.command(COMMAND)(heard.once("command", heard.command))
    for name in BUTTONS:
        app.action(name)(heard.once("action", heard.action))
    app.view("feedback_reason")(heard.once("view", heard.view))

    app.error(_fault)
    return app


def _fault(error: Exception) -> None:
    """Its type and place, without its text; Slack is answered 500 and sends again."""
    _LOG.error("fault in a handler", extra={"error": where(type(error), error.__traceback__)})


class Heard:
    """The handlers. Each is given the body and the caller, and may return words for the acknowledgement."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._actions = Actions(room)
        self._triage = Triage(room)

    def once(self, kind: str, handle: Callable[[Body, Caller], Message | None]) -> Callable[..., None]:
        """A Bolt listener: who is it, may they, was it heard already; then `handle`, and the acknowledgement."""

        def listener(ack: Callable[..., Any], body: dict[str, Any]) -> None:
            caller = caller_of(body, team=self._room.who()["team_id"])
            claims, key = self._room.live.service.claims, key_of(kind, body)
            if (caller.bot and kind == "event") or not claims.take(key, span_s=600.0):
                ack()
                return
            done = False
            try:
                why = refusal(caller, self._room.settings)
                said = None if why else handle(body, caller)
                if why:
                    self._room.refuse(caller, why)
                done = True
            finally:
                if done:
                    claims.done(key, span_s=600.0)
                else:
                    claims.release(key)
            self._acknowledge(ack, said)

        return listener

    def mention(self, body: Body, caller: Caller) -> None:
        self._question(body["event"], caller, "mention")

    def message(self, body: Body, caller: Caller) -> None:
        """Direct messages: new, edited, deleted. Anything else in a channel is not for us."""
        event = body["event"]
        subtype = event.get("subtype", "")
        if not caller.direct:
            return
        if subtype == "message_changed":
            self._question({**event["message"], "channel": event["channel"]}, caller, "dm")
        elif subtype == "message_deleted":
            self._deleted(event, caller)
        elif subtype in ("", "file_share", "thread_broadcast"):
            self._question(event, caller, "dm")

    def opened(self, body: Body, caller: Caller) -> None:
        """The messages tab was opened: a few things to ask."""
        event = body["event"]
        if event.get("tab") != "messages" or not event.get("channel"):
            return
        prompts = [{"title": title, "message": message} for title, message in PROMPTS]
        self._room.later(lambda: self._room.sender.prompts(event["channel"], prompts, title="Ask about payments"))

    def command(self, body: Body, caller: Caller) -> Message | None:
        return self._triage.run(body, caller)

    def action(self, body: Body, caller: Caller) -> None:
        self._actions.pressed(body, caller)

    def view(self, body: Body, caller: Caller) -> None:
        self._actions.judged(body, caller)

    def _question(self, event: Body, caller: Caller, kind: str) -> None:
        """Keep it, redacted, before Slack is told; then begin."""
        room, channel, ts = self._room, str(event["channel"]), str(event["ts"])
        question = question_id(room.who()["team_id"], channel, ts)
        thread = str(event.get("thread_ts") or ts)
        said = typed(str(event.get("text") or ""), room.house.redactor.for_incident(question))
        stamp = secrets.token_hex(4)
        if said.card:
            room.case(typed_case(question, said.card, channel=channel, at=room.now()))
            room.privately(caller, private_word(stamp), thread=thread)
        if said.empty:
            room.privately(caller, short_message("Ask me in words, for example: what changed in the last hour?", stamp))
            return
        asked = Asked(question, kind, channel, ts, thread, caller.person, said.text)
        if room.settings.quiet:
            self._only_recorded(asked, caller)
            return
        try:
            if not room.questions.put(asked):
                asked = room.questions.edit(question, said.text) or room.questions.get(question) or asked
        except LeakBlocked as error:
            room.live.metrics.slack_blocked.labels("question").inc()
            _LOG.error("a question was blocked", extra={"found": ",".join(error.classes)})
            words = "I could not make your question safe to read, so nobody read it. Ask without the data in it."
            room.privately(caller, short_message(words, stamp), thread=thread)
            return
        if asked.state == "open":
            room.answering.take(asked)
        if said.cut:
            room.privately(caller, short_message("Your question was long; I read its first 2,000 characters.", stamp))

    def _only_recorded(self, asked: Asked, caller: Caller) -> None:
        """Quiet mode: the question is a record, and nobody is answered in public."""
        entry = Entry(
            event=Event.QUESTION_RECEIVED,
            identity=self._room.person(asked.person),
            origin="slack",
            resource="question",
            facts={"quiet": True},
            bodies={"question": asked.text.encode()},
        )
        self._room.house.promptlog.append(entry)
        words = "I run in quiet mode: I record, and post nothing yet."
        self._room.privately(caller, short_message(words, secrets.token_hex(4)), thread=asked.thread)

    def _deleted(self, event: Body, caller: Caller) -> None:
        question = question_id(self._room.who()["team_id"], str(event["channel"]), str(event.get("deleted_ts", "")))
        before = self._room.questions.delete(question)
        if before is not None and before.reply:
            words = short_message("The question was deleted, and so is this answer. It stays in the record.", question)
            self._room.later(lambda: self._room.sender.update(before.channel, before.reply, words))

    def _acknowledge(self, ack: Callable[..., Any], said: Message | None) -> None:
        """Words in an acknowledgement leave too: they are looked at like every payload."""
        if said is None:
            ack()
            return
        text = fallback(said.text)
        self._room.sender.client.look("ack", f"{text} {said.blocks}")
        ack(response_type="ephemeral", text=text, blocks=list(said.blocks))


def key_of(kind: str, body: Body) -> str:
    """What makes a delivery the same one: the event's id, the trigger of a command or button, the view's state."""
    match kind:
        case "event":
            return f"slack.event.{body.get('event_id') or body['event'].get('event_ts')}"
        case "view":
            view = body["view"]
            return f"slack.view.{view.get('id')}.{view.get('hash', '')}"
        case _:
            actions = body.get("actions") or [{}]
            return f"slack.{kind}.{body.get('trigger_id', '')}.{actions[0].get('action_ts', '')}"
