"""What has to be done now and then while a log is open: verify it, screen it for the daily review, apply retention.

A thread of its own, so that nothing here can hold up a checkpoint. A chore that fails is alarmed and tried again at
its next turn; a thread that died is seen in `failures`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.errors import PayopsError
from assistant.promptlog.publish import Alarm, no_alarm

DAY = 24 * 3600.0
FIRST_AFTER = 300.0


@dataclass(frozen=True, slots=True)
class Chore:
    """`work` is done every `every` seconds, the first time soon after the start (services are restarted more often)."""

    name: str
    every: float
    work: Callable[[], object]


class Chores:
    def __init__(self, chores: Sequence[Chore], *, alarm: Alarm = no_alarm, first_after: float = FIRST_AFTER) -> None:
        self._chores, self._alarm, self._first_after = tuple(chores), alarm, first_after
        self._stop = threading.Event()
        self._failures: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="promptlog-chores", daemon=True)
        self._started = False

    def start(self) -> None:
        self._started = True
        self._thread.start()

    def close(self) -> None:
        """End after the chore that is under way."""
        self._stop.set()
        if self._started:
            self._thread.join()

    def failures(self) -> tuple[str, ...]:
        """What failed at its last turn, one line each; that the thread is gone, if it is."""
        gone = self._started and not self._stop.is_set() and not self._thread.is_alive()
        return (*self._failures.values(), *(["the thread of the prompt log's chores stopped"] if gone else []))

    def _run(self) -> None:
        due = {chore.name: time.monotonic() + min(self._first_after, chore.every) for chore in self._chores}
        while due and not self._stop.wait(max(0.0, min(due.values()) - time.monotonic())):
            for chore in self._chores:
                if due[chore.name] <= time.monotonic() and not self._stop.is_set():
                    self._do(chore)
                    due[chore.name] = time.monotonic() + max(chore.every, 0.01)

    def _do(self, chore: Chore) -> None:
        try:
            chore.work()
        except PayopsError as fault:
            line = f"{chore.name} of the prompt log failed: {fault.message}"
            self._failures[chore.name] = line
            self._alarm(line)
        else:
            self._failures.pop(chore.name, None)
