"""Fusing lexical and vector scores, and saying how sure the result is. Pure arithmetic; every constant is measured.

`lexical` is the coverage of `lexical.Lexical.scores`, `dense` the mean of a runbook's two best chunk cosines. The
weight was chosen by five-fold cross-validation over runbooks on the public development set and our own questions
together, the curves by a logistic fit on each (`python -m evals.sets.runbooks_fit DIR …` prints both again). A weighted
sum of scores that mean the same in every query did better than reciprocal rank fusion, which forgets by how much one
runbook leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Asked = Literal["alert", "question"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Probability that the best runbook fits, from its fused score: a logistic with `slope`, one half at `middle`."""

    slope: float
    middle: float

    def __call__(self, scores: Floats) -> Floats:
        return np.asarray(1.0 / (1.0 + np.exp(-self.slope * (scores - self.middle))), np.float64)


DENSE_WEIGHT = 0.45
FITS = 0.5

# Alerts are written near their runbooks and repeat themselves; people's questions are short and in other words, so the
# same raw score means more. The question curve stands between the classes, not at the share of answerable questions.
CURVES: Mapping[tuple[Asked, bool], Curve] = {
    ("alert", False): Curve(slope=17.0, middle=0.40),
    ("alert", True): Curve(slope=21.0, middle=0.43),
    ("question", False): Curve(slope=14.0, middle=0.24),
    ("question", True): Curve(slope=21.0, middle=0.26),
}


def mix(lexical: Floats, dense: Floats | None) -> Floats:
    """The raw score that ranks; shape (runbooks,)."""
    return lexical if dense is None else (1 - DENSE_WEIGHT) * lexical + DENSE_WEIGHT * dense


def fuse(lexical: Floats, dense: Floats | None = None, *, asked: Asked = "alert") -> Floats:
    """Calibrated scores in 0..1, shape (runbooks,)."""
    return CURVES[asked, dense is not None](mix(lexical, dense))
