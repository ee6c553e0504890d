"""Alertmanager: what is firing, and what is silenced or inhibited. We are an extra receiver, never in the paging path.

The webhook alone suffices: `parse_webhook` reads one POST (payload version "4",
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config). Where the API is reachable the leader polls
it too (`assistant.workflow.poll`), because webhooks get lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from assistant.core.alert import Alert, Labels, Status, frozen
from assistant.core.evidence import Gap
from assistant.core.time import Instant
from assistant.errors import AlertError, SourceMalformed
from assistant.settings import Endpoint
from assistant.sources.alert_json import ZERO_TIME, alerts_of, instant, one_alert, strings
from assistant.sources.budget import Budget
from assistant.sources.door import Door
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import ALERTMANAGER
from redaction import CardholderFinding, RedactedText, Redactor

SOURCE = "alertmanager"
MAX_BODY = 8 * 1024 * 1024
MAX_ALERTS = 10_000
VERSION = "4"


@dataclass(frozen=True, slots=True)
class Group:
    """What a webhook says of its alerts together. `truncated` counts alerts that Alertmanager left out (`max_alerts`).
    `group_key` is neither unique nor stable (Alertmanager #3817, #881): it is a hint, never an identity."""

    status: Status
    group_key: str
    receiver: str
    labels: Labels
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as it stands. `matchers` as people write them, `until` when it ends."""

    id: str
    matchers: tuple[str, ...]
    starts_at: Instant
    until: Instant
    state: str
    comment: RedactedText


class Alertmanager:
    """The alerts of an AlertSource. Made by `from_settings`."""

    def __init__(self, session: ReadOnlySession, limits: Endpoint, redactor: Redactor, budget: Budget | None) -> None:
        self.session = session
        self.limits = limits
        self._door = Door(SOURCE, redactor)
        self._budget = budget

    @classmethod
    def from_settings(cls, endpoint: Endpoint, *, redactor: Redactor) -> Alertmanager:
        """Raises SettingsError."""
        return cls(ReadOnlySession(SOURCE, endpoint, ALERTMANAGER), endpoint, redactor, None)

    def for_incident(self, *, redactor: Redactor, budget: Budget | None = None) -> Alertmanager:
        """The same server for one incident: its redactor, its budget, our connections."""
        return Alertmanager(self.session, self.limits, redactor, budget)

    def findings(self) -> tuple[CardholderFinding, ...]:
        """Card data in what it answered so far."""
        return self._door.findings()

    @property
    def redactions(self) -> Mapping[str, int]:
        return self._door.counts

    def notices(self) -> tuple[Gap, ...]:
        return ()

    def alerts(self, *, now: float) -> tuple[Alert, ...]:
        """All alerts, silenced and inhibited ones marked. Raises SourceError."""
        return alerts_of(self._get("/api/v2/alerts"), self._door, now=now)

    def standing(self, *, now: float, receiver: str = "") -> tuple[tuple[Alert, ...], frozenset[str]]:
        """What a webhook of this receiver ("" any) should have brought by now (firing, neither silenced nor inhibited),
        and the fingerprints of everything that is listed. Raises SourceError."""
        items = self._get("/api/v2/alerts")
        listed = alerts_of(items, self._door, now=now)
        ours = tuple(
            alert
            for alert, item in zip(listed, items, strict=True)
            if alert.status == "firing"
            and not alert.silenced
            and not alert.inhibited
            and (not receiver or receiver in _receivers(item))
        )
        return ours, frozenset(a.fingerprint for a in listed if a.status == "firing")

    def silences(self) -> tuple[Silence, ...]:
        """Active and pending silences. Raises SourceError."""
        items = self._get("/api/v2/silences")
        if not isinstance(items, list):
            raise SourceMalformed(SOURCE, "the silences are not a list")
        return tuple(s for item in items if (s := _silence(item, self._door)).state != "expired")

    def status(self) -> Mapping[str, Any]:
        """The raw status, for doctor. Raises SourceError."""
        data = self._get("/api/v2/status")
        if not isinstance(data, Mapping):
            raise SourceMalformed(SOURCE, "the status is not an object")
        return data

    def _get(self, path: str) -> Any:
        with self.session.within(self._budget):
            return self.session.get_json(path)


def parse_webhook(body: bytes, redactor: Redactor) -> tuple[tuple[Alert, ...], Group]:
    """The alerts of one webhook POST and what it says of them together; everything redacted. Raises AlertError with a
    line that names the place and never the text."""
    if len(body) > MAX_BODY:
        raise AlertError(f"the webhook's body is over {MAX_BODY} bytes", mend="set max_alerts on the receiver")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise AlertError(
            "the webhook's body is not JSON", mend="send what Alertmanager's webhook_config sends"
        ) from None
    try:
        return _webhook(document, Door(SOURCE, redactor))
    except SourceMalformed as error:
        raise AlertError(f"webhook: {error.message}", mend=error.mend or "send payload version 4") from None


def parse_alerts(data: bytes, redactor: Redactor, *, now: float | None = None) -> tuple[Alert, ...]:
    """Alerts as a person hands them over: a webhook payload, or the list that `GET /api/v2/alerts` answers. `now`
    (Unix seconds, default this moment) tells ends that have passed. Raises AlertError."""
    moment = time.time() if now is None else now
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        mend = "give a webhook payload, or what GET /api/v2/alerts answers"
        raise AlertError(f"the alerts are not JSON{line}", mend=mend) from None
    door = Door(SOURCE, redactor)
    try:
        return alerts_of(document, door, now=moment) if isinstance(document, list) else _webhook(document, door)[0]
    except SourceMalformed as error:
        mend = error.mend or "give a webhook payload, or what GET /api/v2/alerts answers"
        raise AlertError(f"alerts: {error.message}", mend=mend) from None


def _webhook(document: Any, door: Door) -> tuple[tuple[Alert, ...], Group]:
    if not isinstance(document, Mapping):
        raise SourceMalformed(SOURCE, "not an object")
    if document.get("version") != VERSION:
        raise SourceMalformed(SOURCE, f"its version is not {VERSION!r}")
    items = document.get("alerts")
    if not isinstance(items, list) or len(items) > MAX_ALERTS:
        raise SourceMalformed(SOURCE, f"alerts: not a list of at most {MAX_ALERTS}")
    key = door.text(_text(document, "groupKey")).text
    alerts = tuple(_alert(item, door, i + 1, key) for i, item in enumerate(items))
    truncated = document.get("truncatedAlerts", 0)
    return alerts, Group(
        status=_status(document, "the group"),
        group_key=key,
        receiver=door.value("receiver", _text(document, "receiver")),
        labels=frozen(door.labels(strings(document.get("groupLabels"), SOURCE, "groupLabels"))),
        truncated=truncated if isinstance(truncated, int) and truncated > 0 else 0,
    )


def _alert(item: Any, door: Door, number: int, group_key: str) -> Alert:
    where = f"alert {number}"
    if not isinstance(item, Mapping):
        raise SourceMalformed(SOURCE, f"{where}: not an object")
    status = _status(item, where)
    alert = one_alert(item, door, status=status, where=where, group_key=group_key)
    ends = item.get("endsAt")
    over = status == "resolved" and ends not in (None, "", ZERO_TIME)
    return replace(alert, ends_at=instant(ends, SOURCE, f"{where}, endsAt") if over else None)


def _status(item: Mapping[str, Any], where: str) -> Status:
    status = item.get("status")
    if status == "firing":
        return "firing"
    if status == "resolved":
        return "resolved"
    raise SourceMalformed(SOURCE, f"{where}: status is neither firing nor resolved")


def _receivers(item: Mapping[str, Any]) -> frozenset[str]:
    """The names of the receivers that an alert of the API is routed to."""
    found = item.get("receivers")
    named = found if isinstance(found, list) else []
    return frozenset(str(r.get("name", "")) for r in named if isinstance(r, Mapping))


def _silence(item: Any, door: Door) -> Silence:
    if not isinstance(item, Mapping) or not isinstance(item.get("matchers"), list):
        raise SourceMalformed(SOURCE, "a silence is not of the API's shape")
    state = item.get("status")
    return Silence(
        id=door.value("silence", str(item.get("id", ""))[:64]),
        matchers=tuple(_matcher(m, door) for m in item["matchers"]),
        starts_at=instant(item.get("startsAt"), SOURCE, "a silence's start"),
        until=instant(item.get("endsAt"), SOURCE, "a silence's end"),
        state=str(state.get("state", "")) if isinstance(state, Mapping) else "",
        comment=door.text(str(item.get("comment", ""))[:500]),
    )


def _matcher(item: Any, door: Door) -> str:
    if not isinstance(item, Mapping):
        raise SourceMalformed(SOURCE, "a silence's matcher is not an object")
    name, value = str(item.get("name", "")), str(item.get("value", ""))
    op = (
        ("=~" if item.get("isRegex") else "=") if item.get("isEqual", True) else ("!~" if item.get("isRegex") else "!=")
    )
    return f'{name}{op}"{door.value(name, value)}"'


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key, "")
    if not isinstance(value, str) or len(value) > 64 * 1024:
        raise SourceMalformed(SOURCE, f"{key}: not text")
    return value
