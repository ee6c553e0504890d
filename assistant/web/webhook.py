"""`POST /webhook/alertmanager`: bearer token first, then size, then shape; the answer 200 means durable.

Alertmanager tries again after 5xx and gives up after 4xx, so the status says whose fault it is: 401 no or wrong token
(the body is not read), 413 too large, 408 too slow, 415 compressed, 400 not what Alertmanager posts or a version that
we do not know; 503 with Retry-After while we cannot keep it (database away, draining, too many at once). No answer
repeats what was sent.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from assistant.core.alert import Alert
from assistant.errors import AlertError, SourceError, WorkflowError
from assistant.telemetry.metrics import Metrics
from assistant.web.body import Refused, read_body
from redaction import RedactionError

_LOG = logging.getLogger("payops.web")
_AT_ONCE = 4
_WAITING = 64


class Reader(Protocol):
    """Bytes of a webhook to redacted alerts. Raises AlertError or SourceError, without text of the body."""

    def __call__(self, body: bytes, /) -> Sequence[Alert]: ...


class Receiver(Protocol):
    """Keeps alerts durably; returns the ids of their incidents. Raises WorkflowError."""

    def __call__(self, alerts: Sequence[Alert], /) -> Sequence[str]: ...


@dataclass(slots=True)
class Webhook:
    """The endpoint. `token` "" lets everybody in: only for a loopback listener (see `assistant.commands.serve`)."""

    read: Reader
    receive: Receiver
    metrics: Metrics
    token: str
    max_bytes: int
    draining: Callable[[], bool] = lambda: False
    denied: int = 0
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _waiting: int = 0

    async def __call__(self, request: Request) -> Response:
        try:
            self._let_in(request)
            body = await read_body(
                request, max_bytes=self.max_bytes, hint="; see max_alerts of Alertmanager's webhook_configs"
            )
            alerts, incidents = await self._kept(body)
        except Refused as refused:
            return self._refusal(refused)
        self.metrics.webhooks.labels("200").inc()
        return JSONResponse({"alerts": alerts, "incidents": incidents})

    def _let_in(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self.token.encode())
        if self.token and not (scheme.lower() == "bearer" and right):
            self.denied += 1
            raise Refused(401, "a bearer token is needed")
        if self.draining():
            raise Refused(503, "stopping")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused(415, "post it uncompressed")

    async def _kept(self, body: bytes) -> tuple[int, list[str]]:
        if self._waiting >= _WAITING:
            raise Refused(503, "too many at once")
        self._waiting += 1
        try:
            async with self._slots:
                return await run_in_threadpool(self._keep, body)
        finally:
            self._waiting -= 1

    def _keep(self, body: bytes) -> tuple[int, list[str]]:
        """Redact, place, store: in a thread, because all of it takes time."""
        try:
            alerts = self.read(body)
        except (AlertError, SourceError) as error:
            raise Refused(400, error.message) from None
        except RedactionError:
            # Nothing unredacted is kept, so it cannot be kept at all: the poll of Alertmanager's API will try again.
            raise Refused(503, "the body could not be redacted") from None
        try:
            return len(alerts), list(self.receive(alerts))
        except WorkflowError as error:
            _LOG.error("alerts not kept", extra={"reason": type(error).__name__})
            raise Refused(503, "the alerts could not be kept") from None

    def _refusal(self, refused: Refused) -> Response:
        self.metrics.webhooks.labels(str(refused.status)).inc()
        _LOG.warning("webhook refused", extra={"status": refused.status, "reason": refused.reason})
        headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(refused.status, {})
        return JSONResponse({"error": refused.reason}, status_code=refused.status, headers=headers)
