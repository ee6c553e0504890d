"""Checkpoints to places held elsewhere, at least every 60 seconds, idle or not.

The unprotected window is the time since the last checkpoint that a place took. It is counted and shown; a place that
does not take one is counted, named and alarmed, and gets the next one (which covers everything that the missed one
did).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from assistant.errors import PromptLogError
from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.log import Log
from assistant.promptlog.places import Place
from assistant.promptlog.record import format_time, parse_time
from assistant.promptlog.sending import Refused
from assistant.promptlog.store import Delivery, Transaction
from assistant.promptlog.verify import Report

EVERY = 60.0
_LOOK = 5.0

Alarm = Callable[[str], None]
"""Told once, in one line without telemetry, when something of the log begins to fail."""


def no_alarm(line: str) -> None:
    """For those who read `health` instead."""


def always() -> bool:
    """Whether it is ours to do, where nobody else could."""
    return True


@dataclass(frozen=True, slots=True)
class Health:
    """How the log stands, for /healthz, the metrics and the footer of a note.

    `covered` records are under a checkpoint that some place took; `unprotected` are not yet; `window` is the seconds
    since that checkpoint (None: never). `failing` counts places that did not take the last one. `doubts` of the last
    scheduled verification (None: not run yet).
    """

    failure: str
    size: int
    covered: int
    window: float | None
    places: tuple[Delivery, ...]
    doubts: int | None
    signing_failure: str

    @property
    def unprotected(self) -> int:
        return self.size - self.covered

    @property
    def failing(self) -> int:
        return sum(1 for p in self.places if p.failures)


class Publisher:
    """A thread that signs and delivers. `start` it once; `publish_now` works without the thread too."""

    def __init__(
        self,
        log: Log,
        places: Sequence[Place],
        *,
        every: float = EVERY,
        alarm: Alarm = no_alarm,
        leads: Callable[[], bool] = always,
    ) -> None:
        """`leads`: whether it is ours to publish; of replicas on one log one does, and the others show how it goes."""
        self._leads = leads
        self._log, self._places, self._alarm = log, tuple(places), alarm
        self._every = min(every, EVERY)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="promptlog-publisher", daemon=True)
        self._started = False
        self._guard = threading.Lock()
        known = {d.place: d for d in log.store.deliveries()}
        blank = [Delivery(p.name, None, None, 0, None, "") for p in self._places]
        self._deliveries = {d.place: known.get(d.place, d) for d in blank}
        self._delivered: dict[str, str] = {}
        self._signing_failure = ""
        self._report: Report | None = None

    def start(self) -> None:
        self._started = True
        self._thread.start()

    def close(self) -> None:
        """Deliver a last checkpoint (the log must still be open), then end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._leads():
            self.publish_now()

    def publish_now(self) -> tuple[Delivery, ...]:
        """Sign the log as it is and hand the note to every place at once; how each took it."""
        try:
            note = self._log.checkpoint()
        except PromptLogError as fault:
            self._signing_failed(fault.message)
            return self.deliveries()
        self._signing_failure = ""
        if self._places:
            now = self._log.clock()
            with ThreadPoolExecutor(len(self._places), thread_name_prefix="promptlog-place") as pool:
                done = list(pool.map(lambda place: self._deliver(place, note, now), self._places))
            self._remember(done)
        return self.deliveries()

    def deliveries(self) -> tuple[Delivery, ...]:
        with self._guard:
            return tuple(self._deliveries.values())

    def health(self) -> Health:
        places = self.deliveries()
        # A time stamp lies with us: it dates a checkpoint, and protects nothing.
        taken = [d for d in places if d.delivered_size is not None and not d.place.startswith("tsa+")]
        best = max(taken, key=lambda d: (d.delivered_size or 0, d.delivered_time or ""), default=None)
        latest = max((d.delivered_time for d in taken if d.delivered_time), default=None)
        window = None if latest is None else (self._log.clock() - parse_time(latest)).total_seconds()
        return Health(
            failure=self._log.failure,
            size=self._log.size(),
            covered=best.delivered_size or 0 if best else 0,
            window=window,
            places=places,
            doubts=None if self._report is None else self._report.doubt_count,
            signing_failure=self._signing_failure or self._gone(),
        )

    def verify_now(self) -> Report:
        """Verify against what the places took from this process; alarms on a doubt."""
        self._report = self._log.verify(outside=tuple(dict.fromkeys(self._delivered.values())))
        if not self._report.ok:
            self._alarm(f"the prompt log does not verify: {self._report.doubts[0].text}")
        return self._report

    def _gone(self) -> str:
        gone = self._started and not self._stop.is_set() and not self._thread.is_alive()
        return "the publisher's thread stopped" if gone else ""

    def _run(self) -> None:
        while not self._stop.is_set():
            began, wait = time.monotonic(), self._every
            if self._leads():
                self.publish_now()
            else:
                self._look()
                wait = min(wait, _LOOK)  # one that begins to lead must not let the window grow
            self._stop.wait(max(0.0, began + wait - time.monotonic()))

    def _look(self) -> None:
        """How the one that leads delivers, as the store knows it."""
        try:
            known = {d.place: d for d in self._log.store.deliveries()}
        except PromptLogError as fault:
            self._signing_failed(fault.message)
            return
        self._signing_failure = ""
        with self._guard:
            self._deliveries = {place: known.get(place, d) for place, d in self._deliveries.items()}

    def _deliver(self, place: Place, note: str, now: datetime) -> Delivery:
        before = self._deliveries[place.name]
        try:
            place.put(note, now=now)
        except Refused as refused:
            since = before.failing_since or format_time(now)
            return replace(before, failures=before.failures + 1, failing_since=since, reason=refused.message)
        self._delivered[place.name] = note
        return Delivery(place.name, parse_checkpoint(note).size, format_time(now), 0, None, "")

    def _remember(self, done: Sequence[Delivery]) -> None:
        for delivery in done:
            if delivery.failures == 1:
                self._alarm(f"a checkpoint was not taken by {delivery.place}: {delivery.reason}")
        with self._guard:
            self._deliveries.update({d.place: d for d in done})

        def keep(tx: Transaction) -> None:
            for delivery in done:
                tx.put_delivery(delivery)

        try:
            self._log.perform(keep)
        except PromptLogError as fault:
            self._signing_failed(fault.message)

    def _signing_failed(self, reason: str) -> None:
        if not self._signing_failure:
            self._alarm(f"no checkpoint can be made: {reason}")
        self._signing_failure = reason
