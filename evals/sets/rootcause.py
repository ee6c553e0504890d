"""edgedelta root-cause bench: the commit that did it, or "none"."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from assistant.analysis import words as w
from assistant.analysis.culprits import CodeChange, Fault, verdict
from assistant.analysis.diffs import symptoms_of
from assistant.analysis.onset import cusum
from assistant.analysis.stats import wilson
from evals.importers.edgedelta import Scenario, Track, scenarios, seconds

FLOORS = {"exact": 7 / 24, "latest_deploy": 1 / 24}
TARGETS = {"exact": 10 / 16, "decoys": 2}


def predict(data: Path) -> Iterator[dict[str, Any]]:
    """`{case, answer: {culprit, ranked[]}}` per scenario."""
    for case in scenarios(data):
        culprit, ranked = verdict(code_changes(case), fault_of(case))
        yield {"case": case.id, "answer": {"culprit": culprit, "ranked": [s.change.id for s in ranked[:5]]}}


def code_changes(case: Scenario) -> list[CodeChange]:
    """Commits with the deploy that carried them, where one names them."""
    deployed: dict[str, tuple[float, str]] = {}
    for d in sorted(case.deploys, key=lambda d: str(d.get("timestamp", ""))):
        deployed.setdefault(
            str(d.get("commit_sha", "")), (seconds(str(d.get("timestamp", ""))), str(d.get("service", "")))
        )
    out = []
    for c in case.commits:
        sha = str(c.get("sha", ""))
        at, service = deployed.get(sha, (float("nan"), ""))
        out.append(
            CodeChange(
                sha,
                seconds(str(c.get("timestamp", ""))),
                at,
                service,
                str(c.get("message", "")),
                tuple(map(str, c.get("files_changed") or ())),
                str(c.get("diff") or ""),
            )
        )
    return out


def onset_of(track: Track, until: float) -> tuple[float, float]:
    """(onset, how far it moved in sigmas) of one track; NaN and 0 where it did not move. The first fifth is usual."""
    n = len(track.v)
    if n < 6:
        return float("nan"), 0.0
    base = track.v[: max(n // 5, 4)]
    median = float(np.median(base))
    sigma = max(float(np.subtract(*np.percentile(base, (75, 25)))) / 1.349, 0.05 * abs(median), 1e-6)
    z = np.clip((track.v - median) / sigma, -12, 12)[None, :]
    up, at_up = cusum(z)
    down, at_down = cusum(-z)
    height, index = (up[0], at_up[0]) if up[0] >= down[0] else (down[0], at_down[0])
    moved = abs(float(np.median(track.v[int(index) :])) - median) / sigma if index < n else 0.0
    return (float(track.t[int(index)]), moved) if height >= 20 and index < n and moved >= 4 else (float("nan"), 0.0)


def fault_of(case: Scenario) -> Fault:
    """What fails, from metrics that moved, error lines that are new, and the alert."""
    fired = seconds(str(case.alert.get("fired_at", "")))
    moved: dict[str, float] = {}
    texts: list[tuple[str, float]] = []
    alert = " ".join(str(case.alert.get(k, "")) for k in ("metric", "summary", "monitor", "detail"))
    texts.append((alert, 2.0))
    onsets: dict[str, float] = {}
    surge = 1.0
    for track in case.tracks:
        at, size = onset_of(track, fired)
        if size <= 0:
            continue
        moved[f"{track.service} {track.metric}"] = at
        texts.append((track.metric, 1.5 if track.service == case.alert.get("service") else 0.8))
        onsets[track.service] = min(at, onsets.get(track.service, at))
        if {"requests", "rps", "qps", "traffic", "sessions"} & set(w.words(track.metric)) and at <= fired:
            usual = float(np.median(track.v[: max(len(track.v) // 5, 4)]))
            surge = max(surge, float(np.max(track.v)) / usual if usual > 0 else 1.0)
    errors = _complaints(case)
    texts += [(text, 1.2) for text in errors]
    own = moved.get(f"{case.alert.get('service')} {case.alert.get('metric')}", fired)
    services = tuple(dict.fromkeys([str(case.alert.get("service", "")), *sorted(onsets, key=lambda s: onsets[s])]))
    return Fault(
        onset=max(own, min(moved.values(), default=own)) if own == own else fired,
        moved=moved,
        services=services,
        texts=(alert, *errors, *(m for m in moved)),
        symptoms=symptoms_of(texts),
        common=_common(case),
        surge=surge if _surge_led(case, moved, own) else 1.0,
    )


def _surge_led(case: Scenario, moved: Mapping[str, float], own: float) -> bool:
    """Whether traffic rose no later than anything failed."""
    traffic = [
        at
        for name, at in moved.items()
        if {"requests", "rps", "qps", "traffic", "sessions"} & set(w.words(name.split(" ")[1]))
    ]
    return bool(traffic) and min(traffic) <= own + 60.0


def _complaints(case: Scenario) -> list[str]:
    out = [
        str(p.get("signature", ""))
        for p in case.patterns
        if p.get("sentiment") == "negative" or str(p.get("delta_vs_baseline", "")).startswith("+")
    ]
    seen: Counter[str] = Counter()
    for line in case.logs:
        if str(line.get("severity_text", line.get("severity", ""))).upper() in {
            "ERROR",
            "WARN",
            "FATAL",
            "WARNING",
            "CRITICAL",
        }:
            extra = " ".join(
                str(v)
                for k, v in line.items()
                if k not in {"timestamp", "service", "severity_text", "trace_id", "span_id", "msg"}
            )
            seen[f"{line.get('msg', '')} {extra}"] += 1
    return out + [text for text, _ in seen.most_common(40)]


def _common(case: Scenario) -> frozenset[str]:
    """Words that most diffs share, and those of ordinary lines: they tell nothing."""
    counted: Counter[str] = Counter()
    for c in case.commits:
        counted.update(set(w.words(str(c.get("diff") or "") + " ".join(c.get("files_changed") or ()))))
    quiet = {
        x
        for line in case.logs
        if str(line.get("severity_text", "")).upper() == "INFO"
        for x in w.words(str(line.get("msg", "")))
    }
    services = {x for t in case.tracks for x in w.words(t.service)}
    generic = w.word_set(
        "error errors return string func type service services handler request response value context "
        "failed http status code true false null none this const import from with that package main data "
        "count total rate name time"
    )
    return frozenset(
        {x for x, n in counted.items() if n >= max(3, len(case.commits) // 6)} | quiet | services | generic
    )


def score(predictions: list[Mapping[str, Any]], data: Path) -> dict[str, Any]:
    """Exact culprits and decoys convicted, against blaming the latest deploy."""
    rows = []
    for case in scenarios(data):
        path = data / "ground_truth" / f"{case.id}.json"
        answer = next((p["answer"] for p in predictions if p["case"] == case.id), None)
        if answer is None or not path.is_file():
            continue
        truth = json.loads(path.read_text(encoding="utf-8"))
        fired = seconds(str(case.alert.get("fired_at", "")))
        before = [d for d in case.deploys if seconds(str(d.get("timestamp", ""))) <= fired]
        latest = max(before, key=lambda d: str(d["timestamp"]))["commit_sha"] if before else "none"
        right = truth["root_cause_commit"]
        rows.append({
            "case": case.id, "culprit": answer["culprit"], "right": right, "exact": answer["culprit"] == right,
            "decoy": answer["culprit"] in truth.get("decoy_deploy_commits", ()), "latest_deploy": latest == right,
        })  # fmt: skip
    n, hits = len(rows), sum(r["exact"] for r in rows)
    return {
        "set": "rootcause",
        "cases": rows,
        "figures": {
            "exact": hits, "decoys": sum(r["decoy"] for r in rows), "count": n, "rate": hits / n if n else 0.0,
            "interval": wilson(hits, n), "latest_deploy": sum(r["latest_deploy"] for r in rows),
            "won_against_latest": sum(r["exact"] and not r["latest_deploy"] for r in rows),
            "lost_against_latest": sum(r["latest_deploy"] and not r["exact"] for r in rows),
        },
        "floors": FLOORS,
        "targets": TARGETS,
        "failures": [r["case"] for r in rows if not r["exact"]],
    }  # fmt: skip
