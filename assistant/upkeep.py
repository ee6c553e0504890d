"""What the leading replica of `serve` does on the side: ask Alertmanager for what no webhook brought."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from assistant.promptlog.record import Entry, Event
from assistant.workflow.loops import Task
from assistant.workflow.poll import Found, Listing, Poll

if TYPE_CHECKING:
    from assistant.live import Live

_AFTER_S = 20.0
"""The first poll waits for the webhooks that Alertmanager repeats when we were away."""
_GONE_POLLS = 3


class Upkeep:
    """Tasks around a `Live`. Its service is looked up when a task runs, because tasks are made before it."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def tasks(self) -> tuple[Task, ...]:
        alertmanager = self._live.settings.alertmanager
        if not alertmanager.url or alertmanager.poll_s <= 0:
            return ()
        first = min(_AFTER_S, alertmanager.poll_s)
        return (Task("alertmanager-poll", alertmanager.poll_s, lambda: self._poll.look(), first_s=first),)

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
        from assistant.errors import PromptLogError

        facts = {"missed": len(found.missed), "ended": len(found.ended)}
        entry = Entry(event=Event.SOURCE_QUERY, actor="poll", resource="alertmanager", facts=facts)
        try:
            self._live.house.promptlog.append(entry)
        except PromptLogError:
            return
