"""The two applications: one for machines (webhook, health, metrics), one for people (the console's routes are
mounted).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from assistant.promptlog.record import Event
from assistant.telemetry.logs import where
from assistant.telemetry.metrics import Metrics
from assistant.web.access.leaves import by_page, leaves, nothing
from assistant.web.access.refusal import HOME, refusal
from assistant.web.webhook import Webhook

_LOG = logging.getLogger("payops.web")

Health = Callable[[], Mapping[str, str]]
"""What was checked just now, and what is wrong with it ("" is well)."""


def webhook_app(
    webhook: Webhook,
    *,
    health: Health,
    metrics: Metrics,
    alive: Health = dict,
    ready: Health = dict,
    extra_routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """`POST /webhook/alertmanager`, `GET /healthz`, `/livez`, `/readyz` and `/metrics`, and what is handed in (Slack's
    HTTP mode). Each says what it leaves in the log: alerts when their round takes them up, durable until then; tokens
    that are refused once a minute, as one record."""

    @leaves(by_page(Event.ALERT_RECEIVED))
    async def post(request: Request) -> Response:
        return await webhook(request)

    routes = [
        Route("/webhook/alertmanager", post, methods=["POST"]),
        *checks(health, alive, ready),
        Route("/metrics", metrics_of(metrics), methods=["GET"]),
        *extra_routes,
    ]
    return Starlette(routes=routes, exception_handlers={Exception: fault})


def console_app(
    house: object,
    extra_routes: Sequence[BaseRoute] = (),
    *,
    health: Health = dict,
    alive: Health = dict,
    ready: Health = dict,
    middleware: Sequence[Middleware] = (),
) -> Starlette:
    """The people's listener: `GET /healthz`, `/livez`, `/readyz` and the console's routes. `house` is at
    `app.state.house` for its handlers.
    """
    routes = [*checks(health, alive, ready), *extra_routes]
    handlers: dict[Any, Any] = {Exception: fault_page, 404: no_page, 405: no_page}
    app = Starlette(routes=routes, middleware=list(middleware), exception_handlers=handlers)
    app.state.house = house
    return app


def checks(health: Health, alive: Health, ready: Health) -> list[BaseRoute]:
    """`/healthz`: everything that was checked; `/livez`: what only a restart would mend; `/readyz`: whether alerts can
    be taken now."""
    asked = {"/healthz": health, "/livez": alive, "/readyz": ready}
    return [Route(path, health_of(check), methods=["GET"]) for path, check in asked.items()]


def health_of(health: Health) -> Callable[[Request], object]:
    """200 if everything that was checked is well, else 503; both say what was found."""

    @leaves(nothing("probes ask every few seconds, and get no word of what was collected"))
    async def answer(request: Request) -> Response:
        found = await run_in_threadpool(health)
        well = not any(found.values())
        checks = {name: wrong or "ok" for name, wrong in found.items()}
        return JSONResponse({"ok": well, "checks": checks}, status_code=200 if well else 503)

    return answer


def metrics_of(metrics: Metrics) -> Callable[[Request], object]:
    @leaves(nothing("numbers about ourselves, asked for every few seconds; no word of what was collected"))
    async def answer(request: Request) -> Response:
        body, kind = await run_in_threadpool(metrics.render)
        return Response(body, media_type=None, headers={"content-type": kind})

    return answer


async def no_page(request: Request, error: HTTPException) -> Response:
    """An address that is none of ours, or not asked that way. Nothing of it is repeated."""
    reason = "There is no such page." if error.status_code == 404 else "That page takes no such request."
    return refusal(request, error.status_code, reason, more=HOME, headers=error.headers)


async def fault_page(request: Request, error: Exception) -> Response:
    """The same for people: a page where a browser asks for one."""
    await fault(request, error)
    return refusal(request, 500, "a fault of ours; it stands in our log, and nothing was changed or lost")


async def fault(request: Request, error: Exception) -> Response:
    """A fault of ours: its type and place go to the log, nothing of it to the caller."""
    _LOG.error("fault while answering", extra={"error": where(type(error), error.__traceback__)})
    return JSONResponse({"error": "a fault of ours; see the log"}, status_code=500)
