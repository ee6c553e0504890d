"""Alerts and rules from the JSON of Alertmanager (`GET /api/v2/alerts`) and Prometheus (`/api/v1/rules`, `/alerts`).

Everything but times and states crosses the door. What is not of the documented shape raises SourceMalformed that names
the place and never the text. Every label and annotation is untrusted: anybody who reaches Alertmanager may post.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.core.alert import Alert, Labels, Rule, Status
from assistant.core.time import Instant, parse_iso
from assistant.errors import SourceMalformed
from assistant.sources.door import Door

ZERO_TIME = "0001-01-01T00:00:00Z"
MAX_LABELS = 64
MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Active:
    """An alert as Prometheus itself evaluates it: when its condition began, and its value."""

    labels: Labels
    active_at: Instant
    firing: bool


def alerts_of(document: Any, door: Door, *, now: float) -> tuple[Alert, ...]:
    """The list that `GET /api/v2/alerts` answers. An end in the future only says when Alertmanager would forget."""
    items = _list(document, door.source, "the list of alerts")
    return tuple(_alert(item, door, now=now, where=f"alert {i + 1}") for i, item in enumerate(items))


def rules_of(document: Any, door: Door) -> tuple[Rule, ...]:
    """The alerting rules in the answer of `GET /api/v1/rules`, or in its `data`."""
    return tuple(
        Rule(
            name=door.value("alertname", _text(rule, "name", door.source)),
            expr=door.text(_text(rule, "query", door.source)).text,
            duration=_number(rule.get("duration", 0), door.source),
            labels=door.labels(strings(rule.get("labels"), door.source, "rule labels")),
            group=door.value("rule_group", _text(group, "name", door.source)),
        )
        for group, rule in _alerting(document, door.source)
    )


def active_of(document: Any, door: Door) -> tuple[Active, ...]:
    """The alerts inside the answer of `GET /api/v1/rules`."""
    return tuple(
        active for _, rule in _alerting(document, door.source) for active in _actives(rule.get("alerts", []), door)
    )


def active_alerts_of(document: Any, door: Door) -> tuple[Active, ...]:
    """The answer of `GET /api/v1/alerts`, or its `data`."""
    data = _mapping(data_of(document), door.source, "the answer")
    return tuple(_actives(data.get("alerts"), door))


def fired_of(document: Any, door: Door) -> tuple[Alert, ...]:
    """Firing alerts of Prometheus' `GET /api/v1/alerts` as Alertmanager would have them, started when active."""
    data = _mapping(data_of(document), door.source, "the answer")
    items = [i for i in _list(data.get("alerts"), door.source, "active alerts") if isinstance(i, Mapping)]
    firing = [{**item, "startsAt": item.get("activeAt")} for item in items if item.get("state") == "firing"]
    alerts = [one_alert(item, door, status="firing", where=f"alert {i + 1}") for i, item in enumerate(firing)]
    return tuple(replace(a, active_at=a.starts_at) for a in alerts)


def with_active_at(alerts: Iterable[Alert], active: Sequence[Active]) -> tuple[Alert, ...]:
    """Alerts with the time their condition began. Alertmanager's labels are Prometheus' plus external ones."""
    return tuple(replace(a, active_at=at) if (at := _began(a, active)) is not None else a for a in alerts)


def data_of(document: Any) -> Any:
    """The `data` of a Prometheus answer; a document that is no answer is taken as data."""
    if isinstance(document, Mapping) and "data" in document and "status" in document:
        return document["data"]
    return document


