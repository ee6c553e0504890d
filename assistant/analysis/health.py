"""Is anything wrong now? Judged by what the alerts are about, and by the payments themselves.

Services always wobble somewhere; what wobbles beside the alert is a suspect at most, never the answer to whether the
alert is true.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.analysis.dimensions import Explained
from assistant.analysis.logs import Pattern
from assistant.analysis.ranking import force
from assistant.analysis.rules import alerted
from assistant.analysis.signals import Signal
from assistant.core.finding import Health
from assistant.core.observations import Observations

PAYMENTS = frozenset({"approval rate", "volume"})
STRONG = 25.0
"""Log patterns of this score and more count without metrics beside them."""


def relevant(seen: Observations, signals: Sequence[Signal]) -> list[Signal]:
    """Signals that the incident is about: the alerts' own measures, the approval rate and the volume. All of them where
    no rule is known."""
    about = {e.id for e in seen.metrics if alerted(seen, e)}
    if not about:
        return list(signals)
    return [s for s in signals if s.evidence in about or (s.role in PAYMENTS and not s.labels)]


def health_of(
    seen: Observations, signals: Sequence[Signal], patterns: Sequence[Pattern], explained: Sequence[Explained]
) -> Health:
    """Failing, recovered, healthy, or unknown where nothing could be measured."""
    hurting = [s for s in relevant(seen, signals) if s.moved and (s.bad != 0 or s.role == "volume") and force(s) >= 0.2]
    if any(s.now_bad for s in hurting):
        return "failing"
    severe = [p for p in patterns if p.severity == 2 and p.score >= STRONG]
    if hurting or explained:
        return "recovered"
    if not seen.metrics:
        if not seen.logs:
            return "unknown"
        return "failing" if any(p.still for p in severe) else "healthy"
    measured = any(alerted(seen, e) for e in seen.metrics) or not seen.incident.rules
    if not measured and any(p.still for p in severe):
        return "failing"
    return "healthy"
