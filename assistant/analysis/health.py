"""Is anything wrong now? Judged by what the alerts are about, and by the payments themselves.

Services always wobble somewhere; what wobbles beside the alert is a suspect at most, never the answer to whether the
alert is true.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.analysis.dimensions import Explained
from assistant.analysis.logs import Pattern
from assistant.analysis.ranking import force
from assistant.analysis.rules import alerted, asked_by, pressing
from assistant.analysis.signals import Signal
from assistant.analysis.watches import follows, surge_of, told, watched
from assistant.core.finding import Health
from assistant.core.observations import Observations

STRONG = 25.0
"""Log patterns of this score and more count without metrics beside them."""


def relevant(seen: Observations, signals: Sequence[Signal]) -> list[Signal]:
    """Signals that the incident is about: the worst alerts' own measures, approval rates and the volume. All of them
    where no rule is known."""
    about = pressing(seen)
    if not about:
        return list(signals)
    return [
        s for s in signals if s.evidence in about or s.role == "approval rate" or (s.role == "volume" and not s.labels)
    ]


def _hurts(seen: Observations, s: Signal) -> bool:
    """More traffic than usual hurts nobody by itself; less does. What an alert's rule reads hurts when it rose."""
    if s.role == "volume":
        return s.direction < 0
    return s.bad != 0 or (s.role != "requests" and asked_by(seen, s))


def failing_now(hurting: Sequence[Signal]) -> bool:
    """Whether what moved is still bad. Rates and shares speak first: a quantile looks back and heals late, and traffic
    that is still high after a fault is people trying again."""
    first = [s for s in hurting if s.role.split(".")[0] not in {"latency", "requests", "volume", "flow"}]
    falling = [s for s in hurting if s.role == "volume" and s.direction < 0]
    return any(s.now_bad for s in (first + falling or hurting))


def _led(hurting: Sequence[Signal]) -> list[Signal]:
    """Without the rates of smaller scopes where the one that fell most is back: they hold a part of the same payments,
    and fewer of them tell the end later."""
    rates = [s for s in hurting if s.role == "approval rate" and s.labels]
    main = max(rates, key=force, default=None)
    if main is None or main.now_bad:
        return list(hurting)
    return [s for s in hurting if s.role != "approval rate" or s is main]


def health_of(
    seen: Observations, signals: Sequence[Signal], patterns: Sequence[Pattern], explained: Sequence[Explained]
) -> Health:
    """Failing, recovered, healthy, or unknown where nothing could be measured."""
    moved = [
        s for s in relevant(seen, signals) if s.moved and _hurts(seen, s) and (force(s) >= 0.2 or asked_by(seen, s))
    ]
    surge = surge_of(seen, signals)
    hurting = [s for s in moved if not watched(seen, s, signals, patterns) and not follows(s, surge)]
    if failing_now(_led(hurting)) or (not hurting and told(seen, signals, patterns)):
        return "failing"
    severe = [p for p in patterns if p.severity == 2 and p.score >= STRONG]
    if hurting or (explained and not moved):
        return "recovered"
    if not seen.metrics:
        if not seen.logs:
            return "unknown"
        return "failing" if any(p.still for p in severe) else "healthy"
    measured = any(alerted(seen, e) for e in seen.metrics) or not seen.incident.rules
    if not measured and any(p.still for p in severe):
        return "failing"
    return "healthy"
