"""A console with a few pages behind the real door, on a real socket, and a browser of sorts to ask it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from assistant.web.access import Access, needs
from assistant.web.app import console_app
from assistant.web.listener import Listener
from tests.fakes.promptlog import MemoryLog


@needs("responder", "auditor")
def page(request: Request) -> Response:
    who = request.state.person
    return HTMLResponse(
        f'<p id="who">{who.name}</p><p>{who.role}</p><form method="post" action="/act">'
        f'<input type="hidden" name="csrf" value="{request.state.csrf}"></form>'
    )


@needs("auditor")
async def records(request: Request) -> Response:
    return JSONResponse({"records": 1, "by": request.state.person.id})


@needs("commander")
async def act(request: Request) -> Response:
    form = await request.form()
    return JSONResponse({"did": str(form.get("what", "")), "by": request.state.person.id})


@needs("commander")
async def act_json(request: Request) -> Response:
    return JSONResponse({"did": (await request.json())["what"]})


@needs("responder")
async def slow(request: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse("never")


@needs("responder")
async def stream(request: Request) -> Response:
    async def ticks() -> AsyncIterator[str]:
        while True:
            yield "data: tick\n\n"
            await asyncio.sleep(0.02)

    return StreamingResponse(ticks(), media_type="text/event-stream")


async def static(request: Request) -> Response:
    return PlainTextResponse("p {}", media_type="text/css")


async def boom(request: Request) -> Response:
    raise ValueError("card 4111111111111111 was here")


ROUTES = [
    Route("/", page),
    Route("/records", records),
    Route("/act", act, methods=["POST"]),
    Route("/act.json", act_json, methods=["POST"]),
    Route("/slow", slow),
    Route("/stream", stream),
    Route("/boom", boom),
    Route("/static/console.css", static),
]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        assert found, self.text
        return found[1]


@dataclass
class Browser:
    """Keeps cookies, follows nothing by itself, sends what a browser sends on a navigation."""

    port: int
    host: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    source: str = "127.0.0.1"

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        given = {"Host": self.host or f"127.0.0.1:{self.port}", "Accept": "text/html", **(headers or {})}
        if self.cookies:
            given.setdefault("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        given = {k: v for k, v in given.items() if v}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.source, 0))
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        got = connection.getresponse()
        pairs = got.getheaders()
        answer = Answer(
            got.status,
            {k.lower(): v for k, v in pairs},
            [v for k, v in pairs if k.lower() == "set-cookie"],
            got.read(),
        )
        connection.close()
        for cookie in answer.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "max-age=0" in cookie.lower() or not value.strip('"'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        given = {**kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.ask("POST", path, urlencode(fields).encode(), given)


@dataclass
class Console:
    access: Access
    log: MemoryLog
    listener: Listener

    def browser(self, **given: str) -> Browser:
        return Browser(self.listener.port, **given)

    def events(self, event: str) -> list[dict[str, object]]:
        """The facts of records of this event, with the real person behind each."""
        return [
            {**r.facts, "actor": r.actor, "who": self.log.identity(r) or "", "resource": r.resource}
            for r in self.log.records()
            if r.event.value == event
        ]


@contextlib.contextmanager
def console(access: Access, log: MemoryLog) -> Iterator[Console]:
    app = console_app(None, [*access.routes(), *ROUTES])
    listener = Listener(access.around(app), host="127.0.0.1", port=0, name="console")
    listener.start()
    try:
        yield Console(access, log, listener)
    finally:
        listener.stop()
