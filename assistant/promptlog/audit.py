"""Reading the log as a person: each read is a record first (PCI DSS 10.2.1.3), with who, what and from where.

If that record cannot be made, nothing is shown. Whether this person may read is decided before, by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO

from assistant.errors import PromptLogError, UsageError
from assistant.promptlog.export import Exported, export, streaming
from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Record, Value, slug
from assistant.promptlog.replay import Replay, replay
from assistant.promptlog.search import Search, Story, matching, story
from assistant.promptlog.table import write_table
from assistant.promptlog.verify import Doubt, Report


@dataclass(frozen=True, slots=True)
class Found:
    """Records in the order asked for; `more` if there are others beyond the limit."""

    records: tuple[Record, ...]
    more: bool

    @property
    def older(self) -> int | None:
        """`Search.stop` of the next page of a search that gives the newest first; None on the last page."""
        return self.records[-1].index if self.more else None


@dataclass(frozen=True, slots=True)
class Auditor:
    """`person` is the real identity ("slack:U…", "oidc:…", "os:…"): kept in the erasable blob, a pseudonym in the leaf.

    `origin` is where the request came from: cli, web, slack.
    """

    log: Log
    person: str
    origin: str = "cli"

    def show(self, which: int | str) -> Story:
        record = self.log.get(which)
        self._read(f"record:{record.id}", {"record": record.id, "action": "show"}, incident=record.incident)
        return story(self.log, record)

    def note_read(self, resource: str, *, action: str, incident: str | None = None) -> None:
        """A look at something that is neither a record nor a search (the reviews, a note, a download)."""
        self._read(resource, {"action": action}, incident=incident)

    def search(self, search: Search, *, limit: int = 50, newest_first: bool = True) -> Found:
        """UsageError for an incident that cannot be one: the record of this search names it."""
        if search.incident is not None and slug(search.incident) != search.incident:
            raise UsageError("that is no id of an incident", mend="it has no spaces; the list of incidents shows it")
        words = search.in_words(self.log.size()).encode()
        self._read("log", {"action": "search"}, {"selection": words}, incident=search.incident)
        found = list(islice(matching(self.log, search, newest_first=newest_first), limit + 1))
        return Found(tuple(found[:limit]), len(found) > limit)

    def prove(self, which: int | str) -> str:
        record = self.log.get(which)
        self._read(f"record:{record.id}", {"record": record.id, "action": "prove"})
        return self.log.prove(record.index)

    def replay(self, which: int | str) -> Replay:
        record = self.log.get(which)
        self._read(f"record:{record.id}", {"record": record.id, "action": "replay"})
        return replay(self.log, record)

    def verify(self, *, outside: tuple[str, ...] = ()) -> Report:
        """Verify, then record that it was done and what came out. A log that cannot take that record is one doubt
        more.
        """
        report = self.log.verify(outside=outside)
        try:
            self._read("log", _found_by(report))
        except PromptLogError as fault:
            doubt = Doubt("unrecorded", f"this verification could not be recorded: {fault.message}")
            return replace(report, doubts=(*report.doubts, doubt), doubt_count=report.doubt_count + 1)
        return report

    def export(self, path: Path, *, selection: Search, reason: str, bodies: bool = True) -> Exported:
        """UsageError without a reason: taking records away is explained, and the explanation is a record."""
        reading = self._taking(selection, reason, bodies)
        return export(self.log, path, selection=selection, reading=reading, bodies=bodies)

    def exporting(self, *, selection: Search, reason: str, bodies: bool = True) -> Callable[[IO[bytes]], Exported]:
        """As `export`, recorded now and written to a stream later (see `export.streaming`)."""
        reading = self._taking(selection, reason, bodies)
        return streaming(self.log, selection=selection, reading=reading, bodies=bodies)

    def tabling(self, *, selection: Search, reason: str) -> Callable[[IO[bytes]], int]:
        """What writes the records as a table (`table.write_table`), oldest first, recorded now as an export: it is
        taken away all the same. UsageError without a reason."""
        reading = self._taking(selection, reason, bodies=False, form="table")
        until = replace(selection, stop=min(selection.stop or reading.index + 1, reading.index + 1))
        return lambda stream: write_table(stream, matching(self.log, until))

    def _taking(self, selection: Search, reason: str, bodies: bool, form: str = "bundle") -> Record:
        if len(reason.strip()) < 3:
            raise UsageError("an export needs a reason", mend="give --reason TEXT")
        facts: dict[str, Value] = {
            "action": "export",
            "form": form,
            "bodies": bodies,
            "identities": selection.identities,
        }
        words = selection.in_words(self.log.size())
        return self._read("log", facts, {"reason": reason.encode(), "selection": words.encode()})

    def _read(
        self,
        resource: str,
        facts: dict[str, Value],
        bodies: dict[str, bytes] | None = None,
        *,
        incident: str | None = None,
    ) -> Record:
        entry = Entry(
            event=Event.AUDIT_READ,
            identity=self.person,
            origin=self.origin,
            resource=resource,
            incident=incident,
            facts=facts,
            bodies=bodies or {},
        )
        return self.log.get(self.log.append(entry).index)


def verify_on_schedule(log: Log, verify: Callable[[], Report]) -> Report:
    """What `verify` found, recorded as the schedule's: that it was done is to be shown as well. Raises PromptLogError
    where the log cannot take the record."""
    report = verify()
    facts = _found_by(report)
    log.append(Entry(event=Event.AUDIT_READ, actor="schedule", origin="schedule", resource="log", facts=facts))
    return report


def _found_by(report: Report) -> dict[str, Value]:
    return {"action": "verify", "doubts": report.doubt_count, "covered": report.covered}
