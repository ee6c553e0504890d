"""A world: a folder that stands for everything the assistant could see at one moment, behind the same ports.

`alerts.json`, `rules.json` and `changes.json` are read when the world is opened, samples and log lines when first asked
for. A file that is not there is a gap of its source; a broken one is a WorldError. Nothing later than `now` is seen.
Log lines are filtered before they are redacted, so that only what is shown is paid for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Change, EvidenceId, LogEvidence, LogLine, MetricInfo, Series, Topology
from assistant.core.query import Matcher, Query
from assistant.core.time import Instant, Window
from assistant.errors import SourceMalformed, SourceRefused, WorldError
from assistant.settings import Payments
from assistant.sources.alert_json import Active, active_of, alerts_of, data_of, rules_of, with_active_at
from assistant.sources.catalogue import catalogue_of
from assistant.sources.change_json import changes_of, within
from assistant.sources.door import Door
from assistant.sources.evaluate import Samples, evaluate, largest, matches
from assistant.sources.logql import require_selective, search_text
from assistant.sources.promql import render, selecting
from assistant.sources.world_files import LogLines, json_file, raw_logs, raw_series, world_settings
from redaction import CardholderFinding, Redactor

MAX_SERIES = 2000
"""As `max_series` of a server's configuration."""


class WorldSource:
    """AlertSource, MetricSource, LogSource, ChangeSource and Clock over one folder. Made by `open`."""

    def __init__(self, folder: Path, redactor: Redactor) -> None:
        self.folder = folder
        self._settings = world_settings(folder)
        self._metrics_door = Door("prometheus", redactor)
        self._alerts_door = Door("alertmanager", redactor)
        self._logs_door = Door("loki", redactor)
        self._changes_door = Door("changes", redactor)

    @classmethod
    def open(cls, path: Path, redactor: Redactor) -> WorldSource:
        """Read what is small, and say at once what is wrong with it. Raises WorldError."""
        world = cls(path, redactor)
        for name in ("_rules", "_alerts", "_changes"):
            try:
                getattr(world, name)
            except SourceMalformed as error:
                raise WorldError(
                    f"{path / (name[1:] + '.json')}: {error.message}", mend=error.mend or "mend it"
                ) from None
            except SourceRefused:
                continue  # said again, as a gap, by whoever asks for it
        return world

    @property
    def name(self) -> str:
        return self._changes_door.text(self._settings.name).text

    @property
    def timezone(self) -> str:
        return self._settings.timezone

    @property
    def payments(self) -> Payments:
        """`[payments]` of the world, as a configuration would say it."""
        return self._settings.payments

    @property
    def redactions(self) -> Mapping[str, int]:
        """Values removed so far, by class."""
        doors = (self._metrics_door, self._alerts_door, self._logs_door, self._changes_door)
        return sum((d.counts for d in doors), Counter())

    def findings(self) -> tuple[CardholderFinding, ...]:
        """Card data in what was read so far, by service or source."""
        doors = (self._metrics_door, self._alerts_door, self._logs_door, self._changes_door)
        return tuple(f for door in doors for f in door.findings())

    def now(self) -> Instant:
        return self._settings.now

    def alerts(self) -> tuple[Alert, ...]:
        return self._alerts

    def rules(self) -> tuple[Rule, ...]:
        return self._rules[0]

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        """Of the metrics that have samples in the window."""
        try:
            metadata = json_file(self.folder / "metrics" / "metadata.json", "prometheus")
        except SourceRefused:
            metadata = {}
        known = data_of(metadata)
        return catalogue_of(
            (
                labels
                for blocks in self._samples.metrics.values()
                for block in blocks
                if np.searchsorted(block.t, window.end) > np.searchsorted(block.t, window.start)
                for labels in block.labels
            ),
            known if isinstance(known, Mapping) else {},
            self._metrics_door,
        )

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        asked = selecting(query, self._metrics_door.asked)
        found = evaluate(asked, self._samples, window=window, step=step)
        kept = [found[i] for i in largest_of(found)[:MAX_SERIES]] if len(found) > MAX_SERIES else found
        return tuple(Series(self._metrics_door.labels(s.labels), s.t, s.v) for s in kept), len(found) - len(kept)

    def promql(self, query: Query) -> str:
        return render(query)

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        low, high = self._span(window)
        values: dict[str, set[str]] = {}
        for number in set(self._logs.stream[low:high]):
            for name, value in self._logs_door.labels(self._logs.streams[number]).items():
                values.setdefault(name, set()).add(value)
        return {name: tuple(sorted(found)) for name, found in sorted(values.items())}

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        """As a Loki guarded by us: no matcher that selects, no search. Over the limit, lines are left out evenly."""
        require_selective(selector)
        wanted = {i for i, x in enumerate(self._logs.streams) if matches(self._logs_door.asked(selector), x)}
        words = tuple(word.lower() for word in contains)
        low, high = self._span(window)
        rows = [i for i in range(low, high) if self._logs.stream[i] in wanted and _holds(self._logs.lines[i], words)]
        kept = spread(rows, limit)
        return LogEvidence(
            id=EvidenceId(""),
            query=search_text(selector, contains),
            about=about,
            window=window,
            lines=self._redacted(kept),
            dropped=len(rows) - len(kept),
        )

    def changes(self, window: Window) -> tuple[Change, ...]:
        return within(self._changes, window)

    def topology(self) -> Topology:
        topology, door = self._settings.topology, self._changes_door

        def known(service: str) -> str:
            return door.value("service", service)

        return Topology(tuple(map(known, topology.services)), tuple((known(a), known(b)) for a, b in topology.edges))

    @cached_property
    def _rules(self) -> tuple[tuple[Rule, ...], tuple[Active, ...]]:
        document = json_file(self.folder / "rules.json", "prometheus")
        return rules_of(document, self._metrics_door), active_of(document, self._metrics_door)

    @cached_property
    def _alerts(self) -> tuple[Alert, ...]:
        document = json_file(self.folder / "alerts.json", "alertmanager")
        alerts = alerts_of(data_of(document), self._alerts_door, now=self.now())
        try:
            return with_active_at(alerts, self._rules[1])
        except SourceRefused:
            return alerts

    @cached_property
    def _changes(self) -> tuple[Change, ...]:
        found = changes_of(json_file(self.folder / "changes.json", "changes"), self._changes_door)
        return tuple(c for c in found if c.t <= self.now())

    @cached_property
    def _samples(self) -> Samples:
        return Samples.of(raw_series(self.folder, until=self.now()))

    @cached_property
    def _logs(self) -> LogLines:
        return raw_logs(self.folder, until=self.now())

    def _span(self, window: Window) -> tuple[int, int]:
        low, high = np.searchsorted(self._logs.ts, (window.start, window.end)).tolist()
        return low, high

    def _redacted(self, rows: Sequence[int]) -> tuple[LogLine, ...]:
        streams = {n: self._logs_door.labels(self._logs.streams[n]) for n in {self._logs.stream[i] for i in rows}}
        seen = [(streams[self._logs.stream[i]].get("service") or "loki", float(self._logs.ts[i])) for i in rows]
        texts = self._logs_door.texts([self._logs.lines[i] for i in rows], seen)
        return tuple(
            LogLine(float(self._logs.ts[i]), streams[self._logs.stream[i]], text.text)
            for i, text in zip(rows, texts, strict=True)
        )


def largest_of(series: Sequence[Series]) -> list[int]:
    """Their numbers, largest mean first."""
    return largest(np.stack([s.v for s in series]), [tuple(s.labels.items()) for s in series])


def spread(rows: Sequence[int], limit: int) -> Sequence[int]:
    """At most `limit` of the rows, evenly over the whole, first and last kept: a cut end would look like an onset."""
    if len(rows) <= limit:
        return rows
    return [rows[int(i)] for i in np.linspace(0, len(rows) - 1, max(1, limit))]


def _holds(line: str, words: Sequence[str]) -> bool:
    if not words:
        return True
    lower = line.lower()
    return any(word in lower for word in words)
