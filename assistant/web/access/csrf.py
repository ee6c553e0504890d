"""Cross-site request forgery: every unsafe method shows the session's token, in a form field or a header."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

from starlette.requests import Request

from assistant.web.body import Refused

FIELD = "csrf"
HEADER = "x-csrf-token"
FORM = "application/x-www-form-urlencoded"
_FIELDS = 200


def check_csrf(request: Request, body: bytes, token: str) -> None:
    """Refused 415 for a body that is neither form nor JSON, 400 for one that cannot be read, 403 without the token."""
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if kind not in (FORM, "application/json"):
        raise Refused(415, "send a form, or JSON with the header X-CSRF-Token", why="type")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "send it uncompressed", why="type")
    given = request.headers.getlist(HEADER) or (_fields(body) if kind == FORM else [])
    if len(given) != 1 or not token or not hmac.compare_digest(given[0].encode(), token.encode()):
        raise Refused(403, "the form is from another session; load the page again", why="csrf")


def _fields(body: bytes) -> list[str]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise Refused(400, "the form cannot be read", why="form") from None
    return [value for name, value in pairs if name == FIELD]
