"""opensre synthetic cases as values: whatever JSON a case folder holds, read for series, messages and statements.

The families of that suite differ in their files; so this reads shapes and not names: a mapping with `timestamps` and
`values` is a series, one with a time and a message is an event, one with a statement is a query that ran.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.analysis.cluster import Fact
from assistant.analysis.database import Event, Measure, Query, Vitals
from assistant.errors import UsageError
from evals.importers.edgedelta import seconds

_TEXT = ("message", "msg", "log", "line", "summary", "reason", "note", "description", "text", "body")
_READ = {".json", ".yaml", ".yml", ".txt", ".log"}
_ANSWERS = re.compile(r"(?i)(answer|scenario|ground_?truth|expected|rubric|solution)")
"""Names of files that tell the answer: never read, wherever they lie."""
_TIME = (
    "date",
    "timestamp",
    "time",
    "ts",
    "lastTimestamp",
    "created_at",
    "firstSeen",
    "@timestamp",
    "lastSeen",
    "eventTime",
    "last_timestamp",
    "last_seen",
    "startTime",
)


@dataclass(frozen=True, slots=True)
class SreCase:
    """`sources` are the names of the evidence files; `facts` every object and line in them as text, with its time where
    it has one."""

    id: str
    vitals: Vitals
    sources: tuple[str, ...]
    facts: tuple[Fact, ...] = ()


def cases(data: Path) -> Iterator[SreCase]:
    """Cases under `data/cases` in order of name. No answer is opened."""
    for folder in sorted(p for p in (data / "cases").iterdir() if p.is_dir()):
        measures: list[Measure] = []
        events: list[Event] = []
        queries: list[Query] = []
        clients: list[tuple[str, float]] = []
        sources, alert, facts = [], "", list[Fact]()
        for path in sorted(p for p in folder.iterdir() if p.suffix in _READ and not _ANSWERS.match(p.stem)):
            value = _value(path)
            if path.stem.startswith("alert"):
                alert = " ".join(_texts(value))
                continue
            sources.append(path.stem)
            facts += _facts(value, path.stem)
            for node in _nodes(value):
                _collect(node, path.stem, measures, events, queries)
                clients += _clients(node)
        vitals = Vitals(
            alert, tuple(measures), tuple(sorted(events, key=lambda e: e.t)), tuple(queries), tuple(clients)
        )
        yield SreCase(folder.name, vitals, tuple(_family(sources)), tuple(facts))


def _value(path: Path) -> Any:
    """What a file holds: JSON, YAML, or lines of text. UsageError where it says it is JSON or YAML and is not."""
    import yaml

    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix in {".txt", ".log"}:
        return text.splitlines()
    try:
        return json.loads(text) if path.suffix == ".json" else list(yaml.safe_load_all(text))
    except (ValueError, yaml.YAMLError) as error:
        mend = "mend the file, or give it the ending .txt"
        raise UsageError(f"{path}: not {path.suffix[1:]} ({error})", mend=mend) from None


def _facts(value: Any, source: str) -> Iterator[Fact]:
    """Every object with plain values as one line (`key=value …`), every plain text in a list as it is."""
    if isinstance(value, list):
        yield from (f for v in value for f in ([Fact(v, source)] if isinstance(v, str) else _facts(v, source)))
    elif isinstance(value, Mapping) and not isinstance(value.get("timestamps"), list):
        plain = {k: v for k, v in value.items() if isinstance(v, (str, int, float)) and v != ""}
        if plain:
            yield Fact(" ".join(f"{k}={v}" for k, v in plain.items())[:800], source, _when(value))
        for v in value.values():
            yield from _facts(v, source) if isinstance(v, (list, Mapping)) else ()


def _when(node: Mapping[str, Any]) -> float:
    """The time of a node, NaN where it has none that can be read."""
    for key in _TIME:
        found = seconds(str(node[key])) if node.get(key) else float("nan")
        if found == found:
            return found
    return float("nan")


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
    when = _when(node)
    if text and when == when:
        kinds = node.get("event_categories") or node.get("type") or node.get("level") or ""
        events.append(Event(when, text, source, " ".join(kinds) if isinstance(kinds, list) else str(kinds)))
