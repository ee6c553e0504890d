"""Fusing lexical and vector scores, and saying how sure the result is. Pure arithmetic; every constant is measured.

`lexical` is the coverage of `lexical.Lexical.scores`, `dense` the mean of a runbook's two best chunk cosines. Weight
and curves were chosen on the public development set, the weight by five-fold cross-validation over runbooks
(`python -m evals.sets.runbooks_fit DIR` prints both again). A weighted sum of scores that mean the same in every query
did better there than reciprocal rank fusion, which forgets by how much one runbook leads.
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


DENSE_WEIGHT = 0.35
LEXICAL_CURVE = Curve(slope=21.0, middle=0.40)
FUSED_CURVE = Curve(slope=27.0, middle=0.43)
FITS = 0.5


def mix(lexical: Floats, dense: Floats | None) -> Floats:
    """The raw score that ranks; shape (runbooks,)."""
    return lexical if dense is None else (1 - DENSE_WEIGHT) * lexical + DENSE_WEIGHT * dense


def fuse(lexical: Floats, dense: Floats | None = None) -> Floats:
    """Calibrated scores in 0..1, shape (runbooks,); without vectors the lexical curve is used."""
    return (LEXICAL_CURVE if dense is None else FUSED_CURVE)(mix(lexical, dense))
