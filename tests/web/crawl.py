"""Every route of the console asked with things that exist: for what must hold of every byte that is answered.

The list of routes is the application's own. A parameter that nobody fills in fails, so a route that is added is asked.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from assistant.web.access import declared
from tests.web.served import Served

FORMS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "/incidents/{incident}/papers/{kind}": ({},),
    "/incidents/{incident}/feedback": ({"judgement": "useful", "words": "it helped"},),
    "/incidents/{incident}/decision": ({"what": "mute"}, {"what": "unmute"}),
    "/review": ({"action": "screen"}, {"action": "next"}),
    "/log/verify": ({},),
    "/export": (
        {"reason": "a crawl of everything", "bodies": "on", "identities": "on"},
        {"reason": "a crawl of every line", "form": "table"},
    ),
}
"""What each form is sent with."""
QUERIES: Mapping[str, tuple[str, ...]] = {
    "/": ("?state=all", "?q=acquirer", "?state=ended"),
    "/records": ("?class=pan", "?event=note.post", "?outcome=denied"),
    "/export": ("?event=note.post&class=pan",),
    "/review": ("?state=open", "?state=flagged", "?state=accepted"),
    "/incidents/{incident}": ("?revision=1", "?revision=2&against=1"),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. `route` as it is declared; a ZIP is given by its members."""

    route: tuple[str, str]
    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Crawler:
    """Somebody who is in with every role."""

    def __init__(self, demo: Served) -> None:
        self._demo = demo
        self._session = requests.Session()
        self._session.trust_env = False
        first = self._session.get(demo.showing.link(), timeout=120)
        found = re.search(r'name="csrf"[^>]* value="([^"]+)"', self.get(f"/incidents/{demo.incident}").text)
        assert first.status_code == 200 and found
        self._csrf = found[1]

    def get(self, path: str, **given: Any) -> requests.Response:
        return self._session.get(self._demo.base + path, timeout=120, **given)

    def post(self, path: str, form: Mapping[str, str]) -> requests.Response:
        return self._session.post(
            self._demo.base + path, data={**form, "csrf": self._csrf}, timeout=120, allow_redirects=False
        )

    def routes(self) -> list[tuple[str, str]]:
        return list(declared(self._demo.showing.live.console_listener.app.routes))

    def every_answer(self) -> Iterator[Answered]:
        """GET routes after the forms, so that what the forms left is read as well."""
        for method, path in sorted(self.routes(), key=lambda r: r[0] != "POST"):
            for address in self._addresses(path):
                yield from self.ask(method, path, address)

    def ask(self, method: str, path: str, address: str) -> Iterator[Answered]:
        if method == "POST":
            for form in FORMS[path]:
                yield from _answers((method, path), address, self.post(address, form))
        elif path.endswith("/events"):
            yield self._stream((method, path), address)
        else:
            for query in ("", *QUERIES.get(path, ())):
                yield from _answers((method, path), address + query, self.get(address + query))

    def _stream(self, route: tuple[str, str], address: str) -> Answered:
        """A stream up to its first event: it is told of a change that it does not know."""
        with self.get(address + "?mark=none", stream=True) as answer:
            body = b""
            for part in answer.iter_content(64):
                body += part
                if b"data:" in body and body.endswith(b"\n\n"):
                    break
            return Answered(route, address, answer.status_code, dict(answer.headers), body)

    def _addresses(self, path: str) -> list[str]:
        found = [path]
        for name in re.findall(r"{(\w+)}", path):
            found = [
                address.replace(f"{{{name}}}", str(value)) for address in found for value in self._values(name, path)
            ]
        return found

    def _values(self, name: str, path: str) -> Sequence[object]:
        from assistant.promptlog.record import Event
        from assistant.promptlog.store import Filter
        from assistant.web.pages.incidents import PAPERS
        from assistant.web.pages.static import _KINDS

        log: Any = self._demo.showing.live.house.promptlog
        if name == "incident":
            return [self._demo.incident]
        if name == "which":
            return range(log.size()) if path.endswith("{which}") else range(0, log.size(), 25)
        if name == "record":
            papers = log.search(Filter(events=(Event.NOTE_POST.value,), incident=self._demo.incident))
            return [r.index for r in papers if r.resource in PAPERS]
        other: dict[str, Sequence[object]] = {"kind": list(PAPERS), "name": list(_KINDS)}
        return other[name]


def _answers(route: tuple[str, str], address: str, answer: requests.Response) -> Iterator[Answered]:
    headers = dict(answer.headers)
    yield Answered(route, address, answer.status_code, headers, repr(headers).encode() + answer.content)
    if answer.headers.get("content-type", "").startswith("application/zip"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
            assert bundle.testzip() is None
            for name in bundle.namelist():
                yield Answered(route, f"{address}!{name}", 200, {}, name.encode() + bundle.read(name))
