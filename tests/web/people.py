"""A whole `serve` whose people come through an authenticating proxy on this machine: several roles, several people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.guests import guests
from assistant.live import Live
from assistant.promptlog.record import Event, Record
from assistant.promptlog.store import Filter
from assistant.settings import Settings, Web
from assistant.web.access.limits import Buckets
from tests.sources.servers import free_port
from tests.web.access.console import Answer, Browser

GROUPS = {"responder": "oncall", "commander": "commanders", "auditor": "audit"}


@dataclass
class People:
    """The running console. A person is a name and a role; the proxy says so in its headers."""

    live: Live
    base: str

    @property
    def log(self) -> Any:
        return self.live.house.promptlog

    def headers(self, name: str, role: str) -> dict[str, str]:
        return {"Remote-User": name, "Remote-Groups": GROUPS[role]}

    @contextlib.contextmanager
    def page(self, browser: Any, name: str, role: str = "auditor") -> Iterator[Any]:
        context = browser.new_context(extra_http_headers=self.headers(name, role))
        page = context.new_page()
        page.set_default_timeout(60_000)
        try:
            yield page
        finally:
            context.close()

    def get(self, path: str, name: str, role: str = "auditor") -> Answer:
        return self._browser().ask("GET", path, headers=self.headers(name, role))

    def post(self, path: str, fields: dict[str, str], name: str, role: str = "auditor") -> Answer:
        """With the form's token of this person's own session."""
        browser = self._browser()
        shown = browser.ask("GET", "/incidents/inc-a", headers=self.headers(name, role))
        kind = {"Content-Type": "application/x-www-form-urlencoded", **self.headers(name, role)}
        from urllib.parse import urlencode

        return browser.ask("POST", path, urlencode({**fields, "csrf": shown.csrf}).encode(), kind)

    def _browser(self) -> Browser:
        return Browser(self.live.console_listener.port)

    def records(self, event: Event, start: int = 0) -> list[Record]:
        return list(self.log.search(Filter(events=(event.value,), start=start)))

    def who(self, record: Record) -> str:
        return str(self.log.identity(record))


@contextlib.contextmanager
def people(state: Path, *, log: Any = None) -> Iterator[People]:
    from tests.notebook.test_notes import a_note

    port = free_port()
    web = Web(
        url=f"http://127.0.0.1:{port}", console_port=port, webhook_port=0, login="proxy",
        proxy_user_header="Remote-User", proxy_groups_header="Remote-Groups", proxy_addresses=("127.0.0.1",),
        roles={role: (group,) for role, group in GROUPS.items()},
    )  # fmt: skip
    settings = Settings(state=state, web=web, **({"log": log} if log else {}))
    live = Live(settings, notes=state / "notes", guests=guests(settings))
    live.access.by_address = live.access.by_person = Buckets(rate=1e9, burst=1e9)
    live.start()
    try:
        live.service.notes.put(a_note(1, incident="inc-a"))
        yield People(live, web.url)
    finally:
        live.stop(drain_s=2)
