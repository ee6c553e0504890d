"""Card numbers as people, programs and protocols write them.

A candidate is removed when its check digit is good *and* some brand issues its prefix at its length. Luhn alone flags
10 % of any numbers; with range and length 3-4 % of random 16-digit ids remain, and cost no correlation, because equal
values keep equal tokens. Structures decide by themselves: track 1 and 2 (ISO/IEC 7813), EMV tags 5A and 57 (EMV 4.3
book 3, annex A), LLVAR fields (ISO 8583).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from redaction.brands import brand_named, is_pan


class Hit(NamedTuple):
    """One value found in a view. `value` is its canonical form: equal values get equal tokens."""

    start: int
    end: int
    klass: str
    value: str
    note: str = ""


# Digits with up to three characters between that are no letters; judged by their grouping.
_RUN = re.compile(r"[0-9](?:[^0-9A-Za-z\x80-\U0010ffff]{0,3}[0-9]){11,}")
# Where a candidate may begin: at a prefix that is issued, at zeros before one, or at the length of an LLVAR field.
RUN_TRIGGERS = (
    r"[^0-9](?:[3-9]|2[2-7]|2131)(?:[^0-9A-Za-z\x80-\xff]{0,3}[0-9]){11}",
    r"[^0-9](?:0[0-9]{12}|0604(?:[^0-9A-Za-z\x80-\xff]{0,3}[0-9]){8})",
    r"[^0-9](?:1[0-9]{14}|15[0-9]{15}|16[0-9]{16}|18[0-9]{18}|19[0-9]{19})[^0-9]",
    r"[^0-9]1[0-9]{3}[ \-][0-9]{5,6}[ \-][0-9]{5,6}[^0-9]",
    r"[^0-9]1[0-9]{3}(?:[ .\-][0-9]{4}){2}[ .\-][0-9]{3}[^0-9]",
)
_NO_FRACTION = re.compile(r"\.0{1,6}(?![0-9])")
_GROUP = re.compile(r"[0-9]+")
_GROUPINGS = (  # noqa: SIM905
    "4444 44443 4441 444 465 464 4644 88 66 68 610 613 412 124 448 484 844 664 646 466 33334 4446 4445 "
    "5551 5554 5443 6442 3463 43333 4336 44434 44441 44442 4105 2222224 645 4555 456 87 78 89 98 79 97 511 433333"
).split()
_WIDTH = {n: chr(48 + n) for n in range(20)}


def _lens(grouping: str) -> str | None:
    """'610' as widths 6 and 10: two-digit widths 10-13 are the only ones that begin with 1 and do not stand alone."""
    widths = [int(w) for w in re.findall(r"1[0-3]|[1-9]", grouping)]
    return "".join(_WIDTH[w] for w in widths) if 13 <= sum(widths) <= 19 else None


_KNOWN = frozenset(x for g in _GROUPINGS if (x := _lens(g)))
# UUIDs (RFC 9562) and the traceparent of W3C Trace Context.
_UUID = re.compile(
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
)
_HEX_ID_WIDTHS = {16, 20, 24, 32, 40, 48, 56, 64, 96, 128}
_LETTERS = re.compile(r"[A-Za-z]+")
_LISTS = frozenset(",;|:")
_PRINTED = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)}
_EXPIRY = re.compile(r"(?:0[1-9]|1[0-2])[2-4][0-9]|[2-4][0-9](?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])20[2-4][0-9]")
_ID_KEY = re.compile(r"(?i)(?:rrn|retrieval\w*|stan|arn)[\"']?\s?[:=]\s?[\"']?$")


def pans(text: str) -> Iterator[Hit]:
    """Every PAN written as digits, in groups or not."""
    for run in _RUN.finditer(text):
        yield from _judge_run(text, run.start(), run.end())


def _judge_run(text: str, start: int, end: int) -> Iterator[Hit]:
    # The last group may go on behind the match only through separators, so it is whole; the first begins at `start`.
    groups = [m.span() for m in _GROUP.finditer(text, start, end)]
    for a, b in groups:
        if b - a >= 12:
            yield from _single(text, a, b)
    if len(groups) < 2:
        return
    yield from _known_groupings(text, groups)
    yield from _even_groupings(text, groups)
    yield from _rare_groupings(text, groups)


def _hit(text: str, start: int, end: int, digits: str) -> Hit:
    """With the `.0` of a number that was once an integer, so that JSON stays JSON."""
    zeros = _NO_FRACTION.match(text, end)
    return Hit(start, zeros.end() if zeros else end, "PAN", digits)


def _single(text: str, a: int, b: int) -> Iterator[Hit]:
    """One unbroken row of digits."""
    digits = text[a:b]
    if a and text[a - 1] == "." and a > 1 and text[a - 2].isdigit():
        return  # the fraction of a number
    if is_pan(digits):
        if not _is_identifier(text, a, b):
            yield _hit(text, a, b, digits)
        return
    stripped = digits.lstrip("0")
    inner = (
        stripped
        if len(stripped) < len(digits) and len(stripped) > 12 and is_pan(stripped)
        else _glued(digits) or _glued(stripped)
    )
    if inner and not _is_identifier(text, a, b):
        yield _hit(text, a, b, inner)


def _glued(digits: str) -> str:
    """The PAN in LLVAR (`16` and 16 digits), or before a glued expiry date; "" if there is none."""
    if not 14 < len(digits) < 31:
        return ""
    length, rest = digits[:2], digits[2:]
    if length in {"13", "15", "16", "18", "19"} and len(rest) == int(length) and is_pan(rest):
        return rest
    for tail in (4, 6, 7, 9, 11):  # expiry; with century; expiry and CVV; expiry and service code (and more)
        pan = digits[:-tail]
        if (len(pan) in {16, 19} or digits[0] == "3") and is_pan(pan) and _EXPIRY.match(digits[-tail:]):
            return pan
    return ""


def _is_identifier(text: str, a: int, b: int) -> bool:
    """Digits that are a part of a UUID or of a hex id, or a 12-digit reference number by its key."""
    left, right = a, b
    while left > 0 and text[left - 1].isalnum() and a - left < 128:
        left -= 1
    while right < len(text) and text[right].isalnum() and right - b < 128:
        right += 1
    if right - left > b - a:
        token = text[left:right]
        letters = _LETTERS.findall(token)
        if token.rstrip("Ff") == text[a:b] and len(token) not in {32, 40, 64}:
            return False  # packed decimal, filled up with F
        wide = len(token) == 16 or len(token) >= 20  # shorter ones may be a card between two letters
        if all(c in "0123456789abcdefABCDEF" for c in token) and (
            (wide and len(letters) > 1) or len(token) in _HEX_ID_WIDTHS
        ):
            return True
    if text[left - 1 : left] == "-" or text[right : right + 1] == "-":  # noqa: SIM102
        if any(m.start() <= a and b <= m.end() for m in _UUID.finditer(text, max(0, left - 56), right + 28)):
            return True
    return b - a == 12 and _ID_KEY.search(text, max(0, a - 24), a) is not None


def _known_groupings(text: str, groups: list[tuple[int, int]]) -> Iterator[Hit]:
    """4-4-4-4, 4-6-5 and others that cards and programs print."""
    widths = "".join(chr(48 + min(b - a, 20)) for a, b in groups)
    for first in range(len(groups) - 1):
        for count in range(2, 6):
            if widths[first : first + count] in _KNOWN:
                yield from _window(text, groups, first, first + count)


def _window(text: str, groups: list[tuple[int, int]], first: int, last: int) -> Iterator[Hit]:
    chosen = groups[first:last]
    digits = "".join(text[a:b] for a, b in chosen)
    if not is_pan(digits) or _is_list(text, groups, first, last) or _is_decimal(text, chosen):
        return
    if _begins_low(digits) and not _is_uatp(text, chosen):
        return
    if not _is_inside_id(text, chosen):
        yield _hit(text, chosen[0][0], chosen[-1][1], digits)


def _begins_low(digits: str) -> bool:
    """Rows of groups that begin with 0 or 1 are dates and counters; 0604 is a range of Maestro's."""
    return digits[0] in "01" and not digits.startswith("0604")


