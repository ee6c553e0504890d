"""An incident: what is grouped under one id, and the two windows that everything is looked at in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NewType

from assistant.core.alert import Alert, Question, Rule
from assistant.core.time import Window

IncidentId = NewType("IncidentId", str)
Severity = Literal["critical", "high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts (or a question) that belong together.

    `window` reaches from a lead before the condition began to now or the end; `baseline` lies wholly before it, so
    that it does not contain the fault. `rules` are the alerts' own rules where the server told them.
    """

    id: IncidentId
    alerts: tuple[Alert, ...]
    window: Window
    baseline: Window
    rules: tuple[Rule, ...] = ()
    question: Question | None = None

    @property
    def now(self) -> float:
        return self.window.end
