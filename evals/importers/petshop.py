"""PetShop cases (amazon-science/petshop-root-cause-analysis, arXiv 2311.04806) as values of ours.

`TRAFFIC/graph.csv` is the call graph (row calls column), `TRAFFIC/noissue/metrics.csv` normal data, and
`TRAFFIC/cases/CASE` the metrics around one issue with the failing target. Availability is read as failures (1 - it).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.core.evidence import Floats, Topology


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`columns` maps (node, metric, statistic) to (T,) values over `t` (T,) Unix seconds; NaN for no sample."""

    t: Floats
    columns: Mapping[tuple[str, str, str], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class PetshopCase:
    """`id` is `TRAFFIC/CASE`; `metric` and `statistic` are those of the target that failed at `at`."""

    id: str
    target: str
    metric: str
    statistic: str
    at: float
    table: Table
    normal: Table
    topology: Topology


def read_table(path: Path) -> Table:
    """A metrics.csv with its three header rows."""
    with path.open(newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    keys = list(zip(*(row[1:] for row in rows[:3]), strict=True))
    data = [row for row in rows[3:] if row and _is_number(row[0])]
    t = np.array([float(row[0]) for row in data])
    v = np.array([[float(x) if x else np.nan for x in row[1:]] for row in data]).reshape(len(data), len(keys))
    return Table(t, {(str(k[0]), str(k[1]), str(k[2])): v[:, i] for i, k in enumerate(keys)})


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def read_graph(path: Path) -> Topology:
    """The call graph; a row calls the columns that are 1."""
    with path.open(newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    names = rows[0][1:] if len(rows[0]) == len(rows[1]) and rows[0][0] in {"", "node"} else rows[0]
    names = names if len(names) == len(rows[1]) - 1 else rows[0][1:]
    edges = [(row[0], n) for row in rows[1:] for n, x in zip(names, row[1:], strict=True) if x and float(x) > 0]
    return Topology(tuple(row[0] for row in rows[1:]), tuple(edges))


def cases(data: Path) -> Iterator[PetshopCase]:
    """Every case under `data`, in order of traffic and name. No answer is opened."""
    for traffic in sorted(p for p in data.iterdir() if (p / "graph.csv").is_file()):
        topology, normal = read_graph(traffic / "graph.csv"), read_table(traffic / "noissue" / "metrics.csv")
        for folder in sorted((traffic / "cases").iterdir()):
            if not (folder / "metrics.csv").is_file():
                continue
            target = json.loads((folder / "target.json").read_text(encoding="utf-8"))["target"]
            yield PetshopCase(
                id=f"{traffic.name}/{folder.name}",
                target=target["node"],
                metric=target["metric"],
                statistic=target.get("agg", "Average"),
                at=float(target["timestamp"]),
                table=read_table(folder / "metrics.csv"),
                normal=normal,
                topology=topology,
            )
