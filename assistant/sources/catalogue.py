"""What metrics there are: names, types, labels and sizes, from series and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from assistant.core.evidence import MetricInfo, MetricType
from assistant.sources.door import Door

MAX_VALUES = 500
NAME = "__name__"
_PARTS = ("_bucket", "_count", "_sum")
_TYPES = ("counter", "gauge", "histogram", "summary")


def catalogue_of(
    series: Iterable[Mapping[str, str]], metadata: Mapping[str, Any], door: Door
) -> tuple[MetricInfo, ...]:
    """One MetricInfo a metric name, sorted. `series` are raw label sets, `metadata` the `data` of `/api/v1/metadata`.

    Of a histogram `x`, `x_bucket` is of type histogram, `x_count` and `x_sum` are counters. Without metadata the type
    is told from the name, by Prometheus' naming conventions. A metric whose very name would be redacted is left out."""
    sizes: dict[str, int] = {}
    values: dict[str, dict[str, set[str]]] = {}
    for labels in series:
        name = labels.get(NAME, "")
        sizes[name] = sizes.get(name, 0) + 1
        known = values.setdefault(name, {})
        for label, value in labels.items():
            seen = known.setdefault(label, set())
            if label != NAME and len(seen) < MAX_VALUES:
                seen.add(value)
    shown = sorted(name for name in sizes if name and door.value(NAME, name) == name)
    return tuple(metric_info(name, sizes[name], values[name], metadata, door) for name in shown)


def metric_type(name: str, metadata: Mapping[str, Any]) -> MetricType:
    """The type of the series called `name`."""
    told = _told(name, metadata)
    if told:
        return told
    base = next((name.removesuffix(p) for p in _PARTS if name.endswith(p)), "")
    if base and _told(base, metadata) in ("histogram", "summary"):
        return "histogram" if name.endswith("_bucket") else "counter"
    if name.endswith("_bucket"):
        return "histogram"
    return "counter" if name.endswith(("_total", "_count", "_sum")) else "unknown"


def _told(name: str, metadata: Mapping[str, Any]) -> MetricType | None:
    entries = metadata.get(name)
    first = entries[0] if isinstance(entries, list) and entries else None
    kind = first.get("type") if isinstance(first, Mapping) else None
    return cast("MetricType", kind) if kind in _TYPES else None


def _help(name: str, metadata: Mapping[str, Any]) -> str:
    for key in (name, *(name.removesuffix(p) for p in _PARTS)):
        entries = metadata.get(key)
        if isinstance(entries, list) and entries and isinstance(entries[0], Mapping):
            return str(entries[0].get("help", ""))[:400]
    return ""


def metric_info(
    name: str, size: int, values: Mapping[str, set[str]], metadata: Mapping[str, Any], door: Door
) -> MetricInfo:
    """One metric; label names and values cross the door together, because a rule may look at both."""
    labels: dict[str, set[str]] = {}
    for label, found in sorted(values.items()):
        for value in found if label != NAME else ():
            shown, text = door.pair(label, value)
            labels.setdefault(shown, set()).add(text)
    sorted_values = {label: tuple(sorted(texts)) for label, texts in labels.items()}
    return MetricInfo(name, metric_type(name, metadata), sorted_values, size, door.text(_help(name, metadata)).text)
