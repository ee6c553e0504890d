"""What is said to the model: context that fits the budget, and the prompt built from it. Redacted text only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assistant.core.evidence import Evidence
from assistant.core.finding import Findings
from assistant.core.hypothesis import Hypothesis
from assistant.core.incident import Incident
from assistant.core.runbook import Passage
from redaction import RedactedText

Task = Literal["incident_note", "question", "handover", "post_incident", "stakeholder_update"]


@dataclass(frozen=True, slots=True)
class Context:
    """What the writer (model or code) may speak about. `left_out` says what did not fit, in words."""

    incident: Incident
    evidence: tuple[Evidence, ...]
    findings: Findings
    hypotheses: tuple[Hypothesis, ...]
    passages: tuple[Passage, ...]
    next_steps: tuple[RedactedText, ...] = ()
    not_known: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def evidence_by_id(self) -> dict[str, Evidence]:
        return {e.id: e for e in self.evidence}


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: RedactedText

    def __post_init__(self) -> None:
        if not isinstance(self.text, RedactedText):
            raise TypeError("a prompt holds redacted text only")


@dataclass(frozen=True, slots=True)
class Prompt:
    """`template` and `version` name the prompt file, `template_hash` is its SHA-256; the ids name what went in."""

    task: Task
    messages: tuple[Message, ...]
    template: str
    version: str
    template_hash: str
    incident: str
    evidence_ids: tuple[str, ...] = ()
    passage_ids: tuple[str, ...] = ()
