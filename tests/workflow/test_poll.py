"""The poll of Alertmanager's API: what a webhook missed comes in once, what is over ends, nothing happens twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.core.alert import Alert
from assistant.errors import SourceRefused
from assistant.notebook.database import Database, open_database
from assistant.workflow.incidents import IncidentBook
from assistant.workflow.poll import Found, Listing, Poll
from assistant.workflow.service import ALL_TABLES
from redaction import FinalScanner
from tests.fakes.alerts import T0, alert
from tests.fakes.clock import StandingClock

GONE_S = 180.0


class Desk:
    """A poll over a real notebook, with an Alertmanager that lists what it is told."""

    def __init__(self, database: Database, *, leads: bool = True) -> None:
        self.clock = StandingClock(T0)
        self.book = IncidentBook(database, scanner=FinalScanner())
        self.listed: list[Alert] = []
        self.others: set[str] = set()
        self.fault: SourceRefused | None = None
        self.leads = leads
        self.told: list[Found] = []
        self.poll = Poll(
            database, self.book, self._ask, self.receive, lambda: self.leads, self.clock, GONE_S, self.told.append
        )

    def _ask(self) -> Listing:
        if self.fault is not None:
            raise self.fault
        return Listing(tuple(self.listed), frozenset({a.fingerprint for a in self.listed} | self.others))

    def receive(self, alerts: object) -> object:
        return self.book.receive(tuple(alerts), now=self.clock.now())  # type: ignore[arg-type]

    def after(self, seconds: float) -> Found:
        self.clock.move(seconds)
        return self.poll.look()

    def wants(self) -> list[int]:
        return [h.wants for h in self.book.wanted()]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database("", state=tmp_path)
    database.prepare(*ALL_TABLES)
    return database


def test_an_alert_that_no_webhook_brought_opens_its_incident_once(database: Database) -> None:
    desk = Desk(database)
    desk.listed = [alert()]
    assert [a.name for a in desk.after(0).missed] == ["ApprovalRateLow"]
    desk.receive([alert(group="{g}")])  # the webhook that comes late
    for _ in range(5):
        assert desk.after(60) == Found()
    assert desk.wants() == [1]
    assert len(desk.told) == 1


def test_what_webhooks_brought_is_left_alone(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert(group="{g}")])
    desk.listed = [alert()]
    assert desk.after(60) == Found()
    (head,) = desk.book.wanted()
    assert head.groups == {"{g}"}


def test_an_alert_that_is_listed_no_more_ends_after_a_while_and_once(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert()])
    desk.listed = [alert()]
    desk.after(60)
    desk.listed = []
    assert [bool(desk.after(60).ended) for _ in range(6)] == [False, False, False, True, False, False]
    desk.receive([alert(status="resolved")])
    (head,) = desk.book.wanted()
    assert (head.firing, head.wants, head.resolved_at is not None) == (0, 2, True)


def test_an_alertmanager_that_restarted_ends_nothing(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert()])
    for listed in ([alert()], [], [], [alert()], [], [], [alert()]):
        desk.listed = listed
        assert desk.after(60) == Found()


def test_alerts_of_another_alertmanager_are_never_ended(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert()])
    for _ in range(10):
        assert desk.after(600) == Found()


def test_a_silenced_alert_is_neither_fed_nor_ended(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert()])
    desk.listed = [alert()]
    desk.after(60)
    desk.listed, desk.others = [], {alert().fingerprint, "silenced-too"}
    for _ in range(5):
        assert desk.after(600) == Found()


def test_a_new_episode_of_a_known_alert_is_news(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert()])
    desk.receive([alert(status="resolved")])
    desk.clock.move(3600)
    desk.listed = [alert(at=T0 + 3600)]
    assert len(desk.after(60).missed) == 1
    assert sorted(desk.wants()) == [1, 2]


def test_only_the_leader_looks_and_a_new_leader_goes_on(database: Database) -> None:
    one, two = Desk(database), Desk(database, leads=False)
    one.receive([alert()])
    one.listed = [alert()]
    one.after(60)
    two.fault = SourceRefused("alertmanager", "must not be asked")
    assert two.after(60) == Found()
    two.leads, two.fault = True, None
    assert [bool(two.after(60).ended) for _ in range(4)] == [False, False, False, True]


def test_what_cannot_be_asked_is_raised_and_ends_nothing(database: Database) -> None:
    desk = Desk(database)
    desk.receive([alert()])
    desk.listed = [alert()]
    desk.after(60)
    desk.fault = SourceRefused("alertmanager", "no connection")
    for _ in range(5):
        with pytest.raises(SourceRefused):
            desk.after(600)
    desk.fault = None
    assert desk.after(60) == Found()
