"""Alerts to test with: made by name and labels, redacted texts through the real scanner."""

from __future__ import annotations

from collections.abc import Mapping

from assistant.core.alert import Alert, Status, frozen
from assistant.core.time import Instant
from redaction import FinalScanner

T0 = 1_790_000_000.0


def alert(
    name: str = "ApprovalRateLow",
    *,
    at: float = T0,
    status: Status = "firing",
    group: str = "",
    fingerprint: str = "",
    labels: Mapping[str, str] | None = None,
    summary: str = "",
) -> Alert:
    """An alert; its fingerprint is its labels unless given."""
    every = frozen({"alertname": name, "severity": "critical", **(labels or {})})
    return Alert(
        fingerprint=fingerprint or "|".join(f"{k}={v}" for k, v in every.items()),
        labels=every,
        annotations={"summary": FinalScanner().restore(summary)} if summary else {},
        starts_at=Instant(at),
        status=status,
        ends_at=Instant(at + 60) if status == "resolved" else None,
        group_key=group,
    )
