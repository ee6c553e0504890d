"""Whether a failed request is tried again, and after how long. Pure.

Servers say so themselves by `Retry-After` (RFC 9110, 10.2.3: seconds or a date); without it the pause doubles. A pause
that does not fit the time left is not begun.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRIES = 3
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
FIRST_PAUSE = 0.3


def pause(status: int, retry_after: str | None, *, tried: int, remaining: float) -> float | None:
    """Seconds to wait before the next try, or None for no more. `tried` counts the tries so far, from 1; `status` 0
    stands for a connection that failed before an answer."""
    if tried >= TRIES or (status and status not in AGAIN):
        return None
    wait = _stated(retry_after)
    if wait is None:
        wait = FIRST_PAUSE * 2.0 ** (tried - 1)
    return wait if wait < remaining - 0.5 else None


def _stated(retry_after: str | None) -> float | None:
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
