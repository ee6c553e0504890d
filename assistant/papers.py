"""Handover, post-incident draft and stakeholder update of an incident, from its latest kept note; and what people say
of a note.

::

    incident id -> latest note (notebook, else prompt log) -> Note + Context -> prose, checked -> Markdown, recorded

What a terminal, Slack and the console call. No telemetry is asked again: a paper says what the note said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from assistant.core.note_restored import context_of_note, note_of
from assistant.core.paper import KINDS, Paper, PaperKind
from assistant.errors import PromptLogError, UsageError
from assistant.house import House
from assistant.promptlog.record import Entry, Event, Receipt, Value, slug
from assistant.records import spent_facts
from redaction import LeakBlocked

if TYPE_CHECKING:
    from assistant.drafting.feedback import Judgement
    from assistant.promptlog.log import Log


class Notes(Protocol):
    """Where the latest note of an incident is found: `assistant.notebook.NoteBook`, or `LoggedNotes`."""

    def latest(self, incident: str) -> Mapping[str, object] | None: ...


@dataclass(frozen=True, slots=True)
class LoggedNotes:
    """Notes as the prompt log keeps them: for what was never in a notebook (`payops triage`)."""

    log: Log

    def latest(self, incident: str) -> Mapping[str, object] | None:
        """The newest note whose body is still there, with its record. Raises PromptLogError."""
        for record in self._records(incident):
            body = self.log.body(record, "note") if record.resource == "note" and "note" in record.bodies else None
            if isinstance(body, bytes):
                note: dict[str, object] = json.loads(body)
                at = {"index": record.index, "id": str(record.id), "tree_size": 0, "root": "", "checkpoint": ""}
                return {**note, "record": at}
        return None

    def _records(self, incident: str) -> Iterator[Any]:
        from assistant.promptlog.search import Search, matching

        wanted = Search(incident=incident, events=(Event.NOTE_POST.value, Event.NOTE_UPDATE.value))
        return matching(self.log, wanted, newest_first=True)


@dataclass(frozen=True, slots=True)
class FirstOf:
    """The latest note of the first place that has one."""

    places: tuple[Notes, ...]

    def latest(self, incident: str) -> Mapping[str, object] | None:
        return next((note for place in self.places if (note := place.latest(incident)) is not None), None)


def paper(
    kind: PaperKind, incident: str, *, notes: Notes, house: House, person: str = "", without_model: str = ""
) -> Paper:
    """The paper of that kind about the incident's latest note. `person` is who asked ("slack:U…", "oidc:…", "os:…"),
    kept behind a pseudonym; `without_model`, where given, is why no model may be asked (`payops off`).

    UsageError where there is no such incident or kind; WorkflowError where the kept note cannot be read, or its
    database; LeakBlocked where the last look finds something in it. A log that takes no record stops nothing.
    """
    if kind not in KINDS:
        raise UsageError("no such kind of paper", mend=f"there are: {', '.join(KINDS)}")
    if house.papers is None:
        raise ValueError("this house was built without a writer of papers")
    note = note_of(_latest(incident, notes), house.scanner.restore)
    context = context_of_note(note, house.scanner.restore)
    text, written = house.papers(kind, note, context, without_model)
    house.scanner.check(text, sink="paper")
    made = Paper(kind, incident, note.revision, text, written.model, written.without_model)
    facts: dict[str, Value] = {
        "revision": note.revision,
        "struck": len(written.struck),
        "struck_by_rule": dict(Counter(slug(s.rule) for s in written.struck)),
        **spent_facts(written.spent),
        "of": note.record.id if note.record else "none",
    }
    entry = Entry(
        event=Event.NOTE_POST, actor="" if person else house.actor, identity=person or None, resource=kind,
        incident=incident, facts=facts, bodies={"paper": text.encode()},
    )  # fmt: skip
    try:
        return replace(made, record=house.promptlog.append(entry).index)
    except (PromptLogError, LeakBlocked) as error:
        return replace(made, record_missing=str(error))


def judge(
    incident: str,
    judgement: Judgement,
    *,
    notes: Notes,
    house: House,
    person: str,
    words: str = "",
    right_cause: str = "",
) -> Receipt:
    """Keep what `person` says of the incident's latest note. `words` and `right_cause` are raw and redacted here.

    UsageError where there is no such note, or none with a record; LogUnavailable where the log cannot take it.
    """
    from assistant.drafting.feedback import give

    found = note_of(_latest(incident, notes), house.scanner.restore)
    if found.record is None:
        raise UsageError("this note has no record in the prompt log", mend="judge its next revision")
    redact = house.redactor.for_incident(incident).redact
    return give(
        house.promptlog,
        judgement=judgement,
        incident=incident,
        record=found.record.id,
        person=person,
        words=redact(words) if words else None,
        right_cause=redact(right_cause) if right_cause else None,
    )


def _latest(incident: str, notes: Notes) -> Mapping[str, object]:
    body = notes.latest(incident)
    if body is None:
        raise UsageError(
            "no note of such an incident is kept here",
            mend="the id stands at the head of a note (inc-…); `payops log search --event note.post` lists them",
        )
    return body
