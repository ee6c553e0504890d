"""From `[web]` to an `Access`: which login, and whether these settings may start at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import SettingsError
from assistant.settings import Settings, Web, person
from assistant.web.access.door import Access
from assistant.web.access.loopback import LoopbackLogin
from assistant.web.access.records import Records

LINK = "console-link"
"""The file under the state directory that holds the link of this start, where there is no login."""


def open_access(
    settings: Settings, *, log: Callable[[], Any], count: Callable[[str], None] = lambda why: None
) -> Access:
    """The access that `[web]` asks for. `log` gives the prompt log in use; `count` is told why somebody was refused.

    SettingsError with the mend where the settings would let in people they should not.
    """
    check(settings.web)
    records = Records(log, count)
    link = settings.state / LINK
    login = LoopbackLogin(f"os:{person()}", where=str(link))
    return Access(login, records, opened=lambda url: keep_link(link, login.link(url)))


def check(web: Web) -> None:
    """Raises SettingsError."""
    if web.login not in ("none", "oidc", "proxy"):
        raise SettingsError(f'[web] login "{web.login[:20]}" is not a way in', mend='use "none", "oidc" or "proxy"')
    if web.login == "none" and not is_loopback(web.console_host):
        raise SettingsError(
            f"the console listens on {web.console_host} without a login",
            mend='set [web] login to "oidc" or "proxy", or console_host to 127.0.0.1',
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
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(link + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", mend="give another --state") from None