def _is_uatp(text: str, chosen: list[tuple[int, int]]) -> bool:
    """UATP prints 4-5-6, with one space or dash."""
    widths = [b - a for a, b in chosen]
    gaps = {text[a[1] : b[0]] for a, b in pairwise(chosen)}
    return widths in ([4, 5, 6], [4, 6, 5]) and gaps <= {" ", "-"} and text[chosen[0][0]] == "1"


def _is_inside_id(text: str, chosen: list[tuple[int, int]]) -> bool:
    """Groups that are parts of a UUID, or whose first or last is the tail or head of a hex id."""
    start, end = chosen[0][0], chosen[-1][1]
    return _in_uuid(text, start, end) or _is_identifier(text, *chosen[0]) or _is_identifier(text, *chosen[-1])


def _in_uuid(text: str, start: int, end: int) -> bool:
    return any(m.start() < end and start < m.end() for m in _UUID.finditer(text, max(0, start - 56), end + 56))


def _is_decimal(text: str, chosen: list[tuple[int, int]]) -> bool:
    """`12345678.12345678` is a number, not two groups of a card."""
    return len(chosen) == 2 and text[chosen[0][1] : chosen[1][0]] == "."


def _is_list(text: str, groups: list[tuple[int, int]], first: int, last: int) -> bool:
    """A window on a list of numbers (`4023, 1022, 1234, 5033, …`), where every tenth would pass by chance."""
    gap = text[groups[first][1] : groups[first + 1][0]]
    if not _LISTS.intersection(gap):
        return False
    if tuple(b - a for a, b in groups[first:last]) not in _PRINTED:
        return True
    before = first > 0 and text[groups[first - 1][1] : groups[first][0]] == gap
    after = last < len(groups) and text[groups[last - 1][1] : groups[last][0]] == gap
    least = 1 if " " in gap else 3  # `,12,27` may be an expiry date; `, 12` is the next number
    return (before and _width(groups[first - 1]) >= least) or (after and _width(groups[last]) >= least)


