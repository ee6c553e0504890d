"""Token buckets, one a key, in this process: `rate` requests a second for long, `burst` at once."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Buckets:
    """`most` keys are remembered, the ones used last; a forgotten key starts full. Thread-safe."""

    rate: float
    burst: float
    most: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _held: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str) -> int:
        """0 if the request may go on, else the whole seconds after which it may (at least 1)."""
        now = self.clock()
        with self._guard:
            level, at = self._held.pop(key, (self.burst, now))
            level = min(self.burst, level + (now - at) * self.rate)
            free = level >= 1.0
            self._held[key] = (level - 1.0 if free else level, now)
            if len(self._held) > self.most:
                self._held.popitem(last=False)
        return 0 if free else max(1, math.ceil((1.0 - level) / self.rate))
