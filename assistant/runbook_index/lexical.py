"""BM25 over whole runbooks (bm25s), the opening section counted three times, divided by what a perfect match has.

Dividing by the query's own idf mass makes scores comparable between queries, which a threshold needs: near 1, every
word of the query stands in the runbook about as often as it can count. The opening section ("Meaning") says what the
alert is; the rest of a runbook shares its words with its neighbours (kubectl, logs, dashboards).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assistant.runbook_index.reading import read
from assistant.runbook_index.text import surface, tokens

if TYPE_CHECKING:
    from bm25s import BM25

Floats = NDArray[np.float64]
K1, B = 1.2, 0.75
LEAD_WORDS, LEAD_TIMES = 80, 2


class Lexical:
    """An index over `(lead, whole)` texts, one pair a runbook, in the order given."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        self.size = len(texts)
        corpus = [tokens(whole) + tokens(lead)[:LEAD_WORDS] * LEAD_TIMES for lead, whole in texts]
        frequencies = Counter(term for document in corpus for term in set(document))
        self._known = frequencies
        self._idf = {term: _idf(n, self.size) for term, n in frequencies.items()}
        self._bm25 = _build(corpus) if frequencies else None

    def read(self, query: str) -> str:
        """`query` in the words of these texts; see `reading.read`."""
        return read(query, self._known)

    def scores(self, query: str) -> Floats:
        """How well each runbook covers `query`, 0 to about 1; shape (runbooks,)."""
        terms = tokens(query)
        mass = sum(self._idf.get(term, _idf(0, self.size)) for term in terms)
        known = [term for term in terms if term in self._idf]
        if self._bm25 is None or not known:
            return np.zeros(self.size)
        return np.asarray(self._bm25.get_scores(known), np.float64) / mass

    def matched(self, query: str, section: str, *, most: int = 4) -> tuple[str, ...]:
        """The words of `query`, as written there, that weigh most of those that stand in `section`."""
        weights = self.weights(query, section)
        first: dict[str, str] = {}
        for word, term in zip(surface(query), tokens(query), strict=True):
            first.setdefault(term, word)
        best = sorted(weights, key=lambda term: (-weights[term], term))[:most]
        return tuple(first[term] for term in sorted(best, key=list(first).index))

    def weights(self, query: str, section: str) -> Mapping[str, float]:
        """The idf of each query term that stands in `section`, times how often the query says it."""
        there = _terms(section)
        counted = Counter(term for term in tokens(query) if term in there)
        return {term: n * self._idf.get(term, 0.0) for term, n in counted.items()}


@lru_cache(maxsize=2048)
def _terms(section: str) -> frozenset[str]:
    """Kept, because a question asks it of every section of the runbooks it shows, and alerts come back."""
    return frozenset(tokens(section))


def _idf(containing: int, size: int) -> float:
    """Lucene's: never negative (Kamphuis et al. 2020, table 1)."""
    return math.log(1 + (size - containing + 0.5) / (containing + 0.5))


def _build(corpus: list[list[str]]) -> BM25:
    import bm25s

    index = bm25s.BM25(k1=K1, b=B, method="lucene")
    index.index([document or [""] for document in corpus], show_progress=False)
    return index
