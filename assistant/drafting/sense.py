"""Rules about what a sentence says of what: which figure belongs to which name, which way it moved, how many are meant,
whether it denies what was found or orders something. Each gives what is wrong, or "".

The single words of such a sentence may all stand in the evidence; what is said with them need not.
"""

from __future__ import annotations

import re

from assistant.drafting.figures import Quantity, carried, quantities
from assistant.drafting.lexicon import stem
from assistant.drafting.names import mentioned, names, occurs
from assistant.drafting.patterns import (
    COUNTED,
    EVERY,
    FALLS,
    FAULTY,
    FROM_TO,
    HEDGED,
    MOVED,
    NEGATED,
    OBLIGES,
    RISES,
    SILENT,
    USUALLY,
)
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.voice import QUOTATION
from assistant.drafting.wording import words

_ROWS = re.compile(r"\n|; ")
_VALUE = re.compile(r"[\w.-]+=\"?([\w.-]+)")
SAME = tuple(
    frozenset(map(stem, group.split()))
    for group in (
        "authorisation authorisations approval approvals payment payments transaction transactions lost loss fewer",
        "attempt attempts try tries",
        "line lines message messages",
        "loss losses lost",
        "second seconds",
    )
)
_SETTLED = re.compile(
    r"\b(?:known|confirmed|settled|proven|clear|certain|decided|counted|told|said|seen whether)\b", re.I
)


def bound(s: Statement, known: Known) -> str:
    """A figure, and a fault without figures, belong to what the sentence names: they stand on a row of the evidence
    that is about it, or about nothing that has a name."""
    text = without_ids(s.text, s.evidence)
    named = _subjects(text, known, values=False)
    if not named:
        return ""
    rows = [row for i in s.evidence for row in _ROWS.split(known.texts.get(i, ""))]
    about = [(_subjects(row, known, values=True), row) for row in rows]
    figures = quantities(text)
    for quantity in figures:
        homes = [found for found, row in about if carried(quantity, quantities(row))]
        if homes and not any(not found or found & named for found in homes):
            return "a figure of something else"
    if named & (known.leading | known.related) or s.section == "not_known" or NEGATED.search(text):
        return ""
    own = {stem(w) for found, row in about if found & named for w in words(re.sub(r"[_=]", " ", row))}
    if any(stem(m[0].split()[0]) not in own for m in FAULTY.finditer(text)):
        return "a fault of something that the evidence does not say it of"
    return ""


def direction(s: Statement, known: Known) -> str:
    """What rose is not said to fall, the usual value is not the new one, and attempts are not losses."""
    for match in FROM_TO.finditer(s.text):
        ends = [quantities(match[n]) for n in (1, 2)]
        if not (ends[0] and ends[1]):
            continue
        before, after = ends[0][-1], ends[1][0]
        there = any(_is(before, usual) and _is(after, seen) for usual, seen in known.moves)
        back = any(_is(before, seen) and _is(after, usual) for usual, seen in known.moves)
        falls, rises = FALLS.search(s.text), RISES.search(s.text)
        if (
            (back and not there)
            or (falls and not rises and after.value > before.value)
            or (rises and not falls and after.value < before.value)
        ):
            return "the wrong way round"
    return _one_way(s, known) or _swapped(s, known)


def _one_way(s: Statement, known: Known) -> str:
    """A sentence with one measured value: said to be usual, or where something fell or rose to."""
    for sentence in sentences(s.text):
        said = [q for q in quantities(sentence) if q.kind not in ("clock", "date", "vague")]
        if len(said) != 1 or FROM_TO.search(sentence):
            continue
        moves = [(u, v) for u, v in known.moves if _is(said[0], u) or _is(said[0], v)]
        usual, seen = any(_is(said[0], u) for u, _ in moves), any(_is(said[0], v) for _, v in moves)
        falls, rises = FALLS.search(sentence), RISES.search(sentence)
        if USUALLY.search(sentence) and seen and not usual and not (falls or rises):
            return "a new value called usual"
        if bool(falls) != bool(rises) and moves:
            right = [u > v if falls else u < v for u, v in moves if _is(said[0], v)]
            if not any(right):
                return "the wrong way round"
    return ""


