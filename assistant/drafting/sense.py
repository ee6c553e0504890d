"""Rules about what a sentence says of what: which figure belongs to which name, which way it moved, how many are meant,
whether it denies what was found or orders something. Each gives what is wrong, or "".

The single words of such a sentence may all stand in the evidence; what is said with them need not.
"""

from __future__ import annotations

import re

from assistant.drafting.figures import Quantity, carried, quantities
from assistant.drafting.lexicon import stem
from assistant.drafting.names import mentioned, names, occurs
from assistant.drafting.pairing import contradicts, occurring, rows_of, values_said
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
from assistant.drafting.placed import only_of
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.voice import QUOTATION
from assistant.drafting.wording import terms_in, words

_ROWS = re.compile(r"\n|; ")
_EXCLUDES = re.compile(
    r"\b(?:it|which|that|this) (?:does|did|do|can|could|would)(?: ?not|n't)(?: \w+)? "
    r"(?:explain|account|be the cause|cause)\b",
    re.IGNORECASE,
)
_AGAINST_USUAL = re.compile(r"\b(?:against|compared|than|instead|above|below|times)\b", re.IGNORECASE)
_EVERY_SERIES = re.compile(r"\b(\d+) of \1 series moved|everything alike", re.IGNORECASE)
_NOTHING_BEFORE = re.compile(r"\b0 (?:per s )?->|never before", re.IGNORECASE)
_VALUE = re.compile(r"[\w.-]+=\"?([\w.-]+)")
SAME = tuple(
    frozenset(map(stem, group.split()))
    for group in (
        "authorisation authorisations approval approvals payment payments transaction transactions lost loss fewer",
        "attempt attempts try tries",
        "line lines message messages",
        "loss losses lost hit",
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
    rows = [row for i in s.evidence for row in rows_of(known.texts.get(i, ""))]
    about = [(_subjects(row, known, values=True) | occurring(named, row), row) for row in rows]
    chosen = values_said(text, known.labels)
    for quantity in quantities(text):
        if quantity.loose or _is_onset(quantity, known):
            continue
        homes = [(found, row) for found, row in about if carried(quantity, quantities(row))]
        if homes and not any(not found or found & named for found, _ in homes):
            return "a figure of something else"
        if homes and all(contradicts(row, chosen) for _, row in homes):
            return "a figure of another part"
    if named & (known.leading | known.related) or s.section == "not_known" or NEGATED.search(text):
        return ""
    mine = [row for found, row in about if found & named]
    own = {stem(w) for row in mine for w in words(re.sub(r"[_=]", " ", row))}.union(*map(terms_in, mine))
    own |= {w for kind in SAME if kind & own for w in kind}
    if any(re.search(r"=5\d\d\b|\b5xx\b", row) for found, row in about if found & named):
        own.add(stem("errors"))
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
        if (
            USUALLY.search(sentence)
            and not _AGAINST_USUAL.search(sentence)
            and seen
            and not usual
            and not (falls or rises)
        ):
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
        if homes and not any(kind & _counts_of(r) for r in homes):
            return "a figure that counts something else"
    return ""


def _counts_of(row: str) -> set[str]:
    """The stems of a row, and what a queue is a queue of."""
    found = {stem(w) for w in words(re.sub(r"[_=]", " ", row))}
    return found | ({stem("messages")} if found & {stem("backlog"), stem("lag"), stem("depth")} else set())


def quantified(s: Statement, known: Known) -> str:
    """All, none and only are said where evidence or analyst say so, or beside a figure."""
    text = QUOTATION.sub(" ", without_ids(s.text, s.evidence))
    everything = " ".join(
        (*(known.texts.get(i, "") for i in s.evidence), *known.quotes, *known.gaps, *known.said)
    ).casefold()
    for sentence in sentences(text):
        for match in EVERY.finditer(sentence):
            run = " ".join(sentence[match.start() :].split()[:3]).casefold().rstrip(".,")
            if match[0].casefold() == "both" and (_two_named(sentence, known) or _two_changes(s)):
                continue
            if match[0].casefold() == "only" and only_of(sentence, match, known):
                continue  # `placed.only_there` looks whether it is shown
            if (
                match[0].casefold() == "none"
                and _NOTHING_BEFORE.search(everything)
                and re.search(r"\bbefore\b", sentence)
            ):
                continue
            if (
                match[0].casefold() in ("all", "every")
                and _EVERY_SERIES.search(everything)
                and not _two_named(sentence, known)
            ):
                continue
            if (
                (not quantities(sentence) or match[0].casefold() == "both")
                and run not in everything
                and not _SETTLED.search(sentence)
            ):
                return "says it of all or of none"
    return ""


def _another_excluded(sentence: str, known: Known) -> bool:
    """Whether it is another thing, named first, of which a sentence says that it explains nothing."""
    found = _EXCLUDES.search(sentence)
    if found is None:
        return False
    places = [(sentence.casefold().find(e.casefold()), e) for e in mentioned(sentence, known.entities | known.leading)]
    return bool(places) and min(places)[1].casefold() not in known.leading


def loss_there(s: Statement, known: Known) -> str:
    """Where attempts were counted and none was lost, no loss is said."""
    if (
        s.section in ("next_steps", "not_known")
        or known.counts is None
        or known.counts[1] >= 0.5
        or not known.counts[0]
    ):
        return ""
    for sentence in sentences(QUOTATION.sub(" ", s.text)):
        for part in re.split(r"[,:]\s", sentence):
            found = re.search(r"\b(?:declined?|declining|lost|losses?|cost)\b", part, re.IGNORECASE)
            if found and not NEGATED.search(part) and not re.search(r"\b(?:0|zero|none)\b", part, re.IGNORECASE):
                return "a loss that was not measured"
            if re.search(r"\b(?:no|zero|not any) (?:approvals?|successful)\b", part, re.IGNORECASE):
                return "approvals denied that were measured"
    return ""


def _nothing_lost(denial: str, known: Known) -> bool:
    """Whether what is denied is a loss, and none was measured."""
    lost = re.search(r"declin|lost|los[es]|affect|fail", denial, re.IGNORECASE)
    return lost is not None and known.counts is not None and known.counts[0] > 0 and known.counts[1] < 0.5


def _two_changes(s: Statement) -> bool:
    return sum(i.startswith("C") for i in s.evidence) == 2


def _two_named(sentence: str, known: Known) -> bool:
    return len(set(mentioned(sentence, known.entities))) >= 2


def _is_onset(quantity: Quantity, known: Known) -> bool:
    """A moment in the span of the onset belongs to the incident, whatever row it stands on."""
    if quantity.kind != "clock" or known.onset is None:
        return False
    return known.onset[1] - quantity.scale <= quantity.value <= known.onset[2]


def denies(s: Statement, known: Known) -> str:
    """What was found is not denied outside of arguing the verdict down."""
    if s.section in ("argued_down", "not_known") or known.health in ("healthy", "recovered"):
        return ""
    for sentence in sentences(QUOTATION.sub(" ", s.text)):
        moved = MOVED.search(sentence)
        if moved and not _SETTLED.search(sentence) and not _nothing_lost(moved[0], known):
            named = _subjects(sentence, known, values=False)
            if not named or named & known.leading:
                return "denies what was measured"
        lead = any(occurs(name, sentence) for name in known.leading)
        if (
            lead
            and not _another_excluded(sentence, known)
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
    for number, what in re.findall(r"(?<!of )(?<![\d,])(\d[\d,]*)((?:\s+[a-z]+){1,4})", s.text):
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
