"""Make cold records found again by what later releases search by.

A log that came from tables without releases or classes of redaction was filled from the leaves at hand; those in cold
segments were not at hand to the tables. With the segments here they are filled the same way, each leaf held against its
hash. Nothing of a leaf, a hash or a body is touched, and doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Value, redactions_in
from assistant.promptlog.store import Filter, Row, Transaction

_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Reindexed:
    """`records` that lie in cold segments were read; `missing` are the segments that are not at hand."""

    records: int
    missing: tuple[str, ...]


@dataclass(slots=True)
class _Pages:
    """What was read and is still to be written."""

    releases: list[tuple[str, int]] = field(default_factory=list)
    classes: list[tuple[str, int]] = field(default_factory=list)

    def write(self, log: Log) -> None:
        releases, classes = tuple(self.releases), tuple(self.classes)

        def find(tx: Transaction) -> None:
            tx.find_by(releases, classes)

        if releases or classes:
            log.perform(find)
        self.releases.clear()
        self.classes.clear()


def reindex(log: Log, *, identity: str) -> Reindexed:
    """Fill what cold records are found by; that it was done is a record. Raises PromptLogError where the log does not
    take it, LogInconsistent for a leaf that is not what was logged."""
    read, missing, pages = 0, dict[str, None](), _Pages()
    for row in _cold(log):
        if row.segment in missing:
            continue
        if log.leaf(row) is None:
            missing[row.segment or "unknown"] = None
            continue
        facts = log.record(row).facts
        read += 1
        release = facts.get("release")
        pages.releases += [(release, row.index)] if isinstance(release, str) else []
        pages.classes += [(name, row.index) for name, count in redactions_in(facts).items() if count]
        if read % _CHUNK == 0:
            pages.write(log)
    pages.write(log)
    told: dict[str, Value] = {"records": read, "missing": list(missing)}
    log.append(
        Entry(event=Event.CONFIG_CHANGE, identity=identity, origin="cli", resource="promptlog.index", facts=told)
    )
    return Reindexed(read, tuple(missing))


def _cold(log: Log) -> Iterator[Row]:
    return (row for row in log.store.rows(Filter()) if row.leaf is None)
