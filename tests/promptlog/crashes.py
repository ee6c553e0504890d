"""What must hold of a log after whatever happened to the process that wrote it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from assistant.promptlog.keys import load_keys
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Event
from assistant.promptlog.store import Filter
from tests.fakes.promptlog import ORIGIN, look_at_nothing

ROOT = Path(__file__).resolve().parents[2]


def child(
    directory: Path, sent: Path, *, producers: int, records: int, before: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start `child.py`, under another program if `before` names one."""
    command = [*before, sys.executable, "-m", "tests.promptlog.child", directory, sent, producers, records]
    return subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def acknowledged(sent: Path) -> dict[str, int]:
    """id -> index of every append that was acknowledged before a send. A torn last line was never read by anyone."""
    if not sent.exists():
        return {}
    lines = [line.split() for line in sent.read_text().split("\n")[:-1]]
    assert ["went", "on"] not in lines, "an append was taken after one was refused"
    return {words[1]: int(words[2]) for words in lines if words[0] == "ack"}


def reopened(directory: Path, outside: Sequence[str] = ()) -> Log:
    keys = load_keys(origin=ORIGIN, state=directory)
    return open_log(
        directory,
        keys=keys,
        last_look=look_at_nothing,
        origin=ORIGIN,
        outside=outside,
        service="recovery",
    )


def check(directory: Path, sent: Path, outside: Sequence[str] = ()) -> str:
    """Nothing acknowledged is lost, everything verifies, every request is closed; a checkpoint for the next time."""
    acks = acknowledged(sent)
    log = reopened(directory, outside)
    try:
        held = {record.id: record.index for record in log.scan()}
        lost = {record_id for record_id, index in acks.items() if held.get(record_id) != index}
        assert not lost, f"{len(lost)} acknowledged records lost"
        report = log.verify(outside=outside)
        assert report.ok, report.doubts
        assert report.requests_open == 0
        requests = sum(1 for _ in log.store.rows(Filter(events=(Event.LLM_REQUEST.value,))))
        closed = sum(1 for _ in log.store.rows(Filter(events=(Event.LLM_UNKNOWN_OUTCOME.value,))))
        assert requests == closed >= len(acks)
        return log.checkpoint()
    finally:
        log.close()
