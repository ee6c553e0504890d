"""Scenario folders of the edgedelta benches (root cause, blast radius, noise) as values. Names of folders mean
nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from assistant.core.evidence import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Samples of one metric of one service: `t` Unix seconds ascending and `v`, both (n,)."""

    service: str
    metric: str
    t: Floats
    v: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """Everything a solver may read of one scenario; what a folder does not hold is empty."""

    id: str
    alert: Mapping[str, Any]
    tracks: tuple[Track, ...]
    logs: tuple[Mapping[str, Any], ...] = ()
    patterns: tuple[Mapping[str, Any], ...] = ()
    traces: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    commits: tuple[Mapping[str, Any], ...] = ()
    deploys: tuple[Mapping[str, Any], ...] = ()
    pages: tuple[Mapping[str, Any], ...] = ()
    open_incidents: tuple[Mapping[str, Any], ...] = ()
    service_map: Mapping[str, Any] = field(default_factory=dict)


def seconds(text: str) -> float:
    """An ISO 8601 time as Unix seconds; NaN for what is none."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, AttributeError):
        return float("nan")


def scenarios(data: Path) -> Iterator[Scenario]:
    """Scenarios under `data/scenarios` in order of name."""
    for folder in sorted(p for p in (data / "scenarios").iterdir() if p.is_dir()):
        yield read_scenario(folder)


def read_scenario(folder: Path) -> Scenario:
    context = folder / "context"
    return Scenario(
        id=folder.name,
        alert=_json(folder / "alert.json") or {},
        tracks=_tracks(folder / "metrics.csv"),
        logs=_lines(folder / "logs.ndjson"),
        patterns=_rows(folder / "patterns.json", "patterns"),
        traces=_rows(folder / "traces.json", "spans", "traces"),
        events=_rows(folder / "events.json", "events"),
        commits=_rows(context / "commits.json", "commits"),
        deploys=_rows(context / "deploys.json", "deploys") or _rows(folder / "deploys.json", "deploys"),
        pages=_rows(folder / "pages.json", "pages"),
        open_incidents=_rows(folder / "incidents_open.json", "incidents"),
        service_map=_json(folder / "service_map.json") or {},
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _rows(path: Path, *keys: str) -> tuple[Mapping[str, Any], ...]:
    found = _json(path)
    if isinstance(found, Mapping):
        found = next(
            (found[k] for k in keys if k in found), next((v for v in found.values() if isinstance(v, list)), [])
        )
    return tuple(x for x in found or () if isinstance(x, Mapping))


def _lines(path: Path) -> tuple[Mapping[str, Any], ...]:
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as f:
        return tuple(json.loads(line) for line in f if line.strip())


def _tracks(path: Path) -> tuple[Track, ...]:
    if not path.is_file():
        return ()
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f):
            try:
                found.setdefault((row["service"], row["metric"]), []).append(
                    (seconds(row["timestamp"]), float(row["value"]))
                )
            except (TypeError, ValueError):
                continue  # a cell that is no number is no sample
    return tuple(Track(s, m, *_arrays(samples)) for (s, m), samples in found.items())


def _arrays(samples: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    ordered = np.array(sorted(samples), dtype=np.float64).reshape(-1, 2)
    return ordered[:, 0], ordered[:, 1]
