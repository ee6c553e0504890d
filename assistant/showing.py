"""`payops demo --serve`: the recorded incident in the console, look by look, on loopback, until stopped.

The console, its door, the prompt log and the notebook are those of `serve`; only what is looked at is recorded. The
incident is looked at three times, as `serve` would: soon after the page, half-way, and at the world's own moment. The
last look is done while the console is open already, so that the page is seen to renew itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.core.incident import Incident, IncidentId
from assistant.core.time import Instant
from assistant.errors import PayopsError
from assistant.house import House
from assistant.identity import SEVERITIES, Head, severity
from assistant.settings import Changes, Settings, Web

if TYPE_CHECKING:
    from assistant.live import Live
    from assistant.sources.world import WorldSource

LATER_S = 12.0
_SOON_S = 15.0
_LOG = logging.getLogger("payops.demo")


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands at one moment of the recording."""

    moment: float

    def now(self) -> Instant:
        return Instant(self.moment)


def alone(settings: Settings, *, port: int) -> Settings:
    """These settings without anything outside: no server, no Slack, loopback only. The model stays, if there is one."""
    nothing = Settings()
    return replace(
        settings,
        prometheus=nothing.prometheus,
        alertmanager=nothing.alertmanager,
        loki=nothing.loki,
        changes=Changes(metrics=False),
        slack=nothing.slack,
        workflow=nothing.workflow,
        web=Web(console_port=port, webhook_port=0),
    )


class Showing:
    """A `Live` over no server at all, and the looks at a world."""

    def __init__(self, world: Path, settings: Settings, *, port: int, tell: Callable[[str], None]) -> None:
        from assistant.bootstrap import open_world
        from assistant.incidents import new_id
        from assistant.live import Live
        from assistant.web.guest import console

        mine = alone(settings, port=port)
        tell("opening the world")
        self.live: Live = Live(mine, notes=settings.state / "notes", guests=(console(),))
        # One line for people is enough here; what goes wrong is still said.
        logging.getLogger("payops").setLevel(logging.WARNING)
        self._house, self._world = open_world(world, mine, log=self.live.house.promptlog)
        self._tell = tell
        self._incident = new_id()

    def start(self) -> IncidentId:
        """The first looks, then the console. Raises PayopsError; nothing runs then."""
        self.live.start()
        try:
            self.live.service.incidents.adopt(self._head())
            for number, moment in enumerate(self.moments()[:-1], 1):
                self._look(number, moment)
        except PayopsError:
            self.live.stop(drain_s=2)
            raise
        return self._incident

    def link(self) -> str:
        """What to open: it holds the token of this start."""
        from assistant.web.access.loopback import LoopbackLogin

        login = self.live.access.login
        url = self.live.console_listener.url
        return login.link(url) if isinstance(login, LoopbackLogin) else url

    def finish_later(self, seconds: float = LATER_S) -> threading.Timer:
        """The last look, a little later, while somebody watches."""
        timer = threading.Timer(seconds, self._last)
        timer.daemon = True
        timer.start()
        return timer

    def moments(self) -> tuple[float, ...]:
        """When it is looked at: after the worst alert fired, half-way, at the end. Fewer where the recording is
        short."""
        end = float(self._world.now())
        fired = max((a.starts_at for a in self._chosen(end).alerts if a.severity == "critical"), default=end)
        began = min(fired + _SOON_S, end)
        return tuple(sorted({began, (began + end) / 2, end}))

    def _last(self) -> None:
        moments = self.moments()
        try:
            self._look(len(moments), moments[-1])
        except PayopsError as error:
            _LOG.error("the last look failed", extra={"reason": type(error).__name__})

    def _look(self, revision: int, moment: float) -> None:
        from assistant.investigate import examine, note_of
        from assistant.records import received

        house: House = replace(self._house, clock=At(moment))
        incident = self._chosen(moment)
        received(incident, house)
        case = examine(incident, house, tell=self._tell)
        note = note_of(case, house.draft(case.context), house, revision=revision)
        status = note.status if revision == 1 or note.status != "open" else "updated"
        self.live.service.notes.put(replace(note, status=status))

    def _head(self) -> Head:
        """The incident as the service follows one, so that what a commander decides about it is kept."""
        first = self._chosen(self.moments()[0])
        began = [float(a.starts_at) for a in first.alerts]
        opened, worst = min(began), min((severity(a) for a in first.alerts), key=SEVERITIES.index)
        return Head(self._incident, opened, opened, (opened, max(began)), worst, firing=len(began))

    def _chosen(self, moment: float) -> Incident:
        """The incident as alerts told of it by then."""
        from assistant.incidents import incident_of, together

        world: WorldSource = self._world
        rules = world.rules()
        found = [a for a in world.alerts() if a.starts_at <= moment] or list(world.alerts())
        return incident_of(together(found, rules), rules, now=moment, incident_id=self._incident)
