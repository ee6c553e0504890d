"""From `[web]` to an `Access`: which login, and whether these settings may start at all."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assistant.errors import SettingsError
from assistant.local_person import person
from assistant.settings import Settings, Web
from assistant.web.access.door import Access, Login
from assistant.web.access.loopback import LoopbackLogin
from assistant.web.access.person import ROLES
from assistant.web.access.proxy import Network, ProxyLogin, client_of, networks_of
from assistant.web.access.records import Records

if TYPE_CHECKING:
    from assistant.telemetry.metrics import Metrics
    from assistant.web.access.oidc import OidcLogin
    from assistant.web.access.sessions import Sessions

LINK = "console-link"
"""The file under the state directory that holds the link of this start, where there is no login."""
KEY = "session.key"
_KEY_BYTES = 32


def open_access(settings: Settings, *, log: Callable[[], Any], metrics: Metrics | None = None) -> Access:
    """The access that `[web]` asks for. `log` gives the prompt log in use; `metrics` counts refusals and sessions.

    SettingsError with the mend where the settings would let in people they should not.
    """
    web = settings.web
    check(web)
    records = Records(log, (lambda why: metrics.denied.labels(why).inc()) if metrics else (lambda why: None))
    if web.login == "none":
        link = settings.state / LINK
        alone = LoopbackLogin(f"os:{person()}", where=str(link))
        return Access(alone, records, opened=lambda url: keep_link(link, alone.link(url)), timed=_timed(metrics))
    networks = networks_of(web.proxy_addresses)
    key = session_key(settings)
    sessions = open_sessions(settings, key)
    if metrics:
        metrics.readings["sessions"] = lambda: {"sessions_open": float(len(sessions.all()))}
    login: Login = (
        _oidc(web, sessions, key) if web.login == "oidc" else _proxy(web, sessions, records, networks=networks)
    )
    return Access(
        login,
        records,
        url=web.url,
        address=partial(client_of, networks=networks),
        prepare=sessions.prepare,
        tidy=sessions.tidy,
        timed=_timed(metrics),
    )


def _timed(metrics: Metrics | None) -> Callable[[str, int, float], None]:
    def timed(route: str, status: int, seconds: float) -> None:
        if metrics:
            metrics.pages.labels(route, str(status)).observe(seconds)

    return timed


def examine(settings: Settings) -> tuple[Callable[[], object], ...]:
    """What must hold before a start, each to be tried by itself. Each raises SettingsError; none makes anything."""
    from assistant.sources.issuer_http import IssuerHttp

    web = settings.web
    checks: list[Callable[[], object]] = [partial(check, web), partial(networks_of, web.proxy_addresses)]
    if web.login != "none":
        checks.append(partial(session_key, settings, make=False))
    if web.login == "oidc" and web.oidc_issuer:
        checks.append(partial(IssuerHttp, web.oidc_issuer, hosts=web.oidc_hosts, ca_file=web.oidc_ca_file))
    return tuple(checks)


def check(web: Web) -> None:
    """Raises SettingsError."""
    if web.login not in ("none", "oidc", "proxy"):
        raise SettingsError(f'[web] login "{web.login[:20]}" is not a way in', mend='use "none", "oidc" or "proxy"')
    unknown = sorted(set(web.roles) - set(ROLES))
    if unknown:
        raise SettingsError(f'[web.roles] "{unknown[0][:20]}" is not a role', mend=f"there are: {', '.join(ROLES)}")
    if web.login == "none":
        if not is_loopback(web.console_host):
            raise SettingsError(
                f"the console listens on {web.console_host} without a login",
                mend='set [web] login to "oidc" or "proxy", or console_host to 127.0.0.1',
            )
        return
    _check_url(web)
    if not web.roles:
        raise SettingsError("[web.roles] gives nobody a role", mend='write responder = ["a-group"] below [web.roles]')
    needed = {"oidc": ("oidc_issuer", "oidc_client_id"), "proxy": ("proxy_user_header", "proxy_addresses")}[web.login]
    for name in needed:
        if not getattr(web, name):
            raise SettingsError(f'[web] login = "{web.login}" needs {name}', mend="see deploy/CREDENTIALS.md")


def _check_url(web: Web) -> None:
    """People come by https, except to this machine itself."""
    try:
        parts = urlsplit(web.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")
        plain = parts.scheme == "http" and not is_loopback(parts.hostname or "")
    except ValueError:
        good, plain = False, False
    if not good:
        raise SettingsError(
            f'[web] login = "{web.login}" needs url, how people reach the console',
            mend='write url = "https://payops.example"',
        )
    if plain:
        raise SettingsError("[web] url is http: sessions could be read on the way", mend="put TLS before the console")


def session_key(settings: Settings, *, make: bool = True) -> bytes:
    """The configured key; without one, a key of this state directory, made where there is none (b"" if not to `make`).
    SettingsError where replicas must share one."""
    web = settings.web
    given = web.session_key()
    if given:
        value = given.read().encode()
        if len(value) < _KEY_BYTES:
            raise SettingsError("the session key is short", mend="use 32 random bytes: openssl rand -hex 32")
        return value
    if settings.workflow.database():
        raise SettingsError(
            "replicas share sessions, so they need one session key",
            mend="set [web] session_key_file or session_key_env to 32 random bytes",
        )
    return _own_key(settings.state / "keys" / KEY) if make else b""


def _own_key(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_KEY_BYTES))
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", mend="give another --state") from None


def open_sessions(settings: Settings, key: bytes) -> Sessions:
    """The sessions of these settings' database. SettingsError, WorkflowError."""
    from assistant.notebook.database import open_database
    from assistant.web.access.sessions import Sessions

    web = settings.web
    database = open_database(settings.workflow.database(), state=settings.state)
    return Sessions(database, key=key, idle_s=web.session_idle_s, max_s=web.session_max_s, fit=_fit)


def _fit(name: str) -> bool:
    """Whether the last look lets a name pass; an address of mail is how some providers name people."""
    from redaction import FinalScanner, LeakBlocked

    try:
        FinalScanner().check(name, sink="session")
    except LeakBlocked as found:
        return set(found.classes) <= {"EMAIL"}
    return True


def _oidc(web: Web, sessions: Sessions, key: bytes) -> OidcLogin:
    from assistant.sources.issuer_http import IssuerHttp
    from assistant.web.access.issuer import Issuer
    from assistant.web.access.oidc import CALLBACK, OidcLogin

    web.oidc_client_secret().read()  # a secret that is not there is said at the start
    issuer = Issuer(
        web.oidc_issuer,
        web.oidc_client_id,
        secret=web.oidc_client_secret().read,
        redirect_uri=web.url.rstrip("/") + CALLBACK,
        scopes=web.oidc_scopes,
        http=IssuerHttp(web.oidc_issuer, hosts=web.oidc_hosts, ca_file=web.oidc_ca_file),
    )
    secure = web.url.startswith("https://")
    return OidcLogin(issuer, sessions, key=key, roles=web.roles, claim=web.oidc_groups_claim, secure=secure)


def _proxy(web: Web, sessions: Sessions, records: Records, *, networks: Sequence[Network]) -> ProxyLogin:
    return ProxyLogin(
        sessions,
        records,
        networks=networks,
        user_header=web.proxy_user_header,
        groups_header=web.proxy_groups_header,
        roles=web.roles,
    )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep_link(path: Path, link: str) -> None:
    """Keep the link where only the owner of this process can read it. SettingsError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(link + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", mend="give another --state") from None
