"""Buttons below a message, and what people say of it. Details go into the thread, once; only on request."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

from assistant.core.paper import PaperKind
from assistant.errors import PayopsError, UsageError
from assistant.papers import paper
from assistant.slack.blocks import Message, answer_message, footer, short_message
from assistant.slack.charts import FORMS, chart_message
from assistant.slack.client import Refused, SlackTrouble
from assistant.slack.details import (
    document_messages,
    evidence_message,
    feedback_view,
    looked_message,
    runbook_message,
    timeline_message,
)
from assistant.slack.room import Room
from assistant.slack.routes import Caller
from assistant.slack.security import card_classes
from assistant.slack.triage import Triage
from assistant.workflow.cases import Case, typed_case
from redaction import RedactedText

_LOG = logging.getLogger("payops.slack")
_PAPERS = {"handover": "Handover", "post_incident": "Post-incident draft", "stakeholder_update": "Update for others"}


class Actions:
    def __init__(self, room: Room) -> None:
        self._room = room
        self._triage = Triage(room)
        self._forms = list(FORMS)

    def pressed(self, body: Mapping[str, Any], caller: Caller) -> None:
        """A button. Feedback opens its window here: a trigger lives three seconds; the rest is done later."""
        action = body["actions"][0]
        name, value = str(action.get("action_id", "")), str(action.get("value") or "")
        if name == "feedback":
            self._feedback(body, caller, value)
        elif name == "open_record":
            self._record(caller, value, has_url=bool(action.get("url")))
        elif name == "post_to_channel":
            self._room.later(self._post_to_channel, caller, value)
        else:
            self._room.later(self._detail, body, caller, name, value)

    def judged(self, body: Mapping[str, Any], caller: Caller) -> None:
        """The window behind "Not useful" was sent: words are redacted before anything keeps them."""
        view = body["view"]
        told = json.loads(view.get("private_metadata") or "{}")
        values = view["state"]["values"]
        reason = str(((values.get("reason") or {}).get("reason") or {}).get("selected_option", {}).get("value", ""))
        raw = str(((values.get("words") or {}).get("words") or {}).get("value") or "")
        incident = str(told.get("incident", ""))
        words = self._room.house.redactor.for_incident(incident or "feedback").redact(raw) if raw else None
        where = Caller(
            caller.person,
            str(told.get("channel", "")),
            caller.team,
            direct=str(told.get("channel", "")).startswith("D"),
        )
        if words is not None and (classes := card_classes(words)):
            self._room.case(
                typed_case(f"feedback-{view.get('id', '')}", classes, channel=where.channel, at=self._room.now())
            )
        self._keep(told, caller, _judgement(reason, str(told.get("verdict", ""))), reason=reason, words=words)
        if reason == "showed_data":
            self._room.later(self._showed_data, told)
        self._room.privately(where, short_message("Thank you: it is kept with the record.", secrets.token_hex(4)))

    def _feedback(self, body: Mapping[str, Any], caller: Caller, value: str) -> None:
        told = self._told(body, caller, value[1:])
        if value.startswith("+"):
            self._keep(told, caller, "useful")
            self._room.privately(
                caller, short_message("Thank you: it is kept.", secrets.token_hex(4)), thread=_thread(body)
            )
            return
        try:
            self._room.sender.open_view(str(body.get("trigger_id", "")), feedback_view(json.dumps(told)))
        except SlackTrouble as error:
            # An expired trigger loses the window, not what was said.
            _LOG.warning("the feedback window did not open", extra={"reason": error.message})
            self._keep(told, caller, "not_useful")
            words = "Kept as not useful. Slack did not open the window for the reason; press again to give one."
            self._room.privately(caller, short_message(words, secrets.token_hex(4)), thread=_thread(body))

    def _told(self, body: Mapping[str, Any], caller: Caller, value: str) -> dict[str, str]:
        """What the feedback is about: a note ("n|incident|record|verdict") or an answer ("q|question|record|")."""
        kind, about, record, verdict = (*value.split("|"), "", "", "")[:4]
        incident = about
        if kind == "q":
            asked = self._room.questions.get(about)
            incident = asked.incident if asked else ""
        ts = str((body.get("container") or {}).get("message_ts", ""))
        return {
            "kind": kind, "about": about, "incident": incident, "record": record, "verdict": verdict,
            "channel": caller.channel, "ts": ts,
        }  # fmt: skip

    def _keep(
        self,
        told: Mapping[str, str],
        caller: Caller,
        judgement: str,
        *,
        reason: str = "",
        words: RedactedText | None = None,
    ) -> None:
        """Into the prompt log. Raises PromptLogError: Slack then sends again."""
        from assistant.drafting.feedback import Judgement, give

        give(
            self._room.house.promptlog,
            judgement=cast("Judgement", judgement),
            incident=told["incident"] or told["about"] or "none",
            record=self._record_id(told["record"]),
            person=self._room.person(caller.person),
            words=words,
            reason=reason,
            resource="answer" if told["kind"] == "q" else "note",
        )

    def _record_id(self, record: str) -> str:
        """The id behind a record's number."""
        log: Any = self._room.house.promptlog
        return str(log.get(int(record)).id) if record.isdigit() else record or "none"

    def _showed_data(self, told: Mapping[str, str]) -> None:
        """The note goes out of sight, and the security people are told."""
        room = self._room
        if told["kind"] == "n":
            room.hide(told["incident"], record=told["record"])
        else:
            words = "This answer is hidden: a person said that it shows data it should not."
            room.sender.update(told["channel"], told["ts"], short_message(words, secrets.token_hex(4)))
        lines = (
            "A message was hidden: it may show data it should not",
            f"{'Note of ' + told['incident'] if told['kind'] == 'n' else 'Answer'}, in channel {told['channel']}.",
            f"Record {told['record'] or 'none'} of the prompt log holds it; read it there, not in Slack.",
            "To do: look at the record; `payops purge` takes a leaked value out of every store.",
        )
        room.case(Case(told["about"], "note", f"record {told['record'] or told['ts']}", "REPORTED", lines))

    def _record(self, caller: Caller, value: str, *, has_url: bool) -> None:
        """A link opens by itself; without a console the way to read the record is told."""
        if not has_url:
            words = f"There is no [web] url to open. On the audit host: payops log show {value}"
            self._room.privately(caller, short_message(words, secrets.token_hex(4)))

    def _detail(self, body: Mapping[str, Any], caller: Caller, name: str, value: str) -> None:
        """One detail in the thread of its message; pressed twice it stands there once."""
        room, thread = self._room, _thread(body)
        about, _, revision = value.partition("|")
        hidden = bool((body.get("container") or {}).get("is_ephemeral"))
        key = f"slack.detail.{caller.channel}.{thread}.{name}.{value}"
        if not hidden and not room.live.service.claims.take(key, span_s=3600.0):
            room.privately(
                caller, short_message("It stands in the thread already.", secrets.token_hex(4)), thread=thread
            )
            return
        done = False
        try:
            if name == "chart":
                self._chart(about, int(revision or 0), caller, thread, hidden)
            else:
                for message in self._messages(name, about, int(revision or 0), caller):
                    self._shown(message, caller, thread, hidden)
            done = True
        except UsageError as error:
            room.privately(caller, short_message(str(error), secrets.token_hex(4)), thread=thread)
        finally:
            if not hidden:
                (room.live.service.claims.done if done else room.live.service.claims.release)(key)

    def _messages(self, name: str, about: str, revision: int, caller: Caller) -> Sequence[Message]:
        stamp = secrets.token_hex(4)
        if name == "looked":
            asked = self._room.questions.get(about)
            said = asked.said() if asked else None
            return (looked_message(said, stamp=stamp),) if said else ()
        if name in _PAPERS:
            return self._paper(cast("PaperKind", name), about, caller)
        note = self._note(about, revision)
        match name:
            case "evidence":
                return (evidence_message(note, stamp=stamp),)
            case "timeline":
                return (timeline_message(note, stamp=stamp),)
            case "runbook":
                return (self._runbook(note, about, stamp),)
            case _:
                return ()

    def _runbook(self, note: Mapping[str, Any], incident: str, stamp: str) -> Message:
        snapshot = self._room.snapshot(incident)
        alerts = snapshot.alerts if snapshot else ()
        found = self._room.house.runbooks.find(alerts=alerts, question="", findings_text=str(note["title"]))
        wanted = {r["id"] for r in note["runbooks"]}
        passages = [p for p in found.passages if p.id in wanted] or list(found.passages)
        return runbook_message(note, passages, stamp=stamp)

    def _chart(self, about: str, revision: int, caller: Caller, thread: str, hidden: bool) -> None:
        """The richest form that this workspace takes; what it refused once is not tried again."""
        note = self._note(about, revision)
        while True:
            form = self._forms[0]
            try:
                self._shown(
                    chart_message(note["charts"], form=form, stamp=secrets.token_hex(4)), caller, thread, hidden
                )
                return
            except Refused:
                if len(self._forms) == 1:
                    raise
                self._forms.remove(form)
                _LOG.warning("this workspace refuses a kind of block", extra={"form": form})

    def _paper(self, kind: PaperKind, incident: str, caller: Caller) -> Sequence[Message]:
        room = self._room
        off = "model and posts are switched off (payops off)" if room.live.service.switch.off else ""
        made = paper(
            kind, incident, notes=room.live.service.notes, house=room.house, person=room.person(caller.person),
            without_model=off,
        )  # fmt: skip
        record = "" if made.record is None else str(made.record)
        foot = footer(made.model.name if made.model else "", made.without_model, 0, record)
        self._uploaded(kind, incident, made.text, caller)
        return document_messages(_PAPERS[kind], made.text, stamp=secrets.token_hex(4), footer=foot)

    def _uploaded(self, kind: str, incident: str, text: str, caller: Caller) -> None:
        """As a file for download too, where `files:write` was granted."""
        room = self._room
        place = room.posted.of(incident)
        if "files:write" not in room.who()["scopes"].split(",") or place is None or not place.ts:
            return
        try:
            room.sender.upload(place.channel, place.ts, name=f"{incident}-{kind}.md", content=text)
        except SlackTrouble as error:
            _LOG.warning("the file was not taken", extra={"reason": error.message})

    def _note(self, incident: str, revision: int) -> Mapping[str, Any]:
        notes = self._room.live.service.notes
        found: Any = (notes.revision(incident, revision) if revision else None) or notes.latest(incident)
        if found is None:
            raise UsageError("this note is not kept any more", mend="look it up in the prompt log")
        return cast("Mapping[str, Any]", found)

    def _shown(self, message: Message, caller: Caller, thread: str, hidden: bool) -> None:
        if hidden:
            self._room.sender.whisper(caller.channel, caller.person, message)
            return
        self._room.sender.wait(caller.channel)
        ts = self._room.sender.post(caller.channel, message, thread=thread, patient=True)
        incident = self._room.posted.incident_of(caller.channel, thread)
        if incident:
            self._room.posted.belongs(caller.channel, ts, incident, "detail")

    def _post_to_channel(self, caller: Caller, value: str) -> None:
        """What one person saw, for all: once, however often it is pressed."""
        room, stamp = self._room, secrets.token_hex(4)
        kind, _, about = value.partition("|")
        asked = room.questions.get(about) if kind == "answer" else None
        said = asked.said() if asked else None
        if said is not None:
            message: Message | None = answer_message(said, room.links, stamp=stamp, question=about)
        elif kind == "note":
            message = self._triage.note(about, button=False)
        else:
            message = self._triage.status(caller, button=False) if kind == "status" else None
        if message is None:
            room.privately(caller, short_message("It is not kept any more; ask again.", stamp))
            return
        claims, key = room.live.service.claims, f"slack.shared.{caller.channel}.{value}"
        if not claims.take(key, span_s=600.0):
            return
        try:
            room.sender.wait(caller.channel)
            room.sender.post(caller.channel, message, patient=True)
        except PayopsError:
            claims.release(key)
            raise
        claims.done(key, span_s=60.0 if kind == "status" else 86400.0)


def _judgement(reason: str, verdict: str) -> str:
    """A wrong cause that was said to be strong is the worst thing we can do."""
    if reason == "wrong_cause":
        return "confidently_wrong" if verdict == "confirmed" else "wrong"
    return "not_useful"


def _thread(body: Mapping[str, Any]) -> str:
    message = body.get("message") or {}
    container = body.get("container") or {}
    return str(
        message.get("thread_ts") or container.get("thread_ts") or message.get("ts") or container.get("message_ts") or ""
    )
