"""`needs`: the decorator that says which roles an endpoint is for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from assistant.web.access.person import NOBODY, ROLES, Person

Endpoint = Callable[..., Any]


def needs(*roles: str) -> Callable[[Endpoint], Endpoint]:
    """Let in who holds one of `roles`; 403 and a record for everybody else. ValueError for a role that is not ours.

    The endpoint stays what it was, a coroutine or a function that Starlette runs in a thread; the person is in
    `request.state.person`. Without the `Door` in front, nobody gets in.
    """
    if not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"roles are {', '.join(ROLES)}")

    def guard(endpoint: Endpoint) -> Endpoint:
        if inspect.iscoroutinefunction(endpoint):

            @functools.wraps(endpoint)
            async def later(request: Request) -> Response:
                if _person(request).holds(*roles):
                    return await endpoint(request)  # type: ignore[no-any-return]
                return await run_in_threadpool(_refuse, request, endpoint)

            guarded: Endpoint = later
        else:

            @functools.wraps(endpoint)
            def now(request: Request) -> Response:
                if _person(request).holds(*roles):
                    return endpoint(request)  # type: ignore[no-any-return]
                return _refuse(request, endpoint)

            guarded = now
        guarded.needs = frozenset(roles)  # type: ignore[attr-defined]
        return guarded

    return guard


def _person(request: Request) -> Person:
    found = getattr(request.state, "person", NOBODY)
    return found if isinstance(found, Person) else NOBODY


def _refuse(request: Request, endpoint: Endpoint) -> Response:
    access = getattr(request.state, "access", None)
    if access is None:
        return Response(status_code=403)
    access.denied(_person(request), "role", resource=f"page:{getattr(endpoint, '__name__', 'unnamed')}")
    refusal: Response = access.refusal(request, 403, "your roles do not include this page")
    return refusal
