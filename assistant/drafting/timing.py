"""Rules about moments, percentiles and log lines: what comes before what, the first line of a log beside its own count,
the 95th percentile beside its own value. Each gives what is wrong, or ""."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from assistant.drafting.figures import carried, quantities
from assistant.drafting.lexicon import plain, stem
from assistant.drafting.pairing import rows_of
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.voice import QUOTATION
from assistant.drafting.wording import words

_BEFORE = re.compile(r"\b(?:before|earlier than|prior to|preced(?:e|es|ed|ing)|ahead of)\b", re.I)
_AFTER = re.compile(r"\b(?:after|later than|follow(?:s|ed|ing))\b", re.I)
_ALONE = re.compile(
    r"^(?:\s+\w+){0,2}?\s+(?:onset|incident|drop|failures?|errors?|loss)\b|"
    r"^(?:\s+\w+){1,4}?\s+(?:began|begins|started|set in|became|turned|slowed|failed|had become)\b",
    re.I,
)
_LINES = re.compile(
    r"([\d,]+)\s(?:new\s|such\s|log\s|of\s(?:these|those)\s)*(?:[\"“][^\"“”]*[\"”]\s)?(?:lines?|messages?|entries)\b"
)
_CLOCK = re.compile(r"(?<![\d:.])\d{1,2}:\d\d(?::\d\d)?")
_LATER = re.compile(r"\b(?:seconds?|minutes?|hours?) (later|earlier)\b(?! than)", re.I)
_EARLIEST = re.compile(r"\b(?:earliest|first|oldest)\b", re.I)
_LAST = re.compile(
    r"\blast (?:such |of (?:these|those) |one |time )?(?:lines?|messages?|entry|one|time|was|is|logged|seen|at)\b", re.I
)
_PERCENTILE = re.compile(r"\bp(?:50|75|90|95|99)\b", re.I)


def in_order(s: Statement, known: Known) -> str:
    """What is said to come before or after another moment does."""
    for sentence in sentences(QUOTATION.sub(" ", without_ids(s.text, s.evidence))):
        for pattern, sign in ((_BEFORE, 1), (_AFTER, -1)):
            for word in pattern.finditer(sentence):
                if _wrong_order(sentence, word, sign, known):
                    return "the wrong order in time"
        if _apart(sentence, known):
            return "the wrong order in time"
    return ""


def log_lines(s: Statement, known: Known) -> str:
    """A count of lines and the moment of the first of them belong to one row of a log."""
    if not s.evidence or any(not i.startswith("L") for i in s.evidence):
        return ""
    rows = [row for i in s.evidence for row in rows_of(known.texts.get(i, ""))]
    for sentence in sentences(without_ids(s.text, s.evidence)):
        counts, clocks = _LINES.findall(sentence), _CLOCK.findall(sentence)
        if clocks and _LAST.search(sentence):
            return "the first of the lines called the last"
        if clocks and not counts and _EARLIEST.search(sentence):
            begins = [v for i in s.evidence for v in known.moments.get(i, ((), ()))[1]]
            if begins and quantities(clocks[-1])[0].value > min(begins) + 59.0:
                return "a later line called the first"
        if len(counts) == 1 and _other_lines(sentence, counts[0], rows):
            return "a count of other lines"
        if len(counts) != 1 or not clocks:
            continue
        home = (
            [row for row in rows if carried(quantities(counts[0])[0], quantities(row))] if quantities(counts[0]) else []
        )
        for clock in clocks:
            if home and not any(carried(quantities(clock)[0], quantities(row)) for row in home):
                return "the first of other lines"
    return ""


def _other_lines(sentence: str, count: str, rows: Sequence[str]) -> bool:
    """Whether the row with this count speaks of less that the sentence says than another row does."""
    said = {stem(w) for w in words(sentence)} - plain()
    shared = [(len(said & {stem(w) for w in words(row)} - plain()), row) for row in rows]
    home = [n for n, row in shared if quantities(count) and carried(quantities(count)[0], quantities(row))]
    return bool(home) and max(home) < max(n for n, _ in shared)


def percentiles(s: Statement, known: Known) -> str:
    """A value of the 95th percentile is not said of the median."""
    text = without_ids(s.text, s.evidence)
    said = set(_PERCENTILE.findall(text))
    if len(said) != 1:
        return ""
    rows = [row for i in s.evidence for row in rows_of(known.texts.get(i, ""))]
    for figure in (q for q in quantities(text) if q.kind == "seconds"):
        home = [row for row in rows if carried(figure, quantities(row)) and _PERCENTILE.search(row)]
        if home and not any(said & set(_PERCENTILE.findall(row)) for row in home):
            return "a value of another percentile"
    return ""


def _apart(sentence: str, known: Known) -> bool:
    """Whether what is said to be so many minutes "later" (or "earlier") than it began was not."""
    found = _LATER.search(sentence)
    clocks = [q.value for q in quantities(sentence) if q.kind == "clock"]
    if found is None or len(clocks) != 1 or known.onset is None:
        return False
    return clocks[0] < known.onset[0] - 30.0 if found[1].casefold() == "later" else clocks[0] > known.onset[0] + 30.0


def _wrong_order(sentence: str, word: re.Match[str], sign: int, known: Known) -> bool:
    """Whether the moment in front of a word of order is on the wrong side of the one behind it."""
    front = [q.value for q in quantities(sentence[: word.start()]) if q.kind == "clock"]
    behind = [q.value for q in quantities(sentence[word.end() :]) if q.kind == "clock"]
    if not front:
        return False
    if behind:
        return sign * (behind[0] - front[-1]) < 0
    if known.onset is None or not _ALONE.match(sentence[word.end() :]):
        return False
    _, earliest, latest = known.onset
    return front[-1] > latest if sign > 0 else front[-1] < earliest


def stated_moments(texts: Mapping[str, str]) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """By evidence id: the lengths of the windows it names (seconds), and the moments since when it says something."""
    return {i: (tuple(_lengths(text)), tuple(_begins(text))) for i, text in texts.items()}


def _lengths(text: str) -> Iterable[float]:
    for row in re.finditer(r"\bfrom (\S+Z) to (\S+Z)", text):
        start, end = ([q.value for q in quantities(row[n].rstrip(",")) if q.kind == "clock"] for n in (1, 2))
        if start and end:
            yield (end[0] - start[0]) % 86_400


def _begins(text: str) -> Iterable[float]:
    for moment in re.finditer(r"\b(?:since|at|began|ended) (\S+Z)", text):
        yield from (q.value for q in quantities(moment[1]) if q.kind == "clock")
