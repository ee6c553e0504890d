"""Login by OpenID Connect: away to the provider, back with a code, a session in the shared database.

Between the two the browser holds what must come back in a signed cookie of its own, one for each attempt, ten minutes
long. An attempt works once, over all replicas. A new login has a new session id, and ends the session that the browser
had. Where to go afterwards is a path of ours or the start page: never another site.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from assistant.errors import PayopsError, SourceError
from assistant.promptlog.record import Event
from assistant.web.access.door import Access
from assistant.web.access.issuer import Issuer, Started
from assistant.web.access.leaves import by_page, leaves, nothing
from assistant.web.access.person import NOBODY, Person, Session, person, roles_of
from assistant.web.access.refusal import page, refusal
from assistant.web.access.sessions import Sessions

LOGIN, CALLBACK, LOGOUT = "/login", "/login/callback", "/logout"
ATTEMPT_S = 600
_AGAIN = f'<p><a href="{LOGIN}">Log in again</a></p>'


class OidcLogin:
    """See the module. `roles` maps a role to groups, `claim` names the claim that lists groups."""

    name = "oidc"
    public = frozenset({LOGIN, CALLBACK})

    def __init__(
        self,
        issuer: Issuer,
        sessions: Sessions,
        *,
        key: bytes,
        roles: Mapping[str, Iterable[str]],
        claim: str = "groups",
        secure: bool = True,
    ) -> None:
        self._issuer, self.sessions = issuer, sessions
        self._attempts = URLSafeTimedSerializer(key, salt="payops login attempt")
        self._roles, self._claim = roles, claim
        self._secure = secure
        self._cookie = "__Host-payops" if secure else "payops"

    def session(self, request: Request, *, active: bool = True) -> Session | None:
        cookie = request.cookies.get(self._cookie, "")
        return self.sessions.find(cookie, active=active) if cookie else None

    def challenge(self, request: Request) -> Response:
        """Browsers that go somewhere are sent to the login, and come back to where they wanted to go."""
        if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
            return refusal(request, 401, "log in first")
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{LOGIN}?next={quote(safe_path(wanted), safe='')}", status_code=303)

    def routes(self, access: Access) -> Sequence[BaseRoute]:
        @leaves(nothing("it sends the browser to the provider; the login itself is a record"))
        async def login(request: Request) -> Response:
            return await run_in_threadpool(self._start, request)

        @leaves(by_page(Event.AUTH_LOGIN))
        async def callback(request: Request) -> Response:
            return await run_in_threadpool(self._back, request, access)

        @leaves(by_page(Event.AUTH_LOGIN))
        async def logout(request: Request) -> Response:
            return await run_in_threadpool(self._end, request, access)

        return [
            Route(LOGIN, login, methods=["GET"]),
            Route(CALLBACK, callback, methods=["GET"]),
            Route(LOGOUT, logout, methods=["POST"]),
        ]

    def _start(self, request: Request) -> Response:
        given = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        try:
            answer = RedirectResponse(self._issuer.start(**given), status_code=303)
        except PayopsError as error:
            return refusal(request, 503, f"the login cannot begin just now: {error.message}")
        value = self._attempts.dumps({**given, "next": safe_path(request.query_params.get("next", "/"))})
        self._set(answer, self._attempt(given["state"]), str(value), max_age=ATTEMPT_S)
        return answer

    def _back(self, request: Request, access: Access) -> Response:
        state = request.query_params.get("state", "")
        started, wanted = self._started(request, state)
        if started is None:
            return self._failed(request, access, "state", "this login was not begun here, or too long ago")
        if not self.sessions.spend(started.state, span_s=2 * ATTEMPT_S):
            return self._failed(request, access, "replay", "this login was used already")
        code = request.query_params.get("code", "")
        if not code:
            return self._failed(request, access, "provider", "the provider did not let you in")
        try:
            claims = self._issuer.finish(code, started, answered_by=request.query_params.get("iss", ""))
            who = self._person(claims)
        except SourceError as error:
            return self._failed(request, access, "token", error.message)
        answer = self._admitted(request, access, who, wanted)
        answer.delete_cookie(self._attempt(started.state), path="/", secure=self._secure, httponly=True, samesite="lax")
        return answer

    def _admitted(self, request: Request, access: Access, who: Person, wanted: str) -> Response:
        """A session for whoever has a role; a record either way, and without a record nothing."""
        try:
            access.records.login(who, how="oidc", ok=bool(who.roles))
            before = self.session(request, active=False)
            if before is not None:
                self.sessions.end(before.key)
            if not who.roles:
                access.denied(who, "no-role", resource="console")
                return refusal(request, 403, "you are in no group that has a role here; ask who keeps [web.roles]")
            cookie, _ = self.sessions.begin(who, how="oidc")
        except PayopsError as error:
            return refusal(request, 503, f"a login that cannot be recorded is none ({type(error).__name__})")
        answer = RedirectResponse(wanted, status_code=303)
        self._set(answer, self._cookie, cookie)
        return answer

    def _end(self, request: Request, access: Access) -> Response:
        """The door has seen the form's token already."""
        session = self.session(request, active=False)
        if session is not None:
            self.sessions.end(session.key)
            access.records.ended(session.person, how="oidc")
        more = _AGAIN + self._elsewhere()
        answer = page("Logged out", "Your session here is over; the one at your provider may still stand.", more=more)
        answer.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="lax")
        return answer

    def _elsewhere(self) -> str:
        """A link to the provider's own logout, where it has one at a host of ours (OpenID Connect RP-Initiated
        Logout)."""
        try:
            url = str(self._issuer.metadata().get("end_session_endpoint", ""))
        except SourceError:
            return ""
        if not url or not self._issuer.http.allows(url):
            return ""
        query = urlencode({"client_id": self._issuer.client_id})
        return f'<p><a href="{quote(url, safe=":/?=&%[]@")}?{query}">Log out at the provider</a></p>'

    def _person(self, claims: Mapping[str, Any]) -> Person:
        groups = claims.get(self._claim)
        elsewhere = claims.get("_claim_names")
        if groups is None and isinstance(elsewhere, dict) and self._claim in elsewhere:
            raise SourceError(
                "oidc", "the provider left your groups out because they are many", mend="send only assigned groups"
            )
        several = groups if isinstance(groups, list) else [groups]
        listed = [g for g in several if isinstance(g, str)]
        name = next((n for k in ("name", "preferred_username", "email") if isinstance(n := claims.get(k), str)), "")
        host = urlsplit(self._issuer.issuer).netloc
        return person(f"oidc:{claims['sub']}@{host}", name or claims["sub"], roles_of(listed, self._roles))

    def _started(self, request: Request, state: str) -> tuple[Started | None, str]:
        try:
            found = self._attempts.loads(request.cookies.get(self._attempt(state), ""), max_age=ATTEMPT_S)
        except BadSignature:
            return None, "/"
        if not state or not secrets.compare_digest(found["state"].encode(), state.encode()):
            return None, "/"
        return Started(found["state"], found["nonce"], found["verifier"]), safe_path(found["next"])

    def _failed(self, request: Request, access: Access, why: str, reason: str) -> Response:
        access.denied(NOBODY, why, resource="login")
        return refusal(request, 403, reason, more=_AGAIN)

    def _attempt(self, state: str) -> str:
        """One cookie for each attempt, so that two tabs do not undo each other."""
        return f"{self._cookie}-{''.join(c for c in state[:8] if c.isascii() and c.isalnum())}"

    def _set(self, answer: Response, name: str, value: str, *, max_age: int | None = None) -> None:
        answer.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")


def safe_path(text: str) -> str:
    """A path on this host, else "/": no scheme, no host, no backslash or control character that a browser mends."""
    plain = text.startswith("/") and not text.startswith("//") and text.isascii() and text.isprintable()
    if not plain or "\\" in text or len(text) > 2000 or text.partition("?")[0] in (LOGIN, CALLBACK, LOGOUT):
        return "/"
    return text
