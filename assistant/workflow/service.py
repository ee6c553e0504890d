"""Everything of `serve` behind the listeners: receive alerts durably, work on them, show notes, tell how it is."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assistant.core.alert import Alert
from assistant.core.incident import IncidentId
from assistant.core.note import Note
from assistant.errors import WorkflowError
from assistant.identity import Placed, Rules
from assistant.notebook.cursor import TABLES as CURSOR_TABLES
from assistant.notebook.database import Away, Database
from assistant.notebook.notes import TABLES as NOTE_TABLES
from assistant.notebook.notes import NoteBook
from assistant.ports import Clock, PromptLog
from assistant.promptlog.record import Entry, Event
from assistant.settings import Workflow
from assistant.telemetry.metrics import Metrics, count_note
from assistant.workflow import SHAPE
from assistant.workflow.asked import TABLES as QUESTION_TABLES
from assistant.workflow.cases import TABLES as CASE_TABLES
from assistant.workflow.claims import TABLES as CLAIM_TABLES
from assistant.workflow.claims import Claims
from assistant.workflow.engine import Engine
from assistant.workflow.incidents import TABLES as INCIDENT_TABLES
from assistant.workflow.incidents import IncidentBook
from assistant.workflow.investigator import Investigator
from assistant.workflow.loops import Courier, Loop, Task
from assistant.workflow.outbox import TABLES as OUTBOX_TABLES
from assistant.workflow.outbox import Carrier, Outbox
from assistant.workflow.poll import TABLES as POLL_TABLES
from assistant.workflow.posted import TABLES as POSTED_TABLES
from assistant.workflow.replicas import TABLES as REPLICA_TABLES
from assistant.workflow.replicas import Probe, Replicas, Roll, new_executor_id, no_probe
from assistant.workflow.round import Parts, Work
from assistant.workflow.rounds import TABLES as ROUND_TABLES
from assistant.workflow.rounds import Rounds
from assistant.workflow.switch import TABLES as SWITCH_TABLES
from assistant.workflow.switch import Switch
from redaction import FinalScanner

ALL_TABLES = (
    NOTE_TABLES,
    INCIDENT_TABLES,
    ROUND_TABLES,
    REPLICA_TABLES,
    OUTBOX_TABLES,
    SWITCH_TABLES,
    CLAIM_TABLES,
    POLL_TABLES,
    POSTED_TABLES,
    QUESTION_TABLES,
    CASE_TABLES,
    CURSOR_TABLES,
)

_COUNTED = 1000  # incidents whose last round is remembered until its draft comes
_LOG = logging.getLogger("payops.workflow")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a service is made of; `state` is where SQLite files and the lock are. `apart_s`: seconds between two
    rounds of one incident; `looks`: seconds after which an open incident is looked at again though its alerts did not
    change; `held`: the caller holds the state directory already.
    """

    database: Database
    state: Path
    settings: Workflow
    scanner: FinalScanner
    promptlog: PromptLog
    investigator: Investigator
    clock: Clock
    metrics: Metrics
    carriers: Sequence[Carrier] = ()
    tasks: Sequence[Task] = ()
    probe: Probe = no_probe
    apart_s: float = 30.0
    looks: Sequence[float] = (45.0, 180.0, 600.0)
    log_failure: Callable[[], str] = lambda: ""
    heal_log: Callable[[], None] = lambda: None
    held: bool = False


