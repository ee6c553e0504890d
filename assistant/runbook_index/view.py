"""One version of the library with what ranks it. Never changed after it is made: a rebuild makes another and swaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from assistant.core.alert import Alert
from assistant.errors import RunbookIndexError
from assistant.runbook_index.exact import exact_matches, named_in
from assistant.runbook_index.lexical import Floats, Lexical
from assistant.runbook_index.library import Library, lead, whole
from assistant.runbook_index.ranking import Asked, fuse

GENERIC_HANDICAP = 0.05


class Vectors(Protocol):
    """Sentence vectors of every runbook, in the library's order."""

    def similarities(self, query: str) -> Floats:
        """The mean of a runbook's two best chunk cosines; shape (runbooks,). Raises RunbookIndexError."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One query of several that are asked together: the alert's words, the question, the findings. `share` 0..1."""

    text: str
    asked: Asked = "alert"
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A runbook's place: its number in the library, its calibrated score, what matched exactly (or ""), the query."""

    number: int
    score: float
    exact: str
    query: str


class View:
    """Safe to share between threads."""

    def __init__(self, library: Library, vectors: Vectors | None = None) -> None:
        self.library = library
        self.trouble = ""
        self.vectors = vectors
        self._lexical: Lexical | None = None
        self._handicap = GENERIC_HANDICAP * np.array([r.generic for r in library.runbooks], np.float64)

    @property
    def lexical(self) -> Lexical:
        """Built when first asked: an exact match needs none of it."""
        if self._lexical is None:
            self._lexical = Lexical([(lead(r), whole(r)) for r in self.library.runbooks])
        return self._lexical

    def named(self, alerts: Sequence[Alert], question: str, query: str) -> list[Hit]:
        """Runbooks that an alert's URL or name, or a name written in the question, points at."""
        runbooks = self.library.runbooks
        found: dict[int, str] = {}
        for n, why in (*exact_matches(runbooks, alerts), *named_in(runbooks, question)):
            found.setdefault(n, why)
        return [Hit(n, 1.0, why, query) for n, why in found.items()]

    def ranked(self, parts: Sequence[Part]) -> list[Hit]:
        """Every runbook, best first: its best score over the parts, a shipped one a little behind a team's own."""
        if not parts or not self.library.runbooks:
            return []
        scores = np.stack([self._scores(part) * part.share for part in parts])
        best, which = scores.max(axis=0), scores.argmax(axis=0)
        order = np.argsort(-(best - self._handicap), kind="stable")
        return [Hit(int(n), float(best[n]), "", parts[int(which[n])].text) for n in order]

    def _scores(self, part: Part) -> Floats:
        text = self.lexical.read(part.text)
        lexical = self.lexical.scores(text)
        if self.vectors is None:
            return fuse(lexical, asked=part.asked)
        try:
            dense = self.vectors.similarities(text)
        except RunbookIndexError as error:
            self.trouble = f"{error.message}; ranked by words alone"
            return fuse(lexical, asked=part.asked)
        self.trouble = ""
        return fuse(lexical, dense, asked=part.asked)
