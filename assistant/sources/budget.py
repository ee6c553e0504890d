"""What one incident may cost, over all sources together: time, requests, bytes. Safe to share between threads."""

from __future__ import annotations

import threading
import time

from assistant.errors import SourceTimeout, SourceTooLarge


class Budget:
    """Made when an incident starts. `left` and the `spend_*` raise for the source that asks when nothing is left."""

    def __init__(self, *, seconds: float = 30.0, requests: int = 400, bytes_: int = 256 * 1024 * 1024) -> None:
        self._end = time.monotonic() + seconds
        self._requests = self._all_requests = requests
        self._bytes = self._all_bytes = bytes_
        self._lock = threading.Lock()

    def left(self, source: str) -> float:
        """Seconds until the end, more than 0. Raises SourceTimeout."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise SourceTimeout(source, "the incident's time for collecting evidence is used up")
        return left

    def spend_request(self, source: str) -> None:
        """Raises SourceTooLarge when the incident has made all its requests."""
        with self._lock:
            if self._requests <= 0:
                raise SourceTooLarge(source, "the incident's requests are used up", mend="narrow the question")
            self._requests -= 1

    def spend_bytes(self, source: str, count: int) -> None:
        """Raises SourceTooLarge when the incident has read all its bytes."""
        with self._lock:
            self._bytes -= count
            if self._bytes < 0:
                raise SourceTooLarge(source, "the incident's bytes are used up", mend="narrow the question")

    def spent(self) -> tuple[int, int]:
        """Requests and bytes so far."""
        with self._lock:
            return self._all_requests - self._requests, self._all_bytes - self._bytes
