"""Finding records, and telling the story of one prompt.

A search runs on indexed columns (incident, time, event, outcome, model, class of redaction, …), never on the leaves.
Reading the log is itself a record: people go through `audit.Auditor`, which writes it first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from heapq import merge
from itertools import islice

from assistant.promptlog.log import Log
from assistant.promptlog.record import CLOSES_REQUEST, Event, Gone, Record, redactions_in
from assistant.promptlog.store import Filter


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; None and () mean anything. Times are ISO 8601 in UTC, `since` included, `until` not.

    `redacted` is a class of redaction ("PAN"), in any case; `person` the real one, found through the identity blob.
    `identities` asks an export to reveal who the pseudonyms are.
    """

    start: int = 0
    stop: int | None = None
    since: str | None = None
    until: str | None = None
    events: tuple[str, ...] = ()
    actor: str | None = None
    person: str | None = None
    outcome: str | None = None
    incident: str | None = None
    model: str | None = None
    redacted: str | None = None
    release: str | None = None
    identities: bool = False

    @property
    def is_everything(self) -> bool:
        return not self._given()

    def _given(self) -> dict[str, object]:
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "identities"}
        return {name: value for name, value in given.items() if value not in (None, (), 0)}

    def in_words(self, size: int) -> str:
        """A statement of completeness for a log of `size` records."""
        given = self._given()
        if not given:
            return f"records 0 to {size - 1}, every one, no gap"
        if given.keys() <= {"start", "stop"}:
            stop = min(size, self.stop if self.stop is not None else size)
            return f"records {self.start} to {stop - 1}, every one, no gap; key.rotate and body.expire of the whole log"
        words = ", ".join(f"{name} {'***' if name == 'person' else value}" for name, value in given.items())
        return f"records selected by {words}, as the log's own search found them; that none was left out is not shown"


def matching(log: Log, search: Search, *, newest_first: bool = False) -> Iterator[Record]:
    """The records that match, in the order of the log."""
    actors: tuple[str | None, ...] = (search.actor,)
    if search.person is not None:
        actors = log.pseudonyms_of(search.person)
    found = (log.search(_filter(search, actor), newest_first=newest_first) for actor in actors)
    return merge(*found, key=lambda record: record.index, reverse=newest_first)


def _filter(search: Search, actor: str | None) -> Filter:
    return Filter(
        start=search.start,
        stop=search.stop,
        since=search.since,
        until=search.until,
        events=search.events,
        actor=actor,
        outcome=search.outcome,
        incident=search.incident,
        model=search.model,
        release=search.release,
        redacted=None if search.redacted is None else search.redacted.upper(),
    )


def redacted(record: Record) -> dict[str, int]:
    """How many values of each class were redacted, classes in capitals; {} where the record says nothing of it."""
    return redactions_in(record.facts)


@dataclass(frozen=True, slots=True)
class Story:
    """One prompt from what woke it to the note that it became. `bodies` of a record by name, or why one is gone."""

    record: Record
    bodies: dict[str, bytes | Gone]
    answers: tuple[Record, ...]
    queries: tuple[Record, ...]
    notes: tuple[Record, ...]
    reviews: tuple[Record, ...]


def story(log: Log, record: Record, *, most: int = 200) -> Story:
    """What the log knows around this record: answers, the queries of its incident before it, notes, reviews."""
    about = tuple(log.search(Filter(start=record.index, about=record.id)))
    queries: tuple[Record, ...] = ()
    notes: tuple[Record, ...] = ()
    if record.incident is not None:
        asked = Filter(stop=record.index, incident=record.incident, events=(Event.SOURCE_QUERY.value,))
        queries = tuple(islice(log.search(asked, newest_first=True), most))[::-1]
        posts = (Event.NOTE_POST.value, Event.NOTE_UPDATE.value)
        after = log.search(Filter(start=record.index, incident=record.incident, events=posts))
        notes = tuple(note for note in after if _names(note, record))
    return Story(
        record=record,
        bodies={name: log.body(record, name) for name in record.bodies},
        answers=tuple(r for r in about if r.event in CLOSES_REQUEST),
        queries=queries,
        notes=notes,
        reviews=tuple(r for r in about if r.event is Event.AUDIT_REVIEW),
    )


def _names(note: Record, request: Record) -> bool:
    """Whether a note says that it was made from this request (by index or id)."""
    named = note.facts.get("requests")
    return isinstance(named, list) and (request.index in named or request.id in named)
