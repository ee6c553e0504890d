"""Who else takes part in `payops serve`: Slack, the console, the look at our credentials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.settings import Settings

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from assistant.live import Live
    from assistant.workflow.loops import Task
    from assistant.workflow.outbox import Carrier


@dataclass(frozen=True, slots=True)
class Guest:
    """Another room that takes part in `serve` (Slack, the console). Each function is given the `Live` service.

    `carriers` are outlets behind the outbox and are made before the service (use `house`, `settings`, `metrics` of
    what is given); `before` may refuse the start by raising; `console_routes` go to the people's listener,
    `webhook_routes` to the machines'; `start` and `stop` come after and before everything else; `health` names what
    is wrong, "" is well.
    """

    name: str
    carriers: Callable[[Live], Sequence[Carrier]] = lambda live: ()
    tasks: Callable[[Live], Sequence[Task]] = lambda live: ()
    console_routes: Callable[[Live], Sequence[BaseRoute]] = lambda live: ()
    webhook_routes: Callable[[Live], Sequence[BaseRoute]] = lambda live: ()
    before: Callable[[Live], None] = lambda live: None
    start: Callable[[Live], None] = lambda live: None
    stop: Callable[[Live], None] = lambda live: None
    health: Callable[[Live], str] = lambda live: ""


def guests(settings: Settings) -> tuple[Guest, ...]:
    """The rooms that these settings ask for. A room adds itself here, imported where it is used."""
    from assistant.attesting import attesting, wanted
    from assistant.web.guest import console

    made = [console(), *([attesting()] if wanted(settings) else [])]
    if settings.slack.bot_token():
        from assistant.slack.guest import slack

        made.append(slack())
    return tuple(made)
