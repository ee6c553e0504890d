"""A service in this process, on SQLite: from a delivery to a note that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.notebook.database import open_database
from assistant.settings import Workflow
from assistant.telemetry.metrics import new_metrics
from assistant.workflow.service import Service, Wiring
from redaction import FinalScanner
from tests.fakes.alerts import T0, alert
from tests.fakes.clock import StandingClock
from tests.fakes.investigator import WritingInvestigator
from tests.fakes.outlet import RememberingOutlet
from tests.fakes.promptlog import MemoryLog


def eventually(what: Callable[[], object], *, within: float = 20.0) -> None:
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class Stand:
    """A service with everything around it that tests look at."""

    def __init__(self, state: Path) -> None:
        self.clock = StandingClock(T0 + 30)
        self.outlet = RememberingOutlet()
        self.investigator = WritingInvestigator(now=T0 + 30)
        self.log = MemoryLog()
        self.state = state
        self.service = self.build()

    def build(self) -> Service:
        return Service(
            Wiring(
                database=open_database("", state=self.state),
                state=self.state,
                settings=Workflow(heartbeat_s=0.3, takeover_s=1.5, concurrency=4),
                scanner=FinalScanner(),
                promptlog=self.log,
                investigator=self.investigator,
                clock=self.clock,
                metrics=new_metrics(),
                carriers=(self.outlet,),
                apart_s=0.0,
            )
        )


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "state")
    stand.service.start()
    yield stand
    stand.service.stop(timeout_s=5)


def test_an_alert_becomes_a_facts_note_and_then_a_drafted_one(stand: Stand) -> None:
    placed = stand.service.receive([alert()])
    incident = placed.placements[0].incident
    assert incident is not None
    eventually(lambda: len(stand.service.notes.revisions(incident)) == 2)
    assert [r.key for r in stand.service.notes.revisions(incident)] == ["1.facts", "1.note"]
    eventually(lambda: stand.outlet.shown and stand.outlet.shown[-1].revision == 2)
