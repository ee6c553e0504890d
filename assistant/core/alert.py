"""An alert and a question: the two things that start an investigation. Every text in them is already redacted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from assistant.core.time import Instant
from redaction import RedactedText

Labels = Mapping[str, str]
Status = Literal["firing", "resolved"]


def frozen(labels: Mapping[str, str]) -> Labels:
    """A read-only copy, sorted by name, so that equal label sets compare and print the same."""
    return MappingProxyType(dict(sorted(labels.items())))


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as Alertmanager knows it.

    `labels` and `annotations` were redacted by the adapter. `starts_at` is when the alert fired, which is the rule's
    `for` after its condition held; `active_at`, where the rules API gave it, is when the condition began to hold.
    `runbook_url` is matched as text and never requested.
    """

    fingerprint: str
    labels: Labels
    annotations: Mapping[str, RedactedText]
    starts_at: Instant
    status: Status = "firing"
    ends_at: Instant | None = None
    active_at: Instant | None = None
    group_key: str = ""
    silenced: bool = False
    inhibited: bool = False

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "unnamed alert")

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "")

    @property
    def runbook_url(self) -> str:
        text = self.annotations.get("runbook_url") or self.annotations.get("runbook")
        return text.text if text else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule as `GET /api/v1/rules` answers it; `duration` is its `for`, in seconds."""

    name: str
    expr: str
    duration: float
    labels: Labels = field(default_factory=lambda: frozen({}))
    group: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asked, redacted before it got here. `asker` is a pseudonym, or a person ("slack:U…") for whom the
    prompt log makes one; it is shown to nobody and stands in no prompt."""

    text: RedactedText
    asked_at: Instant
    asker: str
