"""Fusing lexical and vector scores, and saying how sure the result is. Pure arithmetic; every constant is measured.

`lexical` is the coverage of `lexical.Lexical.scores`, `chunk` the best cosine of a runbook's chunks with the query, `lead`
the cosine of its opening section. The mix and the two logistic curves were chosen by five-fold cross-validation on the
public development set (`evals/sets/runbooks.py --fit` prints them again); a weighted sum of scores that mean the same in
every query did better there than reciprocal rank fusion, which forgets by how much one runbook leads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Probability that the best runbook fits, from its fused score: a logistic with `slope`, one half at `middle`."""

    slope: float
    middle: float

    def __call__(self, scores: Floats) -> Floats:
        return np.asarray(1.0 / (1.0 + np.exp(-self.slope * (scores - self.middle))), np.float64)


LEXICAL_WEIGHT, CHUNK_WEIGHT, LEAD_WEIGHT = 0.69, 0.20, 0.11
LEXICAL_CURVE = Curve(slope=20.0, middle=0.30)
FUSED_CURVE = Curve(slope=20.0, middle=0.35)
FITS = 0.5


def fuse(lexical: Floats, chunk: Floats | None = None, lead: Floats | None = None) -> Floats:
    """Calibrated scores in 0..1, shape (runbooks,); without vectors the lexical curve is used."""
    if chunk is None or lead is None:
        return LEXICAL_CURVE(lexical)
    return FUSED_CURVE(LEXICAL_WEIGHT * lexical + CHUNK_WEIGHT * chunk + LEAD_WEIGHT * lead)
