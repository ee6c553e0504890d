"""Is this request meant for us, and did a page of ours send it?

- Host: on loopback one of 127.0.0.1, localhost, [::1] with the port that it came in by, so that a name which an
  attacker lets point at 127.0.0.1 (DNS rebinding) is refused; elsewhere the host of `[web] url`.
- Fetch metadata (W3C): other sites may navigate to us, and nothing else; their frames, images, scripts and fetches are
  refused, and so is every unsafe method that does not come from our own origin.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from assistant.web.body import Refused

SAFE = frozenset({"GET", "HEAD"})
METHODS = SAFE | {"POST"}
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def check_host(request: Request, url: str) -> None:
    """Refused 421 unless the Host is ours. `url` is `[web] url`, "" on loopback."""
    given = request.headers.getlist("host")
    if len(given) != 1 or given[0].lower() not in (_local_hosts(request) if not url else {_host(url)}):
        mend = "open the address that payops printed" if not url else "use the address in [web] url"
        raise Refused(421, f"this is not the console of that host; {mend}", why="host")


def check_origin(request: Request, url: str) -> None:
    """Refused 403 for what another site sends, navigation excepted. The Host was checked before."""
    site = request.headers.get("sec-fetch-site", "")
    unsafe = request.method not in SAFE
    own = _origin(url) if url else f"http://{request.headers['host'].lower()}"
    origins = request.headers.getlist("origin")
    if unsafe and any(o != own for o in origins):
        raise Refused(403, "sent by a page of another site", why="origin")
    if site in ("", "none", "same-origin"):
        return
    if unsafe or request.headers.get("sec-fetch-mode") != "navigate" or _embedded(request):
        raise Refused(403, "sent by a page of another site", why="origin")


def _embedded(request: Request) -> bool:
    return request.headers.get("sec-fetch-dest", "document") != "document"


def _local_hosts(request: Request) -> set[str]:
    port = (request.scope.get("server") or ("", 0))[1]
    bare = set(_LOCAL) if port == 80 else set()
    return bare | {f"{name}:{port}" for name in _LOCAL}


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
