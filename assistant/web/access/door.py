"""The door: what every request to the console passes, in this order.

Host, method, fetch metadata and origin; rate by address; who it is; rate by person; role; size, type and token of the
body; then the page, which must begin to answer in time. A stream that lasts is ended when its session is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.errors import PayopsError
from assistant.web.access.csrf import check_csrf
from assistant.web.access.headers import STATIC, with_headers
from assistant.web.access.limits import Buckets
from assistant.web.access.origin import METHODS, SAFE, check_host, check_origin
from assistant.web.access.person import NOBODY, Person, Session
from assistant.web.access.records import Records
from assistant.web.access.refusal import refusal
from assistant.web.body import Refused, read_body

MAX_BYTES = 256 * 1024
BEGIN_S = 30.0
LOOK_S = 20.0
HEALTH = frozenset({"/healthz", "/livez", "/readyz"})


class Login(Protocol):
    """A way in. `public` are its own paths, which nobody needs a session for."""

    name: str
    public: frozenset[str]

    def session(self, request: Request, *, active: bool = True) -> Session | None:
        """Who it is, None without a session. `active` is False for what goes on by itself, such as a stream: it does
        not keep a session alive. Refused for what must be told apart from that; PayopsError where it cannot be told.
        """
        ...

    def challenge(self, request: Request) -> Response:
        """What somebody without a session gets."""
        ...

    def routes(self, access: Access) -> Sequence[BaseRoute]: ...


@dataclass(slots=True)
class Access:
    """`url` is `[web] url`, "" on loopback. `address` tells who is on the other end (behind trusted proxies too).
    `prepare` makes what the login keeps, before anybody is let in; `opened` is told the listener's url when it listens;
    `tidy` is for once a minute, like `records.flush`; `timed` is told of each page: its route as it is declared, the
    status, and the seconds until it began to answer."""

    login: Login
    records: Records
    url: str = ""
    address: Callable[[Request], str] = lambda request: request.client.host if request.client else ""
    prepare: Callable[[], None] = lambda: None
    opened: Callable[[str], None] = lambda url: None
    tidy: Callable[[], None] = lambda: None
    timed: Callable[[str, int, float], None] = lambda route, status, seconds: None
    by_address: Buckets = field(default_factory=lambda: Buckets(rate=10, burst=120))
    by_person: Buckets = field(default_factory=lambda: Buckets(rate=20, burst=120))
    begin_s: float = BEGIN_S
    look_s: float = LOOK_S

    def around(self, app: ASGIApp) -> Door:
        """The application behind the door. Put it outermost, so that faults get the headers too."""
        return Door(app, self)

    def routes(self) -> list[BaseRoute]:
        """The login's own pages, for the application."""
        return list(self.login.routes(self))

    def minutely(self) -> None:
        """What was counted becomes records, what is over is forgotten. Raises WorkflowError."""
        self.records.flush()
        self.tidy()

    def denied(self, person: Person, why: str, *, resource: str) -> None:
        """Count and record a refusal; see `Records`. `resource` is a word of ours, never a path as it was given."""
        self.records.denied(person.id, why, resource)

    def refusal(self, request: Request, status: int, reason: str) -> Response:
        return refusal(request, status, reason)

    @property
    def https(self) -> bool:
        return self.url.startswith("https://")

    def is_public(self, path: str) -> bool:
        return path in HEALTH or path.startswith(STATIC) or path in self.login.public


