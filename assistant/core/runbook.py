"""A runbook passage that was found, and why."""

from __future__ import annotations

from dataclasses import dataclass

from redaction import RedactedText


@dataclass(frozen=True, slots=True)
class Passage:
    """A section of a runbook. `id` names runbook and content hash; `score` is 0..1 and comparable between queries;
    `reason` says what matched in words ("alert name", "matched: 91 issuer unavailable, acquirer")."""

    id: str
    title: str
    path: str
    heading: str
    text: RedactedText
    score: float
    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, RedactedText):
            raise TypeError("a passage holds redacted text only")


@dataclass(frozen=True, slots=True)
class RunbookAnswer:
    """What the index says: passages best first, next steps quoted from the best runbook, or why there is none."""

    passages: tuple[Passage, ...] = ()
    next_steps: tuple[RedactedText, ...] = ()
    none_because: str = ""
