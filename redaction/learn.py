"""A vocabulary from a team's own logs: words common enough that they cannot be a person's name.

A word counts once for each distinct hour, or trace, that it appears in: not for each line, because a retry loop makes
any name common. Kept while counting: the word, and a keyed hash of its hours or traces, up to `least` of them; written
at the end: the words that reached `least`, and nothing else. Listed names are never learnt.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

from redaction.names import Vocabulary, default_vocabulary
from redaction.views import base_view

LEAST = 20
_MAX_WORDS = 500_000
_WORD = re.compile(r"(?<![\w.\-/\\@])[^\W\d_]{2,32}(?![\w\-/@]|\.\w)")
_HOUR = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})[T ](\d{2}):\d{2}")
_EPOCH = re.compile(r"(?<!\d)(1[5-9]\d{8})(?:\d{3}|\d{6}|\d{9})?(?!\d)")
_TRACE = re.compile(r"(?i)(?:trace|request|correlation|req)[_\-]?id[\"']?\s?[:=]\s?[\"']?([0-9A-Za-z\-]{8,64})")


class Learner:
    """Counts words by distinct hour or trace."""

    def __init__(self, *, least: int = LEAST, vocabulary: Vocabulary | None = None) -> None:
        self._least = least
        self._known = vocabulary or default_vocabulary()
        self._key = secrets.token_bytes(16)
        self._places: dict[str, set[bytes]] = {}
        self._learnt: set[str] = set()
        self.lines = 0
        self.unplaced = 0

    def add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.lines += 1
            place = self._place(line)
            if place is None:
                self.unplaced += 1
                continue
            for word in {match[0].lower() for match in _WORD.finditer(base_view(line).text)}:
                self._count(word, place)

    def _count(self, word: str, place: bytes) -> None:
        if word in self._learnt or word in self._known.common or self._known.is_name(word):
            return
        places = self._places.get(word)
        if places is None:
            if len(self._places) >= _MAX_WORDS:
                return
            places = self._places[word] = set()
        places.add(place)
        if len(places) >= self._least:
            self._learnt.add(word)
            del self._places[word]

    def _place(self, line: str) -> bytes | None:
        """The hour and the trace of a line, whichever it has, hashed under a key that dies with the run."""
        trace = _TRACE.search(line)
        hour = _HOUR.search(line)
        epoch = None if hour else _EPOCH.search(line)
        if trace:
            found = f"t{trace[1]}"
        elif hour:
            found = f"h{hour[1]} {hour[2]}"
        elif epoch:
            found = f"e{int(epoch[1]) // 3600}"
        else:
            return None
        return hashlib.blake2b(found.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).digest()

    def vocabulary(self) -> str:
        """The file for `[names] vocabulary`: words in order, and how often a word had to be seen."""
        head = f"# Words seen in at least {self._least} distinct hours or traces. Made by `payops redact learn`.\n"
        return head + "".join(f"{word}\n" for word in sorted(self._learnt))

    def __len__(self) -> int:
        return len(self._learnt)
