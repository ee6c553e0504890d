"""What a row repeats of its leaf so that it can be found, made from the one and the other. `verify` compares them."""

from __future__ import annotations

from assistant.promptlog.record import Entry, Record, RecordId, Stamp, format_time
from assistant.promptlog.store import Row

Optional = str | None
Columns = tuple[RecordId, str, str, str, str, Optional, Optional, Optional, Optional, str, Optional]
"""id, time, event, actor, outcome, incident, correlation, about, model, run, release."""


def columns_of(record: Record) -> Columns:
    """What a row repeats of its leaf, in one fixed order."""
    return _columns(record, record)


def columns_of_entry(entry: Entry, stamp: Stamp) -> Columns:
    """The same before there is a record."""
    return _columns(entry, stamp)


def _columns(said: Entry | Record, added: Stamp | Record) -> Columns:
    about = said.facts.get("request") or said.facts.get("record")
    model, release = said.facts.get("model"), said.facts.get("release")
    return (
        added.id,
        format_time(added.time),
        said.event.value,
        added.actor,
        said.outcome.value,
        said.incident,
        said.correlation,
        about if isinstance(about, str) else None,
        model if isinstance(model, str) else None,
        added.run,
        release if isinstance(release, str) else None,
    )


def found_by(row: Row, record: Record) -> Columns:
    """What a row says; one that was archived before schema 3 does not know its release, and nothing else may lack."""
    told = columns_of_row(row)
    return told if row.release is not None or row.segment is None else (*told[:-1], columns_of(record)[-1])


def columns_of_row(row: Row) -> Columns:
    return (
        row.id,
        row.time,
        row.event,
        row.actor,
        row.outcome,
        row.incident,
        row.correlation,
        row.about,
        row.model,
        row.run,
        row.release,
    )
