"""Which looks are new ones: a page that renews itself, or a stream that comes back, is the look that it was.

The first look of a person at a thing is a record, and every look after `every_s`; a log would otherwise hold mostly
what browsers do by themselves. Looks at the log itself are always records and do not come here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

EVERY_S = 60.0


@dataclass(slots=True)
class Looks:
    """`most` looks are remembered, the newest; a forgotten one is new again. Thread-safe."""

    every_s: float = EVERY_S
    most: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _seen: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def new(self, person: str, what: str) -> bool:
        now, key = self.clock(), (person, what)
        with self._guard:
            at = self._seen.pop(key, None)
            fresh = at is None or now - at >= self.every_s
            self._seen[key] = now if fresh or at is None else at
            if len(self._seen) > self.most:
                self._seen.popitem(last=False)
        return fresh

    def forget(self, person: str, what: str) -> None:
        """A look that could not be recorded is still to be."""
        with self._guard:
            self._seen.pop((person, what), None)
