"""The straight line as the workflow calls it: look once, write twice (facts at once, then the draft)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Gap
from assistant.core.incident import Incident, IncidentId
from assistant.core.note import Note
from assistant.errors import SourceError
from assistant.incidents import Spans, incident_of, rank

if TYPE_CHECKING:
    from assistant.case import Case
    from assistant.house import House

SHOWN_ALERTS = 50
"""More alerts than this add nothing to a note; a storm keeps its worst and oldest here and the count in a gap."""


class Investigator(Protocol):
    """`Found` is whatever `examine` returns; it stays in the process that made it and is never stored."""

    def incident(self, incident: IncidentId, alerts: tuple[Alert, ...]) -> Incident: ...

    def examine(self, incident: Incident) -> Any: ...

    def facts(self, found: Any, *, revision: int, without_model: str = "") -> Note: ...

    def draft(self, found: Any, *, revision: int) -> Note: ...


@dataclass(slots=True)
class HouseInvestigator:
    """`Investigator` over a `House`. `house` is read at each use, so that it can be replaced between rounds."""

    house: House
    spans: Spans

    def incident(self, incident: IncidentId, alerts: tuple[Alert, ...]) -> Incident:
        """The incident with windows and rules. A clock of the source that runs ahead of ours moves `now` to it."""
        shown = tuple(sorted(alerts, key=lambda a: (a.status != "firing", rank(a), a.starts_at, a.fingerprint)))[
            :SHOWN_ALERTS
        ]
        newest = max((a.starts_at for a in shown), default=0.0)
        now = max(self.house.clock.now(), newest + 1.0)
        return incident_of(shown, self._rules(), now=now, spans=self.spans, incident_id=incident)

    def examine(self, incident: Incident) -> Case:
        from assistant.investigate import examine

        return examine(incident, self.house)

    def facts(self, found: Case, *, revision: int, without_model: str = "") -> Note:
        from assistant.investigate import facts_note, note_of

        if not without_model:
            return facts_note(found, self.house, revision=revision)
        written = replace(self.house.facts(found.context), without_model=without_model)
        return note_of(found, written, self.house, revision=revision)

    def draft(self, found: Case, *, revision: int) -> Note:
        from assistant.investigate import drafted_note

        return drafted_note(found, self.house, revision=revision)

    def _rules(self) -> tuple[Rule, ...]:
        """The rules behind the alerts. Without them windows start at `startsAt`; collecting tells of the gap."""
        try:
            return self.house.sources(self.house.redactor).alerts.rules()
        except SourceError:
            return ()


def skew_gap(incident: Incident, *, now: float) -> Gap | None:
    """A gap that says so where an alert began after our now: somebody's clock is wrong."""
    ahead = max((a.starts_at for a in incident.alerts), default=now) - now
    if ahead <= 5.0:
        return None
    return Gap(
        "clock", f"an alert says it began {ahead:.0f} s from now: clocks of Prometheus and this machine are apart"
    )
