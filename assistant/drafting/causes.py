"""The cause as code tells it: the verdict, or the two causes that cannot be told apart and the check that would tell
them; what speaks for and against, in words of people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assistant.core.draft import Claim
from assistant.core.hypothesis import Hypothesis, Reason, rivals
from assistant.core.prompt import Context
from assistant.drafting.names import mentioned
from assistant.drafting.pointing import claim
from assistant.drafting.statement import LEADS, Known

_STRENGTH = re.compile(r" \(z -?[\d.]+\)")
_SERIES = re.compile(
    r"(?P<what>.+?) by [\w, ]+? (?P<labels>[\w.]+=[^ ,:]+(?:, [\w.]+=[^ ,:]+)*): (?P<usual>[^:]+?) -> (?P<seen>[^:]+?)"
    r"(?P<since> since [\d:]+Z)?"
)
_APART = re.compile(r"\beither\b|\bapart\b|\bwhether\b", re.IGNORECASE)


def cause(context: Context, facts: Known) -> Iterator[Claim | None]:
    """What the analyst holds for the cause, best first; nothing where there is no hypothesis."""
    pair = rivals(context.hypotheses)
    if pair:
        yield from _two(pair, context, facts)
        rest = context.hypotheses[2:3]
    else:
        first, *others = context.hypotheses
        yield from _one(first, facts)
        rest = tuple(others[:2])
    for other in rest:
        weighed = f"Also weighed ({LEADS[other.verdict].lower()}): {sentence(other.cause)}"
        yield claim([weighed], carriers(other), facts)


def either(context: Context, facts: Known) -> Claim | None:
    """That it is one of two, where the evidence does not tell them apart; None where it does."""
    pair = rivals(context.hypotheses)
    if not pair:
        return None
    first, second = (h.cause.rstrip(".") for h in pair)
    how = "both are likely" if pair[0].verdict == "likely" else "neither is settled"
    found = f"Either {first}; or {second}. {how.capitalize()}, and the evidence does not tell them apart."
    return claim([found], (*carriers(pair[0])[:2], *carriers(pair[1])[:2]), facts)


def says_either(claims: Iterable[Claim], context: Context) -> bool:
    """Whether one of `claims` leaves it open between the two that cannot be told apart, both by name; true where there
    are no two."""
    pair = rivals(context.hypotheses)
    wanted = {h.entity for h in pair}
    return not pair or any(_APART.search(c.text) and wanted <= set(mentioned(c.text, wanted)) for c in claims)


def told(text: str) -> str:
    """A reason of the analyst's as people say it: what moved, where, to what; without the strength of the signal."""
    text = _STRENGTH.sub("", text)
    found = _SERIES.fullmatch(text)
    if found is None:
        head, colon, rest = text.replace(" -> ", " to ").partition(": ")
        return re.sub(r"(?<=\w)=(?=\w)", " ", head).replace("_", " ") + colon + rest if colon else head
    labels = found["labels"].replace("=", " ")
    since = f",{found['since']}" if found["since"] else ""
    return f"{measure(found['what'])} ({labels}): {found['seen']}, usually {found['usual']}{since}"


def measure(what: str) -> str:
    """`payment_duration_seconds p95 by service` as people say it: `payment duration p95`."""
    words = re.sub(r"_(?:milliseconds|seconds|ms|total|bytes|ratio|count)\b", "", what.split(" by ")[0])
    return words.replace("_", " ")


def carriers(h: Hypothesis) -> tuple[str, ...]:
    """The evidence behind a hypothesis: of what speaks for it, else against."""
    return tuple(dict.fromkeys(i for r in (h.supports or h.against) for i in r.evidence))


def sentence(text: str) -> str:
    """`text` with the end of a sentence."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else text + "."


def capital(text: str) -> str:
    """`text` with a capital; a name in front of a colon stays as it is written."""
    return text if re.match(r"\S+: ", text) else text[:1].upper() + text[1:]


def _one(first: Hypothesis, facts: Known) -> Iterator[Claim | None]:
    lead = LEADS[first.verdict]
    plain = f"{lead}: {first.kind.replace('_', ' ')} at {first.dimension.replace('_', ' ')} {first.entity}."
    yield claim([f"{lead}: {sentence(first.cause)}", plain], carriers(first), facts)
    yield from _reasons("", first.supports[:3], facts)
    yield from _reasons("Against it: ", first.against[:2], facts)
    if first.would_settle and first.verdict != "confirmed":
        yield claim([f"What would settle it: {sentence(first.would_settle)}"], carriers(first), facts)


def _two(pair: tuple[Hypothesis, ...], context: Context, facts: Known) -> Iterator[Claim | None]:
    yield either(context, facts)
    for check in dict.fromkeys(h.would_settle for h in pair if h.would_settle):
        yield claim([f"To tell them apart: {sentence(check)}"], (*carriers(pair[0])[:2], *carriers(pair[1])[:2]), facts)
    for name, h in zip(("first", "second"), pair, strict=True):
        yield from _reasons(f"For the {name}: ", h.supports[:2], facts)
        yield from _reasons(f"Against the {name}: ", h.against[:1], facts)


def _reasons(lead: str, reasons: Iterable[Reason], facts: Known) -> Iterator[Claim | None]:
    for reason in reasons:
        said = sentence(told(reason.text))
        yield claim([lead + (said if lead else capital(said))], reason.evidence, facts)
