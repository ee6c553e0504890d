"""Chroma's HTTP client with an end to its patience: its own waits for ever and reads whatever comes.

An incident must not stand still because the server that holds vectors does. A search has `SEARCH_S` in all, anything
else `WAIT_S`, and an answer at most `MOST` bytes; after that it is an httpx error like any other, and runbooks are
ranked by words alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

SEARCH_S = 2.0
WAIT_S = 30.0
MOST = 64 * 1024 * 1024


def bounded(client: ClientAPI) -> ClientAPI:
    """The same client over a session that gives up. The session is an internal of Chroma 1.5, held by a test."""
    import httpx

    class Bounded(httpx.Client):
        def send(self, request: httpx.Request, *, stream: bool = False, **more: Any) -> httpx.Response:
            patience = SEARCH_S if request.url.path.endswith("/query") else WAIT_S
            request.extensions["timeout"] = httpx.Timeout(patience).as_dict()
            until = time.monotonic() + patience
            response = super().send(request, stream=True, **more)
            content = bytearray()
            try:
                for part in response.iter_raw():
                    content += part
                    if len(content) > MOST:
                        raise httpx.DecodingError("Chroma's answer is too large", request=request)
                    if time.monotonic() > until:
                        raise httpx.ReadTimeout("Chroma answers too slowly", request=request)
            finally:
                response.close()
            whole = httpx.Response(response.status_code, headers=response.headers, content=bytes(content))
            whole.request = request
            if whole.is_error and not _says_why(whole):
                # Chroma's client would raise a bare Exception that quotes the answer.
                said = f"Chroma answered {whole.status_code}"
                raise httpx.HTTPStatusError(said, request=request, response=whole)
            return whole

    server: Any = client._server
    old = server._session
    server._session = Bounded(timeout=httpx.Timeout(WAIT_S), headers=old.headers, trust_env=False)
    old.close()
    return client


def _says_why(response: Any) -> bool:
    """Whether an error is one that Chroma's client knows by name."""
    from chromadb.errors import error_types

    try:
        said = response.json()
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("error") in error_types