def _width(group: tuple[int, int]) -> int:
    return group[1] - group[0]


def _even_groupings(text: str, groups: list[tuple[int, int]]) -> Iterator[Hit]:
    """Any grouping with one separator throughout and even groups, when nothing else stands in the row."""
    first = 0
    while first < len(groups) - 1:
        gap = text[groups[first][1] : groups[first + 1][0]]
        last = first + 1
        while last < len(groups) - 1 and text[groups[last][1] : groups[last + 1][0]] == gap:
            last += 1
        if last - first > 1:
            yield from _even(text, groups[first : last + 1], gap)
        first = last


_CARD_WORD = re.compile(r"(?i)(?:card|maestro|uatp|airplus|pan)(?![a-z])")


def _rare_groupings(text: str, groups: list[tuple[int, int]]) -> Iterator[Hit]:
    """Twelve digits in fours (Maestro), fifteen that begin with 1 in fours (UATP): only as a whole row, behind a word
    for a card, because rows of small numbers look the same.
    """
    widths = [b - a for a, b in groups]
    gaps = {text[a[1] : b[0]] for a, b in pairwise(groups)}
    if widths not in ([4, 4, 4], [4, 4, 4, 3]) or gaps - {" ", "-", "."} or len(gaps) != 1:
        return
    start, end = groups[0][0], groups[-1][1]
    digits = "".join(text[a:b] for a, b in groups)
    if (
        (len(digits) == 12 or digits[0] == "1")
        and is_pan(digits)
        and _CARD_WORD.search(text, max(0, start - 32), start)
    ):
        yield _hit(text, start, end, digits)


