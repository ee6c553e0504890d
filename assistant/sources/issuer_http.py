"""The door to the OpenID Connect provider: the configured issuer, its hosts, three kinds of request, and nothing else.

`GET` of the discovery document and of the signing keys, `POST` of an authorisation code to the token endpoint. Where
those are is what the issuer's own discovery document says, held to the issuer's host and `[web] oidc_hosts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from assistant.errors import SettingsError, SourceMalformed, SourceRefused
from assistant.settings import Endpoint
from assistant.sources.guarded_http import GuardedSession, accepted, decoded

_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
SOURCE = "oidc"


class IssuerSession(GuardedSession):
    """Requests to one origin. A code is sent once: a second try would be refused as a replay."""

    attempts = 1

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises SettingsError."""
        super().__init__(SOURCE, endpoint)
        self._listed_here: set[tuple[str, str, frozenset[str]]] = set()

    def list_url(self, method: str, url: str) -> None:
        """Add one address of this origin to what may be asked."""
        parts = urlsplit(url)
        names = frozenset(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
        self._listed_here.add((method, parts.path, names))

    def permitted(self, method: str, path: str, params: frozenset[str], body: bytes) -> bool:
        if (method, path, params) not in self._listed_here:
            return False
        if method == "GET":
            return not body
        sent = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True)
        return sent.count(("grant_type", "authorization_code")) == 1

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As the base, and whatever is not JSON is refused: libraries above raise errors of their own for it."""
        response = super().send(request, **kwargs)
        if response.status_code >= 500:
            raise SourceRefused(SOURCE, f"it failed ({response.status_code})", mend="see its own log")
        if not isinstance(decoded(SOURCE, response), dict):
            raise SourceMalformed(SOURCE, "the answer is not a JSON object")
        return response


class IssuerHttp:
    """Sessions by origin. `issuer` and `hosts` say which origins there may be."""

    def __init__(self, issuer: str, *, hosts: Sequence[str] = (), ca_file: str = "", timeout_s: float = 8.0) -> None:
        """Raises SettingsError for an issuer that is not https (http on loopback is for tests and development)."""
        self._hosts = frozenset({urlsplit(issuer).netloc.lower(), *(h.lower() for h in hosts)})
        self._ca_file, self._timeout_s = ca_file, timeout_s
        self._sessions: dict[str, IssuerSession] = {}
        if not self.allows(issuer):
            raise SettingsError("[web] oidc_issuer is not an https:// address", mend="see deploy/CREDENTIALS.md")

    def allows(self, url: str) -> bool:
        """Whether this address may be asked, or people sent to it."""
        try:
            parts = urlsplit(url)
            secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
            whole = bool(parts.hostname) and parts.username is None and not parts.fragment and parts.geturl() == url
        except ValueError:
            return False
        return secure and whole and parts.netloc.lower() in self._hosts

    def get_json(self, url: str) -> Any:
        """Raises SourceError."""
        session = self.session(url, "GET")
        return decoded(SOURCE, accepted(SOURCE, session.get(url)))

    def session(self, url: str, method: str) -> IssuerSession:
        """The session that may send `method` to this address. Raises SourceRefused for a host that is not listed."""
        if not self.allows(url):
            raise SourceRefused(
                SOURCE, "the issuer names an address at another host", mend="add its host to [web] oidc_hosts"
            )
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._sessions:
            endpoint = Endpoint(url=origin, ca_file=self._ca_file, timeout_s=self._timeout_s, max_bytes=1024 * 1024)
            self._sessions[origin] = IssuerSession(endpoint)
        self._sessions[origin].list_url(method, url)
        return self._sessions[origin]
