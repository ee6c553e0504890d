"""Which log lines to ask for: complaints of every service, those that the alert speaks of first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.analysis import words as w
from assistant.core.incident import Incident
from assistant.core.observations import PaymentsMap
from assistant.core.query import Matcher

ERROR_WORDS = (
    "error", "fail", "timeout", "timed out", "exception", "refused", "unavailable", "unreachable", "rejected",
    "exhausted", "panic", "fatal", "expired", "denied", "throttl", "retry", "warn", "circuit", "oom", "fallback",
    "degraded", "stand-in", "duplicate", "restart", "reload", "rollback", "deadlock", "slow", "full", "exceeded",
    "limit", "reset", "resolve", "inoperative", "malfunction", "declined", "late", "lag", "drift", "mismatch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """A log search: stream matchers, and words of which a line must contain one (none: every line)."""

    selector: tuple[Matcher, ...]
    contains: tuple[str, ...]
    about: str


def told(incident: Incident) -> frozenset[str]:
    """Words of the alerts and the question: metrics and services that share them come first."""
    texts = [v for a in incident.alerts for v in a.labels.values()]
    if incident.question:
        texts += incident.question.text.text.split()
    return frozenset(word for text in texts for word in w.words(text) if len(word) > 2)


def plan_log_searches(
    *,
    incident: Incident,
    payments: PaymentsMap,
    log_labels: Mapping[str, Sequence[str]],
    budget: int = 24,
) -> tuple[PlannedSearch, ...]:
    """At most `budget` searches: complaints of every service, then everything of the services the alert names.

    One search per service keeps a chatty service from using up the line budget of the others; where there are more
    services than searches, the rest share one.
    """
    service = payments.fields.get("service")
    name = service.label if service else next(iter(log_labels), "")
    if not name:
        return ()
    values = [v for v in log_labels.get(name, ()) if v]
    spoken = told(incident)
    named = {v for a in incident.alerts for v in a.labels.values()}
    near = sorted(values, key=lambda v: (v not in named, -len(spoken & set(w.words(v))), v))
    if not near:
        return (PlannedSearch((Matcher(name, "=~", ".+"),), ERROR_WORDS, "complaints of all streams"),)
    found = [PlannedSearch((Matcher(name, "=", v),), ERROR_WORDS, f"complaints of {v}") for v in near[: budget - 1]]
    rest = near[budget - 1 :]
    if len(rest) == 1:
        found.append(PlannedSearch((Matcher(name, "=", rest[0]),), ERROR_WORDS, f"complaints of {rest[0]}"))
    elif rest:
        union = "|".join(_quoted(v) for v in rest[:50])
        found.append(PlannedSearch((Matcher(name, "=~", union),), ERROR_WORDS, "complaints of the other services"))
    return tuple(found)


def _quoted(value: str) -> str:
    """RE2-quoted: Python's `re.escape` writes escapes that RE2 refuses."""
    return "".join("\\" + c if c in r"\.+*?()|[]{}^$" else c for c in value)
