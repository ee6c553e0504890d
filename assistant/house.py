"""Everything an investigation needs, as ports: built once by `assistant.bootstrap`, or of fakes by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assistant.core.alert import Question
from assistant.core.answer import Answer
from assistant.core.draft import Written
from assistant.core.evidence import Gap
from assistant.core.incident import IncidentId
from assistant.core.note import Note
from assistant.core.paper import PaperKind
from assistant.core.prompt import Context
from assistant.core.query import Select
from assistant.ports import AlertSource, ChangeSource, Clock, LogSource, MetricSource, PromptLog, RunbookIndex, Writer
from redaction import CardholderFinding, FinalScanner, Redactor


@dataclass(frozen=True, slots=True)
class Sources:
    """The four sources of one incident; what crosses them was redacted with that incident's redactor. `notices` tells
    what their answers did not cover: series over a budget, lines that were cut, a server's own warnings. `findings`
    tells of card data in what was read: a case for security people, never part of a note."""

    alerts: AlertSource
    metrics: MetricSource
    logs: LogSource
    changes: ChangeSource
    notices: Callable[[], tuple[Gap, ...]] = tuple
    findings: Callable[[], tuple[CardholderFinding, ...]] = tuple


@dataclass(frozen=True, slots=True)
class Overrides:
    """Roles that configuration states, so that nothing needs guessing; see `[payments]` and `[loki.labels]`."""

    metrics: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    approved: tuple[str, ...] = ()
    log_labels: Mapping[str, str] = field(default_factory=dict)


Findings = Sequence[CardholderFinding]

Answerer = Callable[[Question, Context, Sources], Answer]
"""Answers a question from what was found, looking around with read-only tools; raises for no source, model or log."""

PaperWriter = Callable[[PaperKind, Note, Context, str], tuple[str, Written]]
"""Markdown of a paper about a note, and how it was written; the last argument says why no model may be asked, or ""."""


def no_model() -> Mapping[str, float]:
    """What the metrics say where no model is configured."""
    return {"model_configured": 0.0}


class Shadow(Protocol):
    """A candidate that writes beside the live model, later and unseen."""

    def only_while(self, allowed: Callable[[], bool]) -> None:
        """`allowed` is asked before each of its notes."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class House:
    """`sources` makes the sources of one incident around its redactor. `selects` names the metrics that a PromQL
    expression reads (SourceMalformed where it does not parse). `facts` writes without a model, `draft` with one where
    there is one, `answer` answers questions, `papers` writes handovers and the like; `model_state` is for the metrics.
    `actor` is who or what caused the work, as a pseudonym. `found` is told of card data in telemetry, each time it is
    seen."""

    redactor: Redactor
    scanner: FinalScanner
    sources: Callable[[Redactor], Sources]
    runbooks: RunbookIndex
    promptlog: PromptLog
    facts: Writer
    draft: Writer
    clock: Clock
    selects: Callable[[str], tuple[Select, ...]]
    answer: Answerer | None = None
    papers: PaperWriter | None = None
    shadow: Shadow | None = None
    model_state: Callable[[], Mapping[str, float]] = no_model
    overrides: Overrides = field(default_factory=Overrides)
    actor: str = "cli"
    concurrency: int = 4
    warnings: tuple[str, ...] = ()
    found: Callable[[IncidentId, Findings], None] = lambda incident, findings: None
