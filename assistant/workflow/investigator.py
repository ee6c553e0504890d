"""The straight line as the workflow calls it: look once, write twice (facts at once, then the draft)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Gap
from assistant.core.incident import Incident, IncidentId
from assistant.core.note import Note
from assistant.errors import SourceError
from assistant.incidents import Spans, incident_of, rank
from assistant.ports import AlertSource

if TYPE_CHECKING:
    from assistant.case import Case
    from assistant.house import House

SHOWN_ALERTS = 50
"""More alerts than this add nothing to a note; a storm keeps its worst and oldest here and the count in a gap."""


class Investigator(Protocol):
    """`examine` returns whatever it likes; it stays in the process that made it and is never stored. `has_model` False
    means that a draft would say what the facts say."""

    @property
    def has_model(self) -> bool: ...

    def incident(self, incident: IncidentId, alerts: tuple[Alert, ...]) -> Incident: ...

    def examine(self, incident: Incident) -> Any: ...

    def facts(self, found: Any, *, revision: int, without_model: str = "") -> Note: ...

    def draft(self, found: Any, *, revision: int) -> Note: ...

    def sketch(self, found: Any) -> Note:
        """The facts as a note that is only compared with the last one: neither recorded nor shown."""
        ...


@dataclass(slots=True)
class HouseInvestigator:
    """`Investigator` over a `House`. `house` is read at each use, so that it can be replaced between rounds."""

    house: House
    spans: Spans

    @property
    def has_model(self) -> bool:
        return self.house.draft is not self.house.facts

    def warm(self) -> None:
        """Load what the first incident would otherwise wait for."""
        import assistant.investigate

        self.house.runbooks.find(alerts=(), question="is anything wrong", findings_text="")
        _ = assistant.investigate.examine

    def incident(self, incident: IncidentId, alerts: tuple[Alert, ...]) -> Incident:
        """The incident with windows and rules. A clock of the source that runs ahead of ours moves `now` to it."""
        by_weight = sorted(alerts, key=lambda a: (a.status != "firing", rank(a), a.starts_at, a.fingerprint))
        source = self.house.sources(self.house.redactor).alerts
        shown = _dated(tuple(by_weight[:SHOWN_ALERTS]), source)
        newest = max((a.starts_at for a in shown), default=0.0)
        now = max(self.house.clock.now(), newest + 1.0)
        return incident_of(shown, _rules(source), now=now, spans=self.spans, incident_id=incident)

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

    def sketch(self, found: Case) -> Note:
        from assistant.compose import compose

        return compose(found, self.house.facts(found.context), now=self.house.clock.now())


def _dated(alerts: tuple[Alert, ...], source: AlertSource) -> tuple[Alert, ...]:
    """With the time their conditions began, where the source can tell (see `sources.live.LiveAlerts.dated`)."""
    dated: Callable[[tuple[Alert, ...]], tuple[Alert, ...]] | None = getattr(source, "dated", None)
    return dated(alerts) if dated is not None else alerts


def _rules(source: AlertSource) -> tuple[Rule, ...]:
    """The rules behind the alerts. Without them windows start at `startsAt`; collecting tells of the gap."""
    try:
        return source.rules()
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
