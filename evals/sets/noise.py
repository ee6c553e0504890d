"""edgedelta noise bench: page or suppress each alert."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assistant.analysis.triage import Fired, Owned, triage
from evals.importers.edgedelta import Scenario, scenarios, seconds

FLOORS = {"graded": 0.518}
TARGETS = {"graded": 0.75, "must_page_suppressed": 0}


def predict(data: Path) -> Iterator[dict[str, Any]]:
    """`{case, answer: {page[], suppress[]}}` per scenario."""
    for case in scenarios(data):
        decided = triage(fired_of(case), owned_of(case))
        yield {
            "case": case.id,
            "answer": {"page": [d.id for d in decided if d.page], "suppress": [d.id for d in decided if not d.page]},
        }


def fired_of(case: Scenario) -> list[Fired]:
    tracks = {(t.service, t.metric): t for t in case.tracks}
    patterns = {str(p.get("pattern_id", "")): p for p in case.patterns}
    out = []
    for p in case.pages:
        signature = patterns.get(str(p.get("related_pattern") or ""), {})
        track = tracks.get((str(p.get("service", "")), str(p.get("metric", ""))))
        sentiment = signature.get("sentiment")
        at = seconds(str(p.get("fired_at", "")))
        resolved = p.get("auto_resolved_after_s")
        out.append(Fired(
            id=str(p["id"]), service=str(p.get("service", "")), metric=str(p.get("metric", "")),
            rank=_rank(str(p.get("severity", ""))), at=at, value=_number(p.get("value")),
                threshold=_number(p.get("threshold")),
            times_last_hour=int(p.get("fired_count_last_1h") or 0),
            resolved_after=float(resolved) if resolved is not None else None,
            signature_id=str(p.get("related_pattern") or ""), signature=str(signature.get("signature", "")),
            rise=_number(signature.get("delta_vs_baseline_pct")),
                complaint=None if sentiment is None else sentiment == "negative",
            t=track.t if track else np.array([]), v=track.v if track else np.array([]),
            churn=bool(p.get("recent_deploy")) or _in_maintenance(case, str(p.get("service", "")), at),
        ))  # fmt: skip
    return out


def owned_of(case: Scenario) -> list[Owned]:
    return [
        Owned(str(i.get("service", "")), str(i.get("metric", "")).replace("*", ""), str(i.get("related_pattern") or ""))
        for i in case.open_incidents
    ]


def _rank(severity: str) -> int:
    digits = "".join(c for c in severity if c.isdigit())
    return int(digits) if digits else {"critical": 1, "high": 2, "warning": 3}.get(severity.lower(), 3)


def _number(x: Any) -> float:
    return float(x) if isinstance(x, (int, float)) else float("nan")


def _in_maintenance(case: Scenario, service: str, at: float) -> bool:
    return any(
        service in (d.get("scope") or ())
        and seconds(str(d.get("window_start", ""))) <= at <= seconds(str(d.get("window_end", "")))
        for d in case.deploys
    )


def score(predictions: list[Mapping[str, Any]], data: Path) -> dict[str, Any]:
    """F1 of the pages per case, 0 where an alert that must page was suppressed; the mean of them is `graded`."""
    rows = []
    for p in predictions:
        path = data / "ground_truth" / f"{p['case']}.json"
        if not path.is_file():
            continue
        truth = json.loads(path.read_text(encoding="utf-8"))
        real = {k for k, v in truth["labels"].items() if v == "page"}
        paged = set(p["answer"]["page"])
        hits, missed = len(real & paged), [m for m in truth["must_page"] if m not in paged]
        f1 = 2 * hits / (len(real) + len(paged)) if real or paged else 1.0
        rows.append(
            {
                "case": p["case"],
                "f1": f1,
                "graded": 0.0 if missed else f1,
                "must_page_suppressed": missed,
                "wrongly_paged": sorted(paged - real),
                "missed": sorted(real - paged),
            }
        )
    n = len(rows)
    graded = [r["graded"] for r in rows]
    return {
        "set": "noise",
        "cases": rows,
        "figures": {
            "graded": float(np.mean(graded)) if n else 0.0,
            "must_page_suppressed": sum(len(r["must_page_suppressed"]) for r in rows),
            "count": n, "interval": _spread(graded), "f1": float(np.mean([r["f1"] for r in rows])) if n else 0.0,
        },
        "floors": FLOORS,
        "targets": TARGETS,
        "failures": [r["case"] for r in rows if r["graded"] < 0.75],
    }  # fmt: skip


def _spread(values: list[float]) -> tuple[float, float]:
    """A 95 % interval of the mean by resampling cases, seeded."""
    if not values:
        return 0.0, 1.0
    rng = np.random.default_rng(1)
    means = rng.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
