"""The weekly report of a pilot: notes and incidents, what people said of them, what it cost. Counts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assistant.promptlog.record import Event, Record, format_time

if TYPE_CHECKING:
    from assistant.promptlog.log import Log


@dataclass(frozen=True, slots=True)
class Report:
    """Over `days`: note revisions of incidents, answers to questions, judgements, money in the price table's
    currency."""

    days: int
    incidents: int
    notes: int
    answers: int
    judged: dict[str, int]
    cost: float
    currency: str
    quiet: bool

    def lines(self) -> tuple[str, ...]:
        each = self.notes / self.incidents if self.incidents else 0.0
        total = sum(self.judged.values())
        said = self.judged.get
        return (
            f"{self.incidents} incidents, {self.notes} note revisions ({each:.1f} an incident), {self.answers} answers",
            f"judged {total}: useful {said('useful', 0)}, not useful {said('not_useful', 0)}, wrong {said('wrong', 0)}",
            f"confidently wrong: {said('confidently_wrong', 0)}",
            f"cost of the model: {self.cost:.2f} {self.currency}",
            *(("quiet mode: notes were recorded and not posted",) if self.quiet else ()),
        )


def report_of(log: Log, *, now: float, seconds: float, currency: str, quiet: bool) -> Report:
    """Read from the prompt log. Raises PromptLogError."""
    since = format_time(datetime.fromtimestamp(now - seconds, UTC))
    incidents: set[str] = set()
    counts: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    cost = 0.0
    for record in _records(log, since):
        if record.event is Event.FEEDBACK:
            judged[str(record.facts.get("judgement", ""))] += 1
        elif record.event is Event.LLM_RESPONSE:
            cost += float(record.facts.get("cost_microusd", 0) or 0) / 1e6
        elif record.resource == "note":
            counts["notes"] += 1
            incidents.add(record.incident or "")
        elif record.resource == "answer":
            counts["answers"] += 1
    return Report(
        days=round(seconds / 86400),
        incidents=len(incidents),
        notes=counts["notes"],
        answers=counts["answers"],
        judged=dict(judged),
        cost=cost,
        currency=currency,
        quiet=quiet,
    )


def _records(log: Log, since: str) -> Iterator[Record]:
    from assistant.promptlog.search import Search, matching

    events = (Event.NOTE_POST, Event.NOTE_UPDATE, Event.FEEDBACK, Event.LLM_RESPONSE)
    return matching(log, Search(since=since, events=tuple(e.value for e in events)))
