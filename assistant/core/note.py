"""The note: what people read, and what `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assistant.core.draft import Claim, ModelUse, Struck
from assistant.core.evidence import Change, Evidence, EvidenceId, Gap
from assistant.core.finding import ChangeLink, Chart, Findings, Impact
from assistant.core.hypothesis import Hypothesis
from assistant.core.incident import IncidentId, Severity
from assistant.core.runbook import Passage
from assistant.core.time import Instant

NoteStatus = Literal["open", "updated", "nothing wrong now", "resolved", "merged"]


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline."""

    t: Instant
    text: str
    evidence: EvidenceId | None = None


@dataclass(frozen=True, slots=True)
class RecordRef:
    """Where the note stands in the prompt log: its record's index, and the newest checkpoint's tree size and root."""

    index: int
    id: str
    tree_size: int
    root: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Note:
    incident_id: IncidentId
    status: NoteStatus
    severity: Severity
    title: str
    summary: tuple[Claim, ...]
    since: Instant | None
    impact: Impact | None
    findings: Findings
    hypotheses: tuple[Hypothesis, ...]
    cause: tuple[Claim, ...] = ()
    change_events: tuple[Change, ...] = ()
    changes: tuple[ChangeLink, ...] = ()
    runbooks: tuple[Passage, ...] = ()
    runbook_none: str = ""
    next_steps: tuple[Claim, ...] = ()
    not_known: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    timeline: tuple[Event, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    charts: tuple[Chart, ...] = ()
    redactions: Mapping[str, int] = field(default_factory=dict)
    model: ModelUse | None = None
    without_model: str = ""
    struck: tuple[Struck, ...] = ()
    spent: ModelUse | None = None
    record: RecordRef | None = None
    record_missing: str = ""
    revision: int = 1
    written_at: float = 0.0
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
