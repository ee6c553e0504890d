"""What keeps `payops serve` from starting, all of it at once: settings, secrets, state, ports, database, log and
credentials.

A person who mends one line and starts again, to be told the next, loses an evening. So everything that can be known
before the start is looked at here, each thing by itself, and said on one screen with the mend of each. What is merely
away (Prometheus, Loki, a model) does not keep `serve` from starting: it always answers.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from assistant.errors import PayopsError, UsageError
from assistant.serving import database_url, webhook_token
from assistant.settings import Secret, Settings
from redaction import RedactionError

T = TypeVar("T")
_ROOM = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and how to mend it. `usage`: what was given is wrong, not the world around it."""

    what: str
    mend: str
    usage: bool = True


@dataclass(slots=True)
class Preflight:
    """Collects problems; each once."""

    found: dict[Problem, None] = field(default_factory=dict)

    def attempt(self, work: Callable[[], T], otherwise: T) -> T:
        """What `work` gives, or `otherwise` with what was wrong added."""
        try:
            return work()
        except PayopsError as error:
            for one in (error, *getattr(error, "also", ())):
                self.add(one.message, one.mend, usage=isinstance(one, UsageError))
        except RedactionError as error:
            self.add(str(error), "see [redaction] policy")
        return otherwise

    def add(self, what: str, mend: str, *, usage: bool = True) -> None:
        self.found[Problem(what, mend, usage)] = None

    def screen(self) -> str:
        """Everything on one screen; a single thing on one line, like every error of ours."""
        n = len(self.found)
        if n == 1:
            (one,) = self.found
            return f"payops: {one.what}; {one.mend}" if one.mend else f"payops: {one.what}"
        lines = [f"payops serve does not start: {n} thing{'s are' if n > 1 else ' is'} wrong", ""]
        for i, problem in enumerate(self.found, 1):
            lines.append(f"{i:3}. {problem.what}")
            lines += [f"     mend: {problem.mend}"] if problem.mend else []
        return "\n".join(lines)

    @property
    def exit_code(self) -> int:
        """2 where all of it is what was given, else 1."""
        return 2 if all(p.usage for p in self.found) else 1


def preflight(load: Callable[[], Settings], *, ports_and_state: bool = True) -> tuple[Settings | None, Preflight]:
    """The settings (None if they cannot be read) and everything that is wrong. A process that runs already and looks
    at a new configuration leaves out `ports_and_state`, which it holds itself."""
    look = Preflight()
    settings = look.attempt(load, None)
    if settings is None:
        return None, look
    _secrets(settings, look)
    given = (_token, _redaction, _sources, _model, _runbooks, _places, _access, _slack)
    around = (_ports, _state, _database, _log) if ports_and_state else ()
    for check in (*given, *around, _credentials):
        look.attempt(partial(check, settings, look), None)
    return settings, look


def _secrets(settings: Settings, look: Preflight) -> None:
    """Every place of a secret and every certificate that is named must be there; nobody else may write it."""
    for table, name, value in _strings(settings):
        if name.endswith("_env"):
            look.attempt(Secret(env=value).read, "")
        elif name.endswith("_file"):
            path = Path(value).expanduser()
            if not os.access(path, os.R_OK):
                why = "cannot be read" if path.exists() else "is not there"
                look.add(f"[{table}] {name}: {path} {why}", "check path and mode")
            elif path.stat().st_mode & stat.S_IWOTH:
                look.add(f"[{table}] {name}: {path} can be written by everybody", f"chmod o-w {path}")
    config = Path(settings.file)
    if settings.file and config.exists() and config.stat().st_mode & stat.S_IWOTH:
        look.add(f"{config} can be written by everybody", f"chmod o-w {config}")


def _strings(value: Any, table: str = "") -> Iterator[tuple[str, str, str]]:
    """(table, key, text) of every text in the settings that is not empty."""
    for f in fields(value):
        item = getattr(value, f.name)
        if is_dataclass(item):
            yield from _strings(item, f"{table}.{f.name}".lstrip("."))
        elif isinstance(item, str) and item and table:
            yield table, f.name, item


def _token(settings: Settings, look: Preflight) -> None:
    webhook_token(settings)


def _redaction(settings: Settings, look: Preflight) -> None:
    from assistant.bootstrap import redactor_of

    redactor_of(settings)


