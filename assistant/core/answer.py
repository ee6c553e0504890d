"""An answer to a question: claims with their evidence, what stays unknown, and what was looked at on the way."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.core.draft import Claim, ModelUse, Struck
from assistant.core.evidence import Evidence
from redaction import RedactedText

CANNOT_TELL = "I can't tell from what I can read."
ONLY_READS = "I only read: I cannot change, restart, silence or send anything."


@dataclass(frozen=True, slots=True)
class Looked:
    """One look at a source: the tool, what was asked of it in words of ours, and what came back or why nothing did.

    `evidence` is the id of what it found, or ""."""

    tool: str
    asked: str
    found: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`answered` False means that `claims` do not settle the question; the text then begins with `CANNOT_TELL`.

    `refused` is `ONLY_READS` where the question would need writing. `evidence` holds every piece that a claim may
    point at; `looked_at` is the trace, shown on request; `spent` what asking a model took, whether
    its answer was used or not."""

    question: RedactedText
    answered: bool
    claims: tuple[Claim, ...]
    not_known: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    looked_at: tuple[Looked, ...] = ()
    refused: str = ""
    model: ModelUse | None = None
    without_model: str = ""
    struck: tuple[Struck, ...] = ()
    spent: ModelUse | None = None

    @property
    def lead(self) -> str:
        """The first line: what is refused, or that it cannot be told; empty for a plain answer."""
        return self.refused or ("" if self.answered else CANNOT_TELL)
