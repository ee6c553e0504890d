"""A circuit breaker: a source that keeps failing is left alone for a while, so that its time goes to the others."""

from __future__ import annotations

import threading
import time

from assistant.errors import SourceRefused


class Breaker:
    """Opens after `failures` in a row, for `seconds`; then one call may try, and its result decides."""

    def __init__(self, source: str, *, failures: int = 5, seconds: float = 30.0) -> None:
        self._source = source
        self._limit = failures
        self._seconds = seconds
        self._failed = 0
        self._until = 0.0
        self._lock = threading.Lock()

    def before(self) -> None:
        """Raises SourceRefused while open."""
        with self._lock:
            if self._failed < self._limit:
                return
            wait = self._until - time.monotonic()
            if wait > 0:
                message = f"not asked: it failed {self._failed} times in a row; asked again in {wait:.0f} s"
                raise SourceRefused(self._source, message)
            self._until = time.monotonic() + self._seconds  # this caller tries; the others wait for its result

    def worked(self) -> None:
        with self._lock:
            self._failed = 0

    def failed(self) -> None:
        with self._lock:
            self._failed += 1
            self._until = time.monotonic() + self._seconds
