"""Finding patterns that begin with one of a few words: literal search first, then the pattern at those places only.

`re` tries a pattern without a fixed beginning at every character, at 50 ns each; `str.find` is a hundred times faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator


def lowered(text: str) -> str:
    """`text` in small letters, each at its own place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if c.isascii() else c for c in text)


def beginning_with(stems: tuple[str, ...], pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Matches of `pattern` that begin with one of `stems` (in small letters), whatever the letters' case; by stem."""
    low = lowered(text)
    for stem in stems:
        at = low.find(stem)
        while at >= 0:
            match = pattern.match(text, at)
            if match:
                yield match
            at = low.find(stem, match.end() if match else at + 1)
