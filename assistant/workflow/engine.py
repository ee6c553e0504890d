"""DBOS around the rounds: launch, start, take over, drain. The one door to the package `dbos`.

DBOS is one per process. What is asked of it: run `incident_round` step by step, keep what steps return, and go on at
the step that was interrupted. Who runs what is decided here (see `Engine.take_over`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.errors import WorkflowError
from assistant.notebook.database import Database
from assistant.workflow import SHAPE
from assistant.workflow.replicas import Roll
from assistant.workflow.round import ROUND_STEPS, Work
from assistant.workflow.rounds import Round
from redaction import FinalScanner

_LOG = logging.getLogger("payops.workflow")
_QUEUE = "payops-takeover"
_SETTLED = frozenset({"SUCCESS"})
_FAILED = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_APART_S = 30.0
_YOUNG_S = 15.0
_TRIES = 5


class Engine:
    """Begins rounds that are due, keeps at most `concurrency` of them going, takes over from the dead."""

    def __init__(self, work: Work, *, me: str, concurrency: int, apart_s: float = _APART_S) -> None:
        self._work = work
        self._me = me
        self._apart_s = apart_s
        self._slots = threading.BoundedSemaphore(concurrency)
        self._concurrency = concurrency
        self._going: set[str] = set()
        self._lock = threading.Lock()
        self._dbos: Any = None
        self._function: Any = None
        self.draining = threading.Event()

    def launch(self, *, scanner: FinalScanner, state: Path, queue_poll_s: float = 0.5) -> None:
        """Start DBOS. Raises WorkflowError if it cannot; nothing is left running then."""
        from dbos import DBOS
        from dbos._error import DBOSException
        from sqlalchemy.exc import SQLAlchemyError

        database = self._work.parts.database
        config: Any = {
            "name": "payops",
            "system_database_url": dbos_url(database, state),
            "executor_id": self._me,
            "application_version": SHAPE,
            "serializer": _serializer(scanner),
            "log_level": "WARNING",
            "enable_otlp": False,
            "max_executor_threads": self._concurrency * 2 + 8,
            "sys_db_pool_size": 12,
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": 1.0,
            "scheduler_polling_interval_sec": 3600.0,
        }
        self._dbos, engine = DBOS, self
        DBOS(config=config)

        @DBOS.workflow(name="incident_round", max_recovery_attempts=None)  # type: ignore[untyped-decorator]
        def incident_round(incident: str, number: int, level: int) -> dict[str, Any]:
            return engine.run(incident, number, level=level)

        self._function = incident_round
        try:
            DBOS.launch()
            DBOS.register_queue(
                _QUEUE,
                worker_concurrency=self._concurrency,
                polling_interval_sec=queue_poll_s,
                on_conflict="always_update",
            )
        except (DBOSException, SQLAlchemyError, OSError) as error:
            DBOS.destroy(destroy_registry=True)
            raise WorkflowError(
                f"the workflow engine did not start ({type(error).__name__})",
                mend="check [workflow] url and the state directory",
            ) from None

    def run(self, incident: str, number: int, *, level: int) -> dict[str, Any]:
        """The workflow itself: deterministic in its steps, whatever they find."""
        from dbos import DBOS

        name, parts = str(DBOS.workflow_id), self._work.parts
        # Before waiting for a slot: the leader must see that a living replica has it.
        parts.database.patiently(lambda: parts.rounds.own(incident, number), stopping=parts.stopping)
        self._enter(name)
        try:
            result: dict[str, Any] = {}
            for step in ROUND_STEPS:
                result |= DBOS.run_step({"name": step}, self._work.step, step, incident, number, level=level)
            return result
        finally:
            self._leave(name)

    def begin_due(self) -> int:
        """Begin what is due while there is room; how many. Raises Away."""
        begun = 0
        while not self.draining.is_set() and self._slots.acquire(blocking=False):
            round_ = None
            try:
                round_ = self._next()
            finally:
                if round_ is None:
                    self._slots.release()
            if round_ is None:
                return begun
            self._start(round_)
            begun += 1
        return begun

    def take_over(self, roll: Roll) -> int:
        """See to rounds that nobody works on: those of the dead (if we lead and may judge), and failed ones of our
        own.
        """
        taken = 0
        for round_ in self._work.parts.rounds.unfinished():
            ours = round_.owner == self._me
            if self.draining.is_set() or (not ours and (round_.owner in roll.alive or not roll.judging)):
                continue
            if ours and self._is_going(round_):
                continue
            with _translated():
                taken += self._see_to(round_, alive=roll.alive, dead=not ours)
        return taken

    def tidy(self, *, keep_s: float = 7 * 86_400.0) -> int:
        """Forget workflows that ended longer ago than `keep_s`: notes and records are elsewhere. How many."""
        with _translated():
            before = datetime.fromtimestamp(time.time() - keep_s, UTC).isoformat()
            old = self._dbos.list_workflows(
                completed_before=before, status=[*_SETTLED, *_FAILED], limit=500, load_input=False, load_output=False
            )
            if old:
                self._dbos.delete_workflows([w.workflow_id for w in old])
        return len(old)

    def going(self) -> int:
        with self._lock:
            return len(self._going)

    def drain(self, *, timeout_s: float) -> bool:
        """Begin nothing more and wait for what is going. True if everything ended."""
        self.draining.set()
        until = time.monotonic() + timeout_s
        while self.going() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.going()

    def close(self) -> None:
        if self._dbos is not None:
            self._dbos.destroy(destroy_registry=True)
            self._dbos = None

    def _next(self) -> Round | None:
        rounds = self._work.parts.rounds
        for due in rounds.due(apart_s=self._apart_s):
            if (round_ := rounds.begin(due)) is not None:
                self._work.parts.probe("round.begun")
                return round_
        return None

    def _start(self, round_: Round, *, level: int = 0) -> None:
        """Start the workflow in this process; its slot is ours already. Starting the same id again does nothing."""
        from dbos import SetWorkflowID

        with self._lock:
            self._going.add(round_.workflow)
        try:
            with _translated(), SetWorkflowID(round_.workflow):
                handle = self._dbos.start_workflow(self._function, round_.incident, round_.number, level)
        except BaseException:
            # The round is ours and unfinished: `take_over` finds it.
            self._leave(round_.workflow)
            raise
        if type(handle).__name__ == "WorkflowHandlePolling":
            # The id is known already: somebody else runs it, or ran it.
            self._leave(round_.workflow)
        self._work.parts.probe("round.started")

    def _see_to(self, round_: Round, *, alive: frozenset[str], dead: bool) -> int:
        status = self._dbos.get_workflow_status(round_.workflow)
        state = status.status if status is not None else ""
        if state in _SETTLED:
            self._work.parts.rounds.finish(round_.incident, round_.number, outcome="note")
            return 0
        if not dead and time.time() - round_.begun_at < _YOUNG_S and state not in _FAILED:
            return 0
        if state in _FAILED or (state and status.app_version != SHAPE):
            return self._again(round_, stop=state not in _FAILED)
        if not state:
            return self._start_if_room(round_)
        if state == "PENDING" and status.executor_id not in alive - {self._me}:
            _LOG.warning(
                "taking over", extra={"incident": round_.incident, "round": round_.number, "from": round_.owner}
            )
            self._dbos.resume_workflow(round_.workflow, queue_name=_QUEUE)
            return 1
        return 0

    def _again(self, round_: Round, *, stop: bool) -> int:
        """A workflow that failed, or has another shape, is left; a new one does the round, plainer if it failed."""
        if round_.tries >= _TRIES:
            _LOG.error("round is given up", extra={"incident": round_.incident, "round": round_.number})
            self._work.parts.rounds.finish(round_.incident, round_.number, outcome="failed")
            return 0
        if stop:
            self._dbos.cancel_workflow(round_.workflow)
        if not self._slots.acquire(blocking=False):
            return 0
        again = self._work.parts.rounds.try_again(round_)
        if again is None:
            self._slots.release()
            return 0
        _LOG.error(
            "round is done again", extra={"incident": round_.incident, "round": round_.number, "plain": not stop}
        )
        self._start(again, level=0 if stop else again.tries)
        return 1

    def _start_if_room(self, round_: Round) -> int:
        if not self._slots.acquire(blocking=False):
            return 0
        self._start(round_)
        return 1

    def _is_going(self, round_: Round) -> bool:
        with self._lock:
            return round_.workflow in self._going

    def _enter(self, name: str) -> None:
        """Note that a workflow runs here. One that we started has a slot; one from the queue waits for one."""
        with self._lock:
            if name in self._going:
                return
        self._slots.acquire()
        with self._lock:
            self._going.add(name)

    def _leave(self, name: str) -> None:
        with self._lock:
            if name not in self._going:
                return
            self._going.discard(name)
        self._slots.release()


@contextmanager
def _translated() -> Iterator[None]:
    """DBOS's errors, and those of the database below it, as ours. Their messages may quote values."""
    from dbos._error import DBOSException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (DBOSException, SQLAlchemyError) as error:
        raise WorkflowError(f"the workflow engine said no ({type(error).__name__})") from None


def dbos_url(database: Database, state: Path) -> str:
    """DBOS's own tables: schema `dbos` of the same PostgreSQL, else a file beside ours.

    The file holds nothing that could not be begun again from ours, so a damaged one is put aside, not mourned.
    """
    if database.shared:
        return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    path = state / "dbos.sqlite"
    if path.exists() and not _whole(path):
        aside = path.with_name(f"dbos.sqlite.damaged-{int(time.time())}")
        path.rename(aside)
        for tail in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + tail).unlink(missing_ok=True)
        _LOG.error("the workflow file was damaged and is put aside", extra={"file": aside.name})
    return f"sqlite:///{path}"


def _whole(path: Path) -> bool:
    import sqlite3

    try:
        with sqlite3.connect(path) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _serializer(scanner: FinalScanner) -> Any:
    from assistant.workflow.serializer import for_dbos

    return for_dbos(scanner)
