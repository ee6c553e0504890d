"""The word lists of this room, and the form in which words are compared. Pure, apart from reading the lists once."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_ENDINGS = (
    ("ingly", ""),
    ("edly", ""),
    ("ing", ""),
    ("ied", "y"),
    ("ies", "y"),
    ("ed", ""),
    ("es", ""),
    ("ly", ""),
    ("s", ""),
)
_TWO = re.compile(r"([bdgklmnprst])\1$")


@cache
def ordinary() -> frozenset[str]:
    """Words that are no names even with a capital, in small letters."""
    return _read("words.txt")


@cache
def plain() -> frozenset[str]:
    """Stems of words that say nothing about payments by themselves."""
    return _stems(_read("plain.txt"))


@cache
def terms() -> frozenset[str]:
    """Stems of what the trade speaks of: said only where evidence has it."""
    return _stems(_read("terms.txt") | ordinary())


@cache
def stem(word: str) -> str:
    """A word without its ending, the same for all of its forms: crude, and the same on both sides of a comparison."""
    word = re.sub(r"['’]s$|['’]$", "", word.casefold()).replace("isation", "ization").replace("ise", "ize")
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    word = _TWO.sub(r"\1", word)
    return word[:-1] + "i" if word.endswith("y") else word


def _read(name: str) -> frozenset[str]:
    return frozenset(Path(__file__).with_name(name).read_text(encoding="utf-8").split())


def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset(stem(part) for word in words for part in word.split("-"))
