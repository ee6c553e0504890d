"""edgedelta blast-radius bench: the service that failed first, and the directed edges the failure took."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assistant.analysis import words as w
from assistant.analysis.spread import Moved, spread
from assistant.analysis.stats import wilson
from evals.importers.edgedelta import Scenario, Track, scenarios, seconds

FLOORS = {"passed": 3 / 17, "graded": 0.68}
TARGETS = {"passed": 5 / 11}
_SHARE = w.word_set("pct percent ratio rate share")
_LOAD = w.word_set("rps qps requests outbound retry retries calls connections publish produced")


def predict(data: Path) -> Iterator[dict[str, Any]]:
    """`{case, answer: {origin, edges[[from, to]]}}` per scenario."""
    for case in scenarios(data):
        moved, depends = moved_of(case), depends_of(case)
        found = spread(moved, depends, told=named_of(case, list(moved)))
        yield {"case": case.id, "answer": {"origin": found.origin, "edges": [list(e) for e in found.edges]}}


def onset_of(track: Track) -> float | None:
    """When a sparse track left its first level for good: shares by three points, everything else by half."""
    finite = np.isfinite(track.v)
    t, v = track.t[finite], track.v[finite]
    if len(v) < 2:
        return None
    early = v[: max(len(v) // 4, 1)]
    base, noise = float(np.median(early)), float(np.ptp(early))
    name = set(w.words(track.metric))
    if name & _SHARE and (
        {"error", "errors", "fail", "failure", "failed", "5xx"} & name or float(np.max(np.abs(v))) <= 1.5
    ):
        step = 3.0 if {"pct", "percent"} & name or float(np.max(np.abs(v))) > 1.5 else 0.03
    else:
        step = max(0.6 * abs(base), 3 * noise, 1.0 if {"count", "pause", "lag", "restarts"} & name else 1e-9)
    out = np.abs(v - base) > max(step, 2 * noise)
    if not out[-1] and int(out.sum()) < 2:
        return None
    return float(t[int(np.argmax(out))]) if out.any() else None


def moved_of(case: Scenario) -> dict[str, Moved]:
    """Nodes that moved: by their metrics, else (where they have none) by complaints as loud as a tenth of the
    loudest."""
    onsets: dict[str, float] = {}
    loads: dict[str, float] = {}
    measured = {t.service for t in case.tracks}
    for track in case.tracks:
        at = onset_of(track)
        if at is None:
            continue
        onsets[track.service] = min(at, onsets.get(track.service, at))
        if set(w.words(track.metric)) & _LOAD:
            loads[track.service] = min(at, loads.get(track.service, at))
    negative = [p for p in case.patterns if p.get("sentiment") == "negative"]
    loudest = max((_count(p) for p in negative), default=0.0)
    for p in case.patterns:
        service, seen = str(p.get("service", "")), seconds(str(p.get("first_seen", "")))
        if not np.isfinite(seen) or _rise(p) < 0.5 * _count(p):
            continue
        if service in onsets:
            onsets[service] = min(onsets[service], max(seen, onsets[service] - 300.0))
        elif service not in measured and p in negative and _count(p) >= 0.1 * loudest:
            onsets[service] = min(seen, onsets.get(service, seen))
    return {n: Moved(at, flooding=n in loads and loads[n] <= at + 1.0) for n, at in onsets.items()}


def _count(p: Mapping[str, Any]) -> float:
    return float(p.get("count") or 0)


def _rise(p: Mapping[str, Any]) -> float:
    digits = re.sub(r"[^\d.-]", "", str(p.get("delta_vs_baseline", "0")))
    return float(digits) if re.fullmatch(r"-?\d+(\.\d+)?", digits) else 0.0


def depends_of(case: Scenario) -> list[tuple[str, str]]:
    """(dependent, dependency): call edges, and shared things that a service's entry in the map names."""
    out = [(str(e["from"]), str(e["to"])) for e in case.service_map.get("edges", ()) if "from" in e and "to" in e]
    listed = case.service_map.get("services", case.service_map.get("nodes", ()))
    names = [s if isinstance(s, str) else str(s.get("name", "")) for s in listed]
    things = {t.service for t in case.tracks} - set(names)
    things |= {
        str(d.get("name", "")) if isinstance(d, Mapping) else str(d) for d in case.service_map.get("datastores", ())
    }
    for entry in listed:
        if not isinstance(entry, Mapping):
            continue
        said = [x for k, value in entry.items() if k != "name" for x in (value if isinstance(value, list) else [value])]
        for thing in things:
            base = thing.split(":", 1)[-1]
            if base and any(
                str(x) == thing
                or str(x) == base
                or str(x).startswith((base + ".", base + ":"))
                or str(x).endswith(":" + base)
                for x in said
            ):
                out.append((str(entry.get("name", "")), thing))
    return list(dict.fromkeys(out))


def named_of(case: Scenario, nodes: list[str]) -> dict[str, float]:
    """How much of what others complain about names each node, 0..1."""
    total = sum(_count(p) for p in case.patterns if p.get("sentiment") == "negative") or 1.0
    out = {}
    for n in nodes:
        base = n.split(":", 1)[-1].lower()
        hits = sum(
            _count(p)
            for p in case.patterns
            if p.get("sentiment") == "negative"
            and p.get("service") != n
            and base in str(p.get("signature", "")).lower()
        )
        out[n] = min(hits / total, 1.0)
    return out


def score(predictions: list[Mapping[str, Any]], data: Path) -> dict[str, Any]:
    """0 for a wrong origin or a reversed edge, else 0.5 + 0.5 x edge recall; passed where recall reaches the case's
    bar."""
    rows = []
    for p in predictions:
        path = data / "ground_truth" / f"{p['case']}.json"
        if not path.is_file():
            continue
        truth = json.loads(path.read_text(encoding="utf-8"))
        accepted = {_norm(x) for x in (truth["origin_service"], *truth.get("accept_origin_aliases", ()))}
        edges = {(e["from"], e["to"]) for e in truth["propagation_path"]}
        said = {(a, b) for a, b in p["answer"]["edges"]}
        origin, reversed_ = _norm(p["answer"]["origin"]) in accepted, bool({(b, a) for a, b in edges} & said)
        recall = len(edges & said) / len(edges) if edges else 1.0
        graded = 0.0 if not origin or reversed_ else 0.5 + 0.5 * recall
        good = origin and not reversed_ and recall >= float(truth.get("edge_overlap_threshold", 1.0))
        rows.append(
            {
                "case": p["case"],
                "origin": origin,
                "reversed": reversed_,
                "recall": recall,
                "graded": graded,
                "passed": good,
                "extra": sorted(map(list, said - edges)),
            }
        )
    n = len(rows)
    passed = sum(bool(r["passed"]) for r in rows)
    return {
        "set": "blastradius",
        "cases": rows,
        "figures": {
            "passed": passed, "rate": passed / n if n else 0.0, "interval": wilson(passed, n), "count": n,
            "graded": float(np.mean([r["graded"] for r in rows])) if n else 0.0,
        },
        "floors": FLOORS,
        "targets": TARGETS,
        "failures": [r["case"] for r in rows if not r["passed"]],
    }  # fmt: skip


def _norm(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
