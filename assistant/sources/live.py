"""The live sources of one configuration, and of one incident."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Gap, LogEvidence, MetricInfo, Series
from assistant.core.query import Matcher, Query
from assistant.core.time import Instant, Window
from assistant.errors import SourceError, SourceRefused
from assistant.ports import LogSource, MetricSource
from assistant.settings import Settings
from assistant.sources.alert_json import Active, with_active_at
from assistant.sources.alertmanager import Alertmanager
from assistant.sources.budget import Budget
from assistant.sources.changes import ChangeEvents
from assistant.sources.loki import Loki
from assistant.sources.prometheus import Prometheus
from assistant.sources.promql import render
from redaction import CardholderFinding, Redactor


class LiveAlerts:
    """AlertSource: alerts from Alertmanager where there is one, else from Prometheus; rules from Prometheus.

    The time at which a condition began is Prometheus' to tell; without it `startsAt` stands alone, and says so."""

    def __init__(self, *, alertmanager: Alertmanager | None, prometheus: Prometheus | None, now: Instant) -> None:
        self._alertmanager = alertmanager
        self._prometheus = prometheus
        self._now = now
        self._notices: dict[str, None] = {}

    def alerts(self) -> tuple[Alert, ...]:
        if self._alertmanager is not None:
            return self.dated(self._alertmanager.alerts(now=self._now))
        if self._prometheus is not None:
            return self._prometheus.alerts()
        raise SourceRefused("alertmanager", "neither [alertmanager] nor [prometheus] has a url")

    def rules(self) -> tuple[Rule, ...]:
        if self._prometheus is None:
            raise SourceRefused("prometheus", "[prometheus] has no url")
        return self._prometheus.rules()

    def dated(self, alerts: tuple[Alert, ...]) -> tuple[Alert, ...]:
        """Alerts (of a webhook, say) with the time their condition began, where Prometheus can tell."""
        return with_active_at(alerts, self._active())

    def notices(self) -> tuple[Gap, ...]:
        found, self._notices = tuple(self._notices), {}
        return tuple(Gap("prometheus", reason) for reason in found)

    def _active(self) -> tuple[Active, ...]:
        if self._prometheus is None:
            return ()
        try:
            return self._prometheus.active()
        except SourceError as error:
            self._notices[f"when the alerts' conditions began is not known: {error.message}"] = None
            return ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The ports of one incident."""

    alerts: LiveAlerts
    metrics: MetricSource
    logs: LogSource
    changes: ChangeEvents


class NoMetrics:
    """MetricSource where no Prometheus is configured: every question is a gap."""

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        raise _absent("prometheus")

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        raise _absent("prometheus")

    def promql(self, query: Query) -> str:
        return render(query)


class NoLogs:
    """LogSource where no Loki is configured: every question is a gap."""

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        raise _absent("loki")

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        raise _absent("loki")


@dataclass(frozen=True, slots=True)
class LiveSources:
    """What the configuration names; None where it names nothing."""

    prometheus: Prometheus | None
    alertmanager: Alertmanager | None
    loki: Loki | None
    changes: ChangeEvents

    @classmethod
    def from_settings(cls, settings: Settings, *, redactor: Redactor) -> LiveSources:
        """Nothing is asked yet. Raises SettingsError."""
        prometheus = (
            Prometheus.from_settings(settings.prometheus, redactor=redactor) if settings.prometheus.url else None
        )
        alertmanager = (
            Alertmanager.from_settings(settings.alertmanager, redactor=redactor) if settings.alertmanager.url else None
        )
        loki = Loki.from_settings(settings.loki, redactor=redactor) if settings.loki.url else None
        changes = ChangeEvents.from_settings(settings.changes, redactor=redactor, prometheus=prometheus, loki=loki)
        return cls(prometheus, alertmanager, loki, changes)

    def for_incident(self, *, redactor: Redactor, budget: Budget | None = None) -> LiveSources:
        """The same servers and connections, the incident's redactor and budget."""
        prometheus = self.prometheus.for_incident(redactor=redactor, budget=budget) if self.prometheus else None
        loki = self.loki.for_incident(redactor=redactor, budget=budget) if self.loki else None
        return LiveSources(
            prometheus=prometheus,
            alertmanager=self.alertmanager.for_incident(redactor=redactor, budget=budget)
            if self.alertmanager
            else None,
            loki=loki,
            changes=self.changes.for_incident(redactor=redactor, budget=budget, prometheus=prometheus, loki=loki),
        )

    def alerts(self, *, now: Instant) -> LiveAlerts:
        """The AlertSource of these servers."""
        return LiveAlerts(alertmanager=self.alertmanager, prometheus=self.prometheus, now=now)

    def parts(self, *, now: Instant) -> Parts:
        """The four ports. A server that is not configured is a source that says so, a gap like any other."""
        return Parts(
            alerts=self.alerts(now=now),
            metrics=self.prometheus or NoMetrics(),
            logs=self.loki or NoLogs(),
            changes=self.changes,
        )

    def not_configured(self) -> tuple[Gap, ...]:
        """A gap for each server that configuration does not name."""
        named = (("prometheus", self.prometheus), ("alertmanager", self.alertmanager), ("loki", self.loki))
        return tuple(Gap(name, "not configured") for name, source in named if source is None)

    def notices(self) -> tuple[Gap, ...]:
        """What the servers' answers did not cover, since the last look."""
        named = (self.prometheus, self.alertmanager, self.loki, self.changes)
        return tuple(gap for source in named if source is not None for gap in source.notices())

    def findings(self) -> tuple[CardholderFinding, ...]:
        """Card data in what the servers answered so far."""
        named = (self.alertmanager, self.loki, self.changes)
        return tuple(f for source in named if source is not None for f in source.findings())

    def redactions(self) -> dict[str, int]:
        """Values removed so far, by class."""
        total: dict[str, int] = {}
        for source in (self.prometheus, self.alertmanager, self.loki, self.changes):
            for klass, count in (source.redactions if source is not None else {}).items():
                total[klass] = total.get(klass, 0) + count
        return total


class Servers:
    """The configured servers for as long as the process runs: their connections and circuit breakers are shared by all
    incidents. `incident` makes the ports of one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared: LiveSources | None = None
        self._lock = threading.Lock()

    def incident(self, redactor: Redactor, *, budget: Budget | None = None) -> LiveSources:
        """Everything it reads crosses `redactor` and is paid from `budget` (default: the workflow's deadline). Raises
        SettingsError."""
        with self._lock:
            if self._shared is None:
                self._shared = LiveSources.from_settings(self._settings, redactor=redactor)
        spend = budget or Budget(seconds=self._settings.workflow.deadline_s)
        return self._shared.for_incident(redactor=redactor, budget=spend)


def live(settings: Settings, redactor: Redactor) -> Parts:
    """The ports of one incident over servers of its own: for a command that runs once."""
    return Servers(settings).incident(redactor).parts(now=Instant(time.time()))


def _absent(source: str) -> SourceRefused:
    return SourceRefused(source, "not configured", mend=f"set `url` under [{source}]")
