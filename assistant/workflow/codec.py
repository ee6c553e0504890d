"""Alerts and incident heads as JSON and back. What comes back as redacted text passes the final scanner again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.core.alert import Alert, frozen
from assistant.core.incident import IncidentId
from assistant.core.time import Instant
from assistant.identity import Head
from redaction import FinalScanner


def alert_to_json(alert: Alert) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels),
        "annotations": {name: text.text for name, text in alert.annotations.items()},
        "starts_at": alert.starts_at,
        "status": alert.status,
        "ends_at": alert.ends_at,
        "active_at": alert.active_at,
        "group_key": alert.group_key,
        "silenced": alert.silenced,
        "inhibited": alert.inhibited,
    }


def alert_from_json(raw: Mapping[str, Any], *, scanner: FinalScanner) -> Alert:
    """Raises redaction.LeakBlocked if the store holds what it must not."""
    return Alert(
        fingerprint=raw["fingerprint"],
        labels=frozen(raw["labels"]),
        annotations={name: scanner.restore(text) for name, text in raw["annotations"].items()},
        starts_at=Instant(raw["starts_at"]),
        status=raw["status"],
        ends_at=_instant(raw["ends_at"]),
        active_at=_instant(raw["active_at"]),
        group_key=raw["group_key"],
        silenced=raw["silenced"],
        inhibited=raw["inhibited"],
    )


def head_to_json(head: Head) -> dict[str, Any]:
    """The parts of a head that have no column of their own."""
    return {
        "joined_at": head.joined_at,
        "onsets": list(head.onsets),
        "severity": head.severity,
        "names": sorted(head.names),
        "groups": sorted(head.groups),
        "entities": sorted(map(list, head.entities)),
        "scope": sorted(map(list, head.scope)),
        "firing": head.firing,
        "muted": head.muted,
        "alone": head.alone,
    }


def head_from_json(raw: Mapping[str, Any], **columns: Any) -> Head:
    return Head(
        id=IncidentId(columns["id"]),
        opened_at=columns["opened_at"],
        resolved_at=columns["resolved_at"],
        storm=bool(columns["storm"]),
        merged_into=columns["merged_into"],
        wants=columns["wants"],
        joined_at=raw["joined_at"],
        onsets=(raw["onsets"][0], raw["onsets"][1]),
        severity=raw["severity"],
        names=frozenset(raw["names"]),
        groups=frozenset(raw["groups"]),
        entities=frozenset((n, v) for n, v in raw["entities"]),
        scope=frozenset((n, v) for n, v in raw["scope"]),
        firing=raw["firing"],
        muted=raw["muted"],
        alone=raw.get("alone", False),  # heads of before there was one
    )


def _instant(value: float | None) -> Instant | None:
    return None if value is None else Instant(value)