def strings(value: Any, source: str, what: str) -> dict[str, str]:
    """A mapping of text to text, bounded in number and length. None is empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_LABELS:
        raise SourceMalformed(source, f"{what}: not a mapping of at most {MAX_LABELS} texts")
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise SourceMalformed(source, f"{what}: not all of it is text")
    return {k[:MAX_TEXT]: v[:MAX_TEXT] for k, v in value.items()}


def instant(value: Any, source: str, what: str) -> Instant:
    """RFC 3339. Raises SourceMalformed."""
    try:
        return parse_iso(value)
    except (TypeError, ValueError, OverflowError):
        raise SourceMalformed(source, f"{what}: not a time such as 2026-11-23T09:41:30Z") from None


def one_alert(item: Any, door: Door, *, status: Status, where: str, group_key: str = "") -> Alert:
    """The part that webhook and API share: labels, annotations, times, fingerprint."""
    item = _mapping(item, door.source, where)
    raw = strings(item.get("labels"), door.source, f"{where}, labels")
    labels = door.labels(raw)
    annotations = strings(item.get("annotations"), door.source, f"{where}, annotations")
    names = [door.value("annotation_name", name) for name in annotations]
    given = item.get("fingerprint")
    return Alert(
        # A hash of a value that was removed must not stand beside what is left of it.
        fingerprint=given if isinstance(given, str) and dict(labels) == raw and given else fingerprint(labels),
        labels=labels,
        annotations=dict(zip(names, door.texts(list(annotations.values())), strict=True)),
        starts_at=instant(item.get("startsAt"), door.source, f"{where}, startsAt"),
        status=status,
        group_key=group_key,
    )


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's: FNV-1a (64 bit) over sorted names and values, each closed by 0xff (`model.LabelSet`)."""
    value = 0xCBF29CE484222325
    for name, text in sorted(labels.items()):
        for byte in b"\xff".join((name.encode(), text.encode(errors="surrogatepass"), b"")):
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _alert(item: Any, door: Door, *, now: float, where: str) -> Alert:
    item = _mapping(item, door.source, where)
    state = _mapping(item.get("status", {}), door.source, f"{where}, status")
    ends = item.get("endsAt")
    ends_at = None if ends in (None, "", ZERO_TIME) else instant(ends, door.source, f"{where}, endsAt")
    over = ends_at is not None and ends_at <= now
    alert = one_alert(item, door, status="resolved" if over else "firing", where=where)
    return replace(
        alert,
        ends_at=ends_at if over else None,
        silenced=bool(state.get("silencedBy")),
        inhibited=bool(state.get("inhibitedBy")),
    )


def _alerting(document: Any, source: str) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    groups = _mapping(data_of(document), source, "the rules").get("groups")
    for group in _list(groups, source, "rule groups"):
        group = _mapping(group, source, "a rule group")
        for rule in _list(group.get("rules"), source, "rules"):
            rule = _mapping(rule, source, "a rule")
            if rule.get("type", "alerting") == "alerting":
                yield group, rule


def _actives(items: Any, door: Door) -> Iterable[Active]:
    for item in _list(items, door.source, "active alerts"):
        item = _mapping(item, door.source, "an active alert")
        labels = door.labels(strings(item.get("labels"), door.source, "alert labels"))
        yield Active(labels, instant(item.get("activeAt"), door.source, "activeAt"), item.get("state") == "firing")


def _began(alert: Alert, active: Sequence[Active]) -> Instant | None:
    """Alertmanager cuts times to milliseconds, so that `startsAt` may lie a little before `activeAt`."""
    last = alert.starts_at + 0.01
    found = [a.active_at for a in active if a.labels.items() <= alert.labels.items() and a.active_at <= last]
    return min(max(found), alert.starts_at) if found else None


def _mapping(value: Any, source: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SourceMalformed(source, f"{what}: not an object")
    return value


def _list(value: Any, source: str, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise SourceMalformed(source, f"{what}: not a list")
    return value


def _text(item: Mapping[str, Any], key: str, source: str) -> str:
    value = item.get(key)
    if not isinstance(value, str):
        raise SourceMalformed(source, f"{key}: not text")
    return value


def _number(value: Any, source: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SourceMalformed(source, "duration: not a number")
    return float(value)
