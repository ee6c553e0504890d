"""Whose words a claim is made of: what others wrote (log lines, annotations, titles, runbooks, labels, the question)
is quoted in “ ” or said anew, never said as the assistant's own; a note neither asks, addresses anybody nor has code.

This does not look for hostile wordings: whatever stands in telemetry cannot become a statement by being repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assistant.core.evidence import Evidence
from assistant.core.prompt import Context

RUN = 4
"""So many words in a row that stand the same way in what others wrote are a copy; three of them must be plain words."""
_PLAIN = 3
Run = tuple[str, ...]
_WORD = re.compile(r"[^\W_][\w'’-]*")
_STOP = re.compile(r"[^\w\s'’-]|\d")
QUOTATION = re.compile(r"“[^“”]*”")
_ASKS = re.compile(r"[?\uff1f\u061f](?:\s|[\"'”’)\]]|$)")
_CODE = re.compile(r"[`{}\\]|(?:^|\s)(?:###|\$ |>>>|import \w+$|from \w+ import)|;\s*$|\w\(\)|===?|^[^\w<“\"'(\[]+")
_READER = re.compile(
    r"\b(?:you|your|yours|yourself|yourselves|i|me|my|mine|us|thou|assistant|chatbot|gpt|ai|model)\b|\blet'?s\b",
    re.IGNORECASE,
)


def others_runs(context: Context, evidence: Iterable[Evidence]) -> frozenset[Run]:
    """Every run of words that others wrote and that the analyst did not write too. Text that we made around values
    (metric evidence) counts only where four plain words follow each other without a figure or a mark between."""
    theirs: set[Run] = set()
    for item in evidence:
        text = item.text.text
        parts = _STOP.split(text) if item.kind == "metric" else [text]
        theirs.update(run for part in parts for run in runs(part))
    theirs.update(run for text in _said_by_others(context) for run in runs(text))
    return frozenset(theirs.difference(run for text in said_by_us(context) for run in runs(text)))


def fault(text: str, section: str, others: frozenset[Run]) -> str:
    """What is wrong with the voice of `text`, or ""."""
    bare = QUOTATION.sub(" … ", text)
    if _ASKS.search(bare):
        return "a question"
    if _CODE.search(bare):
        return "code or markup"
    if section != "next_steps" and _READER.search(bare):
        return "speaks to or of somebody in the conversation"
    return "words of others without quotation marks" if any(run in others for run in runs(bare)) else ""


def runs(text: str) -> Iterator[Run]:
    """Each run of `RUN` words, in small letters."""
    words = _WORD.findall(text.casefold())
    for at in range(len(words) - RUN + 1):
        run = tuple(words[at : at + RUN])
        if sum(word.isalpha() for word in run) >= _PLAIN:
            yield run


def _said_by_others(context: Context) -> Iterator[str]:
    if context.incident.question is not None:
        yield context.incident.question.text.text
    for alert in context.incident.alerts:
        yield from alert.labels.values()
        yield from (text.text for text in alert.annotations.values())
    for pattern in context.findings.patterns:
        yield pattern.example
    yield from (passage.text.text for passage in context.passages)
    yield from (step.text for step in context.next_steps)


def said_by_us(context: Context) -> Iterator[str]:
    """What the analyst wrote; names of telemetry stand in it, its sentences are ours."""
    for h in context.hypotheses:
        yield from (h.cause, h.would_settle, *(r.text for r in (*h.supports, *h.against)))
    yield from (s.what for s in context.findings.shifts)
    yield from (*context.not_known, *context.findings.unseen)
    if context.findings.impact is not None:
        yield from (context.findings.impact.formula, *context.findings.impact.not_counted)
