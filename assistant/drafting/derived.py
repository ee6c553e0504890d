"""Figures that follow from figures: a difference, a ratio, a share, a sum, a span of time. Pure.

A derived figure stands only where what it is made of stands in the same claim (each carried by the evidence), or is
the onset, the measured window or a moment of the cited evidence for spans of time; and only where the words around it
say which operation is meant. The arithmetic is done again here, to the digits that are written; a word of rounding
("about", "nearly") gives room on the side that it names.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.drafting.figures import Quantity, carried, quantities, rounds_to

_ABOUT = re.compile(r"\b(?:about|around|roughly|approximately|some|close to|circa|almost exactly)\s*$", re.I)
_UNDER = re.compile(r"\b(?:nearly|almost|just under|a little under|under|less than|not quite)\s*(?:an?|the)?\s*$", re.I)
_BELOW = re.compile(r"\b(?:well |far )?(?:under|below|less than)\s*$", re.I)
_OVER = re.compile(r"\b(?:more than|over|just over|a little over|at least)\s*(?:an?|the)?\s*$", re.I)
ROOM, LOOSE_ROOM, FAR, LOOSE_FAR = 0.04, 0.1, 0.12, 0.07
"""Relative: what "about" allows, what a share in words allows, and how far "nearly" and "more than" reach, for
figures and for shares in words."""
_SUM = re.compile(
    r"\(\s?\d[\d,]*(?: [a-z]+)?(?: and|,) \d|"
    r"\b(?:together|combined|in total|altogether|in all|in sum|sum)\b|\bin two\b",
    re.I,
)
_MORE = re.compile(
    r"\b(?:more|fewer|less|differ\w*|gap|apart|drop|fall|rise|fell|rose|dropped|increase|decrease|decline)\b", re.I
)
_MOVES = re.compile(r"\bfrom\b.*\bto\b|\bagainst\b|\bcompared\b", re.I)
_SPAN = re.compile(
    r"\b(?:before|after|earlier|later|until|between|within|in|for|lasted|into|precedes?|followed|ago|during|"
    r"ahead|behind|apart)\b",
    re.I,
)
_EACH = re.compile(r"\b(?:a|per|each|every) (?:second|minute|hour)\b", re.I)


@dataclass(frozen=True, slots=True)
class Moments:
    """What spans of time may be counted from, in seconds of the day: the onset as a span, the lengths of what was
    measured (seconds), moments that the cited evidence names as the begin of something."""

    onset: tuple[float, float, float] | None
    lengths: tuple[float, ...]
    begins: tuple[float, ...]


def follows(figure: Quantity, text: str, stated: Sequence[Quantity], moments: Moments) -> bool:
    """Whether `figure` of `text` follows from the figures in `stated`, which are those of the same text that the
    evidence carries."""
    before = figure.before
    if figure.kind == "seconds":
        return bool(_SPAN.search(text)) and any(_near(v, figure, before) for v in _spans(stated, moments))
    return any(_near(v, figure, before) for v in _values(figure, text, stated, moments))


def _values(figure: Quantity, text: str, stated: Sequence[Quantity], moments: Moments) -> Iterable[float]:
    others = [q for q in stated if q is not figure]
    if figure.kind in ("points", "percent"):
        shares = [q.value for q in others if q.kind == "percent" and not q.loose]
        if figure.kind == "points":
            yield from (abs(a - b) for a, b in itertools.combinations(shares, 2))
            return
        if figure.loose:
            yield from shares
            yield from (100.0 * q.value for q in others if q.kind == "number" and not q.unit and 0.0 < q.value < 1.0)
        if _MOVES.search(text):
            yield from (100.0 * abs(a - b) / max(a, b) for a, b in itertools.combinations(shares, 2) if max(a, b) > 0)
        yield from _shares(others)
    elif figure.kind == "factor":
        yield from (max(a, b) / min(a, b) for a, b in _pairs(others) if min(a, b) > 0)
    elif figure.kind == "rate":
        yield from (
            q.value / length for q in others if q.kind == "number" for length in moments.lengths if _EACH.search(text)
        )
    elif figure.kind in ("number", "money") and _SUM.search(text):
        values = [q.value for q in others if q.kind == figure.kind and q.value > figure.value * 0.02]
        yield from (sum(some) for n in (2, 3, 4) for some in itertools.combinations(values, n))
    elif figure.kind in ("number", "money") and _MORE.search(text):
        yield from (abs(a - b) for a, b in _pairs(q for q in others if q.kind == figure.kind))


def _shares(others: Sequence[Quantity]) -> Iterable[float]:
    """One count as a share of another, and the change from one measured value to the next."""
    for a, b in _pairs(others):
        low, high = min(a, b), max(a, b)
        if low > 0:
            yield 100.0 * low / high
            yield 100.0 * (b - a) / a if b > a else 100.0 * (a - b) / a


def _pairs(quantities_: Iterable[Quantity]) -> Iterable[tuple[float, float]]:
    """Neighbours of one kind and unit, in the order in which they are said."""
    kept = [
        q for q in quantities_ if q.kind in ("number", "rate", "seconds", "bytes", "money", "percent") and not q.loose
    ]
    for a, b in itertools.combinations(kept, 2):
        if a.kind == b.kind and (a.unit == b.unit or not (a.unit and b.unit)):
            yield a.value, b.value


def _spans(stated: Sequence[Quantity], moments: Moments) -> Iterable[float]:
    clocks = [q.value for q in stated if q.kind == "clock"]
    yield from (abs(a - b) for a, b in itertools.combinations(clocks, 2))
    for clock in clocks:
        yield from (abs(clock - begin) for begin in moments.begins)
        if moments.onset:
            yield abs(clock - moments.onset[0])
    yield from moments.lengths


def _near(value: float, figure: Quantity, before: str) -> bool:
    """Whether `value` may be written as `figure`, given the words in front of it."""
    if figure.value <= 0:
        return False
    if _BELOW.search(before) and figure.kind == "percent" and not figure.loose and figure.value <= 5.0:
        return 0.0 < value <= figure.value
    far = LOOSE_FAR if figure.loose else FAR
    if _UNDER.search(before):
        return figure.value * (1 - far) <= value <= figure.value * (1 + 1e-9)
    if _OVER.search(before):
        return figure.value * (1 - 1e-9) <= value <= figure.value * (1 + (0.3 if figure.loose else far))
    if figure.loose:
        return abs(value - figure.value) <= LOOSE_ROOM * figure.value
    if rounds_to(value, figure):
        return True
    return _ABOUT.search(before) is not None and abs(value - figure.value) <= ROOM * figure.value


def uncarried(
    text: str, seen: Sequence[Quantity], moments: Moments, *, more: Sequence[Quantity] = ()
) -> tuple[Quantity, ...]:
    """The figures of `text` that neither `seen` carries nor the carried ones lead to, nor those in `more`."""
    said = quantities(text)
    measured = any(q.kind == "percent" and not q.loose for q in said)
    by_evidence = [q for q in said if carried(q, seen) and not (q.loose and measured)]
    stated = [*by_evidence, *more]
    return tuple(q for q in said if q not in by_evidence and not follows(q, text, stated, moments))
