"""What somebody sees who is not let in: a page for browsers, JSON for the rest. Nothing of the request is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – payops</title><link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/console.css"></head>
<body><main class="alone"><p class="brand">payops</p><h1>{title}</h1><p class="lead">{reason}</p>{more}</main></body>
</html>
"""

HOME = '<p><a href="/">To the incidents</a></p>'


def refusal(
    request: Request, status: int, reason: str, *, more: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """`reason` is a sentence of ours; `more` is markup of ours."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": reason}, status_code=status, headers=dict(headers or {}))
    return page(HTTPStatus(status).phrase, reason, status=status, more=more, headers=headers)


def page(
    title: str, reason: str, *, status: int = 200, more: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """A small page of ours; `more` is markup of ours."""
    said = reason[:1].upper() + reason[1:].removesuffix(".") + "."
    content = _PAGE.format(title=escape(title), reason=escape(said), more=more)
    return HTMLResponse(content, status_code=status, headers=dict(headers or {}))
