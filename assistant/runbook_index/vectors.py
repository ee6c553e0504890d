"""Vectors in memory: exact cosines by one matrix product. For one search, for evaluation, and to check the store by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assistant.runbook_index.cache import Cache
from assistant.runbook_index.chunks import chunks
from assistant.runbook_index.embedder import MODEL, Embedder
from assistant.runbook_index.lexical import Floats
from assistant.runbook_index.library import Library

BEST = 2


class MatrixVectors:
    """Implements `index.Vectors`. `owners[i]` is the runbook that row i of `matrix` belongs to."""

    def __init__(self, matrix: NDArray[np.float32], owners: Sequence[int], *, size: int, embedder: Embedder) -> None:
        self.matrix, self.owners, self.size = matrix, np.asarray(owners, np.int64), size
        self._embedder = embedder

    def similarities(self, query: str) -> Floats:
        cosines = self.matrix @ self._embedder.embed([query])[0] if self.size else np.empty(0)
        return best_mean(cosines.astype(np.float64), self.owners, size=self.size)


def embed_library(library: Library, embedder: Embedder, cache: Cache) -> MatrixVectors:
    """Vectors of every chunk, from the cache where they are kept."""
    cut = [chunks(runbook) for runbook in library.runbooks]
    texts = [text for pieces in cut for text in pieces]
    owners = [n for n, pieces in enumerate(cut) for _ in pieces]
    matrix = cache.vectors(texts, model=MODEL, embed=embedder.embed)
    return MatrixVectors(matrix, owners, size=len(cut), embedder=embedder)


def best_mean(cosines: Floats, owners: NDArray[np.int64], *, size: int, floor: float = 0.0) -> Floats:
    """For each of `size` runbooks the mean of its two best cosines; of one where it has one, `floor` where none.

    Two, because one chunk may match by a turn of phrase; a runbook that is about the query says so twice.
    """
    out = np.full(size, floor)
    if not cosines.size:
        return out
    order = np.lexsort((-cosines, owners))
    owner, cosine = owners[order], cosines[order]
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    place = np.arange(owner.size) - np.repeat(starts, np.diff(np.r_[starts, owner.size]))
    best, owner = cosine[place < BEST], owner[place < BEST]
    told = np.bincount(owner, minlength=size)
    out[told > 0] = np.bincount(owner, best, minlength=size)[told > 0] / told[told > 0]
    return out
