"""Card numbers as the last look reads them: its own ranges, its own check digit, its own idea of what belongs together.

Nothing here is shared with the detectors: a mistake in one does not pass the other.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from itertools import pairwise

# (first digits from, to, lengths): the ranges of ISO/IEC 7812 issuers that a check digit may confirm. No wider than
# what is issued: one in ten of all other numbers has a good check digit, and would stop a note.
_ANY = (13, 14, 15, 16, 17, 18, 19)
_LONG = (16, 17, 18, 19)
_ISSUED = (
    (60400, 60499, _ANY),
    (100000, 199999, (15,)),
    (213100, 213199, (15,)),
    (220000, 220499, _LONG),
    (220500, 220599, (16,)),
    (222100, 272099, (16,)),
    (300000, 305999, (14, 15, 16, 17, 18, 19)),
    (309500, 309599, (14, 15, 16, 17, 18, 19)),
    (310000, 319999, (19,)),
    (340000, 349999, (15,)),
    (350000, 359999, (16,)),
    (352800, 358999, (15, 17, 18, 19)),
    (360000, 369999, (14, 15, 16, 17, 18, 19)),
    (370000, 379999, (15,)),
    (380000, 399999, (14, 15, 16, 17, 18, 19)),
    *((bin, bin, (13,)) for bin in (384100, 384140, 384160)),
    (400000, 499999, (13, 16, 18, 19)),
    (500000, 506999, _ANY),
    (507000, 507999, (16,)),
    (507865, 507964, (17, 18, 19)),
    (508000, 509999, _ANY),
    (510000, 559999, (16,)),
    (560000, 619999, _ANY),
    (620000, 629999, _LONG),
    (630000, 649999, _ANY),
    (650000, 659999, _LONG),
    (660000, 699999, _ANY),
    (810000, 819999, _LONG),
    (820000, 829999, (16,)),
    (860000, 860099, (16,)),
    (869900, 869999, (15,)),
    (905100, 905199, (16,)),
    (911200, 911299, (16,)),
    (940000, 949999, (16,)),
    (970400, 970499, (16, 19)),
    (979200, 979299, (16,)),
    (980400, 980499, (16,)),
    (986000, 986099, (16,)),
    (989100, 989199, (16,)),
)


_DIGITS = re.compile(r"[0-9]+")
# Neighbouring groups of digits with at most three characters between that are no letters: thirteen digits at least.
_ROW = re.compile(r"[0-9](?:[\W_]{0,3}[0-9]){12,}")
_PRINTED = frozenset(
    {
        (4, 4, 4, 4),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 1),
        (4, 4, 4, 4, 2),
        (4, 6, 5),
        (4, 6, 4),
        (6, 10),
        (6, 13),
        (6, 6, 4),
        (8, 8),
        (4, 12),
        (12, 4),
    }
)
_LISTED = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)})
_HEX_CHARS = frozenset("0123456789abcdefABCDEF")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9]")
_EMV = re.compile(r"5[aA] ?0([789aA])[ :]?((?:[0-9]{2} ?){6,9}[0-9][0-9F]?)")
_MESSAGE = re.compile(r"0[1248][0-9]{2}[0-9A-F]{16}1[3-9]([0-9]{16})|57(?:0[a-fA-F]|1[0-3])[0-9]{13,19}[dD]")
_EXPONENT = re.compile(
    r"(?<![0-9.])([1-9][0-9]{0,17})\.([0-9]{1,18})(?:[eE]\+?|\s?[xX*]\s?10\s?\^?)([0-9]{1,2})(?![0-9])"
)
_FRACTION = re.compile(r"(?<![0-9.])[0-9]{1,12}\.$")


Candidate = tuple[str, int, int]
"""Digits, and where they stand in the text: start and end."""
# The BIN in a token of ours is no group of the digits beside it.
_TOKEN = re.compile(r"<PAN_[0-9.]{1,12} [a-z]{1,16} ([0-9]{6,8})>")


def card_numbers(text: str, possible: Container[str]) -> Iterator[Candidate]:
    """What could be a PAN: rows of digits that belong to no larger number or id, and printed groups. `possible`: names
    of `scan_glance.MAY_MATCH` that are worth a try.
    """
    if "<PAN_" in text:
        text = _TOKEN.sub(lambda m: "x" * len(m[0]), text)
    if "row" in possible:
        for row in _ROW.finditer(text):
            yield from _of_row(text, list(_DIGITS.finditer(text, row.start(), row.end())))
    if "emv" in possible:
        for match in _EMV.finditer(text):
            yield re.sub(r"[^0-9]", "", match[2])[: int(match[1], 16) * 2], *match.span(2)
    if "message" in possible:
        for match in _MESSAGE.finditer(text):
            yield match[1] or re.split("[dD]", match[0][4:])[0], *match.span()
    if "exponent" in possible:
        for match in _EXPONENT.finditer(text):
            digits, whole = match[1] + match[2], len(match[1]) + int(match[3])
            if len(digits) > 12:
                yield digits[:whole].ljust(whole, "0"), *match.span()


def _of_row(text: str, row: list[re.Match[str]]) -> Iterator[Candidate]:
    """Candidates in neighbouring groups of digits: each alone, printed groupings, and an even row as a whole."""
    for group in row:
        yield from ((digits, *group.span()) for digits in _alone(text, group))
    if len(row) < 2:
        return
    gaps = [text[a.end() : b.start()] for a, b in pairwise(row)]
    widths = [len(group[0]) for group in row]
    for first in range(len(row) - 1):
        for count in (2, 3, 4, 5):
            window = tuple(widths[first : first + count])
            if len(window) == count and window in _PRINTED and not _is_list(gaps, first, window):
                joined = _joined(text, row[first : first + count])
                if not joined.startswith("1") or set(gaps[first : first + count - 1]) <= {" ", "-"}:
                    yield joined, row[first].start(), row[first + count - 1].end()
    if _is_even(widths, gaps) and not row[0][0].startswith("1"):  # counters and years, far more often than UATP
        yield _joined(text, row), row[0].start(), row[-1].end()


def _is_even(widths: list[int], gaps: list[str]) -> bool:
    """`12 3456 7890 1234`: one gap throughout, equal groups, the first perhaps shorter; no list of numbers."""
    width = widths[1]
    if len(set(gaps)) != 1 or len(widths) < 3 or set(widths[1:-1]) != {width}:
        return False
    if widths[0] > width or widths[-1] > width + 1:
        return False
    if max(widths) == 1 and gaps[0] in {'","', "','"}:
        return True
    return gaps[0] == "|" or not any(c in gaps[0] for c in ",;:|") or (gaps[0] == "," and width == widths[-1] == 3)


def _is_list(gaps: list[str], first: int, window: tuple[int, ...]) -> bool:
    """Numbers in a list, or a decimal fraction: `1234, 5678, …`, `12345678.12345678`."""
    count = len(window)
    inside = gaps[first : first + count - 1]
    around = gaps[max(0, first - 1) : first + count]
    if count == 2 and inside[0] == ".":
        return True
    return any(c in inside[0] for c in ",;:|") and (window not in _LISTED or len(around) > len(inside))


def _joined(text: str, groups: list[re.Match[str]]) -> str:
    """The digits of a window, or nothing if it is cut out of an id."""
    start, end = groups[0].start(), groups[-1].end()
    near = text[max(0, start - 56) : end + 56]
    inside = any(text[start:end] in m[0] for m in _UUID.finditer(near))
    after_dot = text[groups[-1].start() - 1] == "."
    if (
        inside
        or _belongs_to_more(text, *groups[0].span())
        or (not after_dot and _belongs_to_more(text, *groups[-1].span()))
    ):
        return ""
    return "".join(group[0] for group in groups)


def _alone(text: str, group: re.Match[str]) -> Iterator[str]:
    digits = group[0]
    if not 13 <= len(digits) <= 30 or _belongs_to_more(text, group.start(), group.end()):
        return
    yield digits
    yield digits.lstrip("0")
    for framed in (digits, digits.lstrip("0")):
        if framed[:2] in {"13", "15", "16", "18", "19"} and len(framed) == int(framed[:2]) + 2:
            yield framed[2:]
    if len(digits) == 20 and "01" <= digits[16:18] <= "12" and digits[18] in "234":
        yield digits[:16]


def _belongs_to_more(text: str, start: int, end: int) -> bool:
    """A fraction, or a piece of a UUID or of a hex id."""
    if start > 1 and text[start - 1] == "." and text[start - 2].isdigit():
        return _FRACTION.search(text, max(0, start - 24), start) is not None
    first, last = start, end
    while first > 0 and start - first < 140 and text[first - 1] in _HEX_CHARS:
        first -= 1
    while last < len(text) and last - end < 140 and text[last] in _HEX_CHARS:
        last += 1
    whole = text[first:last]
    bounded = not _glued(text, first) and not text[last : last + 1].isalnum()
    if (
        bounded
        and len(whole) > end - start
        and (len(whole) == 16 or len(whole) >= 20)
        and whole.rstrip("Ff") != text[start:end]
    ):
        return True
    if text[first - 1 : first] != "-" and text[last : last + 1] != "-":
        return False
    return any(whole in m[0] for m in _UUID.finditer(text[max(0, first - 56) : last + 56]))


def _glued(text: str, at: int) -> bool:
    """Whether a letter or digit stands before; the letter of `\\n`, which JSON writes for a line end, is none."""
    before = text[at - 1 : at] if at else ""
    return before.isalnum() and not (before in "nrt" and text[max(0, at - 2) : at - 1] == "\\")


def is_issued(digits: str) -> bool:
    if not (digits.isascii() and digits.isdigit() and 13 <= len(digits) <= 19):
        return False
    head = int(digits[:6])
    if not any(low <= head <= high and len(digits) in lengths for low, high, lengths in _ISSUED):
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char)
        if place % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0 and digits.strip(digits[0]) != ""