class Door:
    """ASGI. See the module."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The application's routes, for whoever measures or tests all of them."""
        return tuple(getattr(self._app, "routes", ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request, access = Request(scope, receive), self._access
        send = with_headers(send, path=scope["path"], https=access.https)
        try:
            session = await self._let_in(request)
            if isinstance(session, Response):
                await session(scope, receive, send)
                return
            receive = await self._checked(request, session, receive)
        except Refused as refused:
            await self._refuse(request, refused)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        scope.setdefault("state", {}).update(
            person=session.person if session else NOBODY, csrf=session.csrf if session else "", access=access
        )
        await self._answered(scope, receive, send, session)

    async def _let_in(self, request: Request) -> Session | Response | None:
        """The session; None for a public path without one; or what is answered instead."""
        access, path = self._access, request.url.path
        if request.method not in METHODS:
            raise Refused(405, "GET, HEAD and POST only", why="method")
        if path in HEALTH and request.method in SAFE:
            return None  # probes ask by address
        check_host(request, access.url)
        check_origin(request, access.url)
        public = access.is_public(path)
        session = None if path.startswith(STATIC) else await self._session(request)
        key = f"person:{session.person.id}" if session else f"address:{access.address(request)}"
        wait = (access.by_person if session else access.by_address).take(key)
        if wait:
            raise _too_many(wait)
        if session is None and not public:
            access.denied(NOBODY, "no-session", resource="console")
            return access.login.challenge(request)
        if session is not None and not session.person.roles and not public:
            access.denied(session.person, "no-role", resource="console")
            raise Refused(403, "you are in no group that has a role here; ask who keeps [web.roles]")
        return session

    async def _session(self, request: Request) -> Session | None:
        active = "text/event-stream" not in request.headers.get("accept", "")
        try:
            return await run_in_threadpool(self._access.login.session, request, active=active)
        except PayopsError as error:
            raise Refused(503, f"who you are cannot be told just now ({type(error).__name__})") from None

    async def _checked(self, request: Request, session: Session | None, receive: Receive) -> Receive:
        """The body of an unsafe method, read and checked, to be read again by the page."""
        if request.method in SAFE:
            return receive
        try:
            body = await read_body(request, max_bytes=MAX_BYTES)
            check_csrf(request, body, session.csrf if session else "")
        except Refused as refused:
            if refused.why and session is not None:
                self._access.denied(session.person, refused.why, resource="console")
                raise Refused(refused.status, refused.reason) from None
            raise
        return _again(body, receive)

    def _refuse(self, request: Request, refused: Refused) -> Response:
        if refused.why:
            self._access.denied(NOBODY, refused.why, resource="console")
        headers = {"Retry-After": str(refused.wait_s)} if isinstance(refused, TooMany) else {}
        if refused.status == 405:
            headers = {"Allow": ", ".join(sorted(METHODS))}
        return refusal(request, refused.status, refused.reason, headers=headers)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, session: Session | None) -> None:
        """The page, if it begins to answer in time; a stream only for as long as its session lasts."""
        watch = _Watch(self._access, Request(scope), session, send)
        try:
            async with asyncio.timeout(self._access.begin_s) as timer:
                watch.begun = lambda: timer.reschedule(None)
                await self._app(scope, receive, watch.send)
        except SessionOver:
            return
        except TimeoutError:
            if not timer.expired():
                raise
            await refusal(Request(scope), 504, "the page took too long", headers={})(scope, receive, send)


class TooMany(Refused):
    """429, and after how many seconds to come back."""

    wait_s = 1


def _too_many(wait_s: int) -> TooMany:
    made = TooMany(429, "too many requests; wait a little", why="rate")
    made.wait_s = wait_s
    return made


class SessionOver(Exception):
    """The session of a stream ended: its connection is closed."""


class _Watch:
    """Passes an answer on, and looks from time to time whether the session of a long one still stands."""

    def __init__(self, access: Access, request: Request, session: Session | None, send: Send) -> None:
        self._access, self._request, self._session, self._send = access, request, session, send
        self._looked = self._began = time.monotonic()
        self.begun: Callable[[], None] = lambda: None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun()
            # The route as it is declared: what people write into a path is no label.
            route = str(getattr(self._request.scope.get("route"), "path", "") or "none")
            self._access.timed(route, message["status"], time.monotonic() - self._began)
        elif self._session is not None and time.monotonic() - self._looked > self._access.look_s:
            self._looked = time.monotonic()
            if not await self._still():
                raise SessionOver
        await self._send(message)

    async def _still(self) -> bool:
        """The same person with the same roles; a database that is away for a moment ends nothing."""
        try:
            now = await run_in_threadpool(self._access.login.session, self._request, active=False)
        except PayopsError:
            return True
        except Refused:
            return False
        return now is not None and self._session is not None and now.person == self._session.person


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then what else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving


def unguarded(routes: Iterable[BaseRoute], public: Callable[[str], bool], *, above: str = "") -> list[str]:
    """Paths of routes that neither say who they are for (`needs`) nor are public: for the test of each page room."""
    found = []
    for route in routes:
        path, endpoint = above + getattr(route, "path", ""), getattr(route, "endpoint", None)
        if isinstance(route, Mount) and not public(path + "/"):
            found += unguarded(route.routes, public, above=path) or ([] if route.routes else [path])
        elif not isinstance(route, Mount) and not public(path) and not hasattr(endpoint, "needs"):
            found.append(path)
    return found