def _even(text: str, chosen: list[tuple[int, int]], gap: str) -> Iterator[Hit]:
    widths = [b - a for a, b in chosen]
    if not 13 <= sum(widths) <= 19 or len(set(widths[1:-1])) != 1:
        return
    width = widths[1]
    if widths[0] > width or widths[-1] > width + 1:
        return
    if _LISTS.intersection(gap) and not (gap == "," and width == widths[-1] == 3) and gap != "|":
        return  # a list of numbers; but 4,111,111,111,111,111 is one
    digits = "".join(text[a:b] for a, b in chosen)
    if not _begins_low(digits) and is_pan(digits) and not _is_inside_id(text, chosen):
        yield _hit(text, chosen[0][0], chosen[-1][1], digits)


# -- other notations -------------------------------------------------------------------------------------------------

_SCIENTIFIC = re.compile(
    r"(?<![0-9.])([1-9][0-9]{0,17})[.,]([0-9]{1,18})(?:[eE]\+?|\s?[xX*]\s?10\s?\^?)([0-9]{1,2})(?![0-9])"
)
SCIENTIFIC_TRIGGERS = (r"[0-9.,]{13}(?:[eE]\+?|\s?[xX*]\s?10\s?\^?)[0-9]",)
_SIGNIFICANT = 12


def scientific(text: str) -> Iterator[Hit]:
    """`4.111111111111111E+15`: what spreadsheets and careless JSON make of a PAN, wherever the point stands."""
    for match in _SCIENTIFIC.finditer(text):
        whole = len(match[1]) + int(match[3])
        digits = match[1] + match[2]
        if len(digits) >= _SIGNIFICANT and whole <= 19 and is_pan(digits[:whole].ljust(whole, "0")):
            yield Hit(match.start(), match.end(), "PAN", digits[:whole].ljust(whole, "0"))


_LISTED = re.compile(r"\[\s?([\"']?[0-9][\"']?(?:\s?,\s?[\"']?[0-9][\"']?){12,18})\s?\]")
LISTED_TRIGGERS = (r"\[\s?[\"']?[0-9][\"']?(?:\s?,\s?[\"']?[0-9][\"']?){12}",)


def listed(text: str) -> Iterator[Hit]:
    """`[4, 1, 1, …]`, `["4","1", …]`: a list of its digits, and nothing else in it."""
    for match in _LISTED.finditer(text):
        digits = re.sub("[^0-9]", "", match[1])
        if is_pan(digits):
            yield Hit(match.start(1), match.end(1), "PAN", digits)


_WORDS = {w: str(n) for n, w in enumerate("zero one two three four five six seven eight nine".split())} | {"oh": "0"}  # noqa: SIM905
_WORD = "(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_SPELLED = re.compile(rf"(?i)(?<![A-Za-z]){_WORD}(?:[\s,.\-]{{0,3}}{_WORD}){{11,18}}(?![A-Za-z])")
SPELLED_TRIGGERS = (rf"(?i){_WORD}(?:[\s,.\-]{{0,3}}{_WORD}){{11}}",)


def spelled(text: str) -> Iterator[Hit]:
    """Digits read out as words, as in transcripts of calls."""
    for match in _SPELLED.finditer(text):
        digits = "".join(_WORDS[w] for w in re.findall(_WORD, match[0].lower()))
        if is_pan(digits):
            yield Hit(match.start(), match.end(), "PAN", digits)


# -- structures ------------------------------------------------------------------------------------------------------

_TRACK1 = re.compile(
    r"(?:%)?[A-Za-z]([0-9]{12,19}|[0-9]{4}(?: [0-9]{2,6}){2,4})\^([^\^\n]{1,40})\^[0-9 ]{0,40}[^\s\"'<>?]{0,60}\??"
)
TRACK1_TRIGGERS = (r"[0-9]\^[^\^\n]{1,40}\^",)
_TRACK2 = re.compile(
    r";0[12](?P<third>[0-9]{13,19})=[0-9=]{4,100}\??"  # track 3: format code first (ISO/IEC 4909)
    r"|;?(?<![0-9])(?P<pan>[0-9]{12,19})=(?P<expiry>[0-9]{4})[0-9]{0,28}[Ff]?\??"
    r"|(?<![0-9A-Za-z])(?P<packed>[0-9]{12,19})[Dd][0-9]{2}(?:0[1-9]|1[0-2])[0-9]{0,28}[Ff]?(?![0-9A-Za-z])"
)
TRACK2_TRIGGERS = (r"[0-9]{12}[=Dd][0-9]{4}", r";0[12][0-9]{13}[0-9]{0,6}=[0-9=]{4}")