def counted(s: Statement, known: Known) -> str:
    """What a figure counts, or is a share of, is what its row of the evidence counts."""
    text = QUOTATION.sub(" ", without_ids(s.text, s.evidence))
    rows = [row for i in s.evidence for row in _ROWS.split(known.texts.get(i, ""))]
    for match in COUNTED.finditer(text):
        said = quantities(match["figure"])
        homes = [r for r in rows if said and any(carried(said[0], [q]) for q in quantities(r))]
        kind = next((k for k in SAME if stem(match["what"]) in k), {stem(match["what"])})
        if homes and not any(kind & {stem(w) for w in words(re.sub(r"[_=]", " ", r))} for r in homes):
            return "a figure that counts something else"
    return ""


def quantified(s: Statement, known: Known) -> str:
    """All, none and only are said where evidence or analyst say so, or beside a figure."""
    text = QUOTATION.sub(" ", without_ids(s.text, s.evidence))
    everything = " ".join(
        (*(known.texts.get(i, "") for i in s.evidence), *known.quotes, *known.gaps, *known.said)
    ).casefold()
    for sentence in sentences(text):
        for match in EVERY.finditer(sentence):
            run = " ".join(sentence[match.start() :].split()[:3]).casefold().rstrip(".,")
            if not quantities(sentence) and run not in everything and not _SETTLED.search(sentence):
                return "says it of all or of none"
    return ""


def denies(s: Statement, known: Known) -> str:
    """What was found is not denied outside of arguing the verdict down."""
    if s.section in ("argued_down", "not_known") or known.health in ("healthy", "recovered"):
        return ""
    for sentence in sentences(QUOTATION.sub(" ", s.text)):
        if MOVED.search(sentence) and not _SETTLED.search(sentence):
            named = _subjects(sentence, known, values=False)
            if not named or named & known.leading:
                return "denies what was measured"
        lead = any(occurs(name, sentence) for name in known.leading)
        if (
            lead
            and NEGATED.search(SILENT.sub(" ", sentence))
            and not HEDGED.search(sentence)
            and not _SETTLED.search(sentence)
        ):
            return "denies the analyst's cause outside of arguing it down"
    return ""


def states(s: Statement, known: Known) -> str:
    """Summary, cause and title state; only next steps advise."""
    if s.section in ("next_steps", "not_known"):
        return ""
    return "an order" if any(map(OBLIGES.search, sentences(QUOTATION.sub(" ", s.text)))) else ""


def _subjects(text: str, known: Known, *, values: bool) -> set[str]:
    """What a row or sentence is about: entities, label values of a row, and names with a capital."""
    found = {e.casefold() for e in mentioned(text, known.entities)}
    found |= {v.casefold() for v in _VALUE.findall(text)} if values else set()
    capital = (n for n in names(text) if n.isalpha() and n[:1].isupper() and not n.isupper())
    return found | {n.casefold() for n in capital}


def _swapped(s: Statement, known: Known) -> str:
    for number, what in re.findall(r"(\d[\d,]*)((?:\s+[a-z]+){1,4})", s.text):
        said = quantities(number)
        if not said or known.counts is None:
            continue
        attempts, lost = known.counts
        if _is(said[0], lost) and not _is(said[0], attempts) and re.match(r"\s+(?:first )?attempts", what):
            return "losses called attempts"
        if _is(said[0], attempts) and not _is(said[0], lost) and re.search(r"\b(?:lost|declined|fewer)\b", what):
            return "attempts called losses"
    return ""


def _is(said: Quantity, measured: float) -> bool:
    values = (measured, measured * 100) if said.kind == "percent" else (measured, measured / 1000, measured * 1000)
    return any(abs(said.value - v) <= max(said.scale, abs(v) * 0.01) for v in values)
