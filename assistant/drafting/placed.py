"""Rules about the words that place a value or a fault: "now" and "normally" beside a figure, "only" beside a name, "in"
between two. Each gives what is wrong, or "".

"86.3 % now, 60.6 % normally" and "only the uk is hit" are made of words and figures that all stand in the evidence.
"""

from __future__ import annotations

import re

from assistant.drafting.figures import Quantity, carried, quantities
from assistant.drafting.pairing import moves_of
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.voice import QUOTATION

_CLAUSES = re.compile(r"[,;:(]\s|\s(?:and|but|where|whereas|while)\s")
_NOW = re.compile(r"\b(?:now|currently|at (?:present|the moment)|presently)\b", re.IGNORECASE)
_USUALLY = re.compile(
    r"\b(?:usual(?:ly)?|normal(?:ly)?|typical(?:ly)?|ordinarily|as a rule|used to be)\b|"
    r"\bbefore\b(?=\W*$|\s(?:\d|it|that|this|the (?:onset|incident))\b)",
    re.IGNORECASE,
)
_UNLIKE = re.compile(
    r"\b(?:than|above|below|over|under|against|to|from|out of)\s(?:(?:about|around|a|an|the|its)\s)*\w*\s?(?=\d)|"
    r"\b(?:times|not)\b",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\b(?:only|solely|exclusively|alone)\b", re.IGNORECASE)
_IDENTIFIER = re.compile(r"\b[A-Za-z][\w.]*(?:-\w+)*-\d[\w-]*")
_IN = re.compile(r"([\w.-]*\w) in (?:the )?(\w[\w.-]*\w)(?:(?:,| and| or) (?:in )?(?:the )?(\w[\w.-]*\w))?")
_WORD = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_VALUE = re.compile(r"[\w.]=\"?([\w.-]*\w)")
_NEAR = 4
"""How many words behind "only" (two in front of it) may be what it is said of."""


def in_its_place(s: Statement, known: Known) -> str:
    """What is said to be so now was seen, and what is said to be so usually was usual, of what the sentence names."""
    over = known.health in ("healthy", "recovered")
    for sentence in sentences(QUOTATION.sub(" ", without_ids(s.text, s.evidence))):
        moves = _moves_of(sentence, s, known)
        for clause in _CLAUSES.split(sentence):
            said = quantities(_IDENTIFIER.sub(" ", clause))
            said = tuple(q for q in said if q.kind not in ("clock", "date", "vague") and not q.loose)
            if len(said) != 1 or _UNLIKE.search(clause):
                continue
            usual = any(carried(said[0], [before]) for before, _ in moves)
            seen = any(carried(said[0], [after]) for _, after in moves)
            if usual != seen and _NOW.search(clause) and usual != over:
                return "a value said to be so now that is not"
            if seen and not usual and _USUALLY.search(clause):
                return "a new value said to be usual"
    return ""


def _moves_of(sentence: str, s: Statement, known: Known) -> list[tuple[Quantity, Quantity]]:
    """(usual, seen) on the rows about what the sentence names; on all rows where it names none of them."""
    rows = [row for i in s.evidence for row in known.texts.get(i, "").splitlines()]
    said = {w.casefold() for w in _WORD.findall(sentence)}
    mine = [row for row in rows if said & set(_VALUE.findall(row.casefold()))]
    return [pair for row in (mine or rows) for pair in moves_of(row)]


def only_there(s: Statement, known: Known) -> str:
    """What is said of one thing only is shown of no other: the evidence counts it there alone, or says so."""
    if s.section in ("next_steps", "not_known"):
        return ""
    mine = known.leading | known.related
    for sentence in sentences(QUOTATION.sub(" ", without_ids(s.text, s.evidence))):
        for found in _ONLY.finditer(sentence):
            named = only_of(sentence, found, known)
            if named and not any(_alone(named, known.texts.get(i, ""), mine) for i in s.evidence):
                return "said of one alone without what shows it"
    return ""


def together(s: Statement, known: Known) -> str:
    """One part that is said to be in another ("opal in us") stands beside it on a row of the evidence, where both stand
    on rows at all."""
    rows = [set(_VALUE.findall(row)) for i in s.evidence for row in known.texts.get(i, "").casefold().splitlines()]
    there = set[str]().union(*rows)
    for found in _IN.finditer(QUOTATION.sub(" ", without_ids(s.text, s.evidence)).casefold()):
        part, *wholes = (value for value in found.groups() if value)
        for whole in wholes:
            if {part, whole} <= there and not any({part, whole} <= row for row in rows):
                return "parts that the evidence does not show together"
    return ""


def only_of(sentence: str, found: re.Match[str], known: Known) -> str:
    """The name that an "only" is said of, behind it or right in front of it; "" if it is said of nothing known."""
    values = frozenset().union(*known.labels.values()) | {e.casefold() for e in known.entities}
    behind = [w.casefold() for w in _WORD.findall(sentence[found.end() :])[:_NEAR]]
    front = [w.casefold() for w in _WORD.findall(sentence[: found.start()])[-2:]]
    return next((w for w in behind if w in values), "") or next((w for w in reversed(front) if w in values), "")


def _alone(value: str, text: str, mine: frozenset[str]) -> bool:
    """Whether an evidence text shows something of `value` and of no other of its kind. `mine` are the names that the
    analyst's cause goes by: of a series with several labels that moved alone, only those are surely what sets it apart.
    """
    name, low = re.escape(value), text.casefold()
    said = (
        rf"for \S+={name} and for no other",
        rf"^lost by [\w ]+: {name} [\d,]+$",
        rf"confined to \S*={name}(?![\w-])",
        rf"={name} in 100 %",
    )
    if any(re.search(pattern, low, re.MULTILINE) for pattern in said):
        return True
    moved = [_VALUE.findall(row) for row in low.splitlines() if " -> " in row]
    one = len(moved) == 1 and re.search(r"\b1 of \d+ series moved", low) is not None
    return one and value in moved[0] and (len(moved[0]) == 1 or value in mine)
