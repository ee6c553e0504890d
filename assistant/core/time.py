"""Time as values. Instants are Unix seconds in UTC (float); durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

Instant = NewType("Instant", float)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open span of time, `start <= t < end`."""

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"a window must end after it starts: {self.start} .. {self.end}")

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def __contains__(self, t: float) -> bool:
        return self.start <= t < self.end

    def shifted(self, seconds: float) -> Window:
        return Window(Instant(self.start + seconds), Instant(self.end + seconds))


def iso(t: float) -> str:
    """`2026-11-23T09:41:30Z`: to the second, always UTC."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(t: float) -> str:
    """`09:41:30Z`: for prose beside a date that is already known."""
    return datetime.fromtimestamp(t, UTC).strftime("%H:%M:%SZ")


def parse_iso(text: str) -> Instant:
    """RFC 3339 as Alertmanager and Prometheus write it, nanoseconds cut to microseconds. ValueError if it is not."""
    t = datetime.fromisoformat(text)
    if t.tzinfo is None:
        raise ValueError("time without a zone")
    return Instant(t.timestamp())
