"""What `serve` does on the side: ask Alertmanager for what no webhook brought, hand the log on to a collector, forget.

The leading replica does it. During a change of leaders two may for a heartbeat, so everything here bears being done
twice.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from assistant.errors import PromptLogError
from assistant.promptlog.record import Entry, Event, Value
from assistant.telemetry.follower import Collector, Follower, collector_url
from assistant.workflow.loops import Task
from assistant.workflow.poll import Found, Listing, Poll

if TYPE_CHECKING:
    from assistant.live import Live

_AFTER_S = 20.0
"""The first poll waits for the webhooks that Alertmanager repeats when we were away."""
_GONE_POLLS = 3
_HAND_ON_S = 5.0
_DAY = 86_400.0


class Upkeep:
    """Tasks around a `Live`. Its service is looked up when a task runs, because tasks are made before it. Raises
    SettingsError for a collector that has no address."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def tasks(self) -> tuple[Task, ...]:
        settings = self._live.settings
        tasks = []
        poll_s = settings.alertmanager.poll_s
        if settings.alertmanager.url and poll_s > 0:
            first = min(_AFTER_S, poll_s)
            tasks.append(Task("alertmanager-poll", poll_s, lambda: self._poll.look(), first_s=first))
        if settings.log.otel_url:
            collector_url(settings.log.otel_url)
            tasks.append(Task("otel", _HAND_ON_S, self._hand_on))
        if settings.workflow.retain_days > 0:
            tasks.append(Task("retention", _DAY, self.forget, first_s=3600.0))
        return tuple(tasks)

    @cached_property
    def _poll(self) -> Poll:
        live = self._live
        service = live.service
        return Poll(
            database=service.database,
            incidents=service.incidents,
            ask=self._listing,
            receive=service.receive,
            leads=service.leads,
            clock=live.house.clock,
            gone_s=_GONE_POLLS * live.settings.alertmanager.poll_s,
            tell=self._told,
        )

    def _listing(self) -> Listing:
        live = self._live
        servers = live.servers.incident(live.house.redactor)
        if servers.alertmanager is None:
            return Listing((), frozenset())
        now, receiver = live.house.clock.now(), live.settings.alertmanager.receiver
        return Listing(*servers.alertmanager.standing(now=now, receiver=receiver))

    def _told(self, found: Found) -> None:
        """What the poll found is a record; a log that refuses does not keep alerts out."""
        facts: dict[str, Value] = {"missed": len(found.missed), "ended": len(found.ended)}
        entry = Entry(event=Event.SOURCE_QUERY, actor="poll", resource="alertmanager", facts=facts)
        try:
            self._live.house.promptlog.append(entry)
        except PromptLogError:
            return

    @cached_property
    def _follower(self) -> Follower:
        from assistant.notebook.cursor import Cursor

        live = self._live
        log: Any = lambda: live.house.promptlog  # noqa: E731
        made = Follower(
            log=log,
            cursor=Cursor(live.service.database, name="otel"),
            collector=Collector(live.settings.log.otel_url, live.settings.log.otel_bearer().read),
            leads=live.service.leads,
        )
        live.metrics.readings["otel"] = lambda: {"otel_records_behind": float(made.behind())}
        return made

    def _hand_on(self) -> None:
        self._follower.turn()

    def forget(self) -> None:
        """Forget what is older than `[workflow] retain_days`: incidents by the leader, files of notes by everybody."""
        from assistant.promptlog.retention import holds
        from assistant.workflow.retention import days_ago, forget, forget_files, known_in

        live = self._live
        database, before = live.service.database, days_ago(live.settings.workflow.retain_days)
        log: Any = live.house.promptlog
        if live.service.leads():
            gone = forget(database, before=before, held=holds(log))
            if gone.incidents:
                facts: dict[str, Value] = {"incidents": gone.incidents, "rows": gone.rows}
                entry = Entry(event=Event.CONFIG_CHANGE, actor="schedule", resource="notebook.retention", facts=facts)
                log.append(entry)
        forget_files(live.notes, before=before, known=known_in(database))
