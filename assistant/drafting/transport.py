"""The gate as httpx2 transports, sync and async: every request of the model client goes through one of these.

`openai` 3 speaks httpx2; `ChatOpenAI` needs both clients, or its async calls would build their own and go round the
gate. Retries happen here, so that each has its own record and all fit the deadline; the SDK's own are off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2

from assistant.drafting.gate import Gate, Sent, too_large
from assistant.drafting.retry import pause
from assistant.drafting.talk import Talk
from assistant.errors import ModelAnswerInvalid

_DROPPED = ("content-encoding", "content-length", "transfer-encoding")


class GatedTransport(httpx2.BaseTransport):
    """Sync. `inner` is shared and not closed here."""

    def __init__(
        self, inner: httpx2.BaseTransport, gate: Gate, talk: Talk, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._inner, self._gate, self._talk, self._sleep = inner, gate, talk, sleep

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body, tried = request.read(), 0
        while True:
            tried += 1
            try:
                response = self._once(request, body)
                wait = _pause(response, tried, self._talk)
            except (httpx2.ConnectError, httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
                wait = pause(0, None, tried=tried, remaining=self._talk.remaining())
                if wait is None:
                    raise
            if wait is None:
                return response
            self._sleep(wait)

    def _once(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        gate, talk = self._gate, self._talk
        sent = gate.admit(request.method, str(request.url), body, talk)
        try:
            response = self._inner.handle_request(_outgoing(request, body, gate, talk))
            if _streams(response):
                return _rebuilt(response, request, stream=Recorded(response, gate, sent, talk))
            try:
                content = b"".join(_within(response.iter_raw(), talk))
            finally:
                response.close()
        except (httpx2.TransportError, ModelAnswerInvalid) as error:
            gate.lost(sent, type(error).__name__, talk)
            raise
        gate.answered(sent, response.status_code, content, talk, ticket=gate.ticket(response.headers))
        return _rebuilt(response, request, content=content)


class AsyncGatedTransport(httpx2.AsyncBaseTransport):
    """Async; appends and flushes happen in a thread, the request waits for them all the same."""

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        gate: Gate,
        talk: Talk,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._inner, self._gate, self._talk, self._sleep = inner, gate, talk, sleep

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body, tried = await request.aread(), 0
        while True:
            tried += 1
            try:
                response = await self._once(request, body)
                wait = _pause(response, tried, self._talk)
            except (httpx2.ConnectError, httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
                wait = pause(0, None, tried=tried, remaining=self._talk.remaining())
                if wait is None:
                    raise
            if wait is None:
                return response
            await self._sleep(wait)

    async def _once(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        gate, talk = self._gate, self._talk
        sent = await asyncio.to_thread(gate.admit, request.method, str(request.url), body, talk)
        try:
            response = await self._inner.handle_async_request(_outgoing(request, body, gate, talk))
            if _streams(response):
                return _rebuilt(response, request, stream=AsyncRecorded(response, gate, sent, talk))
            try:
                content = await _gathered(response, talk)
            finally:
                await response.aclose()
        except (httpx2.TransportError, ModelAnswerInvalid, asyncio.CancelledError) as error:
            await asyncio.shield(asyncio.to_thread(gate.lost, sent, type(error).__name__, talk))
            raise
        ticket = gate.ticket(response.headers)
        await asyncio.to_thread(gate.answered, sent, response.status_code, content, talk, ticket=ticket)
        return _rebuilt(response, request, content=content)


class Recorded(httpx2.SyncByteStream):
    """A streamed answer: recorded before its end is handed on; cut or abandoned, recorded as unknown."""

    def __init__(self, response: httpx2.Response, gate: Gate, sent: Sent, talk: Talk) -> None:
        self._response, self._gate, self._sent, self._talk = response, gate, sent, talk
        self._open = True
        self._seen = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in _within(self._response.iter_raw(), self._talk):
                self._seen += chunk
                yield chunk
        except (httpx2.TransportError, ModelAnswerInvalid) as error:
            self._end(type(error).__name__)
            raise
        self._finish()

    def close(self) -> None:
        self._response.close()
        if _complete(self._seen):  # readers stop at the end mark, not at the end of the connection
            self._finish()
        self._end("abandoned")

    def _finish(self) -> None:
        if self._open:
            self._open = False
            seen, ticket = bytes(self._seen), self._gate.ticket(self._response.headers)
            self._gate.answered(self._sent, self._response.status_code, seen, self._talk, ticket=ticket)

    def _end(self, reason: str) -> None:
        if self._open:
            self._open = False
            self._gate.lost(self._sent, reason, self._talk)


class AsyncRecorded(httpx2.AsyncByteStream):
    """As `Recorded`."""

    def __init__(self, response: httpx2.Response, gate: Gate, sent: Sent, talk: Talk) -> None:
        self._response, self._gate, self._sent, self._talk = response, gate, sent, talk
        self._open = True
        self._seen = bytearray()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_raw():
                _still_time(self._talk)
                self._seen += chunk
                too_large(len(self._seen))
                yield chunk
        except (httpx2.TransportError, ModelAnswerInvalid, asyncio.CancelledError) as error:
            await self._end(type(error).__name__)
            raise
        await self._finish()

    async def aclose(self) -> None:
        await self._response.aclose()
        if _complete(self._seen):
            await self._finish()
        await self._end("abandoned")

    async def _finish(self) -> None:
        if self._open:
            self._open, seen = False, bytes(self._seen)
            status, ticket = self._response.status_code, self._gate.ticket(self._response.headers)
            work = asyncio.to_thread(self._gate.answered, self._sent, status, seen, self._talk, ticket=ticket)
            await asyncio.shield(work)

    async def _end(self, reason: str) -> None:
        if self._open:
            self._open = False
            await asyncio.shield(asyncio.to_thread(self._gate.lost, self._sent, reason, self._talk))


def _complete(seen: bytearray) -> bool:
    """Whether a stream said that it is done: `[DONE]` of chat completions, `response.completed` of responses."""
    return b"[DONE]" in seen[-200:] or b"event: response.completed" in seen


def _outgoing(request: httpx2.Request, body: bytes, gate: Gate, talk: Talk) -> httpx2.Request:
    """A request made of the logged bytes, with no more time than is left."""
    left = max(talk.remaining(), 0.1)
    stated = request.extensions.get("timeout", {})
    timeout = {k: min(stated.get(k) or left, left) for k in ("connect", "read", "write", "pool")}
    headers = gate.outgoing(request.headers.items())
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        content=body,
        extensions={**request.extensions, "timeout": timeout},
    )


def _pause(response: httpx2.Response, tried: int, talk: Talk) -> float | None:
    if response.status_code < 400:
        return None
    return pause(response.status_code, response.headers.get("retry-after"), tried=tried, remaining=talk.remaining())


def _streams(response: httpx2.Response) -> bool:
    return response.status_code < 400 and "text/event-stream" in response.headers.get("content-type", "")


def _within(chunks: Iterator[bytes], talk: Talk) -> Iterator[bytes]:
    """The chunks, while there is time and they are not too many bytes."""
    size = 0
    for chunk in chunks:
        _still_time(talk)
        size += len(chunk)
        too_large(size)
        yield chunk


async def _gathered(response: httpx2.Response, talk: Talk) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_raw():
        _still_time(talk)
        content += chunk
        too_large(len(content))
    return bytes(content)


def _still_time(talk: Talk) -> None:
    if talk.remaining() <= 0:
        raise httpx2.ReadTimeout("the model's time is used up")


def _rebuilt(
    response: httpx2.Response,
    request: httpx2.Request,
    *,
    content: bytes | None = None,
    stream: httpx2.SyncByteStream | httpx2.AsyncByteStream | None = None,
) -> httpx2.Response:
    headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _DROPPED]
    if stream is not None:
        return httpx2.Response(response.status_code, headers=headers, stream=stream, request=request)
    return httpx2.Response(response.status_code, headers=headers, content=content, request=request)
