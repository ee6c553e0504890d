"""The style sheet and the script: read once, named in the wheel, never from anywhere else."""

from __future__ import annotations

import functools
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from assistant.web.access import leaves, nothing

_KINDS = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "proof.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@functools.lru_cache(maxsize=8)
def content_of(name: str) -> bytes:
    return (files("assistant.web") / "static" / name).read_bytes()


@leaves(nothing("style sheet and scripts, the same for everybody"))
def static(request: Request) -> Response:
    name = str(request.path_params["name"])
    if name not in _KINDS:
        return Response(status_code=404)
    return Response(content_of(name), media_type=_KINDS[name])
