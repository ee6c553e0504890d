"""An investigator that finds nothing, or the `cause` (dimension, entity) it is told, but writes proper notes; it can be
told to be slow or to fail."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from assistant.core.alert import Alert
from assistant.core.draft import ModelUse
from assistant.core.finding import Findings, Onset
from assistant.core.hypothesis import Hypothesis
from assistant.core.incident import Incident, IncidentId
from assistant.core.note import Note
from assistant.core.time import Instant
from assistant.incidents import incident_of
from assistant.workflow.plain import plain_note
from redaction import FinalScanner


@dataclass
class WritingInvestigator:
    """`assistant.workflow.investigator.Investigator`. `now` is what it takes for the present."""

    now: float
    slow_s: float = 0.0
    fault: Exception | None = None
    has_model: bool = True
    cause: tuple[str, str] | None = None
    drafts: int = 0
    examined: int = 0

    def incident(self, incident: IncidentId, alerts: tuple[Alert, ...]) -> Incident:
        return incident_of(alerts, (), now=max(self.now, *(a.starts_at + 1 for a in alerts)), incident_id=incident)

    def examine(self, incident: Incident) -> Any:
        self.examined += 1
        time.sleep(self.slow_s)
        if self.fault is not None:
            raise self.fault
        return incident

    def facts(self, found: Any, *, revision: int, without_model: str = "") -> Note:
        why = without_model or "facts first"
        note = plain_note(found, why=why, now=self.now, revision=revision, scanner=FinalScanner())
        return note if self.cause is None else self._explained(note, *self.cause)

    def _explained(self, note: Note, dimension: str, entity: str) -> Note:
        """The note with a leading cause, since two minutes before now."""
        at = Instant(self.now - 120)
        because = Hypothesis(entity, dimension, "issuer_outage", f"{entity} is away", "likely", 0.8)
        onset = Onset(at=at, earliest=at, latest=at, series=2)
        return replace(note, hypotheses=(because,), findings=Findings(health="failing", onset=onset))

    def sketch(self, found: Any) -> Note:
        return self.facts(found, revision=0)

    def draft(self, found: Any, *, revision: int) -> Note:
        self.drafts += 1
        use = ModelUse("fake", "fake", 1, 10, 10, 0.0, 0.1)
        return replace(self.facts(found, revision=revision), model=use, without_model="")
