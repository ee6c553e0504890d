"""Keep an incident as a world: what its sources said, redacted, in a folder that can be replayed and evaluated.

Everything was redacted by the incident's redactor as it crossed the sources; the last look sees each file once more.
Samples are read on the incident's own grid, so a world stands for what the assistant saw, not for every scrape.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.collect import step_for
from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Gap, LogLine, MetricInfo, Series
from assistant.core.incident import Incident
from assistant.core.query import Matcher, Select
from assistant.core.time import Instant, Window, iso
from assistant.errors import SourceError, WorldError
from assistant.house import Sources
from redaction import FinalScanner, LeakBlocked

_LINES = 20_000
_DIGITS = 11


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept, and what could not be."""

    folder: Path
    series: int
    lines: int
    gaps: tuple[Gap, ...]


def record(incident: Incident, sources: Sources, folder: Path, *, scanner: FinalScanner) -> Kept:
    """Write the world. WorldError where the folder is not empty; a source that fails is a gap and its file is left out.

    Series and lines in which the last look finds a value are left out and counted; LeakBlocked where it finds one
    elsewhere: nothing is written then.
    """
    if folder.exists() and any(folder.iterdir()):
        raise WorldError(f"{folder} is not empty", mend="give a new folder to --out")
    whole = Window(incident.baseline.start, Instant(incident.window.end))
    gaps: list[Gap] = []
    files: dict[str, str] = {
        "world.toml": _head(incident, sources),
        "alerts.json": _json([*map(_alert, incident.alerts)]),
    }
    files["rules.json"] = _json(_rules(incident.rules, incident.alerts))
    catalogue = _catalogue(sources, whole, gaps)
    series = _withheld(_series(sources, catalogue, whole, gaps), scanner, gaps, "prometheus", "series")
    lines = _withheld(_lines(sources, whole, gaps), scanner, gaps, "loki", "lines")
    if series:
        files["metrics/series.ndjson"] = "".join(series)
        files["metrics/metadata.json"] = _json({"status": "success", "data": _metadata(catalogue)})
    if lines:
        files["logs.ndjson"] = "".join(lines)
    try:
        files["changes.json"] = _json([_change(c) for c in sources.changes.changes(whole)])
    except SourceError as error:
        gaps.append(Gap(error.source, error.message))
    for name, text in files.items():
        for block in _blocks(text):
            scanner.check(block, sink=f"world {name}")
    _write(files, folder)
    return Kept(folder, len(series), len(lines), tuple(dict.fromkeys(gaps)))


def _write(files: Mapping[str, str], folder: Path) -> None:
    """The folder gets its name when it is whole."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name, text in files.items():
        path = part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    part.rename(folder)


def _withheld(rows: Iterable[str], scanner: FinalScanner, gaps: list[Gap], source: str, what: str) -> list[str]:
    """The rows that the last look lets pass; the others are counted as a gap, and the rest is kept."""
    kept, stopped = [], 0
    for block in _blocks("".join(rows)):
        good = _passing(block, scanner)
        kept += good
        stopped += block.count("\n") - len(good)
    if stopped:
        gaps.append(Gap(source, f"{stopped} {what} were left out: the last look took something in them for a value"))
    return kept


def _passing(block: str, scanner: FinalScanner) -> list[str]:
    rows = block.splitlines(keepends=True)
    if _passes(block, scanner):
        return rows
    return [row for row in rows if _passes(row, scanner)]


def _passes(text: str, scanner: FinalScanner) -> bool:
    try:
        scanner.check(text, sink="world")
    except LeakBlocked:
        return False
    return True


def _blocks(text: str, *, size: int = 65_536) -> Iterable[str]:
    """Whole lines in blocks that the last look can judge within its time."""
    held: list[str] = []
    length = 0
    for line in text.splitlines(keepends=True):
        held.append(line)
        length += len(line)
        if length >= size:
            yield "".join(held)
            held, length = [], 0
    yield "".join(held)


def _head(incident: Incident, sources: Sources) -> str:
    rows = [
        "format = 1",
        f'name = "recorded-{incident.id}"',
        f"now = {math.ceil(incident.window.end * 1000) / 1000!r}",
        'timezone = "UTC"',
    ]
    try:
        topology = sources.changes.topology()
    except SourceError:
        return "\n".join(rows) + "\n"
    for service in topology.services:
        rows += ["", "[[services]]", f"name = {json.dumps(service)}"]
    for caller, callee in topology.edges:
        rows += ["", "[[edges]]", f"caller = {json.dumps(caller)}", f"callee = {json.dumps(callee)}"]
    return "\n".join(rows) + "\n"


def _alert(alert: Alert) -> dict[str, Any]:
    """As Alertmanager's API v2 answers it."""
    state = "suppressed" if alert.silenced or alert.inhibited else "active"
    return {
        "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels),
        "annotations": {k: v.text for k, v in alert.annotations.items()},
        "startsAt": iso(alert.starts_at),
        "endsAt": iso(alert.ends_at if alert.ends_at is not None else alert.starts_at + 10 * 365 * 86_400),
        "updatedAt": iso(alert.starts_at),
        "receivers": [{"name": "recorded"}],
        "status": {
            "state": state,
            "silencedBy": ["recorded"] if alert.silenced else [],
            "inhibitedBy": ["recorded"] if alert.inhibited else [],
        },
        "generatorURL": "",
    }


