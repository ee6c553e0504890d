"""From alerts to one incident: which alerts belong to this moment, and the windows to look at.

The window is anchored on when the condition began (`activeAt` of the rules API, else `startsAt` minus the rule's
`for`), because `startsAt` comes late by the rule's `for`. The baseline lies wholly before it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.core.alert import Alert, Question, Rule
from assistant.core.incident import Incident, IncidentId
from assistant.core.time import Instant, Window

_RANK = {"critical": 0, "page": 0, "high": 1, "error": 1, "major": 1, "warning": 2, "medium": 2, "low": 3, "info": 4}
_TOGETHER = 1800.0
_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Spans:
    """How far to look, in seconds: `lead` before the condition began, `baseline` before that; `longest` caps the window
    for an alert that has been firing for days."""

    lead: float = 600.0
    baseline: float = 3600.0
    longest: float = 6 * 3600.0


def new_id() -> IncidentId:
    """A fresh opaque id, easy to say aloud: `inc-7kf3ma`. It tells nothing."""
    return IncidentId("inc-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(6)))


def rank(alert: Alert) -> int:
    """0 is worst. An alert without a known severity ranks like a warning."""
    return _RANK.get(alert.severity.lower(), 2)


def began(alert: Alert, rules: Sequence[Rule]) -> float:
    """When the alert's condition began to hold, as well as can be told."""
    if alert.active_at is not None:
        return alert.active_at
    wait = next((r.duration for r in rules if r.name == alert.name), 0.0)
    return alert.starts_at - wait


def together(alerts: Sequence[Alert], rules: Sequence[Rule]) -> tuple[Alert, ...]:
    """The alerts of the worst thing that goes on: the cluster in time (gaps under 30 minutes) with the worst alert in
    it, the newest of equals; worst first. Silenced, inhibited and resolved ones stay out unless there are no others."""
    live = [a for a in alerts if a.status == "firing" and not a.silenced and not a.inhibited] or list(alerts)
    clusters: list[list[Alert]] = []
    for alert in sorted(live, key=lambda a: (began(a, rules), a.fingerprint)):
        if clusters and began(alert, rules) - began(clusters[-1][-1], rules) < _TOGETHER:
            clusters[-1].append(alert)
        else:
            clusters.append([alert])
    if not clusters:
        return ()
    worst = min(clusters, key=lambda c: (min(map(rank, c)), -began(c[-1], rules)))
    return tuple(sorted(worst, key=lambda a: (rank(a), began(a, rules), a.fingerprint)))


def incident_of(
    alerts: Sequence[Alert],
    rules: Sequence[Rule],
    *,
    now: float,
    spans: Spans | None = None,
    incident_id: IncidentId | None = None,
    question: Question | None = None,
) -> Incident:
    """One incident over `alerts` (already chosen) with its windows. Without alerts it looks at the last hour."""
    spans = spans or Spans()
    firing = [a for a in alerts if a.status == "firing"]
    ended = max((a.ends_at for a in alerts if a.ends_at is not None), default=now) if alerts and not firing else now
    end = min(now, ended + spans.lead)
    start = min((began(a, rules) for a in alerts), default=end - 3600.0) - spans.lead
    start = min(max(start, end - spans.longest), end - spans.lead)
    names = {a.name for a in alerts}
    return Incident(
        id=incident_id or new_id(),
        alerts=tuple(alerts),
        window=Window(Instant(start), Instant(end)),
        baseline=Window(Instant(start - spans.baseline), Instant(start)),
        rules=tuple(r for r in rules if r.name in names),
        question=question,
    )
