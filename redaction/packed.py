"""Text packed by fours and threes: Ascii85, Z85, RFC 1924 and uuencode.

Any text may look packed like that, so digits give it away: four of them packed into five characters always begin with
one of some forty pairs, of the 7,225 there are; three packed by uuencode are 5,280 of 16,777,216 groups. Three such
groups side by side do not happen by chance. From there on, groups belong to it as long as they hold printable text.
"""

from __future__ import annotations

import binascii
import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from redaction.view import View

_RFC1924 = string.digits + string.ascii_uppercase + string.ascii_lowercase + "!#$%&()*+-;<=>?@^_`{|}~"
_Z85 = string.digits + string.ascii_lowercase + string.ascii_uppercase + ".-:+=^!/*?&<>()[]{}@%$#"
_ASCII85 = "".join(map(chr, range(33, 118)))
_BEGIN_DIGITS = (0x20, 0x2D, *range(0x30, 0x3A))  # digits may be grouped by spaces and dashes
_FIRST, _LAST = 0x202020, 0x393939
_PRINTABLE = frozenset(b"\t\n\r" + bytes(range(32, 127)))
_TAIL = 4

Decode = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Packing:
    """Groups of `width` characters, each of them a few bytes. `digits`: the pattern of a group that holds digits."""

    width: int
    digits: str
    decode: Decode
    note: str
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.trigger))

    @property
    def trigger(self) -> str:
        return rf"(?:{self.digits}){{3}}"


def _base85(alphabet: str, note: str) -> _Packing:
    value_of = {char: at for at, char in enumerate(alphabet)}
    seconds: dict[str, set[str]] = defaultdict(set)
    for first in _BEGIN_DIGITS:
        low, high = ((first << 24) + rest for rest in (_FIRST, _LAST))
        for pair in range(low // 85**3, high // 85**3 + 1):
            seconds[alphabet[pair // 85]].add(alphabet[pair % 85])
    any_of = "[" + "".join(re.escape(c) for c in alphabet) + "]"
    pairs = "|".join(
        re.escape(first) + "[" + "".join(re.escape(c) for c in sorted(second)) + "]"
        for first, second in sorted(seconds.items())
    )

    def decode(group: str) -> bytes:
        """Shorter groups, at an end, are filled up with the highest character (and lose as many bytes)."""
        number = 0
        for char in group.ljust(5, alphabet[-1]):
            number = number * 85 + value_of[char]
        if number >> 32:
            raise ValueError("no four bytes")
        return number.to_bytes(4, "big")[: len(group) - 1]

    return _Packing(5, rf"(?:{pairs}){any_of}{{3}}", decode, note)


def _unuu(group: str) -> bytes:
    if len(group) < 4:
        raise ValueError("no three bytes")
    return binascii.a2b_uu("#" + group).rstrip(b"\0")


_PACKINGS = (
    _base85(_ASCII85, "ascii85"),
    _base85(_RFC1924, "base85"),
    _base85(_Z85, "z85"),
    _Packing(4, r"[(+,\-.][\"#23BCRS][ `$(,048<@DT][@MP-Y]", _unuu, "uuencode"),
)
PACKED_TRIGGER = "|".join(packing.trigger for packing in _PACKINGS)


def packed_views(text: str) -> Iterator[View]:
    """One view a row of groups, each of its characters at its own group."""
    for packing in _PACKINGS:
        done = 0
        while (match := packing.pattern.search(text, done)) is not None:
            groups = _row(text, match.start(), done, packing)
            done = max(match.start() + 1, groups[-1][1] if groups else 0)
            if groups:
                yield View(
                    "".join(shown for _, _, shown in groups),
                    [start for start, _, shown in groups for _ in shown],
                    [end for _, end, shown in groups for _ in shown],
                    packing.note,
                )


Group = tuple[int, int, str]
"""Start and end of a group in the text, and what it holds."""


def _row(text: str, at: int, least: int, packing: _Packing) -> list[Group]:
    """The groups of printable text before and behind `at`."""
    before: list[Group] = []
    start = at
    while start - packing.width >= least and (shown := _shown(text[start - packing.width : start], packing)):
        before.append((start - packing.width, start, shown))
        start -= packing.width
    groups = before[::-1]
    while (shown := _shown(text[at : at + packing.width], packing)) and at + packing.width <= len(text):
        groups.append((at, at + packing.width, shown))
        at += packing.width
    for size in range(min(_TAIL, len(text) - at), 1, -1):
        if shown := _shown(text[at : at + size], packing):
            groups.append((at, at + size, shown))
            break
    return groups


def _shown(group: str, packing: _Packing) -> str:
    """What a group holds, or "" if that is no printable text."""
    try:
        data = packing.decode(group)
    except (ValueError, KeyError):
        return ""
    return data.decode("ascii") if data and _PRINTABLE.issuperset(data) else ""
