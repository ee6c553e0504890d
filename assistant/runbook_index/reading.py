"""Reading a query in the words of the runbooks: abbreviations, slang, slips of the finger, other languages.

Only words that no runbook of the folders uses are touched, so a query in the runbooks' own words is read as it stands.
An unknown word that `trade_words` knows is replaced by what it means, one that is a letter away from a word of the
runbooks by that word, and an unknown number says nothing. A turn of phrase adds its meaning at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import ascii_lowercase

from assistant.runbook_index.text import fold, stem, surface
from assistant.runbook_index.trade_words import MOST_WORDS, trade_words

SPELT = 5  # letters a word has at least before it may be a slip
_WORD = re.compile(r"[^\W_]+")


def read(text: str, known: Mapping[str, int]) -> str:
    """`text` in words of the runbooks; `known` says of each stem in how many of them it stands."""
    said = list(_WORD.finditer(text))
    folded = [fold(word[0]) for word in said]
    phrases, taken = _phrases(folded)
    out, at = "", 0
    for n, word in enumerate(said):
        meant = "" if n in taken and not _is_known(word[0], known) else _meant(word[0], folded[n], known)
        if meant != word[0]:
            out, at = out + text[at : word.start()] + meant, word.end()
    return " ".join(filter(None, (out + text[at:], *phrases)))


def _phrases(folded: list[str]) -> tuple[list[str], set[int]]:
    """What the turns of phrase mean, and the numbers of the words that they are made of."""
    found: list[str] = []
    taken: set[int] = set()
    for n in range(len(folded)):
        for size in range(MOST_WORDS, 1, -1):
            meant = trade_words().get(tuple(folded[n : n + size]))
            if meant and len(folded) >= n + size:
                found.append(meant)
                taken.update(range(n, n + size))
                break
    return found, taken


def _meant(word: str, folded: str, known: Mapping[str, int]) -> str:
    if _is_known(word, known):
        return word
    meant = trade_words().get((folded,))
    if meant is not None:
        return meant
    if word.isdigit():
        return ""
    return _spelt(folded, known) or word


def _is_known(word: str, known: Mapping[str, int]) -> bool:
    return all(stem(part) in known for part in surface(word))


def _spelt(word: str, known: Mapping[str, int]) -> str:
    """The commonest word of the runbooks that one slip makes this one, first letter kept; "" where there is none."""
    bare = stem(word)
    if len(bare) < SPELT or not (bare.isascii() and bare.isalpha()):
        return ""
    return max((one for one in _slips(bare) if one in known), key=lambda one: (known[one], one), default="")


def _slips(word: str) -> Iterator[str]:
    """Every string one letter left out, put in, changed or swapped away (Damerau 1964)."""
    for n in range(1, len(word) + 1):
        head, tail = word[:n], word[n:]
        yield head + tail[1:]
        yield from (head + letter + tail for letter in ascii_lowercase)
        if tail:
            yield from (head + letter + tail[1:] for letter in ascii_lowercase)
            yield head[:-1] + tail[0] + head[-1] + tail[1:] if n > 1 else word