def _rules(rules: Iterable[Rule], alerts: Iterable[Alert]) -> dict[str, Any]:
    """As `GET /api/v1/rules` answers, `activeAt` with each alert where it is known."""
    known = list(alerts)
    made = [
        {
            "type": "alerting",
            "name": r.name,
            "query": r.expr,
            "duration": r.duration,
            "labels": dict(r.labels),
            "annotations": {},
            "health": "ok",
            "state": "firing",
            "alerts": [
                {
                    "labels": dict(a.labels),
                    "annotations": {},
                    "state": "firing",
                    "activeAt": iso(a.active_at if a.active_at is not None else a.starts_at - r.duration),
                    "value": "1e+00",
                }
                for a in known
                if a.name == r.name
            ],
        }
        for r in rules
    ]
    return {"status": "success", "data": {"groups": [{"name": "recorded", "file": "recorded", "rules": made}]}}


def _catalogue(sources: Sources, window: Window, gaps: list[Gap]) -> tuple[MetricInfo, ...]:
    try:
        return sources.metrics.catalogue(window)
    except SourceError as error:
        gaps.append(Gap(error.source, error.message))
        return ()


def _metadata(catalogue: Iterable[MetricInfo]) -> dict[str, list[dict[str, str]]]:
    """Types as `GET /api/v1/metadata` tells them: by them alone a gauge is told from a counter."""
    return {m.name: [{"type": m.type, "help": "", "unit": ""}] for m in catalogue if m.type != "unknown"}


def _series(sources: Sources, catalogue: Iterable[MetricInfo], window: Window, gaps: list[Gap]) -> Iterable[str]:
    """A catalogue names series: of a histogram, its buckets, sum and count stand in it each for itself."""
    step = step_for(window)
    for name in dict.fromkeys(info.name for info in catalogue):
        try:
            found, dropped = sources.metrics.range(Select(name), window=window, step=step)
        except SourceError as error:
            gaps.append(Gap(error.source, f"{name}: {error.message}"))
            continue
        if dropped:
            gaps.append(Gap("prometheus", f"{name}: {dropped} series over the budget were left out"))
        yield from (_row(name, s) for s in found if len(s.t))


def _row(name: str, series: Series) -> str:
    """Eleven significant digits: enough for a rate, too few for a card number. Times are cut to the second before, so
    that a sample is there when its moment is looked at."""
    labels = {"__name__": name, **{k: v for k, v in series.labels.items() if k != "__name__"}}
    values = [None if v != v else _number(v) for v in series.v.tolist()]
    times = [math.floor(t) for t in series.t.tolist()]
    return json.dumps({"labels": labels, "t": times, "v": values}, ensure_ascii=False) + "\n"


def _number(v: float) -> float | int:
    short = float(f"{v:.{_DIGITS}g}")
    return int(short) if short.is_integer() else short


def _lines(sources: Sources, window: Window, gaps: list[Gap]) -> Iterable[str]:
    try:
        labels = sources.logs.labels(window)
    except SourceError as error:
        gaps.append(Gap(error.source, error.message))
        return
    name = next((n for n in ("service_name", "service", "app", "job") if n in labels), next(iter(sorted(labels)), ""))
    found: list[LogLine] = []
    for value in labels.get(name, ()):
        try:
            answer = sources.logs.search(selector=(Matcher(name, "=", value),), window=window, limit=_LINES)
        except SourceError as error:
            gaps.append(Gap(error.source, error.message))
            continue
        if answer.dropped:
            gaps.append(Gap("loki", f"{answer.dropped} lines of one stream over the budget were left out"))
        found.extend(answer.lines)
    for line in sorted(found, key=lambda x: x.t):
        row: Mapping[str, Any] = {"ts": int(line.t * 1e9), "labels": dict(line.labels), "line": line.text}
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _change(change: Any) -> dict[str, Any]:
    row = {"ts": change.t, "kind": change.kind, "service": change.service, "id": change.id, "title": change.title}
    return {**row, "diff": change.diff} if change.diff else row


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
