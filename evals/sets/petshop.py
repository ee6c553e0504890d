"""PetShop: the root service of a failing target, from real telemetry with a call graph (arXiv 2311.04806)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assistant.analysis.stats import wilson
from assistant.analysis.traverse import NodeChange, roots
from assistant.core.evidence import Floats
from evals.importers.petshop import PetshopCase, Table, cases

FLOORS = {"top1": 0.65, "top3": 0.83}
"""Topology traversal, as published for the whole set; a score over all metrics gets .02."""
TARGETS = {"top1": 0.75, "top3": 0.92}


def predict(data: Path) -> Iterator[dict[str, Any]]:
    """`{case, answer: {ranked[]}}` per case, nodes from the likeliest root down."""
    for case in cases(data):
        ranked = roots(changes_of(case), case.topology, case.target)
        yield {"case": case.id, "answer": {"ranked": list(ranked[:10])}}


def changes_of(case: PetshopCase) -> dict[str, NodeChange]:
    """How each node changed in the target's measure: extra seconds, or extra failures, per period over all requests.

    Totals and not means, because a caller's total holds its callees' totals whatever share of its requests calls them.
    """
    during = case.table.t >= case.at - 150.0
    changes: dict[str, NodeChange] = {}
    for (node, metric, statistic), v in case.table.columns.items():
        if metric != case.metric or statistic != case.statistic:
            continue
        normal = case.normal.columns.get((node, metric, statistic), np.array([]))
        v, normal = (1 - 0.01 * x if metric == "availability" else x for x in (v, normal))
        usual, sigma = _usual(v[~during], normal)
        part = v[during]
        if not np.isfinite(part).any() or not np.isfinite(usual):
            continue
        requests = _requests(case.table, node, during)
        extra = np.where(np.isfinite(part), part - usual, 0.0) * requests
        unusual = float(np.nanmax(part) - usual) / sigma if sigma > 0 else 0.0
        changes[node] = NodeChange(float(extra.sum()), unusual)
    return changes


def _usual(before: Floats, normal: Floats) -> tuple[float, float]:
    """Level just before, the better of the samples there since the later may hold the onset already; scale from the
    normal data, which are months away."""
    near, far = before[np.isfinite(before)], normal[np.isfinite(normal)]
    if not len(near) and not len(far):
        return float("nan"), 0.0
    level = float(near.min()) if len(near) else float(np.median(far))
    spread = float(np.subtract(*np.percentile(far, (95, 5)))) / 3.29 if len(far) > 10 else 0.0
    return level, max(spread, 0.05 * abs(level), 2e-3)


def _requests(table: Table, node: str, during: np.ndarray) -> Floats:
    counted = table.columns.get((node, "requests", "Sum"))
    if counted is None:
        return np.ones(int(during.sum()))
    return np.asarray(np.nan_to_num(counted[during], nan=0.0), dtype=np.float64)


def score(predictions: list[Mapping[str, Any]], data: Path) -> dict[str, Any]:
    """Top-1 and top-3, as published, with 95 % intervals."""
    truth: dict[str, str] = json.loads((data / "ground_truth.json").read_text(encoding="utf-8"))
    rows = []
    for p in predictions:
        root, ranked = truth.get(p["case"]), list(p["answer"]["ranked"])
        if root is not None:
            rows.append(
                {
                    "case": p["case"],
                    "root": root,
                    "ranked": ranked[:3],
                    "top1": ranked[:1] == [root],
                    "top3": root in ranked[:3],
                }
            )
    n = len(rows)
    hits = {k: sum(bool(r[k]) for r in rows) for k in ("top1", "top3")}
    return {
        "set": "petshop",
        "cases": rows,
        "figures": {
            **{k: hits[k] / n if n else 0.0 for k in hits},
            "count": n,
            "hits": hits,
            "interval": {k: wilson(hits[k], n) for k in hits},
        },
        "floors": FLOORS,
        "targets": TARGETS,
        "failures": [r["case"] for r in rows if not r["top1"]],
    }
