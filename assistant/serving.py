"""Small decisions of `payops serve` that other commands share: which outlets, which database, which token."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.core.note import Note
from assistant.errors import SettingsError
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.live import Live
    from assistant.workflow.cases import Cases
    from assistant.workflow.outbox import Carrier

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def outlets(notes: Path, terminal: bool) -> tuple[Carrier, ...]:
    """The file outlet, and the terminal if it is wanted."""
    from assistant.outlets.file import FileOutlet
    from assistant.outlets.terminal import TerminalOutlet

    files = FileOutlet(notes)
    return (files, TerminalOutlet(as_text, sys.stdout)) if terminal else (files,)


def as_text(note: Note) -> str:
    """The note as the terminal shows it, without colours."""
    import io

    from rich.console import Console

    from assistant.render.terminal import show

    out = io.StringIO()
    show(note, Console(file=out, width=110, no_color=True, highlight=False))
    return out.getvalue()


def database_url(settings: Settings) -> str:
    return settings.workflow.database()


def webhook_token(settings: Settings) -> str:
    """The bearer token. SettingsError without one, unless only this machine can reach the listener."""
    token = settings.web.webhook_token().read()
    if not token and settings.web.webhook_host not in _LOOPBACK:
        raise SettingsError(
            f"the webhook listens on {settings.web.webhook_host} without a token",
            mend="set [web] webhook_token_env or webhook_token_file, or listen on 127.0.0.1",
        )
    return token


def open_cases(live: Live, *, channel: bool) -> Cases:
    """Cases of card data found; `channel` says that there is an outlet that tells them."""
    from assistant.workflow.cases import Cases

    return Cases(
        live.service.database,
        live.service.outbox,
        promptlog=lambda: live.house.promptlog,
        channel=channel,
        count=lambda place, klass: live.metrics.cases.labels(place, klass).inc(),
    )
