"""A text as a reader would decode it, with a way back to the places in the original."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """`text` to search; `starts[i]`, `ends[i]` are the place of `text[i]` in the original, or None for the same place.

    `note` names the decoder, for people who ask why something was removed.
    """

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None
    note: str = ""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` of this view as a range of the original text."""
        if self.starts is None or self.ends is None:
            return start, end
        if start >= end:
            return self.starts[start], self.starts[start]
        return self.starts[start], self.ends[end - 1]

    def onto(self, parent: View) -> View:
        """This view of `parent`'s text as a view of what `parent` is a view of."""
        if parent.starts is None or parent.ends is None or self.starts is None or self.ends is None:
            return self if parent.starts is None else View(self.text, parent.starts, parent.ends, self.note)
        starts = [parent.starts[i] for i in self.starts]
        ends = [parent.ends[i - 1] for i in self.ends]
        return View(self.text, starts, ends, self.note)


def rewrite(text: str, pattern: re.Pattern[str], decode: Callable[[re.Match[str]], str | None], note: str) -> View:
    """`text` with each match replaced by what `decode` gives (None leaves it), keeping places."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for match in pattern.finditer(text):
        new = decode(match)
        if new is None:
            continue
        a, b = match.span()
        pieces.append(text[at:a])
        starts.extend(range(at, a))
        ends.extend(range(at + 1, a + 1))
        pieces.append(new)
        starts.extend([a] * len(new))
        ends.extend([b] * len(new))
        at = b
    if not pieces:
        return View(text, note=note)
    pieces.append(text[at:])
    starts.extend(range(at, len(text)))
    ends.extend(range(at + 1, len(text) + 1))
    return View("".join(pieces), starts, ends, note)
