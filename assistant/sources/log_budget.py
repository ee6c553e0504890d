"""What a log search may cost, decided before it is asked. Pure, and it fails closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from assistant.core.query import Matcher
from assistant.core.time import Instant, Window
from assistant.errors import SourceMalformed, SourceTooLarge
from assistant.settings import LokiEndpoint
from assistant.sources.logql import require_selective, search_text

MAX_QUERY = 6 * 1024
MAX_SCAN = 8 * 1024**3
"""Bytes that the index says a search would read (`index/stats`); not known of what is not flushed yet."""
SLICES = 8


@dataclass(frozen=True, slots=True)
class LogRequest:
    """A search that may be asked: LogQL, the stream selector alone, `[start, end)` in nanoseconds, the most lines."""

    query: str
    selector: str
    start: int
    end: int
    limit: int

    @property
    def seconds(self) -> int:
        return max(1, -(-(self.end - self.start) // 1_000_000_000))


def bounded(
    selector: Sequence[Matcher], contains: Sequence[str], window: Window, limit: int, *, limits: LokiEndpoint
) -> LogRequest:
    """Raises SourceTooLarge with no selective matcher or over the range cap, SourceMalformed for what is no search."""
    require_selective(selector)
    if window.seconds > limits.max_range_s:
        raise SourceTooLarge("loki", f"the range is over {limits.max_range_s} s", mend="look at a shorter window")
    if limit < 1:
        raise SourceMalformed("loki", "a search needs room for a line", mend="ask for at least one")
    query = search_text(selector, contains)
    if len(query.encode()) > MAX_QUERY:
        raise SourceTooLarge("loki", f"the search is over {MAX_QUERY} bytes", mend="search for fewer words or values")
    start, end = int(window.start * 1e9), int(window.end * 1e9)
    return LogRequest(query, search_text(selector, ()), start, max(end, start + 1), min(limit, limits.max_lines))


def slices(request: LogRequest, page: int) -> tuple[LogRequest, ...]:
    """The request in equal parts of time, so that what does not fit is missing evenly and not at one end."""
    parts = max(SLICES, -(-request.limit // max(1, page)))
    edges = [request.start + (request.end - request.start) * i // parts for i in range(parts + 1)]
    each = max(1, min(page, request.limit // parts))
    return tuple(LogRequest(request.query, request.selector, a, b, each) for a, b in pairwise(edges) if b > a)


def reachable(window: Window, now: float, lookback: float | None) -> Window | None:
    """The part of the window that the server would look at at all: outside, Loki answers with silent success."""
    if lookback is None or window.start >= now - lookback:
        return window
    if window.end <= now - lookback:
        return None
    return Window(Instant(now - lookback), window.end)