def track1(text: str) -> Iterator[Hit]:
    """ISO/IEC 7813 track 1: `%B` PAN `^` NAME `^` expiry, service code, discretionary data `?`."""
    for match in _TRACK1.finditer(text):
        yield Hit(match.start(), match.end(), "TRACK", match[0])


def track2(text: str) -> Iterator[Hit]:
    """ISO/IEC 7813 track 2: PAN, `=` or `D`, expiry YYMM, service code, discretionary data."""
    for match in _TRACK2.finditer(text):
        pan = match["pan"] or match["packed"] or match["third"]
        if is_pan(pan) or (match["pan"] and match[0][0] == ";" and 1 <= int(match["expiry"][2:]) <= 12):
            yield Hit(match.start(), match.end(), "TRACK", match[0])


_SEPARATED_HEX = r"[\s:]?"
_EMV_PAN = re.compile(r"(?i)5A[\s:]?(?:81)?0?([6-9A])[\s:=]?((?:[0-9][0-9F][\s:]?){6,10})")
_EMV_TRACK2 = re.compile(r"(?i)(?:57|9F6B)[\s:]?(0[A-F]|1[0-3])[\s:=]?([0-9]{12,19})[D=]([0-9]{4,24})F?")
EMV_TRIGGERS = (r"(?i)5A[\s:]?(?:81)?0?[6-9A][\s:=]?[0-9]", r"(?i)(?:57|9F6B)[\s:]?[01][0-9A-F][\s:=]?[0-9]{12}")


def emv(text: str) -> Iterator[Hit]:
    """BER-TLV tags 5A (PAN) and 57 (track 2 equivalent data), glued, spaced or with colons."""
    for match in _EMV_PAN.finditer(text):
        count = int(match[1], 16) * 2
        digits = re.sub(r"[\s:]", "", match[2])[:count].rstrip("Ff")
        if digits.isdigit() and is_pan(digits):
            yield Hit(match.start(2), _end_of(text, match.start(2), len(digits)), "PAN", digits)
    for match in _EMV_TRACK2.finditer(text):
        if is_pan(match[2]):
            yield Hit(match.start(2), match.end(), "TRACK", match[0])


def _end_of(text: str, start: int, count: int) -> int:
    """Where `count` digits from `start` end, separators not counted."""
    at = start
    while count:
        count -= text[at].isdigit()
        at += 1
    return at


_AND = r"[|,;:/ \t\"'\-]{1,5}"
_DUMP = re.compile(
    rf"(?<![0-9])([0-9]{{12,19}}){_AND}(0?[1-9]|1[0-2]){_AND}((?:20)?[2-4][0-9]){_AND}([0-9]{{3,4}})(?![0-9])"
)
DUMP_TRIGGERS = (rf"[0-9]{{12}}{_AND}[0-9]{{1,2}}{_AND}[0-9]{{2,4}}{_AND}[0-9]{{3}}",)


def card_and_cvv(text: str) -> Iterator[Hit]:
    """`4111…|12|2027|123`: the verification value behind a PAN and its expiry."""
    for match in _DUMP.finditer(text):
        if is_pan(match[1]):
            yield Hit(match.start(4), match.end(4), "SAD", match[4])


def note_of(digits: str, bin_digits: int) -> str:
    """`visa 411111`: the brand, and the BIN as far as policy keeps it (PCI DSS 3.4.1: at most the BIN)."""
    kept = bin_digits if bin_digits < 8 or len(digits) >= 16 else 6
    return f"{brand_named(digits)} {digits[:kept]}".strip()
