"""Templates to answers, and handlers to routes: roles, forms, errors as pages."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from assistant.errors import LogUnavailable, PayopsError, PromptLogError, UsageError
from assistant.notebook.database import Away
from assistant.web.access import Leaves, Person, leaves, needs
from assistant.web.pages import text
from assistant.web.pages.desk import Desk
from redaction import LeakBlocked

_LOG = logging.getLogger("payops.web")

READERS = ("responder", "commander", "auditor")
_FIELDS = 200
_FILTERS = (
    *("clock", "dated", "span", "number", "percent", "money", "quantity"),
    *("coloured", "group_of", "sure", "begun", "coded"),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: who, from where it reads, and what was given. `given` is the query of a GET, the form of a POST."""

    request: Request
    desk: Desk
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def person(self) -> Person:
        found: Person = self.request.state.person
        return found

    def look(self, what: Leaves, *, resource: str = "", incident: str | None = None) -> None:
        """Record this look. A look that people need while the log is down (`must` False) is recorded once a minute for
        each person, and where the log cannot take it the page is shown all the same."""
        auditor, resource = self.desk.auditor(self.person), resource or what.resource
        if what.must:
            auditor.note_read(resource, action=what.action, incident=incident)
            return
        key = f"{what.action} {resource} {incident or ''}"
        if not self.desk.looks.new(self.person.id, key):
            return
        try:
            auditor.note_read(resource, action=what.action, incident=incident)
        except PromptLogError as error:
            self.desk.looks.forget(self.person.id, key)
            _LOG.error("a look could not be recorded", extra={"reason": type(error).__name__})

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def holds_card_data(self) -> bool:
        """Whether a value that was given is one that must not be kept as it is."""
        try:
            for value in self.given.values():
                self.desk.house().scanner.check(value, sink="form of the console")
        except LeakBlocked:
            return True
        return False

    def not_to_be_said(self) -> None:
        """What was asked for stands in the page again: card data that somebody pasted into a search does not. Raises
        LeakBlocked. What a form brings is kept by its handler, redacted or not at all."""
        if self.request.method == "GET":
            scanner = self.desk.house().scanner
            for value in (*self.given.values(), *map(str, self.request.path_params.values())):
                scanner.check(value, sink="question to the console")

    def word(self, name: str, *, among: tuple[str, ...] = ()) -> str:
        """A field, stripped; "" where it is not there or not one of `among`."""
        value = self.given.get(name, "").strip()[:300]
        return value if not among or value in among else ""

    def whole(self, name: str, default: int, *, most: int = 10**9) -> int:
        value = self.given.get(name, "")
        return min(int(value), most) if value.isascii() and value.isdecimal() and len(value) < 12 else default


Work = Callable[[Ask], Response]


@functools.lru_cache(maxsize=1)
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("assistant.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        made.filters[name] = getattr(text, name)
    return made


def page(ask: Ask, template: str, *, status: int = 200, **context: Any) -> Response:
    """`here` is the path, `query(**changes)` the address of the same page with other parameters."""
    state = ask.request.state

    def query(**changes: object) -> str:
        kept = {k: v for k, v in {**ask.given, **changes}.items() if v not in ("", None) and k != "csrf"}
        return f"{ask.request.url.path}?{urlencode(kept)}" if kept else ask.request.url.path

    html = (
        environment()
        .get_template(template)
        .render(person=ask.person, csrf=state.csrf, here=ask.request.url.path, query=query, given=ask.given, **context)
    )
    return HTMLResponse(html, status_code=status)


def see(path: str) -> Response:
    """After a form: look there."""
    return RedirectResponse(path, status_code=303)


def route(path: str, work: Work, desk: Desk, *roles: str, what: Leaves, method: str = "GET") -> Route:
    """A page for whoever holds one of `roles`, and what it leaves in the log. A form has passed the door's check of
    its token."""
    if method == "GET":

        @leaves(what)
        @needs(*roles)
        @functools.wraps(work)
        def get(request: Request) -> Response:
            return answered(Ask(request, desk, dict(request.query_params)), work, what)

        return Route(path, get, methods=["GET"])

    @leaves(what)
    @needs(*roles)
    @functools.wraps(work)
    async def post(request: Request) -> Response:
        fields = _form(await request.body())
        return await run_in_threadpool(answered, Ask(request, desk, fields), work, what)

    return Route(path, post, methods=["POST"])


def answered(ask: Ask, work: Work, what: Leaves) -> Response:
    """The work's answer, or a page that says in one line what is wrong and what mends it."""
    try:
        ask.not_to_be_said()
    except LeakBlocked as stopped:
        said = f"what you asked for holds what is never repeated ({', '.join(stopped.classes)})"
        return sorry(ask, 400, "Withheld", said, "ask without it; nothing of it was kept")
    try:
        if what.resource:
            ask.look(what)
        return work(ask)
    except LeakBlocked as stopped:
        if ask.request.method == "POST" and ask.holds_card_data():
            said = f"what you wrote holds what is never kept ({', '.join(stopped.classes)})"
            return sorry(ask, 400, "Withheld", said, "write it without; nothing was kept or done")
        _LOG.error("a page was withheld", extra={"sink": stopped.sink, "where": stopped.where[:500]})
        return sorry(ask, 503, "Withheld", f"the last look stopped this page ({', '.join(stopped.classes)})")
    except UsageError as error:
        missing = error.message.startswith("no ")
        return sorry(
            ask, 404 if missing else 400, "Not found" if missing else "Not possible", error.message, error.mend
        )
    except (LogUnavailable, Away) as error:
        return sorry(ask, 503, "Not now", error.message, error.mend)
    except PayopsError as error:
        return sorry(ask, 500 if ask.request.method == "GET" else 409, "Something is wrong", error.message, error.mend)


SECTIONS = {"/records": "records", "/review": "daily review", "/export": "export", "/log": "log"}
"""Where somebody goes on who was in this part of the console when something was wrong."""


def sorry(ask: Ask, status: int, title: str, message: str, mend: str = "") -> Response:
    at = "/" + ask.request.url.path.split("/")[1]
    back = (at, SECTIONS[at]) if at in SECTIONS else None
    return page(ask, "error.html", status=status, title=title, message=message, mend=mend, back=back)


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form; the first value of each name. What is no form has no fields."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))
