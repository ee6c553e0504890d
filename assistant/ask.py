"""The straight line of a question: what goes on at this moment is worked out first, then the question is answered from
it, with a few more looks where they are needed.

::

    Question -> Incident -> Observations -> Findings -> Context -> looks with read-only tools -> Answer
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from assistant.case import Case
from assistant.core.alert import Alert, Question, Rule
from assistant.core.answer import Answer
from assistant.core.incident import IncidentId
from assistant.core.time import Instant, Window
from assistant.errors import PromptLogError, SourceError
from assistant.house import House
from assistant.incidents import incident_of, new_id, together
from assistant.investigate import Stage, examine
from assistant.patience import patient_once
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.records import received, recording, spent_facts
from redaction import LeakBlocked


@dataclass(frozen=True, slots=True)
class About:
    """What a question is about, where that is known: the incident in whose thread it was asked, with its alerts."""

    incident: IncidentId
    alerts: tuple[Alert, ...]


def ask(
    text: str,
    house: House,
    *,
    asker: str,
    tell: Stage = lambda stage: None,
    about: About | None = None,
    lookback_s: float = 0.0,
    seen: Callable[[Case], None] = lambda case: None,
) -> tuple[Answer, int | None]:
    """The answer to a person's question, and the index of its record (None where the log could not take it).

    `text` is raw: it is redacted before anything else sees it. `lookback_s` says how far to look, where the asker did;
    `seen` is given what was found before the answer is written, for whoever cannot wait for it. Raises nothing that a
    source, a model or the log does.
    """
    if house.answer is None:
        raise ValueError("this house was built without an answerer")
    incident_id = about.incident if about else new_id()
    redactor = house.redactor.for_incident(incident_id)
    question = Question(redactor.redact(text), house.clock.now(), asker)
    sources = patient_once(house.sources(redactor))
    rules: Sequence[Rule] = _or_none(sources.alerts.rules)
    alerts = about.alerts if about else together(_or_none(sources.alerts.alerts), rules)
    incident = incident_of(alerts, rules, now=house.clock.now(), incident_id=incident_id, question=question)
    if lookback_s:
        start = Instant(incident.window.end - lookback_s)
        baseline = Window(Instant(start - 3600.0), start)
        incident = replace(incident, window=Window(start, incident.window.end), baseline=baseline)
    _quietly(lambda: received(incident, house))
    case = examine(incident, replace(house, sources=lambda mine: sources), tell=tell)
    seen(case)
    tell("answering")
    answer = house.answer(question, case.context, recording(sources, incident, house))
    return answer, _quietly(lambda: _recorded(answer, incident_id, house))


def answer_to_json(answer: Answer, record: int | None) -> dict[str, Any]:
    """The stable form that `payops ask --json` prints."""
    return {
        "question": answer.question.text,
        "answered": answer.answered,
        "lead": answer.lead,
        "claims": [{"text": c.text, "evidence": list(c.evidence)} for c in answer.claims],
        "not_known": list(answer.not_known),
        "looked_at": [asdict(look) for look in answer.looked_at],
        "evidence": [{"id": e.id, "kind": e.kind, "query": e.query, "text": e.text.text} for e in answer.evidence],
        "struck": [{"text": s.claim.text, "rule": s.rule} for s in answer.struck],
        "model": asdict(answer.model) if answer.model else None,
        "without_model": answer.without_model,
        "spent": asdict(answer.spent) if answer.spent else None,
        "record": record,
    }


def _recorded(answer: Answer, incident: str, house: House) -> int:
    body = json.dumps(answer_to_json(answer, None), ensure_ascii=False, sort_keys=True).encode()
    entry = Entry(
        event=Event.NOTE_POST,
        actor=house.actor,
        outcome=Outcome.OK if answer.answered else Outcome.UNKNOWN,
        resource="answer",
        incident=incident,
        facts={
            "looks": len(answer.looked_at),
            "struck": len(answer.struck),
            "question_sha256": hashlib.sha256(answer.question.text.encode()).hexdigest(),
            **spent_facts(answer.spent),
        },
        bodies={"answer": body},
    )
    return house.promptlog.append(entry).index


def _or_none(read: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    """What the source says, or nothing: collecting tells of the same source's gap."""
    try:
        return read()
    except SourceError:
        return ()


def _quietly(work: Callable[[], Any]) -> Any:
    """None where the log cannot take it: a question is answered without a model then, and nothing leaves."""
    try:
        return work()
    except (PromptLogError, LeakBlocked):
        return None
