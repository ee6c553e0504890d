"""The straight line: an incident goes in, a note comes out.

::

    Incident -> Observations | Gap -> Findings -> Hypotheses -> Passages -> Context -> Draft + Receipts -> Note

Nothing here knows a server, a file or a model; everything comes through the ports of `House`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from assistant.analysis import Analysis, analyse
from assistant.case import Case
from assistant.collect import collect
from assistant.compose import compose
from assistant.context import context_of
from assistant.core.draft import Written
from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.core.runbook import RunbookAnswer
from assistant.errors import RunbookIndexError
from assistant.house import House
from assistant.patience import patient_once
from assistant.records import recorded, recording

Stage = Callable[[str], None]
WORTH_A_LOOK = 0.1  # confidence of a runner-up that may choose between runbooks which alerts name


def investigate(incident: Incident, house: House, *, tell: Stage = lambda stage: None) -> Note:
    """Look, think, write, check, record. Always gives a note; what was missing stands in its gaps.

    `tell` is called with the name of each stage as it begins, for people who watch.
    """
    case = examine(incident, house, tell=tell)
    tell("writing")
    return note_of(case, house.draft(case.context), house)


def examine(incident: Incident, house: House, *, tell: Stage = lambda stage: None) -> Case:
    """Everything up to the prose: what was seen, what it means, and which runbook fits. No model is asked."""
    redactor = house.redactor.for_incident(incident.id)
    sources = recording(patient_once(house.sources(redactor)), incident, house)
    tell("collecting evidence")
    observations = collect(
        incident, sources, selects=house.selects, overrides=house.overrides, concurrency=house.concurrency
    )
    if observations.cardholder:
        house.found(incident.id, observations.cardholder)
    tell("working out what changed")
    analysis = analyse(observations)
    tell("finding the runbook")
    runbook = _runbook(incident, analysis, house)
    context = context_of(observations, analysis, runbook, scanner=house.scanner)
    return Case(incident, observations, analysis, runbook, context, redactions=dict(redactor.removed))


def note_of(case: Case, written: Written, house: House, *, revision: int = 1) -> Note:
    """The note of a case and its prose, recorded in the prompt log before anybody reads it."""
    note = compose(case, written, now=house.clock.now(), warnings=house.warnings, revision=revision)
    return recorded(note, house)


def facts_note(case: Case, house: House, *, revision: int = 1) -> Note:
    """The note as it stands without a model: what goes out within seconds of the page."""
    return note_of(case, house.facts(case.context), house, revision=revision)


def drafted_note(case: Case, house: House, *, revision: int = 2) -> Note:
    """The same facts with the model's prose, checked."""
    return note_of(case, house.draft(case.context), house, revision=revision)


def _runbook(incident: Incident, analysis: Analysis, house: House) -> RunbookAnswer:
    question = incident.question.text.text if incident.question else ""
    try:
        return house.runbooks.find(
            alerts=incident.alerts,
            question=question,
            findings_text=analysis.title,
            kind=_kind(analysis),
            also=tuple(h.kind for h in analysis.hypotheses[1:3] if h.confidence >= WORTH_A_LOOK),
        )
    except RunbookIndexError as error:
        return replace(RunbookAnswer(), none_because=error.message)


def _kind(analysis: Analysis) -> str:
    """What sort of failure leads, where the verdict says more than that it is not settled."""
    first = analysis.hypotheses[0] if analysis.hypotheses else None
    return first.kind if first and first.verdict != "inconclusive" else ""
