"""What a route leaves in the prompt log when somebody asks for it: every read is a record (PCI DSS 10.2.1, 10.2.1.3).

Every route of both listeners says what, or says why nothing: `declared` tells those that do not, for the
tests of whole route tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.routing import BaseRoute, Mount

from assistant.promptlog.record import Event

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Leaves:
    """`event` None: nothing, because of `why`. `action` is the fact of that name in an `audit.read`.

    `resource`, where given: the route itself writes the record before its page is made; otherwise the page does,
    because only it knows what was found. `must`: without the record nothing is shown. Where not, the page is one that
    people need while the log is down, and the failure is our log's and the health check's to say.
    """

    event: Event | None
    action: str = ""
    resource: str = ""
    must: bool = True
    why: str = ""


def nothing(why: str) -> Leaves:
    return Leaves(None, why=why)


def a_look(resource: str, *, action: str = "", must: bool = True) -> Leaves:
    """A page of its own kind: the route writes the `audit.read`."""
    return Leaves(Event.AUDIT_READ, action or resource, resource=resource, must=must)


def by_page(event: Event, action: str = "", *, must: bool = True) -> Leaves:
    return Leaves(event, action, must=must)


def leaves(what: Leaves) -> Callable[[Endpoint], Endpoint]:
    """Say it of an endpoint."""

    def said(endpoint: Endpoint) -> Endpoint:
        endpoint.leaves = what  # type: ignore[attr-defined]
        return endpoint

    return said


def declared(routes: Iterable[BaseRoute], *, above: str = "") -> dict[tuple[str, str], Leaves | None]:
    """(method, path) -> what it leaves, None where its route does not say. HEAD goes with GET."""
    found: dict[tuple[str, str], Leaves | None] = {}
    for route in routes:
        path = above + getattr(route, "path", "")
        if isinstance(route, Mount):
            found |= declared(route.routes, above=path) or {("GET", path): None}
        else:
            said = getattr(getattr(route, "endpoint", None), "leaves", None)
            methods = getattr(route, "methods", None) or {"GET"}
            found |= {(method, path): said for method in sorted(methods - {"HEAD"})}
    return found
