"""`python -m evals.load.child soak|capacity STATE`: one load in a process of its own, figures as lines of JSON."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evals.load.rig import Rig, disk_mib, open_files, rig, rss_mib

HOURS = 24
AN_HOUR = 4
REPEATS = 30


def soak(state: Path) -> None:
    """A day: in each hour four incidents one after another, thirty repeated deliveries of each, an end to each."""
    with rig(state) as r:
        for hour in range(HOURS):
            began = time.monotonic()
            for i in range(AN_HOUR):
                number = hour * AN_HOUR + i
                r.open(number)
                for _ in range(REPEATS):
                    r.repeat(number)
                r.settle()
                r.clock.at += 450
                r.close(number)
                r.settle()
                r.clock.at += 450
            say(hour=hour + 1, seconds=time.monotonic() - began, **_standing(r))
        _judge(r, incidents=HOURS * AN_HOUR, revisions=3)


def capacity(state: Path) -> None:
    """Incidents at once, then questions at once, and what they leave on the disk."""
    from assistant.ask import ask

    with rig(state) as r:
        r.open(0)
        r.settle()
        idle, log_before, notebook_before = (
            rss_mib(),
            disk_mib(state, "promptlog.sqlite"),
            disk_mib(state, "live.sqlite"),
        )
        many, began = 40, time.monotonic()
        for number in range(1, many + 1):
            r.clock.at += 61
            r.open(number)
        r.settle()
        took = time.monotonic() - began
        say(what="incidents", count=many, seconds=took, idle_mib=idle, peak_mib=rss_mib())
        grown = {
            "log_kib": (disk_mib(state, "promptlog.sqlite") - log_before) * 1024 / many,
            "notebook_kib": (disk_mib(state, "live.sqlite") - notebook_before) * 1024 / many,
            "records": r.house.promptlog.size() / (many + 1),  # type: ignore[attr-defined]
        }
        say(what="growth", **grown)
        taken: list[float] = []
        guard = threading.Lock()

        def one(number: int) -> None:
            started = time.monotonic()
            answer, record = ask("why are approvals down", r.house, asker=f"os:person-{number}")
            assert answer.answered and record is not None
            with guard:
                taken.append(time.monotonic() - started)

        for at_once in (1, 4, 8):
            taken.clear()
            began = time.monotonic()
            with ThreadPoolExecutor(at_once) as pool:
                list(pool.map(one, range(3 * at_once)))
            taken.sort()
            say(
                what="questions", at_once=at_once, count=len(taken), seconds=time.monotonic() - began,
                median=taken[len(taken) // 2], worst=taken[-1], mib=rss_mib(),
            )  # fmt: skip


def _standing(r: Rig) -> dict[str, Any]:
    return {
        "rss_mib": rss_mib(),
        "threads": threading.active_count(),
        "files": open_files(),
        "log_mib": disk_mib(r.state, "promptlog.sqlite"),
        "notebook_mib": disk_mib(r.state, "live.sqlite"),
        "workflow_mib": disk_mib(r.state, "dbos.sqlite"),
    }


def _judge(r: Rig, *, incidents: int, revisions: int) -> None:
    """Counts over the whole day: what there should be, and what there is."""
    log: Any = r.house.promptlog
    notes = r.service.notes.newest(limit=10 * incidents)
    kept = sum(len(r.service.notes.revisions(n.incident)) for n in notes)
    files = len(list((r.state / "notes").glob("*/[0-9]*.json")))
    ids = [record.id for record in log.scan()]
    say(
        what="judged", incidents=len(notes), wanted=incidents, revisions=kept, revisions_wanted=incidents * revisions,
        files=files, records=len(ids), twice=len(ids) - len(set(ids)), verified=bool(log.verify().ok),
        open=r.service.incidents.summary().open,
    )  # fmt: skip


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    {"soak": soak, "capacity": capacity}[sys.argv[1]](Path(sys.argv[2]))
