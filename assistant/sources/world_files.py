"""The files of a world folder, read strictly: what is malformed is one line that names file, line and mend.

What is not there is a SourceRefused of the source it stands for (a gap in the note); a broken file is a WorldError.
"""

from __future__ import annotations

import gzip
import json
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assistant.core.evidence import Floats, Series, Topology
from assistant.core.time import Instant
from assistant.errors import SourceRefused, WorldError
from assistant.settings import Payments

FORMAT = 1
MAX_LINE = 8 * 1024 * 1024
MAX_FILE = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """`world.toml`. `kinds` maps a service to its kind where one is given; texts are raw: they are redacted later."""

    name: str
    now: Instant
    timezone: str
    topology: Topology
    kinds: Mapping[str, str] = field(default_factory=dict)
    payments: Payments = field(default_factory=Payments)


@dataclass(frozen=True, slots=True, eq=False)
class LogLines:
    """Raw lines in time order: `ts` (n,) Unix seconds, `stream` (n,) the number of each line's label set."""

    ts: Floats
    stream: tuple[int, ...]
    lines: tuple[str, ...]
    streams: tuple[Mapping[str, str], ...]


def world_settings(folder: Path) -> WorldSettings:
    """Read `world.toml`. Raises WorldError."""
    path = folder / "world.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorldError(
            f"{folder}: no world.toml there", mend="name a world folder; `payops lab list` lists kinds"
        ) from None
    except NotADirectoryError:
        raise WorldError(f"{folder}: not a folder", mend="name a world folder") from None
    except OSError as error:
        raise WorldError(f"{path}: {error.strerror}", mend="check path and mode") from None
    except UnicodeDecodeError:
        raise WorldError(f"{path}: not UTF-8", mend="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise WorldError(f"{path}: not TOML: {error}", mend="mend that line") from None
    if table.get("format") != FORMAT:
        raise WorldError(f"{path}: format is not {FORMAT}", mend=f"put `format = {FORMAT}` first, and check the rest")
    return WorldSettings(
        name=_text(table, "name", path),
        now=_now(table, path),
        timezone=str(table.get("timezone", "UTC")),
        topology=_topology(table, path),
        kinds={s["name"]: str(s["kind"]) for s in _tables(table, "services", path) if "kind" in s},
        payments=_payments(table.get("payments", {}), path),
    )


def json_file(path: Path, source: str) -> Any:
    """A JSON file. Raises SourceRefused where it is absent, WorldError where it is not JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SourceRefused(source, f"this world has no {path.name}") from None
    except OSError as error:
        raise SourceRefused(source, f"{path.name}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        line = f" line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise WorldError(f"{path}:{line} not JSON", mend="mend that file, or remove it: it becomes a gap") from None


def raw_series(folder: Path, *, until: float) -> tuple[Series, ...]:
    """`metrics/series.ndjson`: samples up to `until`. `null` is a scrape that did not happen, NaN a stale marker."""
    times: dict[bytes, Floats] = {}
    found = []
    for where, item in _ndjson(folder / "metrics" / "series.ndjson", "prometheus"):
        labels, t, v = _labels(item, where), *_samples(item, where)
        keep = t <= until
        t, v = t[keep], v[keep]
        if len(t):
            found.append(Series(labels, times.setdefault(t.tobytes(), t), v))
    return tuple(found)


def raw_logs(folder: Path, *, until: float) -> LogLines:
    """`logs.ndjson` in time order."""
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    as_written: dict[tuple[tuple[str, str], ...], int] = {}  # most lines repeat a label set that was checked already
    rows: list[tuple[int, int, str]] = []
    for where, item in _ndjson(folder / "logs.ndjson", "loki"):
        ts, line = item.get("ts"), item.get("line")
        if isinstance(ts, bool) or not isinstance(ts, int) or not isinstance(line, str):
            raise WorldError(
                f'{where}: wants {{"ts": nanoseconds, "labels": {{…}}, "line": "…"}}', mend="mend that line"
            )
        if ts <= until * 1e9:
            try:
                number = as_written[tuple(item["labels"].items())]
            except (KeyError, TypeError, AttributeError):
                labels = _labels(item, where)
                number = numbers.setdefault(tuple(sorted(labels.items())), len(numbers))
                as_written[tuple(labels.items())] = number
            rows.append((ts, number, line))
    rows.sort(key=lambda r: r[0])
    ts_s = np.array([r[0] for r in rows], dtype=np.float64) / 1e9
    return LogLines(ts_s, tuple(r[1] for r in rows), tuple(r[2] for r in rows), tuple(dict(k) for k in numbers))


def _ndjson(path: Path, source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    packed = path.with_name(path.name + ".gz")
    if not path.is_file() and packed.is_file():
        path = packed
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            size = 0
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
                size += len(line)
                if size > MAX_FILE or len(line) == MAX_LINE:
                    raise WorldError(f"{path}:{number}: too large", mend="split the world")
                if line.strip():
                    where = f"{path}:{number}"
                    yield where, _object(line, where)
    except FileNotFoundError:
        raise SourceRefused(source, f"this world has no {path.name}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise WorldError(f"{path}: cannot be read: {type(error).__name__}", mend="write it again") from None


def _object(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        raise WorldError(f"{where}: not JSON", mend="mend that line") from None
    if not isinstance(item, dict):
        raise WorldError(f"{where}: not an object", mend="mend that line")
    return item


def _samples(item: Mapping[str, Any], where: str) -> tuple[Floats, Floats]:
    try:
        values = item["v"]
        v = np.array(values, dtype=np.float64)
        t = np.array(item["t"], dtype=np.float64) if "t" in item else item["t0"] + item["step"] * np.arange(len(v))
        held = np.array([x is not None for x in values]) if None in values else None
    except (KeyError, TypeError, ValueError):
        held, v, t = None, np.empty(0), np.empty(1)
    if v.ndim != 1 or t.shape != v.shape or not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        raise WorldError(f"{where}: wants t0, step, v or t, v: numbers, times rising", mend="mend that line")
    return (t, v) if held is None else (t[held], v[held])


def _labels(item: Mapping[str, Any], where: str) -> dict[str, str]:
    labels = item.get("labels")
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        raise WorldError(f"{where}: labels must map text to text", mend="mend that line")
    return labels


def _now(table: Mapping[str, Any], path: Path) -> Instant:
    now = table.get("now")
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 < now < 1e11:
        raise WorldError(f"{path}: now is not Unix seconds", mend="put `now = 1795446872.0`, the moment of looking")
    return Instant(float(now))


def _text(table: Mapping[str, Any], key: str, path: Path) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise WorldError(f"{path}: {key} is not text", mend=f'put `{key} = "…"`')
    return value


def _tables(table: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    items = table.get(key, [])
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise WorldError(f"{path}: {key} is not a list of tables", mend=f"write [[{key}]]")
    return items


def _topology(table: Mapping[str, Any], path: Path) -> Topology:
    services = tuple(_text(s, "name", path) for s in _tables(table, "services", path))
    edges = tuple((_text(e, "caller", path), _text(e, "callee", path)) for e in _tables(table, "edges", path))
    more = tuple(dict.fromkeys(s for edge in edges for s in edge if s not in services))
    return Topology(services + more, edges)


def _payments(table: Any, path: Path) -> Payments:
    parts = {k: table.get(k, {}) for k in ("metrics", "labels", "fields")} if isinstance(table, dict) else {}
    approved = table.get("approved", []) if isinstance(table, dict) else None
    good = bool(parts) and all(
        isinstance(p, dict) and all(isinstance(v, str) for v in p.values()) for p in parts.values()
    )
    if not good or not isinstance(approved, list) or not all(isinstance(a, str) for a in approved):
        raise WorldError(f"{path}: [payments] wants tables of text", mend="see [payments] of payops.toml")
    return Payments(**parts, approved=tuple(approved))
