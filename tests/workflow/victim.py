"""A whole service in a process of its own that kills itself (SIGKILL) when it passes a named point.

`python -m tests.workflow.victim` loads everything once and then forks for each line of JSON on stdin, so that a kill
costs a fork and not a start of Python. A fork answers with its exit status: -9 killed, 0 the round is done and shown,
3 not in time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from assistant.notebook.database import Away, open_database
from assistant.outlets.file import FileOutlet
from assistant.promptlog.keys import load_keys
from assistant.promptlog.open import open_log
from assistant.settings import Workflow
from assistant.telemetry.logs import configure
from assistant.telemetry.metrics import new_metrics
from assistant.workflow import engine
from assistant.workflow import service as module
from assistant.workflow.outbox import Parcel
from assistant.workflow.service import Service, Wiring
from redaction import FinalScanner
from tests.fakes.alerts import T0, alert
from tests.fakes.clock import StandingClock
from tests.fakes.investigator import WritingInvestigator

ORIGIN = "payops.example/victim"


class Probe:
    """Kills the process at `point`, at most `times` times over all processes of this state directory."""

    def __init__(self, state: Path, point: str, times: int) -> None:
        self.state, self.point, self.times = state, point, times

    def __call__(self, point: str) -> None:
        with (self.state / "points").open("a") as trail:
            trail.write(f"{point}\n")
        if point == self.point:
            killed = self.state / "killed"
            before = killed.read_text() if killed.exists() else ""
            if len(before) < self.times:
                killed.write_text(before + "x")
                os.kill(os.getpid(), signal.SIGKILL)


class ProbedFile(FileOutlet):
    """The file outlet with a point before and after it writes."""

    def __init__(self, folder: Path, probe: Probe) -> None:
        super().__init__(folder)
        self._probe = probe

    def deliver(self, parcel: Parcel) -> str:
        self._probe("deliver.begun")
        ref = super().deliver(parcel)
        self._probe("deliver.shown")
        return ref


def service(state: Path, url: str, probe: Probe, *, slow_s: float = 0.0, reckless: bool = False) -> tuple[Service, Any]:
    """`reckless`: the first two looks kill the process from inside, as a fault in native code would."""
    scanner = FinalScanner()
    keys = load_keys(origin=ORIGIN, state=state, signing="", body="", create=True)
    log = open_log(url or state, keys=keys, last_look=partial(scanner.check, sink="promptlog"), origin=ORIGIN)
    wiring = Wiring(
        database=open_database(url, state=state),
        state=state,
        settings=Workflow(heartbeat_s=0.5, takeover_s=2.0, concurrency=4),
        scanner=scanner,
        promptlog=log,
        investigator=WritingInvestigator(now=T0 + 30, slow_s=slow_s),
        clock=StandingClock(T0 + 30),
        metrics=new_metrics(),
        carriers=(ProbedFile(state / "notes", probe),),
        probe=probe,
        apart_s=0.0,
    )
    return Service(wiring), log


def live(order: dict[str, Any]) -> int:
    """Be a service until its round is done and everything is shown."""
    state = Path(order["state"])
    state.mkdir(parents=True, exist_ok=True)
    probe = Probe(state, order.get("point", ""), order.get("times", 1))
    engine.SHAPE = module.SHAPE = order.get("shape", engine.SHAPE)
    s, log = service(state, order.get("url", ""), probe, slow_s=order.get("slow_s", 0.0))
    s.start()
    if order.get("deliver", True):
        s.receive([alert(labels={"service": order.get("service", "gateway")})])
    probe("received")
    time.sleep(order.get("idle_s", 0.0))
    until = time.monotonic() + order.get("within", 25.0)
    while time.monotonic() < until:
        if settled(s):
            break
        time.sleep(0.02)
    else:
        return 3
    if order.get("leave", True):
        s.stop(timeout_s=5)
        log.close()
    return 0


def settled(s: Service) -> bool:
    """Nothing is wanted, begun or waiting any more; False too while the database is away."""
    try:
        return not s.rounds.due(apart_s=0.0) and not s.rounds.unfinished() and not s.outbox.waiting().count
    except Away:
        return False


def main() -> None:
    import dbos  # noqa: F401  loaded once, before the forks
    import psycopg  # noqa: F401

    children: dict[int, Any] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("wait"):
            pid = order["wait"]
            _, status = os.waitpid(pid, 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if pid == 0:
                error = (Path(order["state"]).parent / f"{Path(order['state']).name}.log").open("a")
                configure(scanner=FinalScanner(), stream=error)
                code = 4
                try:
                    code = live(order)
                finally:
                    error.flush()
                    os._exit(code)
            children[pid] = order
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
