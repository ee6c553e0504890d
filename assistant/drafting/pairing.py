"""Rules about what stands beside what: the figure of a list beside its own name, a code beside its own meaning and
count, the usual value and the new one in their places, the change that is blamed. Each gives what is wrong, or "".

Every single word of "eu 526, uk 577" stands in evidence that says "eu 577, uk 526".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.drafting.figures import Quantity, carried, quantities
from assistant.drafting.lexicon import stem
from assistant.drafting.names import mentioned, names, occurs
from assistant.drafting.patterns import FALLS, RISES
from assistant.drafting.statement import Known, Statement, sentences, without_ids
from assistant.drafting.voice import QUOTATION
from assistant.drafting.wording import words

_LIST = re.compile(r"^lost by [\w ]+: (.+)$", re.MULTILINE)
_LIST_OF = re.compile(r"^lost by (region|scheme|acquirer|issuer|service): (.+)$", re.MULTILINE)
_CODES = re.compile(r"^extra declines of [^:]+: (.+)$", re.MULTILINE)
_CODE = re.compile(r"([\w-]+) \(([^()]*)\) \+([\d,]+)")
_MOST = re.compile(
    r"\b(?:almost|nearly) (?:all|entirely|exclusively|every)|\b(?:mostly|mainly|chiefly|most of|dominated)\b", re.I
)
_SINCE = re.compile(
    r"\b(?:since|after|following|with) (?:the )?"
    r"(?:(?:deploy|change|release|config|configuration|flag|version|rollout)\w*)"
    r"((?: of)?(?: [\w.-]+){1,4})",
    re.I,
)
_EQUAL = re.compile(
    r"\b(?:equal(?:ly)?|evenly|alike|identical(?:ly)?|as \w+ as|just like|same (?:extent|degree|loss|rate))\b", re.I
)
_SHARE = re.compile(
    r"(\d[\d,]*) (?:of|out of)(?: the| all)? (\d[\d,]*)\b[^;.%]{0,45}?[,(] ?(?:which is |that is |or |so )?"
    r"(?:about |around |roughly |nearly |"
    r"almost |some |more than |over )?(\d[\d.]* ?%)"
)
_OF = re.compile(r"(\d[\d.]*) ?% of (?:the |all |these |those |its )?(\w+)")
_WHOLES = frozenset(
    map(stem, ["attempts", "loss", "losses", "traffic", "payments", "volume", "authorisations", "declines"])
)
_ENTRY = re.compile(r"([\w.-]+) ([\d,]+)(?=,\s|$)")
_WHOLE = re.compile(r"\b(?:of|out of)(?: the| all)? [\d,]*\d\b")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list in the evidence: the words it goes by, and its count."""

    names: tuple[str, ...]
    count: float


def listed(s: Statement, known: Known) -> str:
    """Each figure of a list in the evidence stands beside its own name."""
    text = QUOTATION.sub(" ", without_ids(s.text, s.evidence))
    rows = list(_rows(s, known, _LIST))
    entries = [Entry((m[1],), float(m[2].replace(",", ""))) for row in rows for m in _ENTRY.finditer(row)]
    whole = known.counts[1] if known.counts else -1.0
    return "figures beside the wrong names" if _mispaired(_WHOLE.sub(" ", text), entries, whole=whole) else ""


def named_counts(s: Statement, known: Known) -> tuple[Quantity, ...]:
    """Counts that the claim names without saying them: those of the list's entries in it, and what was lost."""
    found = []
    for row in _rows(s, known, _LIST):
        found += [q for m in _ENTRY.finditer(row) if _at(s.text, m[1]) for q in quantities(m[2])]
    if known.counts is not None and re.search(r"\blost\b", s.text):
        found += quantities(f"{known.counts[1]:.0f}")
    return tuple(found)


def coded(s: Statement, known: Known) -> str:
    """A response code keeps its own meaning and its own count, and only the largest is "almost all"."""
    text = without_ids(s.text, s.evidence)
    for row in _rows(s, known, _CODES):
        found = [(m[1], m[2], float(m[3].replace(",", ""))) for m in _CODE.finditer(row)]
        by_code = [i for i, (code, _, _) in enumerate(found) if re.search(rf"\bcodes? {re.escape(code)}\b", text, re.I)]
        by_word = [i for i, (_, meaning, _) in enumerate(found) if _says(text, meaning)]
        if by_code and not set(by_word) <= set(by_code):
            return "a code with the meaning of another"
        entries = [Entry((f"code {code}", meaning), count) for code, meaning, count in found]
        if _mispaired(text, entries):
            return "a count beside the wrong code"
        said = set(by_code) | set(by_word)
        top = max(range(len(found)), key=lambda i: found[i][2]) if found else -1
        if said and top not in said and _MOST.search(text):
            return "a small part called most of it"
    return ""


