"""Security headers, on every answer of the people's listener, refusals and faults included.

Sources: CSP level 3; OWASP Secure Headers; RFC 6797 (HSTS, only where people come by https, since it is ignored and
misleading elsewhere). Server-sent events and pages alike are `no-store`; files under /static/ may be kept for an hour.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()",
    "x-permitted-cross-domain-policies": "none",
}
HSTS = "max-age=31536000; includeSubDomains"
STATIC = "/static/"


def with_headers(send: Send, *, path: str, https: bool) -> Send:
    """A `send` that puts the headers on whatever passes, in place of what the answer said itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ALWAYS.items():
                headers[name] = value
            if https:
                headers["strict-transport-security"] = HSTS
            headers["cache-control"] = "private, max-age=3600" if path.startswith(STATIC) else "no-store"
        await send(message)

    return sending
