"""`python -m evals.sets.runbooks_fit DIR …`: print again the constants of `assistant/runbook_index/ranking.py`.

Each DIR has the form of the runbooks set, answers included. For each weight of the vectors: mean reciprocal rank and
abstention area per set. The weight is chosen per fold on the other four folds of all sets together (folds by runbook,
so that no runbook is in both) and judged on the fold left out. The curves are logistic fits per set of "this query has
an answer" on the best raw score: the public set holds alerts, `ops_questions` holds questions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from assistant.runbook_index.lexical import Floats
from assistant.runbook_index.ranking import DENSE_WEIGHT
from evals.sets.runbooks import auroc, open_set, rows

WEIGHTS = tuple(round(0.05 * n, 2) for n in range(15))
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Scored:
    """Raw scores of one set, shape (queries, runbooks) each; `wanted[q]` are the right runbooks' numbers."""

    name: str
    lexical: Floats
    dense: Floats
    wanted: tuple[tuple[int, ...], ...]

    def mixed(self, weight: float) -> Floats:
        return (1 - weight) * self.lexical + weight * self.dense

    def reciprocal(self, weight: float) -> Floats:
        """Reciprocal rank per query, NaN where no runbook is right."""
        order = np.argsort(-self.mixed(weight), axis=1, kind="stable")
        return np.array(
            [1 / (1 + np.isin(o, w).argmax()) if w else np.nan for o, w in zip(order, self.wanted, strict=True)]
        )

    def fold(self) -> Floats:
        return np.array([min(w) % FOLDS if w else -1 for w in self.wanted])

    def area(self, weight: float) -> float:
        best = self.mixed(weight).max(axis=1)
        return auroc(
            *[[float(b) for b, w in zip(best, self.wanted, strict=True) if bool(w) is fits] for fits in (True, False)]
        )


def scored(folder: Path) -> Scored:
    view = open_set(folder).view
    if view.vectors is None:
        raise SystemExit("the embedder's weights are not installed: make embedder")
    number = {r.path.removesuffix(".md"): n for n, r in enumerate(view.library.runbooks)}
    truth = {r["qid"]: tuple(number[d] for d in r["relevant"]) for r in rows(folder / "ground_truth.jsonl")}
    queries = list(rows(folder / "queries.jsonl"))
    return Scored(
        folder.name,
        np.stack([view.lexical.scores(q["text"]) for q in queries]),
        np.stack([view.vectors.similarities(q["text"]) for q in queries]),
        tuple(truth[q["qid"]] for q in queries),
    )


def curve(best: Floats, fits: Floats) -> tuple[float, float]:
    """Slope and middle of the logistic that makes `fits` (0 or 1) most likely."""

    def loss(p: Floats) -> float:
        return float(np.mean(np.logaddexp(0, -(2 * fits - 1) * p[0] * (best - p[1]))) + 1e-4 * p[0] ** 2)

    found = minimize(loss, (15.0, float(best.mean())), method="Nelder-Mead").x
    return float(found[0]), float(found[1])


def cross_validated(sets: Sequence[Scored]) -> list[tuple[float, float]]:
    """Per fold the weight chosen on the others, and the mean reciprocal rank on it; all sets weigh alike."""
    table = {w: [s.reciprocal(w) for s in sets] for w in WEIGHTS}
    folds = [s.fold() for s in sets]

    def held(w: float, fold: int, *, inside: bool) -> float:
        means = [np.nanmean(r[(f == fold) == inside]) for f, r in zip(folds, table[w], strict=True)]
        return float(np.mean(means))

    out = []
    for fold in range(FOLDS):
        best = max(WEIGHTS, key=lambda w: held(w, fold, inside=False))
        out.append((best, held(best, fold, inside=True)))
    return out


def main(folders: Sequence[str]) -> None:
    sets = [scored(Path(f)) for f in folders]
    for w in WEIGHTS:
        print(
            f"{w:.2f}",
            *(f"{s.name}: mrr {np.nanmean(s.reciprocal(w)):.3f} auroc {s.area(w):.3f}" for s in sets),
            sep="  ",
        )
    print("cross-validated (weight, mrr held out):", [(w, round(m, 3)) for w, m in cross_validated(sets)])
    for s in sets:
        fits = np.array([float(bool(w)) for w in s.wanted])
        for name, weight in (("words alone", 0.0), (f"fused at {DENSE_WEIGHT}", DENSE_WEIGHT)):
            print(s.name, name, "slope {:.1f} middle {:.3f}".format(*curve(s.mixed(weight).max(axis=1), fits)))


if __name__ == "__main__":
    main(sys.argv[1:])