def of_what(s: Statement, known: Known) -> str:
    """A percentage of something is of what the evidence says that it is of."""
    stated: dict[float, set[str]] = {}
    for i in s.evidence:
        for figure, what in _OF.findall(known.texts.get(i, "")):
            stated.setdefault(float(figure), set()).add(stem(what))
    for figure, what in _OF.findall(without_ids(s.text, s.evidence)):
        known_of = stated.get(float(figure))
        if known_of and stem(what) not in known_of and {stem(what), *known_of} <= _WHOLES:
            return "a share of something else"
    return ""


def shares(s: Statement, known: Known) -> str:
    """A percentage that is said of "A of B" is A of B."""
    for m in _SHARE.finditer(without_ids(s.text, s.evidence)):
        a, b, share = (quantities(m[n]) for n in (1, 2, 3))
        if a and b and share and b[-1].value > 0:
            right = 100.0 * a[0].value / b[-1].value
            if abs(right - share[0].value) > max(0.06 * right, share[0].scale / 2):
                return "another share than that of the two counts"
    return ""


def no_victim(s: Statement, known: Known) -> str:
    """What the analyst ranks first is not called a victim, and what came first is not another."""
    if s.section in ("argued_down", "not_known", "next_steps"):
        return ""
    for sentence in sentences(s.text):
        for part in re.split(r"[:,;]\s", sentence):
            named = {e.casefold() for e in mentioned(part, known.entities)}
            if re.search(r"\bvictims?\b", part, re.I) and named and named <= known.leading:
                return "the analyst's cause called a victim"
            first = re.search(
                r"\b(?:fail|mov|slow|start|br[eo]k)\w*(?: \w+)? first\b|\bslow(?:ed)? first\b", part, re.I
            )
            if first and named and not named & known.leading and "?" not in part:
                return "an order that nobody measured"
    return ""


def other_change(s: Statement, known: Known) -> str:
    """Only the change behind the analyst's cause is named as what a fault came with ("since deploy …")."""
    if s.section in ("next_steps", "not_known", "argued_down"):
        return ""
    for m in _SINCE.finditer(s.text):
        named = {e.casefold() for e in mentioned(m[1], known.entities)}
        if named and not named & known.leading:
            return "came with a change that the analyst does not blame"
    return ""


def alike(s: Statement, known: Known) -> str:
    """That two things are the same is said beside both figures, and they are within a fifth of each other."""
    if s.section in ("next_steps", "not_known"):
        return ""
    for sentence in sentences(QUOTATION.sub(" ", without_ids(s.text, s.evidence))):
        if (
            not _EQUAL.search(sentence)
            or len({n.casefold() for n in (*mentioned(sentence, known.entities), *names(sentence))}) < 2
        ):
            continue
        said = [q for q in quantities(sentence) if q.kind not in ("clock", "date", "vague")]
        close = any(
            abs(a.value - b.value) <= 0.2 * max(a.value, b.value)
            for a, b in itertools.combinations(said, 2)
            if a.kind == b.kind
        )
        if not close and not any("everything alike" in known.texts.get(i, "") for i in s.evidence):
            return "called the same without the figures that show it"
    return ""


def rows_of(text: str) -> list[str]:
    """The rows of an evidence text; a line that is set in belongs to the one above it."""
    whole = " firing" in text or " fired " in text  # an alert says all of it of one thing
    return re.split(r"\n(?!\s)" if whole else r"\n(?!\s)|; (?![^\n]*\bin \d+ %)", text)


def _rows(s: Statement, known: Known, pattern: re.Pattern[str]) -> Iterable[str]:
    for i in s.evidence:
        yield from (m[1] for m in pattern.finditer(known.texts.get(i, "")))


