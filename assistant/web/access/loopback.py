"""The console without a login: one local person with every role, on loopback only.

Any user of this machine, and any web page open on it, can reach a loopback port. So the first request brings the token
of this start in the link that was printed (or written to a file that only its owner can read) and gets a cookie in
return; the link is then in no address bar. A cookie of 127.0.0.1 is sent to every port there, so its name carries ours,
and its value is of no use after this start.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from assistant.errors import PromptLogError
from assistant.promptlog.record import Event
from assistant.web.access.door import Access
from assistant.web.access.leaves import by_page, leaves
from assistant.web.access.person import NOBODY, ROLES, Session, person
from assistant.web.access.refusal import refusal

ENTER = "/enter"


class LoopbackLogin:
    """`identity` is who runs the process ("os:…"). `link(url)` is what to open."""

    name = "none"
    public = frozenset({ENTER})

    def __init__(self, identity: str, *, where: str = "the terminal of payops") -> None:
        self._token = secrets.token_urlsafe(32)
        self._key = secrets.token_bytes(32)
        self._signer = URLSafeSerializer(self._key, salt="payops loopback session")
        self._where = where
        self._person = person(identity, identity.partition(":")[2], ROLES, alone=True)

    def link(self, url: str) -> str:
        """The address that lets its reader in: as secret as a password until this process ends."""
        return f"{url}{ENTER}?token={self._token}"

    def session(self, request: Request, *, active: bool = True) -> Session | None:
        try:
            value = self._signer.loads(request.cookies.get(_cookie(request), ""))
        except BadSignature:
            return None
        digest = hmac.new(self._key, str(value).encode(), hashlib.sha256).hexdigest()
        return Session(self._person, digest[:32], digest[32:])

    def challenge(self, request: Request) -> Response:
        return refusal(request, 401, f"open the link that stands in {self._where}; it holds the token of this start")

    def routes(self, access: Access) -> Sequence[BaseRoute]:
        @leaves(by_page(Event.AUTH_LOGIN))
        async def enter(request: Request) -> Response:
            return await run_in_threadpool(self._enter, request, access)

        return [Route(ENTER, enter, methods=["GET"])]

    def _enter(self, request: Request, access: Access) -> Response:
        given = request.query_params.getlist("token")
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), self._token.encode()):
            access.denied(NOBODY, "token", resource="console")
            return self.challenge(request)
        try:
            access.records.login(self._person, how="link")
        except PromptLogError as error:
            return refusal(request, 503, f"a login that cannot be recorded is none ({type(error).__name__})")
        answer = RedirectResponse("/", status_code=303)
        value = self._signer.dumps(secrets.token_urlsafe(18))
        answer.set_cookie(_cookie(request), str(value), httponly=True, samesite="strict", path="/")
        return answer


def _cookie(request: Request) -> str:
    return f"payops-{(request.scope.get('server') or ('', 0))[1]}"
