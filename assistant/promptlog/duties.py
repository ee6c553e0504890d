"""Separation of duties: who reads over what happened is not who did it (PCI DSS 10.4.1 and 6.5.4 in spirit, SOC 2 CC5).

One's own act is one hand; a question asked, a decision taken or feedback given in the same incident, or in one that
became part of it, is another. Reading is none. The rule stands here alone, below console and command line, and `review`
holds every step to it. Where one local person holds every role (the console on loopback), hands cannot be told apart,
and only one's own act is refused.
"""

from __future__ import annotations

from itertools import islice

from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Record
from assistant.promptlog.store import Filter

HANDS = (Event.QUESTION_RECEIVED, Event.CONFIG_CHANGE, Event.FEEDBACK)


class Hands:
    """What one person had a hand in. Looks each incident up once: for as long as one look at a list of exceptions."""

    def __init__(self, log: Log, identity: str, *, alone: bool = False) -> None:
        """`identity` is the real one; `alone` says that it is everybody's. Raises PromptLogError, as `bar` does."""
        self._log, self._alone = log, alone
        self._mine = log.pseudonyms_of(identity)
        self._known: dict[str, bool] = {}

    def bar(self, record: Record) -> str:
        """Why this person may not sign off this record, "" if they may."""
        if record.actor in self._mine:
            return "nobody signs off their own act"
        if not self._alone and record.incident is not None and self._in(record.incident):
            return "you took part in this incident"
        return ""

    def _in(self, incident: str) -> bool:
        if incident not in self._known:
            whole = _with_what_joined(self._log, incident)
            self._known[incident] = any(_took_part(self._log, one, actor) for one in whole for actor in self._mine)
        return self._known[incident]


def _with_what_joined(log: Log, incident: str) -> frozenset[str]:
    """This incident and those that became part of it, and of those."""
    found, asked = {incident}, [incident]
    while asked:
        wanted = Filter(incident=asked.pop(), events=(Event.CONFIG_CHANGE.value,))
        merges = (r.facts.get("other") for r in log.search(wanted) if r.facts.get("decision") == "merge")
        new = {str(other) for other in merges if other is not None} - found
        found |= new
        asked += new
    return frozenset(found)


def _took_part(log: Log, incident: str, actor: str) -> bool:
    wanted = Filter(incident=incident, actor=actor, events=tuple(e.value for e in HANDS))
    return any(True for _ in islice(log.search(wanted), 1))
