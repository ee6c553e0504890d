"""Next steps, quoted from a runbook's Diagnosis and Mitigation: short lines, in its own words, as text only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.runbook_index.document import STEP_HEADINGS, Runbook

LINE = 220
EACH = 3
_EMPHASIS = re.compile(r"(\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`(])")


def quoted_steps(runbook: Runbook, *, each: int = EACH) -> tuple[str, ...]:
    """Up to `each` list items of Diagnosis, then of Mitigation; emphasis taken off, cut at a sentence."""
    return tuple(line for name in STEP_HEADINGS for line in tuple(_lines(runbook, name))[:each])


def _lines(runbook: Runbook, name: str) -> Iterator[str]:
    for section in runbook.sections:
        if any(part.strip().lower() == name for part in section.trail):
            for step in section.steps:
                yield shorten(_EMPHASIS.sub(r"\2", step.text))


def shorten(text: str, limit: int = LINE) -> str:
    """`text` up to `limit` characters, ended after a sentence if one fits, else at a word with an ellipsis."""
    if len(text) <= limit:
        return text
    kept = ""
    for sentence in _SENTENCE.split(text):
        if len(kept) + len(sentence) + 1 > limit:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or text[: limit - 1].rsplit(" ", 1)[0] + "…"
