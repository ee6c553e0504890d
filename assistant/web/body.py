"""Reading a request's body within a size and a time, and refusing a request with a sentence of ours."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

READ_S = 15.0


class Refused(Exception):
    """A request that ends here, with its status and a sentence of ours. `why` is a word for counts and records."""

    def __init__(self, status: int, reason: str, *, why: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.why = status, reason, why


async def read_body(request: Request, *, max_bytes: int, hint: str = "") -> bytes:
    """The whole body. Refused 413 if its stated or real length is over `max_bytes`, 408 if it takes
    too long."""
    stated = request.headers.get("content-length", "0")
    if not (stated.isascii() and stated.isdecimal()) or len(stated) > 12 or int(stated) > max_bytes:
        raise Refused(413, f"at most {max_bytes} bytes{hint}")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_S):
            async for part in request.stream():
                size += len(part)
                if size > max_bytes:
                    raise Refused(413, f"at most {max_bytes} bytes{hint}")
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"the body took longer than {READ_S:.0f} s") from None
    return b"".join(parts)