def _says(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in `text`, in their order and in any form."""
    wanted, there = [stem(w) for w in words(phrase)], [stem(w) for w in words(text)]
    return bool(wanted) and any(there[i : i + len(wanted)] == wanted for i in range(len(there) - len(wanted) + 1))


def _at(text: str, name: str) -> list[int]:
    return [m.start() for m in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.I)]


def _mispaired(text: str, entries: Sequence[Entry], *, whole: float = -1.0) -> bool:
    """Whether figures of the list stand beside names that are not theirs: in order where there are as many of both."""
    places = sorted((at, n) for n, entry in enumerate(entries) for name in entry.names for at in _at(text, name)[:1])
    named = list(dict.fromkeys(n for _, n in places))
    said = [q.value for q in quantities(text) if q.kind == "number" and q.value != whole]
    counts = [value for value in said if any(value == e.count for e in entries)]
    if not named or not counts:
        return False
    if len(named) == len(counts):
        return any(entries[n].count != count for n, count in zip(named, counts, strict=True))
    spots = [(m.start(), float(m[0].replace(",", ""))) for m in re.finditer(r"\d[\d,]*\b", text)]
    for at, n in places:
        near = min((s for s in spots if s[1] in counts), key=lambda s: abs(s[0] - at), default=None)
        if near is not None and near[1] != entries[n].count:
            return True
    return False


_PAIR = re.compile(r"([\w.-]+)=\"?([\w.:/-]*\w)")


def labels_of(texts: Iterable[str]) -> dict[str, frozenset[str]]:
    """Every label name of evidence texts with its values, in small letters."""
    every: dict[str, set[str]] = {}
    for name, value in (pair for text in texts for pair in _PAIR.findall(text)):
        every.setdefault(name, set()).add(value.casefold())
    return {name: frozenset(values) for name, values in every.items()}


def values_said(text: str, labels: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """By label name: the values of it that `text` names."""
    low = text.casefold()
    said = {name: frozenset(v for v in values if _said_as_value(v, low)) for name, values in labels.items()}
    return {name: values for name, values in said.items() if values}


def _said_as_value(value: str, text: str) -> bool:
    if len(value) > 2 and not value.isdigit():
        return occurs(value, text)
    return re.search(rf"\b(?:in|of|the|and|for)\s{re.escape(value)}\b", text) is not None and not value.isdigit()


def contradicts(row: str, said: Mapping[str, frozenset[str]]) -> bool:
    """Whether a row is of another value of a label than the one that was named."""
    of: dict[str, set[str]] = {}
    for name, value in _PAIR.findall(row):
        of.setdefault(name, set()).add(value.casefold())
    return any(name in said and not values & said[name] for name, values in of.items())


def occurring(names: Iterable[str], text: str) -> set[str]:
    """Those of `names` (small letters) that stand in `text`."""
    return {n for n in names if occurs(n, text)}


def figures_of(text: str) -> tuple[Quantity, ...]:
    """The quantities of an evidence text; a row of a metric whose name ends in its unit is read in that unit too."""
    found = list(quantities(text))
    for row in text.splitlines():
        unit = re.search(r"\b\w+_(s|seconds|ms)\b", row)
        if unit:
            bare = re.sub(
                r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)(?=\s->|\ssince|,|$)", rf"\1 {unit[1][:2].replace('se', 's')}", row
            )
            found += [q for q in quantities(bare) if q.kind == "seconds"]
    for counted in _LIST_OF.finditer(text):
        found += quantities(f"{len(counted[2].split(', '))} {counted[1]}")
    return tuple(found)


_ARROW = re.compile(r"(\S+(?: (?:%|ms|s|per s))?) -> (\S+(?: (?:%|(?:ms|s|per s)\b))?)")
_NOW_USUAL = re.compile(
    r"(?::| now) (\S+(?: (?:%|ms|s|per s))?), usual (\S+(?: (?:%|ms|s|per s))?)(?=,|$)", re.MULTILINE
)
_AGAINST = re.compile(
    r"(\d(?:[^;.]|\.\d){0,24}?),? (?:against|compared (?:with|to)|versus|usually|instead of|up from|down from)"
    r"(?: (?:a|an|its|the|about))*"
    r"(?: (?:usual|usually|normal|value|of))* ((?:[^;,.]|\.\d|,\d){1,24})"
)


def the_right_way(s: Statement, known: Known) -> str:
    """In "A against B" the first is what is seen and the second what is usual."""
    moves = [pair for i in s.evidence for pair in moves_of(known.texts.get(i, ""))]
    for match in _AGAINST.finditer(without_ids(s.text, s.evidence)):
        both, first = quantities(match[0]), len(quantities(match[1]))
        if not 0 < first < len(both):
            continue
        seen, usual = both[first - 1], both[first]
        right = any(carried(seen, [b]) and carried(usual, [a]) for a, b in moves)
        turned = any(carried(seen, [a]) and carried(usual, [b]) for a, b in moves)
        if turned and not right:
            return "the usual value and the new one change places"
        falls, rises = FALLS.search(s.text), RISES.search(s.text)
        if right and bool(falls) != bool(rises) and (seen.value > usual.value if falls else seen.value < usual.value):
            return "the wrong way round"
    return ""


def moves_of(text: str) -> Iterable[tuple[Quantity, Quantity]]:
    """(usual, seen) wherever a row states both."""
    pairs = [(m[1], m[2]) for m in _ARROW.finditer(text)] + [(m[2], m[1]) for m in _NOW_USUAL.finditer(text)]
    for usual, seen in pairs:
        a, b = quantities(usual), quantities(seen)
        if a and b:
            yield a[-1], b[0]
