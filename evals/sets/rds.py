"""opensre synthetic incidents, of databases and of workloads on Kubernetes: the category, and the facts that a note
must and must not hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.analysis.cluster import diagnose_cluster, on_cluster
from assistant.analysis.database import Diagnosis, diagnose
from assistant.analysis.stats import wilson
from evals.importers.opensre import SreCase, cases

FLOORS: dict[str, float] = {}
TARGETS = {"passed": 0.8}


def predict(data: Path) -> Iterator[dict[str, Any]]:
    """`{case, answer}` per case, the answer a note in the form of `--json`, with its category."""
    for case in cases(data):
        yield {"case": case.id, "answer": note_of(case, diagnosis_of(case))}


def diagnosis_of(case: SreCase) -> Diagnosis:
    """By the vital signs of a database, or by what a cluster says of its workloads, as the evidence is."""
    if on_cluster(case.facts, case.vitals.alert) and not case.vitals.queries:
        return diagnose_cluster(case.vitals, case.facts)
    return diagnose(case.vitals)


def note_of(case: SreCase, d: Diagnosis) -> dict[str, Any]:
    well = d.category == "healthy"
    return {
        "status": "nothing wrong now" if well else "open",
        "title": d.cause.split(":")[0].split(".")[0],
        "root_cause_category": d.category,
        "summary": f"ROOT_CAUSE: {d.cause}. ROOT_CAUSE_CATEGORY: {d.category}",
        "hypotheses": [] if well else [{
            "entity": ", ".join(d.limits), "cause": d.cause, "kind": d.category, "class": "likely",
            "evidence": [{"text": text, "source": source} for text, source in d.claims],
            "against": [{"text": text, "source": source} for text, source in d.ruled_out],
        }],
        "evidence": [{"text": text, "source": source} for text, source in d.claims],
        "sources": list(case.sources),
        "not_known": [text for text, source in d.claims if source == "gap"],
    }  # fmt: skip


def score(predictions: list[Mapping[str, Any]], data: Path) -> dict[str, Any]:
    """Passed: the right category, no forbidden one, every required word, no forbidden word, every required source."""
    import yaml

    rows = []
    for p in predictions:
        path = data / "ground_truth" / p["case"] / "answer.yml"
        if not path.is_file():
            continue
        rubric = yaml.safe_load(path.read_text(encoding="utf-8"))
        answer = p["answer"]
        text = json.dumps(answer, ensure_ascii=False).lower()
        wanted = [*rubric.get("required_keywords", ()), *rubric.get("ruling_out_keywords", ())]
        missing = [k for k in wanted if str(k).lower() not in text]
        forbidden = [k for k in rubric.get("forbidden_keywords", ()) if str(k).lower() in text]
        category = answer["root_cause_category"]
        right = category == rubric["root_cause_category"] and category not in rubric.get("forbidden_categories", ())
        sources = [s for s in rubric.get("required_evidence_sources", ()) if s not in text]
        rows.append(
            {
                "case": p["case"],
                "category": category,
                "right_category": right,
                "missing": missing,
                "forbidden": forbidden,
                "sources": sources,
                "passed": right and not missing and not forbidden and not sources,
            }
        )
    n, hits = len(rows), sum(bool(r["passed"]) for r in rows)
    return {
        "set": "rds",
        "cases": rows,
        "figures": {
            "passed": hits / n if n else 0.0,
            "hits": hits,
            "count": n,
            "interval": wilson(hits, n),
            "categories": sum(bool(r["right_category"]) for r in rows),
        },
        "floors": FLOORS,
        "targets": TARGETS,
        "failures": [r["case"] for r in rows if not r["passed"]],
    }
