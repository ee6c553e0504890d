"""A card number in parts: `cc1=4111&cc2=1111&…`, `{"bin": "411111", "middle": "111111", "last4": "1111"}`.

Forms with a box for every four digits post them so, and code that masks by parts logs them so. Neighbouring numbers are
parts only if their keys say it: one key with a running number, or words for a place in a number. Together they must be
a card number, whole and in this order; each part then gets the token of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from redaction.brands import is_pan
from redaction.cards import Hit

_PART = (
    r"(?P<key>[A-Za-z_][0-9A-Za-z_.\-]{0,48}?)(?P<brackets>\[[0-9A-Za-z_]{0,16}\])?[\"']?\s{0,2}[:=]\s{0,2}[\"']?"
    r"(?P<digits>[0-9]{2,12})(?![0-9A-Za-z.])"
)
_BETWEEN = r"[\"']?\s{0,2}[\s,;&|]\s{0,8}[\"']?"
_FIRST = re.compile(rf"(?<![\w.\-]){_PART}")
_NEXT = re.compile(_BETWEEN + _PART)
_NUMBERED = re.compile(r"(.*?)[_\-.]?([0-9]{1,2})$")
# `shard1=4539 shard2=5787` and `start=45395787 end=63621486` are numbers of their own: a card has to be named.
_CARD = frozenset("card cc ccn pan cardno cardnum cardnumber ccno ccnum bin iin".split())  # noqa: SIM905
_NUMBER = frozenset("number no num nr digits".split())  # noqa: SIM905
_PLACES = frozenset(
    "bin iin first prefix head start begin middle mid centre center inner rest body last suffix tail end".split()  # noqa: SIM905
)
_COUNTED = re.compile(r"(?i)(?:first|last)_?(?:4|6|8|four|six|eight)(?![a-z])")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_LATER = r"(?i:rest|body|middle|mid|centre|center|inner|last|four|suffix|tail|end)"
_ENDS = re.compile(rf"(?:[0-9.]|{_LATER})$")
_MOST = 6
PARTED_TRIGGERS = (
    rf"[0-9A-Za-z_\]][\"']?\s{{0,2}}[:=]\s{{0,2}}[\"']?[0-9]{{2,12}}{_BETWEEN}"
    rf"(?:[A-Za-z_][0-9A-Za-z_.\-]{{0,48}}(?:[0-9]|\[[0-9A-Za-z_]{{0,16}}\]|{_LATER})|{_LATER})"
    r"[\"']?\s{0,2}[:=]\s{0,2}[\"']?[0-9]{2}",
)


def parted(text: str) -> Iterator[Hit]:
    """Each part of a card number whose parts stand side by side under keys that say so."""
    at = 0
    while (first := _FIRST.search(text, at)) is not None:
        at = first.end()
        row = [first]
        while len(row) < _MOST and (more := _NEXT.match(text, row[-1].end())) is not None:
            row.append(more)
        parts = _whole(row)
        digits = "".join(part["digits"] for part in parts)
        yield from (Hit(*part.span("digits"), "PAN", digits) for part in parts)
        if parts:
            at = parts[-1].end()


def _whole(row: list[re.Match[str]]) -> list[re.Match[str]]:
    """The parts from the first on that make a card number, or none."""
    for count in range(2, len(row) + 1):
        parts = row[:count]
        digits = "".join(part["digits"] for part in parts)
        if len(digits) > 19:
            return []
        if len(digits) >= 13 and is_pan(digits) and _are_parts([_name(part) for part in parts]):
            return parts
    return []


def _name(part: re.Match[str]) -> str:
    return part["key"] + (part["brackets"] or "").replace("[", ".").rstrip("]")


def _are_parts(names: list[str]) -> bool:
    """`cc1, cc2, …`, `number[], number[], …`, or places in a number of which one says that it is a card's."""
    words = [[word.lower() for word in _WORDS.findall(name)] for name in names]
    named = any(not _CARD.isdisjoint(of_one) for of_one in words)
    if _one_after_another(names):
        return named or (bool(words[0]) and words[0][-1] in _NUMBER)
    places = all(not _PLACES.isdisjoint(of_one) for of_one in words) and _ENDS.search(names[1]) is not None
    return places and (named or any(_COUNTED.search(name) for name in names))


def _one_after_another(names: list[str]) -> bool:
    if len(set(names)) == 1:
        return names[0].endswith(".")
    numbered = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    numbers = [int(match[2]) for match in numbered]
    return (
        len(numbered) == len(names)
        and len({match[1] for match in numbered}) == 1
        and all(later == number + 1 for number, later in pairwise(numbers))
    )
