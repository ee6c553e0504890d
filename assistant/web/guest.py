"""The console as a guest of `serve`: its pages on the people's listener, its own history sampled once a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from assistant.core.incident import IncidentId
from assistant.guests import Guest
from assistant.workflow.loops import Task

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from assistant.live import Live
    from assistant.web.pages.desk import Desk


def console() -> Guest:
    """Pages are made of what `Live` has; streams end when it stops, so that stopping does not wait for browsers."""
    desks: WeakKeyDictionary[Live, Desk] = WeakKeyDictionary()

    def desk(live: Live) -> Desk:
        if live not in desks:
            desks[live] = desk_of(live)
        return desks[live]

    def routes(live: Live) -> list[BaseRoute]:
        from assistant.web.pages.routes import routes as all_of_them

        return all_of_them(desk(live))

    def tasks(live: Live) -> tuple[Task, ...]:
        from assistant.web.pages.history import EVERY_S

        # The service does not exist yet while its tasks are gathered: the desk is made when they run.
        return (
            Task("console-history", EVERY_S, lambda: desk(live).history.sample(), first_s=1.0),
            Task("console-lines", 3600.0, lambda: fill(desk(live)), first_s=0.5),
        )

    return Guest(name="console", tasks=tasks, console_routes=routes, stop=lambda live: desk(live).stopping.set())


def fill(desk: Desk) -> None:
    """Notes that an older payops kept get what lists show of them, a few hundred at a time."""
    while not desk.stopping.is_set() and desk.notes.fill_lines():
        pass


def desk_of(live: Live) -> Desk:
    from assistant.promptlog.open import outside_notes
    from assistant.web.pages.desk import Desk
    from assistant.web.pages.history import History
    from assistant.workflow.board import Board

    def log() -> Any:
        return live.house.promptlog

    def decide(what: str, incident: str, by: str) -> None:
        live.service.mute(IncidentId(incident), by=by, muted=what == "mute")

    def muted(incident: str) -> bool | None:
        found = live.service.incidents.snapshot(IncidentId(incident), limit=1)
        return found.head.muted if found else None

    return Desk(
        settings=live.settings,
        board=Board(live.service.database),
        notes=live.service.notes,
        metrics=live.metrics,
        history=History(live.metrics),
        log=log,
        house=lambda: live.house,
        health=live.health,
        covered=live.covered,
        waiting=live.service.outbox.waiting,
        switched_off=lambda: live.service.switch.off,
        decide=decide,
        muted=muted,
        outside=lambda: outside_notes(live.settings),
    )
