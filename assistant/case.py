"""A case: an incident with everything that was seen of it and thought about it, before the prose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assistant.analysis import Analysis
from assistant.core.incident import Incident
from assistant.core.observations import Observations
from assistant.core.prompt import Context
from assistant.core.runbook import RunbookAnswer


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """`redactions` counts the values that were removed on the way in, by class."""

    incident: Incident
    observations: Observations
    analysis: Analysis
    runbook: RunbookAnswer
    context: Context
    redactions: Mapping[str, int] = field(default_factory=dict)
