"""Sources in memory, with the ports' own meaning: metrics are evaluated, logs guarded, and any of them can be down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Change, EvidenceId, LogEvidence, LogLine, MetricInfo, Series, Topology
from assistant.core.query import Matcher, Query
from assistant.core.time import Instant, Window
from assistant.errors import SourceError
from assistant.sources.catalogue import catalogue_of
from assistant.sources.door import Door
from assistant.sources.evaluate import Samples, evaluate, matches
from assistant.sources.logql import require_selective, search_text
from assistant.sources.promql import render
from redaction import Redactor

NOW = Instant(1_795_446_872.0)


@dataclass
class FakeSources:
    """AlertSource, MetricSource, LogSource, ChangeSource and Clock. `down` maps a source to the error it raises.

    Texts given to it are taken as redacted, except the catalogue, which crosses a door as it does everywhere."""

    at: Instant = NOW
    alerts_: tuple[Alert, ...] = ()
    rules_: tuple[Rule, ...] = ()
    series: tuple[Series, ...] = ()
    lines: tuple[LogLine, ...] = ()
    changes_: tuple[Change, ...] = ()
    topology_: Topology = field(default_factory=Topology)
    down: Mapping[str, SourceError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def now(self) -> Instant:
        return self.at

    def alerts(self) -> tuple[Alert, ...]:
        self._reached("alertmanager", "alerts")
        return self.alerts_

    def rules(self) -> tuple[Rule, ...]:
        self._reached("prometheus", "rules")
        return self.rules_

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        self._reached("prometheus", "catalogue")
        present = [s.labels for s in self.series if len(s.within(window).t)]
        return catalogue_of(present, {}, Door("prometheus", Redactor.default()))

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        self._reached("prometheus", render(query))
        return evaluate(query, Samples.of(self.series), window=window, step=step), 0

    def promql(self, query: Query) -> str:
        return render(query)

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        self._reached("loki", "labels")
        found: dict[str, set[str]] = {}
        for line in self.lines:
            for name, value in line.labels.items():
                found.setdefault(name, set()).add(value)
        return {name: tuple(sorted(values)) for name, values in found.items()}

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        query = search_text(selector, contains)
        self._reached("loki", query)
        require_selective(selector)
        found = [
            line
            for line in self.lines
            if line.t in window
            and matches(selector, line.labels)
            and (not contains or any(word.lower() in line.text.lower() for word in contains))
        ]
        return LogEvidence(EvidenceId(""), query, about, window, tuple(found[-limit:]), max(0, len(found) - limit))

    def changes(self, window: Window) -> tuple[Change, ...]:
        self._reached("changes", "changes")
        return tuple(c for c in self.changes_ if window.start <= c.t <= window.end)

    def topology(self) -> Topology:
        return self.topology_

    def _reached(self, source: str, what: str) -> None:
        self.asked.append(f"{source}: {what}")
        if source in self.down:
            raise self.down[source]
