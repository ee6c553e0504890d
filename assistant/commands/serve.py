"""`payops serve`, `off` and `on`: the assistant beside a team's stack, and the switch that stops it everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import Config, State, one_line

if TYPE_CHECKING:
    from assistant.settings import Settings


def serve(
    config: Config = None,
    state: State = None,
    notes: Annotated[Path | None, typer.Option(help="folder for notes as JSON files (default: STATE/notes)")] = None,
    terminal: Annotated[bool, typer.Option(help="show notes on standard output too")] = True,
    drain: Annotated[float, typer.Option(help="seconds that running work gets after SIGTERM")] = 25.0,
) -> None:
    """Run beside a team's stack: Alertmanager's webhook in, notes out. Stops in good order on SIGTERM."""
    with one_line():
        from assistant.guests import guests
        from assistant.live import Live

        settings = _settings(config, state)
        live = Live(settings, notes=notes or settings.state / "notes", terminal=terminal, guests=guests(settings))
        live.start()
        live.run_until_told(drain_s=drain)


def off(config: Config = None, state: State = None) -> None:
    """Stop model and posts on every replica at once; alerts are still received, and notes kept."""
    _turn(config, state, off=True)


def on(config: Config = None, state: State = None) -> None:
    """Resume model and posts; what was kept meanwhile is shown."""
    _turn(config, state, off=False)


def _turn(config: Path | None, state: Path | None, *, off: bool) -> None:
    with one_line():
        from assistant.settings import person
        from assistant.switching import turn

        missing = turn(_settings(config, state), off=off, by=person())
        word = "off" if off else "on"
        typer.echo(
            f"model and posts are switched {word}, recorded in the prompt log"
            if not missing
            else f"model and posts are switched {word}, WITHOUT a record: {missing}"
        )


def _settings(config: Path | None, state: Path | None) -> Settings:
    from assistant.settings import load_settings

    return load_settings(config, state=state)
