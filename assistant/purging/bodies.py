"""A value out of the bodies of the prompt log, and which requests to a model carried it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.promptlog.log import Log
from assistant.promptlog.record import Address, Event, Gone, GoneReason, Record, RecordId
from assistant.promptlog.retention import take_out
from assistant.promptlog.store import Filter
from assistant.purging.value import Value


@dataclass(frozen=True, slots=True)
class Carrying:
    """A request to a model that carried the value: `provider` is its host; `answer` and `ticket` are the ids that the
    provider gave the answer and the request ("" where it gave none), for asking it to delete."""

    record: str
    index: int
    time: str
    provider: str
    model: str
    answer: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Bodies:
    """What was found. `unread` bodies could not be opened (a key that is not here), `leaves` hold it in the tree
    itself, where nothing can be taken out."""

    addresses: tuple[Address, ...]
    requests: tuple[Carrying, ...]
    unread: int
    leaves: tuple[int, ...]


def find_bodies(log: Log, value: Value) -> Bodies:
    """Reads every body and every leaf once."""
    found: list[Address] = []
    unread = 0
    for address in log.store.blob_addresses():
        opened = log.open_body(address)
        if isinstance(opened, Gone):
            unread += 1
        elif value.in_bytes(opened[1]):
            found.append(address)
    leaves = tuple(row.index for row in log.store.rows(Filter()) if row.leaf is not None and value.in_bytes(row.leaf))
    return Bodies(tuple(found), _carrying(log, found), unread, leaves)


def take_bodies(log: Log, found: Bodies, *, by: str) -> int:
    """Take them out for ever; how many. The records that named them stay, and every proof."""
    return take_out(log, found.addresses, GoneReason.PURGED, identity=by)


def _carrying(log: Log, addresses: Sequence[Address]) -> tuple[Carrying, ...]:
    indexes = sorted({index for address in addresses for index in log.store.uses(address)})
    records = [log.get(index) for index in indexes]
    asked = {r.id: r for r in records if r.event is Event.LLM_REQUEST}
    for record in records:
        # An answer that holds it says that the request led to it, even where its own text is in another form.
        if record.event is Event.LLM_RESPONSE and (request := str(record.facts.get("request", ""))):
            asked.setdefault(RecordId(request), log.get(request))
    return tuple(_told(log, record) for record in sorted(asked.values(), key=lambda r: r.index))


def _told(log: Log, request: Record) -> Carrying:
    answers = log.search(Filter(start=request.index, about=request.id, events=(Event.LLM_RESPONSE.value,)))
    facts = next((r.facts for r in answers), {})
    answer, ticket = str(facts.get("answer", "")), str(facts.get("ticket", ""))
    model = str(request.facts.get("model", ""))
    return Carrying(request.id, request.index, str(request.time), request.resource, model, answer, ticket)
