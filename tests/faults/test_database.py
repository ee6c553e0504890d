"""PostgreSQL times every fault, and a restart in the middle: what was answered with 200 is kept, each note is there
once, and the log is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from assistant.promptlog.record import Event, Record
from tests.doubles.faulty import FAULTS, Mode
from tests.doubles.postgres import Postgres, running
from tests.faults.bed import Bed, bed, in_background
from tests.sources.servers import needs

pytestmark = [pytest.mark.live, needs("prometheus", "promtool")]
QUICK = {"cut", "refused"}
FAULT_S = 4.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def made(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    server.create_database("faults")
    home = tmp_path_factory.mktemp("faults") / "state"
    with bed(home, database=("127.0.0.1", server.port, "faults"), chroma=False) as made:
        incident = made.alert()
        made.settled(incident)
        made.all_shown(incident)
        made.close_books()
        yield made
        assert not made.leaks()


@pytest.mark.parametrize("fault", [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAULTS])
def test_the_database_is_away_in_the_middle_of_a_round(made: Bed, fault: Mode) -> None:
    """The fault begins when the alert was taken, and a second alert comes while it lasts."""
    first = made.alert()
    made.links["postgres"].turn(fault)
    second: list[str] = []
    sender = in_background(lambda: second.append(made.alert()))
    time.sleep(FAULT_S)
    assert made.live.service.ready()["database"] or fault == "flapping"
    made.links["postgres"].turn("ok")
    sender.join(120)
    for incident in (first, *second):
        made.settled(incident)
        made.all_shown(incident)
        assert made.keys(incident) == ["1.facts", "1.note"]
    assert len(second) == 1
    _counted(made, [first, *second])
    _books_closed(made)


@pytest.mark.slow
def test_a_restart_of_the_server_in_the_middle(made: Bed, server: Postgres) -> None:
    incident = made.alert()
    server.stop()
    time.sleep(2)
    server.start()
    made.settled(incident)
    made.all_shown(incident)
    assert made.keys(incident) == ["1.facts", "1.note"]
    _counted(made, [incident])
    _books_closed(made)


def _records(made: Bed) -> list[Record]:
    return list(made.live.house.promptlog.scan())  # type: ignore[attr-defined]


def _books_closed(made: Bed) -> None:
    made.live.service.database.patiently(made.close_books, stopping=lambda: False)


def _counted(made: Bed, incidents: list[str]) -> None:
    """One record of what came in for each, a log that verifies, and each revision shown once."""
    until = time.monotonic() + 60
    while made.live.log_failure():
        assert time.monotonic() < until, made.live.log_failure()
        time.sleep(0.2)
    for incident in incidents:
        shown = sorted(key for key in made.desk.shown if key[0] == incident)
        assert shown == [(incident, 1), (incident, 2)]
    records = _records(made)
    while len([r for r in records if r.id in {f"{i}.1.alerts" for i in incidents}]) < len(incidents):
        assert time.monotonic() < until, "a record is lost"
        time.sleep(0.2)
        records = _records(made)
    ids = [r.id for r in records]
    assert len(ids) == len(set(ids))
    assert [r.index for r in records] == list(range(len(records)))
    received = [r.id for r in records if r.event is Event.ALERT_RECEIVED]
    assert all(received.count(f"{incident}.1.alerts") == 1 for incident in incidents)
    assert made.live.house.promptlog.verify().ok  # type: ignore[attr-defined]
