"""The console's pages with 100,000 records and 5,000 incidents behind them: p95 of each, over HTTP, through the door.

Every GET route that answers with a page is asked, whatever it is called: incident pages with incidents that have large
notes, record pages with prompts. Each record page is a read, and a record before it is shown: that is measured too.
"""

from __future__ import annotations

import http.client
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.bench.figure import Figure

RECORDS, INCIDENTS = 100_000, 5_000
TARGET_S = 0.1
TIMES = 60
WARM = 5


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console by its route, and addresses to ask."""

    route: str
    paths: tuple[str, ...]


def figures() -> Iterable[Figure]:
    from assistant.settings import Settings, Web
    from evals.bench.fill import fill

    home = Path(tempfile.mkdtemp(prefix="payops-bench-"))
    try:
        settings = Settings(state=home, web=Web(webhook_port=0, console_port=0))
        began = time.monotonic()
        incidents, prompts = fill(settings, records=RECORDS, count=INCIDENTS, end=time.time() - 7200)
        yield Figure(
            "records and incidents made", f"{RECORDS:,} / {INCIDENTS:,}", beside=f"{time.monotonic() - began:.0f} s"
        )
        yield from _pages(settings, incidents, prompts)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _pages(settings: Any, incidents: list[str], prompts: list[str]) -> Iterator[Figure]:
    from assistant.guests import guests
    from assistant.live import Live
    from assistant.web.access.limits import Buckets

    live = Live(settings, notes=settings.state / "notes", guests=guests(settings))
    live.access.by_address = live.access.by_person = Buckets(rate=1e9, burst=1e9)
    live.start()
    try:
        cookie = _entered(live)
        for page in pages(live, incidents, prompts):
            taken = list(_times(live.console_listener.port, page, cookie))
            if not taken:
                continue
            taken.sort()
            p95, worst = taken[min(len(taken) - 1, int(0.95 * len(taken)))], taken[-1]
            value = f"{p95 * 1e3:.0f}"
            yield Figure(
                f"{page.route}, p95 of {len(taken)}",
                value,
                "ms",
                "at most 100 ms",
                p95 <= TARGET_S,
                f"median {taken[len(taken) // 2] * 1e3:.0f}, worst {worst * 1e3:.0f}",
            )
    finally:
        live.stop(drain_s=5)


def pages(live: Any, incidents: list[str], prompts: list[str]) -> list[Page]:
    """GET routes of the console with their parameters filled in."""
    from starlette.routing import Route

    app = live.console_listener.app
    found = []
    for route in getattr(app, "routes", ()):
        if isinstance(route, Route) and "GET" in (route.methods or ()):
            paths = tuple(
                _filled(route.path, incidents[i % len(incidents)], prompts[i % len(prompts)]) for i in _spread()
            )
            found.append(Page(route.path, paths))
    return found


def _filled(path: str, incident: str, prompt: str) -> str:
    def value(match: re.Match[str]) -> str:
        return incident if "incident" in path[: match.start()].split("/")[-2:] or "incident" in match[1] else prompt

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, path)


def _spread() -> list[int]:
    return [i * 37 for i in range(TIMES + WARM)]


def _times(port: int, page: Page, cookie: str) -> Iterator[float]:
    """Seconds from request to last byte, warm; nothing for a route that does not answer with a page."""
    for i, path in enumerate(page.paths):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie, "Accept": "text/html", "Connection": "close"})
        answer = connection.getresponse()
        good = answer.status == 200 and answer.headers.get("content-type", "").startswith("text/html")
        if good:
            answer.read()
        seconds = time.perf_counter() - began
        connection.close()
        if not good:
            return
        if i >= WARM:
            yield seconds


def _entered(live: Any) -> str:
    """The cookie of somebody who holds every role."""
    connection = http.client.HTTPConnection("127.0.0.1", live.console_listener.port, timeout=60)
    connection.request("GET", live.access.login.link(""))
    answer = connection.getresponse()
    answer.read()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    connection.close()
    return str(cookie)
