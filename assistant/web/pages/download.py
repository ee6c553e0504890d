"""A download that is made while it is sent: from the thread that makes it to the browser, through a short queue.

Memory does not grow with the file, nothing is kept on disk, and the answer begins at once. Where the maker fails
half-way, the connection ends without its last chunk, so that no browser takes the half for the whole. Who goes away
stops the maker.
"""

from __future__ import annotations

import io
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from starlette.responses import StreamingResponse

from assistant.errors import PayopsError

CHUNK = 64 * 1024
WAITING = 16
_LOG = logging.getLogger("payops.web")

Make = Callable[[IO[bytes]], object]
"""Writes the whole file to a stream that cannot seek."""


class GoneAway(OSError):
    """Nobody reads any more."""


class _Pipe(io.RawIOBase):
    """What the maker writes to. `ended` is set by whoever read."""

    def __init__(self) -> None:
        self.chunks: queue.Queue[bytes | BaseException | None] = queue.Queue(WAITING)
        self.ended = threading.Event()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        chunk = bytes(data)
        self.put(chunk)
        return len(chunk)

    def put(self, chunk: bytes | BaseException | None) -> None:
        while not self.ended.is_set():
            try:
                self.chunks.put(chunk, timeout=0.5)
            except queue.Full:
                continue
            return
        raise GoneAway("nobody reads this download any more")


def download(make: Make, *, name: str, kind: str) -> StreamingResponse:
    """`name` is ours, never what somebody wrote."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chunks(make), media_type=kind, headers=headers)


def chunks(make: Make) -> Iterator[bytes]:
    """What `make` writes, in pieces of at most CHUNK bytes. Raises what it raises."""
    pipe = _Pipe()
    maker = threading.Thread(target=_made, args=(make, pipe), name="download", daemon=True)
    maker.start()
    try:
        while (chunk := pipe.chunks.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        pipe.ended.set()


def _made(make: Make, pipe: _Pipe) -> None:
    try:
        with io.BufferedWriter(pipe, CHUNK) as stream:
            make(stream)
        pipe.put(None)
    except GoneAway:
        _LOG.info("a download was left")
    except (PayopsError, OSError, ValueError) as error:
        _LOG.error("a download failed half-way", extra={"error": type(error).__name__})
        _told(pipe, error)


def _told(pipe: _Pipe, error: BaseException) -> None:
    try:
        pipe.put(error)
    except GoneAway:
        _LOG.info("a download was left")
