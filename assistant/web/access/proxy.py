"""Login by a proxy that authenticates (oauth2-proxy, Authelia, an ingress): its headers, and only from its addresses.

Anybody can write a header. So requests that do not come from `[web] proxy_addresses` are refused whatever they say, and
so are a header that comes twice and one spelt so that another program would read it as ours (`Remote_User` for
`Remote-User`). The proxy must take these headers out of what browsers send; that cannot be seen from here, and
deploy/CREDENTIALS.md says how.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from assistant.errors import SettingsError
from assistant.web.access.door import Access
from assistant.web.access.person import Session, person, roles_of
from assistant.web.access.records import Records
from assistant.web.access.refusal import refusal
from assistant.web.access.sessions import Sessions
from assistant.web.body import Refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyLogin:
    """See the module. `networks` are the proxy's own."""

    name = "proxy"
    public: frozenset[str] = frozenset()

    def __init__(
        self,
        sessions: Sessions,
        records: Records,
        *,
        networks: Sequence[Network],
        user_header: str,
        groups_header: str,
        roles: Mapping[str, Iterable[str]],
    ) -> None:
        self.sessions, self._records = sessions, records
        self._networks, self._roles = networks, roles
        self._user, self._groups = user_header.lower(), groups_header.lower()

    def session(self, request: Request, *, active: bool = True) -> Session | None:
        """Who the proxy says it is; a record when that begins, or when the roles are others than before."""
        peer = request.client.host if request.client else ""
        if not within(peer, self._networks):
            raise Refused(403, "come through the proxy", why="not-the-proxy")
        user = self._one(request, self._user)
        groups = self._one(request, self._groups) if self._groups else ""
        if not user:
            return None
        given = (g.strip() for g in groups.split(","))
        who = person(f"proxy:{user}", user, roles_of((g for g in given if g), self._roles))
        session, began = self.sessions.standing(who, how="proxy", active=active)
        if began:
            self._records.login(who, how="proxy", ok=bool(who.roles))
        return session

    def challenge(self, request: Request) -> Response:
        return refusal(request, 401, "the proxy did not say who you are")

    def routes(self, access: Access) -> Sequence[BaseRoute]:
        return ()

    def _one(self, request: Request, name: str) -> str:
        """The header's one value. Refused where it is there twice, or in a spelling that is taken for it elsewhere."""
        alike = [k for k, _ in request.scope["headers"] if k.decode("latin-1").lower().replace("_", "-") == name]
        if len(alike) > 1 or any(k.decode("latin-1").lower() != name for k in alike):
            raise Refused(400, "the proxy's header is there twice or misspelt", why="spoofed-header")
        value = request.headers.get(name, "").strip()
        if len(value) > 4096 or not value.isprintable():
            raise Refused(400, "the proxy's header cannot be read", why="spoofed-header")
        return value


def networks_of(addresses: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks. SettingsError for what is neither, or is everybody."""
    found = []
    for text in addresses:
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError:
            raise SettingsError(
                f"[web] proxy_addresses: {text[:60]!r} is no address or network",
                mend='write "10.0.0.7" or "10.0.0.0/24"',
            ) from None
        if network.prefixlen == 0:
            raise SettingsError("[web] proxy_addresses names everybody", mend="name the proxy's own addresses")
        found.append(network)
    return tuple(found)


def within(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)


def client_of(request: Request, networks: Sequence[Network]) -> str:
    """The address on the other end: the last one in `X-Forwarded-For` that is not a trusted proxy's own, and the peer's
    where the peer is not trusted."""
    peer = request.client.host if request.client else ""
    if not within(peer, networks):
        return peer
    hops = [h.strip() for line in request.headers.getlist("x-forwarded-for") for h in line.split(",")]
    return next((h for h in reversed(hops[-32:]) if not within(h, networks)), peer)[:64]
