"""The newest verification in the log, kept in mind: a look reads the reads since the look before, no others."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import islice

from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Record
from assistant.promptlog.store import Filter

MOST = 20_000
"""So many of the newest reads are looked through at the first look; an older verification is no news to anybody."""


@dataclass(slots=True)
class Verified:
    """Thread-safe. Begins anew for another log."""

    _log: Log | None = None
    _seen: int = 0
    _newest: Record | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def newest(self, log: Log) -> Record | None:
        """The record of the newest verification, None where there is none."""
        with self._guard:
            if log is not self._log:
                self._log, self._seen, self._newest = log, 0, None
            size = log.size()
            wanted = Filter(start=self._seen, stop=size, events=(Event.AUDIT_READ.value,))
            reads = islice(log.search(wanted, newest_first=True), MOST)
            found = next((r for r in reads if r.facts.get("action") == "verify"), None)
            self._seen, self._newest = size, found or self._newest
            return self._newest
