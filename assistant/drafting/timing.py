"""Rules about moments, percentiles and log lines: what comes before what, the first line of a log beside its own count,
the 95th percentile beside its own value. Each gives what is wrong, or ""."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from assistant.drafting.figures import carried, quantities
from assistant.drafting.lexicon import plain, stem
from assistant.drafting.pairing import rows_of
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.voice import QUOTATION
from assistant.drafting.wording import words

_BEFORE = re.compile(r"\b(?:before|earlier than|prior to|preced(?:e|es|ed|ing)|ahead of|early for|in time for)\b", re.I)
_AFTER = re.compile(r"\b(?:after|later than|follow(?:s|ed|ing)|behind|(?:too )?late for)\b", re.I)
_ALONE = re.compile(
    r"^(?:\s+\w+){0,2}?\s+(?:onset|incident|drop|failures?|errors?|loss)\b|"
    r"^(?:\s+\w+){1,4}?\s+(?:began|begins|started|set in|became|turned|slowed|failed|had become)\b",
    re.I,
)
_BARE = re.compile(
    r"\b(?:came|went out|was|were|are|is|happened) (?:just |well |long |shortly |too )?"
    r"(?:before|after|early|late|in time)"
    r"(?=\s*(?:[.,;:)]|$|to (?:matter|be (?:it|the cause)|count)))",
    re.I,
)
_EACH = re.compile(r"\b(?:both|all|each|either|neither)\b", re.I)
_EACH_TIME = re.compile(
    r"\b(?:(?<!within )(?<!about )(?<!in )(?<!under )(?<!half )a|per|each|every) (?:second|minute|hour|day|week)\b|"
    r"(?<!half )\ban hour\b(?! (?:earlier|later|before|after|ago))|"
    r"\b(?:last|past|this) (?:second|minute|hour|day|week)\b",
    re.I,
)
_LEVEL = re.compile(r"([\d,]+)\s(?:of them\s)?(error|warn)(?:ing)?s?\b", re.I)
_LINES = re.compile(
    r"([\d,]+)\s(?:new\s|such\s|log\s|of\s(?:these|those)\s)*(?:[\"“][^\"“”]*[\"”]\s)?(?:lines?|messages?|entries)\b"
)
_CLOCK = re.compile(r"(?<![\d:.])\d{1,2}:\d\d(?::\d\d)?")
_LATER = re.compile(r"\b(?:seconds?|minutes?|hours?) (later|earlier)\b(?! than)", re.I)
_FIRST = re.compile(r"\bfirst,? \(?(?:at )?(\d{1,2}:\d\d(?::\d\d)?)", re.I)
ONSET_ROOM = 30.0
"""Seconds by which the onset may be off."""
_EARLIEST = re.compile(r"\b(?:earliest|first|oldest)\b", re.I)
_LAST = re.compile(
    r"\blast (?:such |of (?:these|those) |one |time )?(?:lines?|messages?|entry|one|time|was|is|logged|seen|at)\b", re.I
)
_PERCENTILE = re.compile(r"\bp(?:50|75|90|95|99)\b", re.I)


def in_order(s: Statement, known: Known) -> str:
    """What is said to come before or after another moment does."""
    previous: float | None = None
    for sentence in sentences(QUOTATION.sub(" ", without_ids(s.text, s.evidence))):
        for pattern, sign in ((_BEFORE, 1), (_AFTER, -1)):
            for word in pattern.finditer(sentence):
                if _wrong_order(sentence, word, sign, known):
                    return "the wrong order in time"
        if _apart(sentence, known, previous) or _unnamed(sentence, known):
            return "the wrong order in time"
        previous = next((q.value for q in reversed(quantities(sentence)) if q.kind == "clock"), previous)
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
        if any(_other_level(count, level, sentence, rows) for count, level in _LEVEL.findall(sentence)):
            return "a count of another level"
        if len(counts) > 1 and any(_other_lines(part, count, rows) for count, part in _parts(sentence)):
            return "a count of other lines"
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


def _parts(sentence: str) -> Iterable[tuple[str, str]]:
    """Each count of lines with what is said from it up to the next."""
    found = list(_LINES.finditer(sentence))
    ends = [m.start() for m in found[1:]] + [len(sentence)]
    return ((m[1], sentence[m.start() : end]) for m, end in zip(found, ends, strict=True))


def _other_level(count: str, level: str, sentence: str, rows: Sequence[str]) -> bool:
    """Whether the rows with this count, or those with the counts that it is the sum of, are of another level."""
    wanted = quantities(count)
    home = [row for row in rows if wanted and carried(wanted[0], quantities(row))]
    if not home:
        counts = [q for q in quantities(sentence) if q.kind == "number" and q.value > 1.0]
        home = [row for row in rows if any(carried(q, quantities(row)) for q in counts)]
    return bool(home) and not any(re.search(rf"\b{level}", row, re.I) for row in home)


def _other_lines(sentence: str, count: str, rows: Sequence[str]) -> bool:
    """Whether the row with this count speaks of less that the sentence says than another row does."""
    said, told = [stem(w) for w in words(sentence)], [[stem(w) for w in words(row)] for row in rows]
    weights = [
        (len({*said} & {*row} - plain()), len(set(itertools.pairwise(said)) & set(itertools.pairwise(row))))
        for row in told
    ]
    shared = list(zip(weights, rows, strict=True))
    home = [n for n, row in shared if quantities(count) and carried(quantities(count)[0], quantities(row))]
    return bool(home) and max(home) < max(weights)


def by_the_clock(s: Statement, known: Known) -> str:
    """A count over the window is not said of each minute, nor of the last one."""
    for sentence in sentences(QUOTATION.sub(" ", without_ids(s.text, s.evidence))):
        for found in _EACH_TIME.finditer(sentence):
            said = [q for q in quantities(sentence[: found.end()]) if q.kind not in ("clock", "date")]
            if said and said[-1].kind in ("number", "money") and said[-1].value > 1.0:
                return "a count over the window said of a moment"
    return ""


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


def _unnamed(sentence: str, known: Known) -> bool:
    """Whether what is said to have come before (or after), and nothing else, did not: the onset is meant."""
    found = _BARE.search(sentence)
    if found is None or known.onset is None:
        return False
    clocks = [q.value for q in quantities(sentence[: found.start()]) if q.kind == "clock"]
    _, earliest, latest = known.onset
    if found[0].casefold().endswith(("before", "early", "in time")):
        return any(clock > latest for clock in clocks)
    return any(clock < earliest for clock in clocks)


def _apart(sentence: str, known: Known, previous: float | None) -> bool:
    """Whether what is said to be so many minutes "later" (or "earlier") than the moment told before it, or than it
    began, was not; or what is said to be first was not."""
    found, clocks = _LATER.search(sentence), [q.value for q in quantities(sentence) if q.kind == "clock"]
    first = _FIRST.search(sentence)
    if first is not None and (not clocks or quantities(first[1])[0].value > min(clocks)):  # or no time of day
        return True
    if found is None or not clocks:
        return False
    behind = [q.value for q in quantities(sentence[found.end() :]) if q.kind == "clock"]
    moment, before = (behind[0], clocks[: -len(behind)]) if behind else (clocks[-1], clocks[:-1])
    since, room = (before[-1] if before else previous), 0.0
    if since is None:
        if known.onset is None:
            return False
        since, room = known.onset[0], ONSET_ROOM
    return moment < since - room if found[1].casefold() == "later" else moment > since + room


def _wrong_order(sentence: str, word: re.Match[str], sign: int, known: Known) -> bool:
    """Whether the moment in front of a word of order is on the wrong side of the one behind it."""
    front = [q.value for q in quantities(sentence[: word.start()]) if q.kind == "clock"]
    behind = [q.value for q in quantities(sentence[word.end() :]) if q.kind == "clock"]
    if not front:
        return False
    if behind:
        told = front if _EACH.search(sentence[: word.start()]) else front[-1:]
        return any(sign * (behind[0] - moment) < 0 for moment in told)
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
