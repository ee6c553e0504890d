"""Writing and checking a world folder, format 1 (a world stands for everything the assistant could see at one moment).

::

    world.toml              format = 1, name, now (unix seconds, UTC), timezone, [[services]], [[edges]], [payments]?
    alerts.json             as GET /api/v2/alerts of Alertmanager answers
    rules.json              as GET /api/v1/rules of Prometheus answers (optional)
    metrics/series.ndjson   {"labels", "t0", "step", "v"} or {"labels", "t", "v"}; null is no sample; .gz too
    metrics/metadata.json   the "data" of GET /api/v1/metadata (optional)
    logs.ndjson             {"ts": ns, "labels", "line"} in order of ts; .gz too (optional)
    changes.json            [{ts, kind, service, id, title, diff?}] (optional)

Writing is deterministic: the same values give the same bytes (no file name or time inside the gzip header).
"""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from assistant.errors import WorldError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class WorldHead:
    """What world.toml says. `now` in unix seconds; `services` as (name, kind); `edges` as (caller, callee)."""

    name: str
    now: float
    timezone: str
    services: tuple[tuple[str, str], ...]
    edges: tuple[tuple[str, str], ...]


def dumps(value: object) -> str:
    """Compact JSON, keys in the order given, text as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def toml_string(text: str) -> str:
    """A TOML basic string. JSON's escapes are a subset of TOML's, but for DEL and lone surrogates."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def head_text(head: WorldHead) -> str:
    """world.toml as text."""
    lines = [
        f"format = {FORMAT}",
        f"name = {toml_string(head.name)}",
        f"now = {head.now!r}",
        f"timezone = {toml_string(head.timezone)}",
    ]
    for name, kind in head.services:
        lines += ["", "[[services]]", f"name = {toml_string(name)}"]
        if kind:
            lines.append(f"kind = {toml_string(kind)}")
    for caller, callee in head.edges:
        lines += ["", "[[edges]]", f"caller = {toml_string(caller)}", f"callee = {toml_string(callee)}"]
    return "\n".join(lines) + "\n"


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write one line each, gzipped when the name ends in .gz, with a header that says neither name nor time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(line + "\n" for line in lines).encode()
    if path.suffix == ".gz":
        with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as f:
            f.write(data)
    else:
        path.write_bytes(data)


def write_json(path: Path, value: object) -> None:
    """Write one JSON document, indented so that a person can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def refuse_used(folder: Path) -> None:
    """Raise WorldError unless `folder` is absent or empty: nothing is written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WorldError(f"{folder} is not empty", mend="give a folder that does not exist yet")


def lines_of(path: Path) -> Iterator[str]:
    """Lines of `path`, or of `path`.gz. Raises WorldError when neither is there or the gzip is cut."""
    try:
        if path.exists():
            with path.open(encoding="utf-8") as f:
                yield from f
            return
        with gzip.open(path.with_name(path.name + ".gz"), "rt", encoding="utf-8") as f:
            yield from f
    except FileNotFoundError as e:
        raise WorldError(f"{path.name} is missing", mend="record or make the world again") from e
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as e:
        raise WorldError(f"{path.name} is cut or is not gzip", mend="record or make the world again") from e


def read_json(path: Path) -> Any:
    """A JSON document. Raises WorldError when it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise WorldError(f"{path.name} is missing", mend="record or make the world again") from e
    except ValueError as e:
        raise WorldError(f"{path.name} is not JSON", mend="record or make the world again") from e


def read_head(folder: Path) -> WorldHead:
    """Parse and check world.toml. Raises WorldError that names the field."""
    path = folder / "world.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise WorldError(f"{folder} holds no world.toml", mend="give a world folder") from e
    except ValueError as e:
        raise WorldError("world.toml is not TOML", mend=str(e)) from e
    if raw.get("format") != FORMAT:
        raise WorldError(f"world.toml has format {raw.get('format')!r}", mend=f"this version reads format {FORMAT}")
    for key, kinds in (("name", str), ("now", (int, float)), ("timezone", str), ("services", list), ("edges", list)):
        if not isinstance(raw.get(key), cast("Any", kinds)):
            raise WorldError(f"world.toml has no usable {key!r}", mend="see the head of evals/world_format.py")
    try:
        services = tuple((str(s["name"]), str(s.get("kind", ""))) for s in raw["services"])
        edges = tuple((str(e["caller"]), str(e["callee"])) for e in raw["edges"])
    except (KeyError, TypeError, AttributeError) as e:
        raise WorldError("world.toml has a service or edge without its names", mend="give name, caller, callee") from e
    return WorldHead(raw["name"], float(raw["now"]), raw["timezone"], services, edges)


def read_series(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of metrics/series.ndjson. Raises WorldError naming the line that is wrong."""
    for n, line in enumerate(lines_of(folder / "metrics" / "series.ndjson"), 1):
        try:
            row = json.loads(line)
            good = isinstance(row["labels"], dict) and isinstance(row["v"], list) and ("t" in row or row["step"] > 0)
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            raise WorldError(f"series.ndjson, line {n} is no series", mend="the world is half-written: make it again")
        yield row


def check_world(folder: Path) -> tuple[WorldHead, int, int]:
    """Read a whole world; return its head, series count and log line count. Raises WorldError for any defect."""
    head = read_head(folder)
    alerts = read_json(folder / "alerts.json")
    if not isinstance(alerts, list):
        raise WorldError("alerts.json is not a list", mend="give what GET /api/v2/alerts answers")
    if (folder / "rules.json").exists() and not isinstance(read_json(folder / "rules.json"), dict):
        raise WorldError("rules.json is not an object", mend="give what GET /api/v1/rules answers")
    series = sum(1 for _ in read_series(folder))
    logs = _check_logs(folder) if any((folder / n).exists() for n in ("logs.ndjson", "logs.ndjson.gz")) else 0
    return head, series, logs


def _check_logs(folder: Path) -> int:
    last, count = 0, 0
    for n, line in enumerate(lines_of(folder / "logs.ndjson"), 1):
        try:
            ts = json.loads(line)["ts"]
        except (ValueError, KeyError, TypeError) as e:
            raise WorldError(f"logs.ndjson, line {n} is no entry", mend="the world is half-written") from e
        if ts < last:
            raise WorldError(f"logs.ndjson, line {n} is out of order", mend="sort by ts")
        last, count = ts, count + 1
    return count


def series_row(labels: Mapping[str, str], t0: float, step: float, values: Sequence[float | int | None]) -> str:
    """One line of series.ndjson on a fixed grid."""
    return dumps({"labels": dict(labels), "t0": t0, "step": step, "v": list(values)})


def drop_topology(folder: Path) -> None:
    """Take services and who calls whom out of a world, as a new user has none."""
    file = folder / "world.toml"
    text = file.read_text(encoding="utf-8")
    kept = re.sub(r"^\[\[(?:services|edges)\]\]\n(?:(?!\[).*\n?)*", "", text, flags=re.MULTILINE)
    file.write_text(kept, encoding="utf-8")