def _sources(settings: Settings, look: Preflight) -> None:
    from assistant.sources.alertmanager import Alertmanager
    from assistant.sources.changes import ChangeEvents
    from assistant.sources.loki import Loki
    from assistant.sources.prometheus import Prometheus
    from redaction import Redactor

    redactor = Redactor.default()
    makes: dict[str, Callable[[], object]] = {
        settings.prometheus.url: lambda: Prometheus.from_settings(settings.prometheus, redactor=redactor),
        settings.alertmanager.url: lambda: Alertmanager.from_settings(settings.alertmanager, redactor=redactor),
        settings.loki.url: lambda: Loki.from_settings(settings.loki, redactor=redactor),
        settings.changes.url: lambda: ChangeEvents.from_settings(settings.changes, redactor=redactor),
    }
    for url, make in makes.items():
        if url:
            look.attempt(make, None)


def _model(settings: Settings, look: Preflight) -> None:
    from assistant.drafting.endpoint import endpoints, shadow
    from assistant.drafting.templates import templates_in

    if settings.model.url:
        endpoints(settings.model)
        shadow(settings.model)
        if settings.model.shadow_prompts:
            templates_in(Path(settings.model.shadow_prompts))


def _runbooks(settings: Settings, look: Preflight) -> None:
    for folder in settings.runbooks.dirs:
        if not Path(folder).is_dir():
            look.add(f"[runbooks] dirs: {folder} is not a folder", "give folders of Markdown files")


def _places(settings: Settings, look: Preflight) -> None:
    from assistant.promptlog.places import place_of

    for text in settings.log.checkpoints:
        look.attempt(partial(place_of, text), None)


def _access(settings: Settings, look: Preflight) -> None:
    from assistant.web.access.open import examine

    for check in examine(settings):
        look.attempt(check, None)


def _ports(settings: Settings, look: Preflight) -> None:
    from assistant.web.listener import bindable

    web = settings.web
    for name, host, port in (
        ("webhook", web.webhook_host, web.webhook_port),
        ("console", web.console_host, web.console_port),
    ):
        look.attempt(partial(bindable, host, port, name), None)


def _state(settings: Settings, look: Preflight) -> None:
    """The state directory can be written, has room, and is nobody else's."""
    state = settings.state
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=state):
            pass
        if shutil.disk_usage(state).free < _ROOM:
            look.add(f"{state} has less than {_ROOM >> 20} MiB left", "make room: no record, no prompt", usage=False)
    except OSError as error:
        look.add(f"{state}: {error.strerror}", "give another --state, or let this user write there")
        return
    if not _url(settings, look):
        from assistant.workflow.service import hold

        look.attempt(lambda: hold(state).close(), None)


def _url(settings: Settings, look: Preflight) -> str:
    return look.attempt(partial(database_url, settings), "")


def _database(settings: Settings, look: Preflight) -> None:
    """Reached, whole, and not newer than we are."""
    from assistant.notebook.database import open_database

    url = _url(settings, look)
    if not url and not (settings.state / "live.sqlite").exists():
        return
    database = open_database(url, state=settings.state)
    try:
        database.refuse_newer()
    finally:
        database.close()


def _log(settings: Settings, look: Preflight) -> None:
    """The log opens, its keys are there, and it extends what is held elsewhere."""
    from assistant.promptlog.open import log_exists, open_configured

    if log_exists(settings):
        open_configured(settings, last_look=lambda content: None, service="").close()


def _credentials(settings: Settings, look: Preflight) -> None:
    """No credential of ours can write, unless that is allowed. A log that stands records the look at the start."""
    from assistant.attesting import wanted
    from assistant.bootstrap import SystemClock, redactor_of
    from assistant.sources.attestation import refuse_writable
    from assistant.sources.proof import attest

    if wanted(settings):
        found = attest(settings, redactor_of(settings), now=SystemClock().now())
        refuse_writable(found, allowed=settings.allow_writable_credentials)


def _slack(settings: Settings, look: Preflight) -> None:
    """Mode, secrets, channel ids and selectors, where Slack is configured."""
    if not settings.slack.bot_token():
        return
    from assistant.slack.guest import checked

    look.attempt(partial(checked, settings), None)
