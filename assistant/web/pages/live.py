"""Server-sent events: a page that watches is told that something changed, and fetches itself anew.

The database is polled, so that it does not matter which replica wrote (HTML Living Standard, "Server-sent events").
One look a second serves everybody who watches the same thing; nobody watching means no look. The event's id is the
mark that the page compares, so a browser that was away is told at once when it comes back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from assistant.errors import PayopsError, UsageError
from assistant.promptlog.record import Event
from assistant.web.access import by_page, leaves, needs
from assistant.web.pages.desk import Desk
from assistant.web.pages.render import READERS, Ask, answered

EVERY_S = 1.0
BREATH_S = 15.0
RETRY_MS = 2000
WATCH = by_page(Event.AUDIT_READ, "watch", must=False)
_BEGUN = Response()


@dataclass(slots=True)
class Watch:
    """Marks as they were at the last look. `most` incidents are remembered."""

    desk: Desk
    every_s: float = EVERY_S
    most: int = 1000
    _seen: dict[str, tuple[float, str]] = field(default_factory=dict)

    async def mark(self, incident: str) -> str:
        """The mark, at most `every_s` old; "" while the database cannot be read."""
        at, known = self._seen.get(incident, (float("-inf"), ""))
        if time.monotonic() - at < self.every_s:
            return known
        # Noted before the look, so that those who ask meanwhile do not look as well.
        self._seen[incident] = (time.monotonic(), known)
        try:
            known = await run_in_threadpool(self.desk.board.mark, incident)
        except PayopsError:
            return known
        if len(self._seen) > self.most:
            self._seen.clear()
        self._seen[incident] = (time.monotonic(), known)
        return known


async def stream(watch: Watch, incident: str, known: str) -> AsyncIterator[str]:
    """`changed` events with the new mark, a comment now and then so that a dead connection is noticed."""
    yield f"retry: {RETRY_MS}\n\n"
    breathed = time.monotonic()
    while not watch.desk.stopping.is_set():
        now = await watch.mark(incident)
        if now and now != known:
            known = now
            yield f"event: changed\nid: {now}\ndata: {now}\n\n"
        elif time.monotonic() - breathed > BREATH_S:
            breathed = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(watch.every_s / 2)


def _noted(ask: Ask, incident: str) -> Response | None:
    """The stream as a look; what is answered instead where there is no such incident."""

    def note(asked: Ask) -> Response:
        if incident and not asked.desk.notes.revisions(incident):
            raise UsageError("no note of such an incident is kept here")
        asked.look(WATCH, resource="note" if incident else "incidents", incident=incident or None)
        return _BEGUN

    found = answered(ask, note, WATCH)
    return None if found is _BEGUN else found


def live_routes(desk: Desk) -> list[Route]:
    watch = Watch(desk)

    @leaves(WATCH)
    @needs(*READERS)
    async def events(request: Request) -> Response:
        incident = str(request.path_params.get("incident", ""))
        ask = Ask(request, desk)
        refused = await run_in_threadpool(_noted, ask, incident)
        if refused is not None:
            return refused
        known = request.headers.get("last-event-id") or request.query_params.get("mark", "")
        return StreamingResponse(stream(watch, incident, known[:200]), media_type="text/event-stream")

    return [Route("/events", events, methods=["GET"]), Route("/incidents/{incident}/events", events, methods=["GET"])]
