"""What a sentence of one revision became in the next, word by word. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

ALIKE = 0.5
"""Two sentences that share this much are the same one, changed."""
_WORD = re.compile(r"[ \n\t]+|[^ \n\t]+")
"""A thin space between thousands parts no words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`how` is same, gone or came."""

    how: str
    text: str


Line = tuple[Piece, ...]


def lines_of(before: Sequence[str], after: Sequence[str]) -> tuple[Line, ...]:
    """Lines that differ, in the order of `after`, then those that went. A line that is much like one that went stands
    as that one, changed."""
    gone = [text for text in before if text not in after]
    found: list[Line] = []
    for text in (t for t in after if t not in before):
        was = max(gone, key=lambda other: _alike(other, text), default=None)
        if was is None or _alike(was, text) < ALIKE:
            found.append((Piece("came", text),))
        else:
            gone.remove(was)
            found.append(words_of(was, text))
    return (*found, *((Piece("gone", text),) for text in gone))


def words_of(before: str, after: str) -> Line:
    old, new = _WORD.findall(before), _WORD.findall(after)
    pieces: list[Piece] = []
    for how, i, j, k, n in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            pieces.append(Piece("same", "".join(old[i:j])))
            continue
        pieces += [Piece("gone", "".join(old[i:j]))] if j > i else []
        pieces += [Piece("came", "".join(new[k:n]))] if n > k else []
    return tuple(pieces)


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, _WORD.findall(one), _WORD.findall(other), autojunk=False).ratio()