class Service:
    """Start, receive, stop. Thread-safe."""

    def __init__(self, wiring: Wiring) -> None:
        w = self._w = wiring
        self.me = new_executor_id()
        self.database = w.database
        self._stopping = threading.Event()
        self._lock: IO[str] | None = None
        self._started = False
        self._roll: Roll | None = None
        self.replicas = Replicas(
            w.database, me=self.me, shape=SHAPE, takeover_s=w.settings.takeover_s, beat_s=w.settings.heartbeat_s
        )
        rules = Rules(reopen_s=w.settings.reopen_s)
        self.incidents = IncidentBook(w.database, scanner=w.scanner, rules=rules)
        self.notes = NoteBook(w.database, scanner=w.scanner)
        self.outbox = Outbox(w.database, scanner=w.scanner, me=self.me)
        self.switch = Switch(w.database)
        self.claims = Claims(w.database, me=self.me)
        self.rounds = Rounds(w.database, me=self.me, shape=SHAPE, looks=w.looks)
        self._work = Work(self._parts())
        self.engine = Engine(self._work, me=self.me, concurrency=w.settings.concurrency, apart_s=w.apart_s)
        self._received: dict[str, float] = {}
        self._counted: dict[str, str] = {}
        self._loops = self._background()
        self._read_metrics()

    def start(self) -> None:
        """Raises WorkflowError (Away, Damaged, or a state directory in use); nothing runs then."""
        w = self._w
        self._lock = None if w.database.shared or w.held else hold(w.state)
        try:
            w.database.prepare(*ALL_TABLES)
            roll = self._roll = self.replicas.beat()
            self.engine.launch(scanner=w.scanner, state=w.state)
        except BaseException:
            self._release_lock()
            raise
        self._started = True
        if self.replicas.alone:
            # We hold the directory, so whoever began something before us is dead.
            self._free_the_dead(roll)
        for loop in self._loops:
            loop.start()

    def receive(self, alerts: Sequence[Alert]) -> Placed:
        """Keep a delivery and get to work. When this returns, it is durable. Raises Away, Damaged."""
        now = self._w.clock.now()
        placed = self.incidents.receive(alerts, now=now)
        began = time.monotonic()
        for placement in placed.placements:
            self._w.metrics.deliveries.labels(placement.how if placement.weight != "stale" else "stale").inc()
            if placement.how == "new" and placement.incident is not None:
                self._received[placement.incident] = began
                self._w.metrics.incidents.inc()
                _LOG.info("incident opened", extra={"incident": placement.incident})
        if any(p.weight == "material" for p in placed.placements):
            self.wake("rounds")
        return placed

    def merge(self, kept: IncidentId, other: IncidentId, *, by: str) -> None:
        """Make two incidents one, recorded under a pseudonym of `by`. Raises UsageError, PromptLogError, Away."""
        self._decided("merge", kept, by=by, other=other)
        self.incidents.merge(kept, other)
        self._work.farewell(other, kept)
        self.wake("rounds")

    def split(self, incident: IncidentId, fingerprints: Sequence[str], *, by: str) -> IncidentId:
        """Take alerts out into an incident of their own, recorded. Raises UsageError, PromptLogError, Away."""
        self._decided("split", incident, by=by, alerts=len(fingerprints))
        fresh = self.incidents.split(incident, fingerprints, now=self._w.clock.now())
        self.wake("rounds")
        return fresh

    def mute(self, incident: IncidentId, *, by: str, muted: bool = True) -> None:
        """Follow an incident without showing it, or show it again, recorded. Raises UsageError, PromptLogError."""
        self._decided("mute" if muted else "unmute", incident, by=by)
        self.incidents.mute(incident, muted=muted)

    def _decided(self, what: str, incident: IncidentId, *, by: str, **facts: str | int) -> None:
        """What a person decided about an incident is a record before it is done."""
        self._work.parts.promptlog.append(
            Entry(
                event=Event.CONFIG_CHANGE,
                identity=by,
                resource="incident",
                incident=incident,
                facts={"decision": what, **facts},
            )
        )

    def leads(self) -> bool:
        """Whether this replica does what only one should. During a change two may for a heartbeat, so such work must
        bear being done twice."""
        return self.replicas.alone or (self._roll is not None and self._roll.leader == self.me)

    def use(self, promptlog: PromptLog) -> None:
        """Write into this prompt log from now on, beginning with what the one before refused."""
        self._work.parts.promptlog = promptlog
        self._work.settle()

    def wake(self, name: str) -> None:
        for loop in self._loops:
            if loop.name == name:
                loop.wake()

    def stop(self, *, timeout_s: float = 25.0) -> bool:
        """Drain: begin nothing more, let what runs end, show what can be shown. True if everything ended in time."""
        if not self._started:
            return True
        drained = self.engine.drain(timeout_s=timeout_s)
        self._stopping.set()
        for loop in self._loops:
            if loop.name.startswith("outlet-"):
                loop.wake()
        for loop in self._loops:
            loop.stop()
        try:
            self.outbox.release()
            self.replicas.leave()
        except Away:
            _LOG.warning("stopped without the database: others take over when our heartbeat is old")
        self.engine.close()
        self._w.database.close()
        self._release_lock()
        self._started = False
        return drained

    def health(self) -> Mapping[str, str]:
        """What was checked, and what is wrong with it; "" is well. Everything is asked now, nothing remembered."""
        found = {"database": self._database_health(), "promptlog": self._w.log_failure()}
        for loop in self._loops:
            found[loop.name] = loop.health() or ("" if loop.is_alive() else "not running")
        found["draining"] = "draining" if self.engine.draining.is_set() else ""
        return found

    def alive(self) -> Mapping[str, str]:
        """What only a new process would mend: a loop that ended, or hangs though the database is there (DBOS waits
        inside its calls while it is not)."""
        away = bool(self._database_health())
        return {loop.name: loop.failure() or ("" if away else loop.hanging()) for loop in self._loops}

    def ready(self) -> Mapping[str, str]:
        """Whether alerts can be taken now: started, not draining, the database there."""
        draining = "draining" if self.engine.draining.is_set() else ""
        started = "" if self._started else "not started"
        return {"started": started, "draining": draining, "database": self._database_health()}

    def _database_health(self) -> str:
        try:
            self._w.database.check()
        except WorkflowError as error:
            return type(error).__name__.lower()
        return ""

    def _parts(self) -> Parts:
        w = self._w
        return Parts(
            database=w.database,
            incidents=self.incidents,
            notes=self.notes,
            rounds=self.rounds,
            outbox=self.outbox,
            switch=self.switch,
            promptlog=w.promptlog,
            investigator=w.investigator,
            scanner=w.scanner,
            clock=w.clock,
            carriers=w.carriers,
            stopping=self._stopping.is_set,
            told=self._told,
            heal=w.heal_log,
            probe=w.probe,
        )

    def _background(self) -> tuple[Loop, ...]:
        w = self._w
        tasks = [
            Task("heartbeat", w.settings.heartbeat_s, self._beat),
            Task("takeover", w.settings.heartbeat_s, self._take_over),
            Task("tidy", 3600.0, self.engine.tidy),
            Task("rounds", 1.0, self.engine.begin_due),
            *(Task(f"outlet-{c.name}", 1.0, self._courier(c).deliver_all) for c in w.carriers),
            *w.tasks,
        ]
        return tuple(Loop(task) for task in tasks)

    def _courier(self, carrier: Carrier) -> Courier:
        def sent(outlet: str, incident: str) -> None:
            self._w.metrics.posts.labels(outlet).inc()

        return Courier(self.outbox, carrier, allowed=lambda: not self.switch.off, sent=sent)

    def _beat(self) -> None:
        self._roll = self.replicas.beat()
        self.wake("takeover")

    def _take_over(self) -> None:
        """In a loop of its own: DBOS waits inside its calls while the database is away, and the heart must not."""
        roll = self._roll
        if roll is None:
            return
        if roll.judging:
            self._free_the_dead(roll)
        elif taken := self.engine.take_over(roll):
            self._w.metrics.takeovers.inc(taken)

    def _free_the_dead(self, roll: Roll) -> None:
        dead = frozenset(r.owner for r in self.rounds.unfinished()) - roll.alive
        self.outbox.abandon_all_but(roll.alive)
        self.claims.free_all_but(roll.alive)
        if dead:
            _LOG.warning("work of dead processes", extra={"processes": len(dead)})
        if taken := self.engine.take_over(roll):
            self._w.metrics.takeovers.inc(taken)

    def _told(self, key: str, note: Note) -> None:
        """A note was kept: count it, wake the outlets. A round's facts and its draft are one look: only what the draft
        adds is counted again, or every share a note would be halved where a model writes."""
        number, kind = key.split(".")[:2]
        self._w.metrics.notes.labels(kind, "yes" if note.model else "no").inc()
        count_note(self._w.metrics, note, again=self._counted.pop(note.incident_id, "") == number)
        if kind == "facts":
            self._counted[note.incident_id] = number
            while len(self._counted) > _COUNTED:
                self._counted.pop(next(iter(self._counted)))
        extra = {
            "incident": note.incident_id,
            "revision": note.revision,
            "record": note.record.id if note.record else "",
        }
        _LOG.info("note kept", extra=extra)
        began = self._received.get(note.incident_id)
        if began is not None:
            seconds = time.monotonic() - began
            (self._w.metrics.facts_seconds if kind == "facts" else self._w.metrics.note_seconds).observe(seconds)
            if kind == "note":
                self._received.pop(note.incident_id, None)
        for loop in self._loops:
            if loop.name.startswith("outlet-"):
                loop.wake()

    def _read_metrics(self) -> None:
        def incidents() -> Mapping[str, float]:
            s = self.incidents.summary()
            return {"incidents_open": s.open, "alerts_kept": s.alerts, "storms_open": s.storms}

        def outbox() -> Mapping[str, float]:
            w = self.outbox.waiting()
            return {"outbox_waiting": w.count, "outbox_oldest_seconds": w.oldest_s, "outbox_failed": w.failed}

        def work() -> Mapping[str, float]:
            unfinished = len(self.rounds.unfinished())
            return {
                "rounds_unfinished": unfinished,
                "rounds_running_here": self.engine.going(),
                "replicas": self.replicas.seen(),
            }

        def switch() -> Mapping[str, float]:
            return {"switched_off": float(self.switch.off), "promptlog_ok": float(not self._w.log_failure())}

        self._w.metrics.readings.update({"incidents": incidents, "outbox": outbox, "work": work, "switch": switch})

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def hold(state: Path) -> IO[str]:
    """Hold the state directory for this process; the kernel lets go when the process ends, however it ends."""
    path = state / "serve.lock"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise WorkflowError(f"{path}: {error.strerror}", mend="give another --state") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise WorkflowError(
            f"another payops serve (process {holder}) uses {state}", mend="stop it, or give another --state"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
