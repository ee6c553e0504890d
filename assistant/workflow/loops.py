"""What goes on in the background of `serve`, each in a thread of its own that says when it last did its work.

An error of our tree is logged and the loop goes on. Any other is a fault of ours: the loop ends, `/healthz` says
which, and whatever supervises the process restarts it; work that was begun is resumed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from assistant.errors import OutletError, PayopsError
from assistant.workflow.outbox import Carrier, Later, Never, Outbox, Retractor
from redaction import RedactionError

_HANGS_S = 60.0
_LOG = logging.getLogger("payops.workflow")


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do every `every_s` seconds, such as publishing a checkpoint; at once, or first after `first_s`."""

    name: str
    every_s: float
    run: Callable[[], object]
    first_s: float = 0.0


class Loop(threading.Thread):
    """Runs a task again and again. `wake` makes it run at once; `stop` ends it after the run at hand."""

    def __init__(self, task: Task) -> None:
        super().__init__(name=task.name, daemon=True)
        self.task = task
        self.last_ok: float | None = None
        self.trouble = ""
        self.failed = ""
        self._wake = threading.Event()
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            self._wake.wait(self.task.first_s)
            while not self._stop_asked.is_set():
                self._once()
                self._wake.wait(self.task.every_s)
                self._wake.clear()
        except BaseException as error:
            self.failed = type(error).__name__
            raise

    def wake(self) -> None:
        self._wake.set()

    def stop(self, *, timeout_s: float = 5.0) -> None:
        self._stop_asked.set()
        self._wake.set()
        if self.is_alive() and threading.current_thread() is not self:
            self.join(timeout_s)

    def health(self) -> str:
        """Empty while it works, else what is wrong with it: it ended, its last run failed, or it hangs in one."""
        return self.failure() or self.hanging() or self.trouble

    def failure(self) -> str:
        """That the loop ended by a fault of ours, or ""; nothing but a new process helps."""
        return f"{self.task.name} ended ({self.failed})" if self.failed else ""

    def hanging(self) -> str:
        """That its last run does not come back, or ""."""
        since = time.monotonic() - (self.last_ok or time.monotonic())
        hangs = not self.trouble and since > 3 * self.task.every_s + _HANGS_S
        return f"{self.task.name} hangs" if hangs else ""

    def _once(self) -> None:
        try:
            self.task.run()
            self.last_ok, self.trouble = time.monotonic(), ""
        except (PayopsError, RedactionError) as error:
            if not self.trouble:
                _LOG.error("task failed", extra={"task": self.task.name, "reason": str(error)})
            self.trouble = f"{self.task.name}: {type(error).__name__}"


class Courier:
    """Delivers what the outbox holds for one outlet, one parcel after another. `allowed` says whether posts may
    leave.
    """

    def __init__(
        self, outbox: Outbox, carrier: Carrier, *, allowed: Callable[[], bool], sent: Callable[[str, str], None]
    ) -> None:
        self._outbox = outbox
        self.carrier = carrier
        self._allowed = allowed
        self._sent = sent

    def deliver_all(self) -> int:
        """Deliver until nothing is ready; how many. Raises Away."""
        self.take_back()
        count = 0
        while self._allowed():
            parcel = self._outbox.claim(self.carrier.name, every_revision=self.carrier.every_revision)
            if parcel is None:
                break
            if not self._allowed():  # switched off while we waited for the database
                self._outbox.postpone(parcel, Later("posts are switched off", after=1.0))
                break
            try:
                ref = self.carrier.deliver(parcel)
            except Never as error:
                self._outbox.give_up(parcel, error)
                self._say("given up", parcel.incident, error)
                continue
            except OutletError as error:
                self._outbox.postpone(parcel, error)
                self._say("postponed", parcel.incident, error)
                continue
            self._outbox.delivered(parcel, ref)
            self._sent(self.carrier.name, parcel.incident)
            count += 1
        return count

    def take_back(self) -> int:
        """Take back what a purge marked, switched off or not: a leaked value does not wait. How many. Raises Away."""
        count = 0
        while (gone := self._outbox.retraction(self.carrier.name)) is not None:
            try:
                if not isinstance(self.carrier, Retractor):
                    raise Never("this outlet cannot take back what it showed", mend="delete it by hand")
                self.carrier.retract(gone.ref)
            except OutletError as error:
                self._outbox.retracted(gone, error)
                self._say("not taken back", gone.incident, error)
                continue
            self._outbox.retracted(gone)
            count += 1
        return count

    def _say(self, what: str, incident: str, error: OutletError) -> None:
        _LOG.warning(
            "delivery %s", what, extra={"incident": incident, "outlet": self.carrier.name, "reason": error.message}
        )
