"""A service in this process, on SQLite: from a delivery to a note that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.errors import WorkflowError
from assistant.notebook.database import open_database
from assistant.promptlog.record import Event
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
                looks=(0.5, 0.5),
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


def keys(stand: Stand, incident: str) -> list[str]:
    return [r.key for r in stand.service.notes.revisions(incident)]


def test_a_repeated_webhook_does_nothing(stand: Stand) -> None:
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: not stand.service.rounds.unfinished() and len(keys(stand, incident)) == 2)
    for _ in range(17):
        stand.service.receive([alert()])
    snapshot = stand.service.incidents.snapshot(incident)
    assert snapshot and snapshot.head.wants == 1
    assert stand.investigator.examined <= 3  # the first round and two looks


def test_a_resolve_is_a_round_of_its_own_with_one_final_revision(stand: Stand) -> None:
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: len(keys(stand, incident)) == 2)
    stand.clock.move(60)
    stand.service.receive([alert(status="resolved")])
    eventually(lambda: len(keys(stand, incident)) == 3)
    assert keys(stand, incident)[-1] == "2.note"
    assert stand.service.notes.revisions(incident)[-1].status == "resolved"


def test_switched_off_no_model_is_asked_and_nothing_is_shown_until_on(stand: Stand) -> None:
    stand.service.switch.turn(off=True, record="rec")
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: len(keys(stand, incident)) == 2)
    assert (stand.investigator.drafts, stand.outlet.shown) == (0, [])
    latest = stand.service.notes.latest(incident)
    assert latest and "payops off" in str(latest["without_model"])
    stand.service.switch.turn(off=False, record="rec")
    eventually(lambda: stand.outlet.shown)
    assert [p.revision for p in stand.outlet.shown] == [2]


def test_a_look_that_fails_by_a_fault_of_ours_ends_in_the_plain_note(stand: Stand) -> None:
    stand.investigator.fault = ValueError("card 4111111111111111")
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: keys(stand, incident) and not stand.service.rounds.unfinished(), within=40)
    assert keys(stand, incident) == ["1.facts"]
    latest = stand.service.notes.latest(incident)
    assert latest and "crashed" in str(latest["without_model"])
    assert stand.investigator.drafts == 0


def test_without_a_model_the_facts_note_is_the_note(stand: Stand) -> None:
    stand.investigator.has_model = False
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: keys(stand, incident) and not stand.service.rounds.unfinished())
    assert keys(stand, incident) == ["1.facts"]
    stand.service.receive([alert(status="resolved")])
    eventually(lambda: len(keys(stand, incident)) == 2)
    assert keys(stand, incident)[-1] == "2.note"


def test_an_open_incident_is_looked_at_again_and_a_revision_kept_only_if_something_changed(stand: Stand) -> None:
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: stand.investigator.examined == 3)
    eventually(lambda: not stand.service.rounds.unfinished())
    assert keys(stand, incident) == ["1.facts", "1.note"]
    assert stand.service.rounds.due(apart_s=0.0) == ()


def test_a_log_that_refuses_does_not_stop_the_note(stand: Stand) -> None:
    stand.log.break_down()
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: len(keys(stand, incident)) == 2)


def test_a_log_that_failed_is_opened_again_before_the_note(stand: Stand) -> None:
    fresh = MemoryLog()
    stand.log.break_down()
    stand.service._work.parts.heal = lambda: stand.service.use(fresh)
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    eventually(lambda: [r.id for r in fresh.records()] == [f"{incident}.1.alerts"])


def test_a_record_that_the_log_refused_is_made_up_for_when_it_is_back(stand: Stand) -> None:
    fresh = MemoryLog()
    stand.log.break_down()
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: len(keys(stand, incident)) == 2 and not stand.service.rounds.unfinished())
    stand.service.use(fresh)
    stand.service.use(fresh)
    assert [r.id for r in fresh.records()] == [f"{incident}.1.alerts"]


def test_clocks_that_are_apart_are_told_in_the_note(stand: Stand) -> None:
    (incident,) = {p.incident for p in stand.service.receive([alert(at=T0 + 3600)]).placements}
    assert incident
    eventually(lambda: len(keys(stand, incident)) == 2)
    latest = stand.service.notes.latest(incident)
    assert latest and [g["reason"] for g in latest["gaps"] if g["source"] == "clock"]  # type: ignore[attr-defined]


def test_deliveries_in_the_wrong_order_leave_the_right_state(stand: Stand) -> None:
    """The end of an episode overtakes a repetition of its beginning."""
    first, end = alert(at=T0), alert(at=T0, status="resolved")
    for delivery in (first, end, first, end):
        stand.service.receive([delivery])
    summary = stand.service.incidents.summary()
    assert (summary.open, summary.alerts) == (0, 1)


def test_a_muted_incident_is_followed_and_not_shown(stand: Stand) -> None:
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: len(stand.outlet.shown) and stand.outlet.shown[-1].revision == 2)
    stand.service.mute(incident, by="U1")
    stand.service.receive([alert(status="resolved")])
    eventually(lambda: len(keys(stand, incident)) == 3)
    assert stand.outlet.shown[-1].revision == 2


def test_merged_incidents_are_one_and_split_ones_two(stand: Stand) -> None:
    book = stand.service.incidents
    one, two = [p.incident for p in stand.service.receive([alert("A"), alert("B")]).placements]
    assert one and two and one != two
    stand.service.merge(one, two, by="U1")
    merged = book.snapshot(one)
    assert merged and {a.name for a in merged.alerts} == {"A", "B"}
    assert stand.service.receive([alert("B")]).placements[0].incident == one
    (b,) = [a.fingerprint for a in merged.alerts if a.name == "B"]
    new = stand.service.split(one, [b], by="U1")
    left = book.snapshot(one)
    assert left and {a.name for a in left.alerts} == {"A"}
    assert stand.service.receive([alert("B")]).placements[0].incident == new
    decided = [r.facts["decision"] for r in stand.log.records() if r.event is Event.CONFIG_CHANGE]
    assert decided == ["merge", "split"]


def test_ten_thousand_alerts_are_grouped_without_loss(stand: Stand) -> None:
    alerts = [alert(f"A{i % 40}", labels={"service": f"s{i}", "pod": f"p{i}"}) for i in range(10_000)]
    for i in range(0, len(alerts), 500):
        stand.service.receive(alerts[i : i + 500])
    summary = stand.service.incidents.summary()
    assert (summary.alerts, summary.storms) == (10_000, 1)
    assert summary.open <= 6
    eventually(lambda: not stand.service.rounds.unfinished() and not stand.service.rounds.due(apart_s=0.0), within=60)
    assert len(stand.service.notes.newest()) == summary.open


def test_health_names_what_is_unwell(stand: Stand) -> None:
    assert not any(stand.service.health().values())
    assert set(stand.service.health()) >= {"database", "promptlog", "heartbeat", "rounds", "outlet-memory"}


def test_readiness_and_liveness_are_told_apart(stand: Stand) -> None:
    """Draining, or without its database, it takes nothing more and needs no restart; a loop that ended does."""
    assert not any({**stand.service.ready(), **stand.service.alive()}.values())
    stand.service.engine.draining.set()
    assert stand.service.ready()["draining"] == "draining"
    assert not any(stand.service.alive().values())
    loop = next(x for x in stand.service._loops if x.name == "tidy")
    loop.failed = "ValueError"
    assert stand.service.alive()["tidy"] == "tidy ended (ValueError)"


def test_a_state_directory_is_held_by_one(stand: Stand) -> None:
    with pytest.raises(WorkflowError, match="another payops serve"):
        stand.build().start()


def test_metrics_tell_what_is_so(stand: Stand) -> None:
    stand.service.receive([alert()])
    eventually(lambda: stand.outlet.shown and stand.outlet.shown[-1].revision == 2)
    stand.service.switch.turn(off=True, record="rec")
    eventually(lambda: not stand.service.rounds.unfinished())
    text = stand.service._w.metrics.render()[0].decode()
    for line in (
        "payops_incidents_open 1.0",
        "payops_alerts_kept 1.0",
        "payops_outbox_waiting 0.0",
        "payops_switched_off 1.0",
        'payops_alert_deliveries_total{how="new"} 1.0',
        'payops_notes_total{kind="note",model="yes"} 1.0',
    ):
        assert line in text


def test_old_workflows_are_forgotten_and_young_ones_kept(stand: Stand) -> None:
    (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
    assert incident
    eventually(lambda: stand.service.rounds.unfinished() == () and keys(stand, incident))
    assert stand.service.engine.tidy() == 0
    time.sleep(1.1)
    eventually(lambda: stand.service.engine.tidy(keep_s=0.5) > 0)
    assert stand.service.engine.tidy(keep_s=0.5) == 0


def test_a_note_that_the_last_look_stops_leaves_a_record_of_the_place_and_never_the_value(tmp_path: Path) -> None:
    class Leaking(RememberingOutlet):
        def render(self, note: Note, incident: Incident) -> Mapping[str, object] | None:
            rendered = super().render(note, incident)
            leak = (
                "" if note.without_model and "withheld" in note.without_model else "card 4539 5787 6362 1486 declined"
            )
            return rendered and {**rendered, "more": leak}

    stand = Stand(tmp_path / "state")
    stand.outlet = Leaking()
    stand.service = stand.build()
    stand.service.start()
    try:
        (incident,) = {p.incident for p in stand.service.receive([alert()]).placements}
        assert incident
        eventually(lambda: len(keys(stand, incident)) == 2)
        latest = stand.service.notes.latest(incident)
        assert latest and latest["without_model"] == "a note was withheld by the last look (PAN)"
        blocks = [r for r in stand.log.scan() if r.event is Event.REDACTION_BLOCK]
        assert [(b.facts["found"], b.facts["sink"]) for b in blocks] == [("PAN", "outbox_memory")] * 2
        for block in blocks:
            where = stand.log.body(block, "where")
            assert isinstance(where, bytes) and b"PAN by card at" in where
            assert "«19»" in where.decode() and b"4539" not in where
        assert "4539" not in "".join(str(dict(r.facts)) for r in stand.log.scan())
    finally:
        stand.service.stop(timeout_s=5)
