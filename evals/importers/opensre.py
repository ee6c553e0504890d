"""opensre synthetic cases as values: whatever JSON a case folder holds, read for series, messages and statements.

The families of that suite differ in their files; so this reads shapes and not names: a mapping with `timestamps` and
`values` is a series, one with a time and a message is an event, one with a statement is a query that ran.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.analysis.database import Event, Measure, Query, Vitals
from evals.importers.edgedelta import seconds

_TEXT = ("message", "msg", "log", "line", "summary", "reason", "note", "description", "text", "body")
_TIME = ("date", "timestamp", "time", "ts", "lastTimestamp", "created_at", "firstSeen", "@timestamp")


@dataclass(frozen=True, slots=True)
class SreCase:
    """`sources` are the names of the evidence files; `alert` is its text."""

    id: str
    vitals: Vitals
    sources: tuple[str, ...]


def cases(data: Path) -> Iterator[SreCase]:
    """Cases under `data/cases` in order of name. No answer is opened."""
    for folder in sorted(p for p in (data / "cases").iterdir() if p.is_dir()):
        measures: list[Measure] = []
        events: list[Event] = []
        queries: list[Query] = []
        clients: list[tuple[str, float]] = []
        sources, alert = [], ""
        for path in sorted(folder.glob("*.json")):
            value = json.loads(path.read_text(encoding="utf-8"))
            if path.stem.startswith("alert"):
                alert = " ".join(_texts(value))
                continue
            sources.append(path.stem)
            for node in _nodes(value):
                _collect(node, path.stem, measures, events, queries)
                clients += _clients(node)
        vitals = Vitals(
            alert, tuple(measures), tuple(sorted(events, key=lambda e: e.t)), tuple(queries), tuple(clients)
        )
        yield SreCase(folder.name, vitals, tuple(_family(sources)))


def _family(stems: list[str]) -> list[str]:
    """Evidence sources: files that share a beginning (one file a metric) are one source."""
    return list(dict.fromkeys("_".join(s.split("_")[:3]) for s in stems))


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for v in value.values():
            yield from _nodes(v)
    elif isinstance(value, list):
        for v in value:
            yield from _nodes(v)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for v in value.values():
            yield from _texts(v)
    elif isinstance(value, list):
        for v in value:
            yield from _texts(v)


def _clients(node: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Users and hosts with the load they bring."""
    for key in ("top_users", "top_hosts"):
        for x in node.get(key, ()):
            if isinstance(x, Mapping):
                yield str(x.get("name") or x.get("id")), float(x.get("db_load_avg", 0))


def _collect(
    node: Mapping[str, Any], source: str, measures: list[Measure], events: list[Event], queries: list[Query]
) -> None:
    values = node.get("values")
    if (
        isinstance(values, list)
        and isinstance(node.get("timestamps"), list)
        and all(isinstance(v, (int, float)) for v in values)
    ):
        name = str(node.get("metric_name") or node.get("label") or node.get("name") or source.rsplit("_", 1)[-1])
        about = ",".join(str(d.get("Value", "")) for d in node.get("dimensions", ()) if isinstance(d, Mapping))
        t = np.array([seconds(str(x)) for x in node["timestamps"]])
        measures.append(
            Measure(
                source,
                name,
                about,
                str(node.get("unit", "")),
                t[: len(values)],
                np.array(values, dtype=np.float64)[: len(t)],
            )
        )
    if isinstance(node.get("statement"), str):
        waits = tuple(
            (str(x.get("name", "")), float(x.get("db_load_avg", 0)))
            for x in node.get("wait_events", ())
            if isinstance(x, Mapping)
        )
        queries.append(Query(node["statement"], float(node.get("db_load_avg", 0)), waits))
        return
    text = next((str(node[k]) for k in _TEXT if isinstance(node.get(k), str) and node[k]), "")
    when = next((seconds(str(node[k])) for k in _TIME if node.get(k)), float("nan"))
    if text and when == when:
        kinds = node.get("event_categories") or node.get("type") or node.get("level") or ""
        events.append(Event(when, text, source, " ".join(kinds) if isinstance(kinds, list) else str(kinds)))
