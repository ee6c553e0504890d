"""What the commands of `payops log` share: the configured log, opened as a tool, and who reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.commands._shared import one_line
from assistant.core.unseen import spelled

if TYPE_CHECKING:
    from assistant.promptlog.audit import Auditor
    from assistant.promptlog.log import Log
    from assistant.promptlog.search import Search
    from assistant.settings import Settings


def settings_of(config: Path | None, state: Path | None) -> Settings:
    from assistant.settings import load_settings

    return load_settings(config, state=state)


@contextmanager
def opened(config: Path | None, state: Path | None, *, check: bool = True) -> Iterator[tuple[Log, Settings]]:
    """The configured log, opened as a tool: it closes nobody's requests and announces nothing."""
    from functools import partial

    from assistant.errors import UsageError
    from assistant.promptlog.open import log_exists, open_configured
    from redaction import FinalScanner

    with one_line():
        settings = settings_of(config, state)
        if not log_exists(settings):
            where = f"no prompt log in {settings.state}"
            raise UsageError(where, mend="give --state DIR or --config FILE; payops demo makes one in .state")
        look = partial(FinalScanner().check, sink="promptlog")
        log = open_configured(settings, last_look=look, service="", check=check)
        for warning in log.keys.warnings if log.keys.made else ():
            sys.stderr.write(f"payops: {warning}\n")
        try:
            yield log, settings
        finally:
            log.close()


@contextmanager
def reader(config: Path | None, state: Path | None, *, check: bool = True) -> Iterator[Auditor]:
    from assistant.local_person import person
    from assistant.promptlog.audit import Auditor

    with opened(config, state, check=check) as (log, _):
        yield Auditor(log, f"os:{person()}")


def search_of(events: list[str] | None, **given: Any) -> Search:
    """UsageError for an event, an outcome or a time that the log cannot know: it would find nothing, and look empty."""
    from assistant.errors import UsageError
    from assistant.promptlog.record import Event, Outcome
    from assistant.promptlog.search import Search

    unknown = sorted(set(events or ()) - {e.value for e in Event})
    if unknown:
        raise UsageError(f"no such event: {', '.join(unknown)}", mend=f"there are: {', '.join(e.value for e in Event)}")
    if given.get("outcome") not in {None, *Outcome}:
        raise UsageError("no such outcome", mend=f"there are: {', '.join(o.value for o in Outcome)}")
    for name in ("since", "until"):
        if given.get(name) is not None:
            given[name] = _time(given[name], name)
    return Search(events=tuple(events or ()), **given)


def _time(text: str, name: str) -> str:
    """A time as people write it (a day alone, with or without a zone; UTC without one), as the log writes it."""
    from datetime import UTC, datetime

    from assistant.errors import UsageError
    from assistant.promptlog.record import format_time

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--{name} is not a time", mend="give ISO 8601, such as 2026-11-23 or 2026-11-23T18:00:00Z"
        ) from None
    return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def dumped(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


def tell(*lines: str) -> None:
    """On standard output. What a body holds is shown as what it is: no sequence of it reaches the terminal."""
    sys.stdout.writelines(spelled(line) + "\n" for line in lines)


def say(line: str) -> None:
    sys.stderr.write(spelled(line) + "\n")
