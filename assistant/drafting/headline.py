"""The first lines of a note without a model: what failed, which change is behind it, and whom it hits.

A tired reader may see the title alone, in a list or on a phone, so it names the change and the issuer or acquirer too.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.core.draft import Claim
from assistant.core.finding import ChangeLink
from assistant.core.hypothesis import Hypothesis, rivals
from assistant.core.inert import inert
from assistant.core.prompt import Context
from assistant.core.time import Instant, clock
from assistant.drafting.causes import capital
from assistant.drafting.pointing import claim, cut
from assistant.drafting.statement import LEADS, Known

LONGEST = 120
MOST_OF_IT = 0.5  # share of the loss from which on label values are named as those who are hit
_SURE = {"confirmed": "", "likely": " (likely)"}
_A_CHANGE = frozenset({"bad_deploy", "bad_config", "canary_regression"})
"""Kinds that are a change themselves: its id follows at once."""


def title(context: Context) -> str:
    """What it is, in one line without measured figures, of at most `LONGEST` characters; what does not fit is left off
    from the end: whom it hits first, then the change."""
    alert = context.incident.alerts[0].name if context.incident.alerts else "Question"
    if context.findings.health in ("healthy", "recovered"):
        return _line(f"{alert}: {'nothing is wrong now' if context.findings.health == 'healthy' else 'recovered'}")
    first = context.hypotheses[0] if context.hypotheses else None
    if first is None or first.verdict == "inconclusive":
        return _line(f"{alert}: cause not settled")
    if pair := rivals(context.hypotheses):
        return _line(f"{capital(_either(*pair))} (not told apart)")
    what, sure = f"{capital(_subject(first))}: {_words(first.kind)}", _SURE[first.verdict]
    change, hit = _change(first), _hit(first, context)
    fits = (t for t in (f"{what}{change}{hit}{sure}", f"{what}{change}{sure}") if len(inert(t)) <= LONGEST)
    return _line(next(fits, f"{what}{sure}"))


def behind(context: Context, facts: Known) -> Claim | None:
    """The change behind the leading cause and its moment, as a sentence; None where none is, or nothing is settled."""
    first = context.hypotheses[0] if context.hypotheses else None
    if first is None or not first.change or first.verdict == "inconclusive" or rivals(context.hypotheses):
        return None
    link = next((c for c in context.findings.changes if c.change_id == first.change), None)
    return claim(_moments(first, link, context), [link.evidence], facts) if link else None


def _moments(first: Hypothesis, link: ChangeLink, context: Context) -> Iterator[str]:
    lead, what = (
        LEADS[first.verdict],
        f"{link.change_id} of {link.service}",
    )  # never "change X", which reads as an order
    if context.findings.onset is not None:
        at = clock(Instant(context.findings.onset.at - link.seconds_before_onset))
        yield f"{lead}: {what}, a change at {at}, is behind it."
    yield f"{lead}: {what}, a change, is behind it."


def _either(first: Hypothesis, second: Hypothesis) -> str:
    one, other = _subject(first), _subject(second)
    if first.entity == second.entity:
        return f"{one}: {_words(first.kind)} or {_words(second.kind)}"
    return f"{one}: {_words(first.kind)}, or {other}: {_words(second.kind)}"


def _change(first: Hypothesis) -> str:
    if not first.change:
        return ""
    return f" {first.change}" if first.kind in _A_CHANGE else f" after {first.change}"


def _hit(first: Hypothesis, context: Context) -> str:
    """The label values that most of the loss falls on, where they say more than the cause's own name."""
    most = next((d for d in context.findings.dimensions if d.share >= MOST_OF_IT), None)
    others = [f"{_words(k)} {v}" for k, v in (most.labels if most else {}).items() if v and v != first.entity]
    return f", hits {' and '.join(others)}" if others else ""


def _line(text: str) -> str:
    return cut(inert(text), LONGEST)


def _subject(h: Hypothesis) -> str:
    return f"{_words(h.dimension)} {h.entity}".strip()


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").strip() or "fault"
