"""The live service put together: settings to a house, a workflow, outlets and two listeners.

A composition root like `bootstrap`, for what runs long. When the prompt log failed (which is final for an open log),
the house is built anew, so that a database that came back is used again; until then notes go out without a model and
say so.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from assistant.core.alert import Alert
from assistant.core.incident import IncidentId
from assistant.core.time import Instant
from assistant.errors import PayopsError, PromptLogError
from assistant.house import Findings, House
from assistant.incidents import Spans
from assistant.serving import database_url, outlets, webhook_token
from assistant.settings import Settings, quiet_telemetry
from redaction import Redactor

if TYPE_CHECKING:
    from assistant.guests import Guest
    from assistant.ports import PromptLog, RunbookIndex
    from assistant.promptlog.chores import Chores
    from assistant.promptlog.publish import Health as PublishHealth
    from assistant.promptlog.publish import Publisher
    from assistant.web.listener import Listener
    from assistant.web.webhook import Webhook
    from assistant.workflow.loops import Task
    from assistant.workflow.service import Service

_LOG = logging.getLogger("payops.live")


class Live:
    """Everything of `payops serve`. `service`, `house`, `webhook_listener` and `console_listener` are for those who
    look.
    """

    def __init__(
        self, settings: Settings, *, notes: Path, terminal: bool = False, guests: Sequence[Guest] = ()
    ) -> None:
        from assistant.sources.live import Servers
        from assistant.telemetry.logs import configure
        from assistant.telemetry.metrics import new_metrics
        from assistant.web.access.open import open_access
        from assistant.workflow.service import hold
        from redaction import FinalScanner

        quiet_telemetry()
        self.settings = settings
        self.notes = notes
        self._token = webhook_token(settings)
        self._log_handler = configure(scanner=FinalScanner())
        self.metrics = new_metrics()
        self._log_handler.told = self.metrics.withheld_lines.inc
        self.metrics.readings["model"] = lambda: self.house.model_state()
        self.access = open_access(settings, log=lambda: self.house.promptlog, metrics=self.metrics)
        self._guests = tuple(guests)
        self._warnings: tuple[str, ...] = ()
        self._tell_findings: Callable[[IncidentId, Findings], None] = self._count_findings
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self.servers = Servers(settings)
        # Before the prompt log is opened: a second process must not write "log.open" into the first one's log.
        self._held = None if database_url(settings) else hold(settings.state)
        self.house = self._built()
        with self._closing_on_error():
            self._publisher = self._published(self.house)
            self._chores = self._chores_of(self.house, self._publisher)
            self.service = self._service(notes, terminal)
            self.webhook = self._webhook()
            self.webhook_listener, self.console_listener = self._listeners()

    def start(self) -> None:
        """Raises PayopsError with the mend; nothing runs then."""
        with self._closing_on_error():
            for guest in self._guests:
                guest.before(self)
            self._investigator.warm()
            self.service.start()
        self._publisher.start()
        self._chores.start()
        self.metrics.readings["promptlog"] = self._log_readings
        self.webhook_listener.start()
        self.access.prepare()
        self.console_listener.start()
        self.access.opened(self.console_listener.url)
        for guest in self._guests:
            guest.start(self)
        _LOG.info(
            "serving",
            extra={
                "webhook": self.webhook_listener.url,
                "console": self.console_listener.url,
                "executor": self.service.me,
            },
        )

    def run_until_told(self, *, drain_s: float) -> None:
        """Until SIGTERM or SIGINT; a second one ends at once."""

        def told(number: int, frame: FrameType | None) -> None:
            if self._stop.is_set():
                sys.exit(128 + number)
            self._stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, told)
        from assistant.reloading import on_hangup, write_pid

        hung_up = threading.Event()
        signal.signal(signal.SIGHUP, lambda number, frame: hung_up.set())
        write_pid(self.settings.state)
        while not self._stop.wait(0.5):
            if hung_up.is_set():
                hung_up.clear()
                on_hangup(self)
        self.stop(drain_s=drain_s)

    def stop(self, *, drain_s: float = 25.0) -> None:
        """No more webhooks, what runs ends, what is written is shown, the log is closed. In this order."""
        _LOG.info("draining")
        for guest in reversed(self._guests):
            guest.stop(self)
        self.service.engine.draining.set()
        self.webhook_listener.stop()
        drained = self.service.stop(timeout_s=drain_s)
        self.console_listener.stop()
        self._chores.close()
        self._publisher.close()
        if self.house.shadow is not None:
            self.house.shadow.close()
        self.house.promptlog.close()
        _LOG.info("stopped", extra={"drained": drained})

    def warn(self, warnings: tuple[str, ...]) -> None:
        """Say `warnings` in every note from now on, in place of those said before."""
        self._warnings = warnings
        self.house = replace(self.house, warnings=warnings)
        self._investigator.house = self.house

    def tell_findings(self, tell: Callable[[IncidentId, Findings], None]) -> None:
        """Have somebody told of card data in telemetry; without, it is counted and recorded."""
        self._tell_findings = tell

    def _found(self, incident: IncidentId, findings: Findings) -> None:
        self._tell_findings(incident, findings)

    def _count_findings(self, incident: IncidentId, findings: Findings) -> None:
        from assistant.serving import open_cases

        open_cases(self, channel=False).open_found(incident, findings)

    def health(self) -> Mapping[str, str]:
        return {
            **self.service.health(),
            "webhook": self.webhook_listener.health(),
            "checkpoints": self._checkpoint_health(),
            **{guest.name: guest.health(self) for guest in self._guests},
        }

    def alive(self) -> Mapping[str, str]:
        """What only a new process would mend."""
        return {**self.service.alive(), "webhook": self.webhook_listener.health()}

    def covered(self) -> PublishHealth:
        """How far checkpoints held elsewhere cover the prompt log. PromptLogError where it cannot be read."""
        return self._publisher.health()

    def _checkpoint_health(self) -> str:
        """Asked of the log itself, so that one that cannot even be read is told."""
        try:
            found = self._publisher.health()
        except PromptLogError as error:
            return type(error).__name__
        failing = f"{found.failing} places do not take them" if found.failing else ""
        return str(found.signing_failure) or failing

    def log_failure(self) -> str:
        return str(getattr(self.house.promptlog, "failure", ""))

    def renew(self) -> None:
        """Build the house anew if its prompt log failed. PromptLogError while that is still not possible."""
        with self._guard:
            if not self.log_failure():
                return
            fresh = self._built(runbooks=self.house.runbooks)
            old, self.house = self.house, fresh
            old_publisher, self._publisher = self._publisher, self._published(fresh)
            old_chores, self._chores = self._chores, self._chores_of(fresh, self._publisher)
            self._publisher.start()
            self._chores.start()
            self.service.use(fresh.promptlog)
            self._investigator.house = fresh
            _LOG.warning("the prompt log failed and was opened again")
        old_chores.close()
        old_publisher.close()
        if old.shadow is not None:
            old.shadow.close()
        old.promptlog.close()

    def renew_house(self, settings: Settings) -> None:
        """Look with these settings from the next round on; the log, the index and what listens stay as they are."""
        from assistant.sources.live import Servers

        with self._guard:
            self.settings = settings
            self.servers = Servers(settings)
            self.house = self._built(log=self.house.promptlog, runbooks=self.house.runbooks)
            self._investigator.house = self.house

    def receive(self, alerts: Sequence[Alert], /) -> Sequence[str]:
        placed = self.service.receive(alerts)
        return sorted({p.incident for p in placed.placements if p.incident})

    def read(self, body: bytes, /) -> Sequence[Alert]:
        from assistant.sources.alertmanager import parse_webhook

        alerts, group = parse_webhook(body, self.house.redactor)
        if group.truncated:
            # Alertmanager left alerts out (`max_alerts`): said, because nothing is dropped in silence.
            self.metrics.deliveries.labels("truncated").inc(group.truncated)
            _LOG.warning("Alertmanager left alerts out", extra={"alerts": group.truncated})
        return alerts

    def _built(self, *, log: PromptLog | None = None, runbooks: RunbookIndex | None = None) -> House:
        """A house over servers that all incidents share, connections and circuit breakers included."""
        from assistant.bootstrap import build
        from assistant.house import Sources
        from assistant.telemetry.records import count_record

        servers = self.servers

        def sources(redactor: Redactor) -> Sources:
            mine = servers.incident(redactor)
            parts = mine.parts(now=Instant(time.time()))
            return Sources(
                parts.alerts, parts.metrics, parts.logs, parts.changes, notices=mine.notices, findings=mine.findings
            )

        house = build(self.settings, sources, actor="serve", dense=True, log=log, runbooks=runbooks, beside=True)
        if house.shadow is not None:
            house.shadow.only_while(self._model_allowed)
        opened: Any = house.promptlog
        opened.told = partial(count_record, self.metrics)
        return replace(house, warnings=self._warnings, found=self._found)

    def _model_allowed(self) -> bool:
        return not self.service.switch.off

    def _service(self, notes: Path, terminal: bool) -> Service:
        from assistant.notebook.database import open_database
        from assistant.workflow.investigator import HouseInvestigator
        from assistant.workflow.service import Service, Wiring

        w = self.settings.workflow
        self._investigator = HouseInvestigator(self.house, Spans(lead=w.lead_s, baseline=w.baseline_s))
        return Service(
            Wiring(
                database=open_database(database_url(self.settings), state=self.settings.state),
                state=self.settings.state,
                settings=w,
                scanner=self.house.scanner,
                promptlog=self.house.promptlog,
                investigator=self._investigator,
                clock=self.house.clock,
                metrics=self.metrics,
                carriers=(*outlets(notes, terminal), *(c for g in self._guests for c in g.carriers(self))),
                tasks=self._tasks(),
                log_failure=self.log_failure,
                heal_log=self.renew,
                held=True,
            )
        )

    @contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        """What could not be started closes the log in good order."""
        try:
            yield
        except PayopsError:
            self.house.promptlog.close()
            raise

    def _tasks(self) -> tuple[Task, ...]:
        from assistant.upkeep import Upkeep
        from assistant.workflow.loops import Task

        return (
            *Upkeep(self).tasks(),
            Task("promptlog-renewal", 5.0, self.renew),
            Task("denied-webhooks", 60.0, self._record_denied),
            Task("people", 60.0, self.access.minutely, first_s=60.0),
            Task("runbooks", 60.0, self._refresh_runbooks, first_s=60.0),
            *(task for g in self._guests for task in g.tasks(self)),
        )

    def _webhook(self) -> Webhook:
        from assistant.web.webhook import Webhook

        return Webhook(
            read=self.read,
            receive=self.receive,
            metrics=self.metrics,
            token=self._token,
            max_bytes=self.settings.web.max_body_bytes,
            draining=self.service.engine.draining.is_set,
        )

    def _listeners(self) -> tuple[Listener, Listener]:
        from assistant.web.app import console_app, webhook_app
        from assistant.web.listener import Listener

        web = self.settings.web
        machines = webhook_app(
            self.webhook,
            health=self.health,
            alive=self.alive,
            ready=self.service.ready,
            metrics=self.metrics,
            extra_routes=[route for g in self._guests for route in g.webhook_routes(self)],
        )
        routes = [*self.access.routes(), *(route for g in self._guests for route in g.console_routes(self))]
        people = console_app(self, routes, health=self.health, alive=self.alive, ready=self.service.ready)
        return (
            Listener(machines, host=web.webhook_host, port=web.webhook_port, name="webhook"),
            Listener(self.access.around(people), host=web.console_host, port=web.console_port, name="console"),
        )

    def _published(self, house: House) -> Publisher:
        from assistant.promptlog.places import place_of
        from assistant.promptlog.publish import Publisher

        log: Any = house.promptlog
        places = tuple(place_of(text, log=log) for text in self.settings.log.checkpoints)
        alarm = partial(_LOG.error, "prompt log: %s")
        every = self.settings.log.checkpoint_every_s
        return Publisher(log, places, every=every, alarm=lambda line: alarm(line), leads=lambda: self.service.leads())

    def _chores_of(self, house: House, publisher: Publisher) -> Chores:
        """Scheduled verification, daily screening and retention of the prompt log."""
        from assistant.promptlog.open import configured_chores

        log: Any = house.promptlog
        alarm = partial(_LOG.error, "prompt log: %s")
        leads = lambda: self.service.leads()  # noqa: E731  the service is made after this
        return configured_chores(self.settings, log, publisher, alarm=lambda line: alarm(line), leads=leads)

    def _refresh_runbooks(self) -> None:
        """Take up changed runbook files; questions are answered from the old index meanwhile."""
        index: Any = self.house.runbooks
        if index.refresh():
            _LOG.info("runbooks changed, the index is new")

    def _log_readings(self) -> Mapping[str, float]:
        """What the alerts on the log itself ask for. PromptLogError where the log cannot be read."""
        found = self._publisher.health()
        return {
            "promptlog_records": found.size,
            "promptlog_unprotected_records": found.unprotected,
            "promptlog_doubts": float(found.doubts or 0),
            "promptlog_failing_places": found.failing,
            "promptlog_failed": float(bool(self.log_failure())),
        }

    def _record_denied(self) -> None:
        """Forged webhooks become a record once a minute, however many there were: nobody fills the log from outside."""
        from assistant.promptlog.record import Entry, Event, Outcome

        count, self.webhook.denied = self.webhook.denied, 0
        if count:
            self.house.promptlog.append(
                Entry(
                    event=Event.AUTH_DENIED,
                    actor="unknown",
                    origin="webhook",
                    outcome=Outcome.DENIED,
                    resource="webhook",
                    facts={"requests": count},
                )
            )
