"""What the model has cost so far, as the prompt log tells: a restart forgets nothing, and replicas of one log share a
budget.

Every answer's record holds its tokens and cost; a request whose answer never came counts with the tokens of its bytes.
Records that this process writes after the first look are left out: it counts those itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assistant.errors import PromptLogError
from assistant.promptlog.record import Event, Record, format_time
from assistant.promptlog.store import Filter

_EVENTS = (Event.LLM_RESPONSE.value, Event.LLM_UNKNOWN_OUTCOME.value)
_BYTES_PER_TOKEN = 3.2


@dataclass(frozen=True, slots=True)
class Spent:
    """One answer that others were given: when (Unix seconds), for which incident, tokens in and out together, cost."""

    at: float
    incident: str
    tokens: int
    cost: float


@dataclass(slots=True)
class LoggedSpending:
    """`label` says whose: the live model's or a shadow's. Not thread-safe: the budget calls it under its lock."""

    log: Any
    label: str = "live"
    _next: int = 0
    _looked: bool = False

    def since(self, moment: float) -> tuple[Spent, ...]:
        """What others spent after `moment` (Unix seconds) that was not told before. () where the log cannot be read:
        then nothing can be sent either."""
        if not hasattr(self.log, "search"):
            return ()
        since, first, self._looked = format_time(datetime.fromtimestamp(moment, UTC)), not self._looked, True
        found: list[Spent] = []
        try:
            for record in self.log.search(Filter(start=self._next, since=since, events=_EVENTS)):
                self._next = max(self._next, record.index + 1)
                if (first or record.run != self.log.run) and record.facts.get("label", "live") == self.label:
                    found.append(self._spent(record))
        except PromptLogError:
            return tuple(found)
        return tuple(found)

    def _spent(self, record: Record) -> Spent:
        facts, incident, at = record.facts, record.incident or "", record.time.timestamp()
        if record.event is Event.LLM_RESPONSE:
            tokens = int(facts.get("tokens_in", 0)) + int(facts.get("tokens_out", 0))
            return Spent(at, incident, tokens, float(facts.get("cost_microusd", 0)) / 1e6)
        request = self.log.get(str(facts["request"]))
        return Spent(at, request.incident or incident, int(request.facts.get("bytes", 0) / _BYTES_PER_TOKEN) + 1, 0.0)
