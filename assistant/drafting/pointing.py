"""Evidence for a sentence that code writes: which ids carry its figures. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from assistant.core.draft import Claim
from assistant.core.evidence import EvidenceId
from assistant.core.inert import inert
from assistant.drafting.figures import carried, quantities
from assistant.drafting.names import mentioned, occurs
from assistant.drafting.rules import MAX_CHARACTERS
from assistant.drafting.statement import Known


def point(text: str, prefer: Iterable[str], facts: Known) -> tuple[EvidenceId, ...]:
    """The ids that carry every figure of `text`: those of `prefer` that exist, and for each figure they lack the first
    evidence that has it, and for each name. Empty where a figure is nowhere, or where there is nothing to point at."""
    ids = [i for i in dict.fromkeys(prefer) if i in facts.texts]
    for quantity in quantities(text):
        if any(carried(quantity, facts.figures[i]) for i in ids):
            continue
        more = next((i for i, seen in facts.figures.items() if carried(quantity, seen)), None)
        if more is None:
            return ()
        ids.append(more)
    for entity in mentioned(text, facts.entities):
        if ids and not any(occurs(entity, facts.texts[i]) for i in ids):
            ids += [i for i, seen in facts.texts.items() if occurs(entity, seen)][:1]
    return tuple(EvidenceId(i) for i in ids)


def claim(texts: Iterable[str], prefer: Iterable[str], facts: Known) -> Claim | None:
    """The first of `texts` (best first) that evidence carries, made inert and cut to length; None if there is none."""
    prefer = tuple(prefer)
    for text in texts:
        text = cut(inert(" ".join(text.split())))
        ids = point(text, prefer, facts)
        if text and ids:
            return Claim(text, ids)
    return None


def cut(text: str, limit: int = MAX_CHARACTERS) -> str:
    """`text` up to `limit` characters, at the end of a sentence or else of a word."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    end = max(head.rfind(". "), head.rfind("; "))
    return head[: end + 1] if end > limit // 2 else head[: head.rfind(" ")] + "…"
