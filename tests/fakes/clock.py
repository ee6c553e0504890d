"""A clock that stands until it is moved."""

from __future__ import annotations

from assistant.core.time import Instant


class StandingClock:
    """`assistant.ports.Clock`."""

    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self.at = at

    def now(self) -> Instant:
        return Instant(self.at)

    def move(self, seconds: float) -> None:
        self.at += seconds
