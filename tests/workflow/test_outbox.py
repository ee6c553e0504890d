"""The outbox: in order, once, again after a failure, and never to two at a time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from assistant.errors import OutletError
from assistant.notebook.database import Database, open_database
from assistant.workflow import outbox as module
from assistant.workflow.loops import Courier
from assistant.workflow.outbox import Later, Never, Outbox, Parcel
from redaction import FinalScanner, LeakBlocked
from tests.fakes.outlet import RememberingOutlet


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database("", state=tmp_path)
    database.prepare(module.TABLES)
    return database


def box(database: Database, me: str = "exe-1") -> Outbox:
    return Outbox(database, scanner=FinalScanner(), me=me)


def put(database: Database, *revisions: int, incident: str = "inc-a", text: str = "a note") -> None:
    with database.write() as c:
        for revision in revisions:
            box(database).put(c, incident=incident, outlet="memory", revision=revision, payload={"text": text})


def courier(database: Database, outlet: RememberingOutlet, *, allowed: bool = True) -> Courier:
    return Courier(box(database), outlet, allowed=lambda: allowed, sent=lambda outlet, incident: None)


def test_only_the_newest_revision_is_shown(database: Database) -> None:
    put(database, 1, 2, 3)
    outlet = RememberingOutlet()
    assert courier(database, outlet).deliver_all() == 1
    assert [p.revision for p in outlet.shown] == [3]
    assert box(database).waiting().count == 0


def test_an_outlet_that_keeps_every_revision_gets_them_in_order(database: Database) -> None:
    put(database, 2, 1, 3)
    outlet = RememberingOutlet(every_revision=True)
    assert courier(database, outlet).deliver_all() == 3
    assert [p.revision for p in outlet.shown] == [1, 2, 3]
    assert [p.previous for p in outlet.shown] == ["", "ref-1", "ref-2"]


def test_an_older_revision_that_comes_late_is_not_shown_after_a_newer_one(database: Database) -> None:
    outlet = RememberingOutlet()
    put(database, 2)
    courier(database, outlet).deliver_all()
    put(database, 1)
    courier(database, outlet).deliver_all()
    assert [p.revision for p in outlet.shown] == [2]


def test_the_same_revision_put_twice_is_shown_once(database: Database) -> None:
    outlet = RememberingOutlet()
    for _ in range(3):
        put(database, 1)
        courier(database, outlet).deliver_all()
    assert len(outlet.shown) == 1


def test_a_failure_is_tried_again_after_the_pause_that_was_asked_for(database: Database) -> None:
    put(database, 1)
    outlet = RememberingOutlet()
    outlet.failures = [Later("rate limited", after=0.05)]
    assert courier(database, outlet).deliver_all() == 0
    assert box(database).waiting().count == 1
    assert box(database).claim("memory", every_revision=False) is None
    time.sleep(0.06)
    assert courier(database, outlet).deliver_all() == 1
    assert (outlet.shown[0].attempts, outlet.shown[0].unsure) == (2, False)


def test_what_can_never_be_delivered_is_counted_and_holds_nothing_up(database: Database) -> None:
    put(database, 1)
    put(database, 1, incident="inc-b")
    outlet = RememberingOutlet()
    outlet.failures = [Never("archived")]
    assert courier(database, outlet).deliver_all() == 1
    assert (box(database).waiting().count, box(database).waiting().failed) == (0, 1)


def test_two_couriers_never_hold_the_same_parcel(database: Database) -> None:
    put(database, 1)
    first = box(database, "exe-1").claim("memory", every_revision=False)
    assert first is not None
    assert box(database, "exe-2").claim("memory", every_revision=False) is None


def test_a_claim_of_a_dead_process_is_tried_again_as_unsure(database: Database) -> None:
    put(database, 1)
    dead = box(database, "exe-dead").claim("memory", every_revision=False)
    assert dead is not None
    box(database, "exe-2").abandon_all_but(frozenset({"exe-2"}))
    again = box(database, "exe-2").claim("memory", every_revision=False)
    assert again is not None and again.unsure
    assert not box(database, "exe-dead").delivered(dead, "ref-of-the-dead")
    assert box(database, "exe-2").delivered(again, "ref")


def test_a_process_that_stops_in_order_gives_its_claims_back_and_nobody_is_unsure(database: Database) -> None:
    put(database, 1)
    box(database, "exe-1").claim("memory", every_revision=False)
    box(database, "exe-1").release()
    again = box(database, "exe-2").claim("memory", every_revision=False)
    assert again is not None and not again.unsure


class TakingBack(RememberingOutlet):
    """An outlet that is a `Retractor`, and remembers what it took back."""

    def __init__(self, *, every_revision: bool = False) -> None:
        super().__init__(every_revision=every_revision)
        self.gone: list[str] = []
        self.refusals: list[OutletError] = []

    def deliver(self, parcel: Parcel) -> str:
        super().deliver(parcel)
        return parcel.previous or f"message-{parcel.revision}"

    def retract(self, ref: str) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.gone.append(ref)


def purged(database: Database, revision: int) -> None:
    """As `payops purge` leaves a row that was shown."""
    this = module.parcels.c.revision == revision
    with database.write() as c:
        c.execute(module.parcels.update().where(this).values(payload='{"text":"clean"}', state="retracting"))


def test_a_purged_message_is_taken_back_once_and_its_newest_revision_shown_anew(database: Database) -> None:
    outlet = TakingBack()
    for revision in (1, 2, 3):
        put(database, revision)
        courier(database, outlet).deliver_all()
    purged(database, 2)
    outlet.refusals = [Later("rate limited", after=0.01)]
    assert courier(database, outlet).take_back() == 0
    time.sleep(0.02)
    courier(database, outlet).deliver_all()
    courier(database, outlet).deliver_all()
    assert outlet.gone == ["message-1"]
    assert [(p.revision, p.previous) for p in outlet.shown] == [
        (1, ""), (2, "message-1"), (3, "message-1"), (3, ""),
    ]  # fmt: skip


def test_what_is_purged_is_taken_back_while_switched_off_and_not_shown_until_on(database: Database) -> None:
    put(database, 1)
    outlet = TakingBack()
    courier(database, outlet).deliver_all()
    purged(database, 1)
    courier(database, outlet, allowed=False).deliver_all()
    assert (outlet.gone, len(outlet.shown)) == (["message-1"], 1)
    courier(database, outlet).deliver_all()
    assert [p.payload for p in outlet.shown] == [{"text": "a note"}, {"text": "clean"}]


def test_a_parcel_that_is_purged_on_its_way_is_taken_back(database: Database) -> None:
    put(database, 1)
    outlet = TakingBack()
    parcel = box(database).claim("memory", every_revision=False)
    assert parcel is not None
    with database.write() as c:
        c.execute(module.parcels.update().values(payload='{"text":"clean"}'))
    box(database).delivered(parcel, outlet.deliver(parcel))
    courier(database, outlet).deliver_all()
    assert outlet.gone == ["message-1"]
    assert outlet.shown[-1].payload == {"text": "clean"}


def test_an_outlet_that_cannot_take_back_is_counted_as_failed(database: Database) -> None:
    put(database, 1)
    outlet = RememberingOutlet()
    courier(database, outlet).deliver_all()
    purged(database, 1)
    courier(database, outlet).deliver_all()
    assert (box(database).waiting().count, box(database).waiting().failed) == (0, 1)


def test_nothing_leaves_while_switched_off(database: Database) -> None:
    put(database, 1)
    outlet = RememberingOutlet()
    assert courier(database, outlet, allowed=False).deliver_all() == 0
    assert not outlet.shown


def test_a_card_number_does_not_get_into_the_outbox(database: Database) -> None:
    with pytest.raises(LeakBlocked):
        put(database, 1, text="card 4111111111111111")
    assert box(database).waiting().count == 0
