"""Separation of duties: who reads over what happened is not who did it (PCI DSS 10.4.1 and 6.5.4 in spirit, SOC 2 CC5).

`review.accept` and `flag` already refuse one's own act. A reviewer's hand in the same incident is refused here: a
question asked, a decision taken, feedback given. On loopback one local person holds every role; nothing can be told
apart there, and pages say so.
"""

from __future__ import annotations

from itertools import islice

from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Record
from assistant.promptlog.store import Filter
from assistant.web.access.person import Person

HANDS = (Event.QUESTION_RECEIVED, Event.CONFIG_CHANGE, Event.FEEDBACK)


def bar(log: Log, person: Person, record: Record) -> str:
    """Why this person may not sign off this record, "" if they may. Raises PromptLogError."""
    if not person.holds("auditor"):
        return "only an auditor signs off"
    if person.alone:
        return ""
    mine = log.pseudonyms_of(person.id)
    if record.actor in mine:
        return "nobody signs off their own act"
    if record.incident is not None and any(_took_part(log, record.incident, actor) for actor in mine):
        return "you took part in this incident; let somebody else review it"
    return ""


def _took_part(log: Log, incident: str, actor: str) -> bool:
    wanted = Filter(incident=incident, actor=actor, events=tuple(e.value for e in HANDS))
    return any(True for _ in islice(log.search(wanted), 1))
