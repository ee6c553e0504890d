"""The whole service behind the listeners, over the recorded world and an honest model double, in this process.

Only the clock that places incidents is moved (an hour in seconds); the work itself is the real work: collecting,
analysing, redacting, the prompt log's flushes, the notebook, the file outlet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.bootstrap import open_world
from assistant.core.alert import Alert, Status, frozen
from assistant.core.incident import IncidentId
from assistant.core.time import Instant
from assistant.house import House
from assistant.incidents import Spans, rank
from assistant.notebook.database import open_database
from assistant.outlets.file import FileOutlet
from assistant.settings import ModelSettings, Runbooks, Settings, quiet_telemetry
from assistant.telemetry.metrics import new_metrics
from assistant.workflow.investigator import HouseInvestigator
from assistant.workflow.service import Service, Wiring
from evals.attacks.models import honest
from evals.attacks.server import serving, writing

WORLD = Path(__file__).resolve().parents[1] / "worlds" / "first"


@dataclass(slots=True)
class Moved:
    """`Clock` that is moved by hand."""

    at: float

    def now(self) -> Instant:
        return Instant(self.at)


@dataclass(slots=True)
class Rig:
    """`open` begins an incident of its own and `close` ends it; both return at once."""

    service: Service
    house: House
    clock: Moved
    state: Path
    alerts: tuple[Alert, ...]

    def open(self, number: int) -> IncidentId:
        placed = self.service.receive(self._alerts(number, "firing"))
        found = placed.placements[0].incident
        assert found is not None
        return found

    def repeat(self, number: int) -> None:
        """What Alertmanager sends again."""
        self.service.receive(self._alerts(number, "firing"))

    def close(self, number: int) -> None:
        self.service.receive(self._alerts(number, "resolved"))

    def settle(self, *, within: float = 600.0) -> None:
        """Wait until nothing is wanted, going on or waiting."""
        s = self.service
        wait(
            lambda: not s.rounds.due(apart_s=0.0) and not s.rounds.unfinished() and not s.outbox.waiting().count,
            within=within,
        )

    def _alerts(self, number: int, status: Status) -> list[Alert]:
        """The world's worst alert in a scope of its own, so that it is an incident of its own."""
        made = []
        for alert in self.alerts:
            labels = frozen({**alert.labels, "stage": f"s{number}"})
            ends = Instant(alert.starts_at + 600) if status == "resolved" else None
            print_ = f"{alert.fingerprint}-{number}"
            made.append(replace(alert, labels=labels, fingerprint=print_, status=status, ends_at=ends))
        return made


@contextmanager
def rig(state: Path) -> Iterator[Rig]:
    """A started service under `state`."""
    quiet_telemetry()
    with serving(writing(honest)) as (url, _):
        model = ModelSettings(
            url=url, name="test-model", max_tokens_day=10**12, max_cost_day=10**9, max_tokens_incident=10**12
        )
        settings = Settings(state=state, model=model, runbooks=Runbooks(dense=False))
        house, world = open_world(WORLD, settings, actor="serve")
        clock = Moved(world.now())
        alerts = world.alerts()
        promptlog: Any = house.promptlog
        service = Service(
            Wiring(
                database=open_database("", state=state),
                state=state,
                settings=settings.workflow,
                scanner=house.scanner,
                promptlog=promptlog,
                investigator=HouseInvestigator(house, Spans()),
                clock=clock,
                metrics=new_metrics(),
                carriers=(FileOutlet(state / "notes"),),
                apart_s=0.0,
                looks=(),
            )
        )
        service.start()
        try:
            worst = min((a for a in alerts if a.status == "firing"), key=lambda a: (rank(a), a.starts_at))
            yield Rig(service, house, clock, state, (worst,))
        finally:
            service.stop(timeout_s=30)
            promptlog.close()


def wait(what: Callable[[], object], *, within: float) -> None:
    until = time.monotonic() + within
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.02)


def rss_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def disk_mib(state: Path, name: str) -> float:
    """A database with its WAL."""
    return sum(p.stat().st_size for p in state.glob(f"{name}*")) / 2**20
