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
    check: Annotated[bool, typer.Option("--check", help="only say what would keep it from starting")] = False,
) -> None:
    """Run beside a team's stack: Alertmanager's webhook in, notes out. Stops in good order on SIGTERM, reads its
    configuration again on SIGHUP (payops reload). What is wrong is said all at once.
    """
    with one_line():
        from assistant.guests import guests
        from assistant.live import Live

        settings = _sound(config, state)
        if check:
            typer.echo("nothing keeps payops serve from starting")
            return
        live = Live(settings, notes=notes or settings.state / "notes", terminal=terminal, guests=guests(settings))
        live.start()
        live.run_until_told(drain_s=drain)


def _sound(config: Path | None, state: Path | None) -> Settings:
    """The settings, if nothing is wrong; else one screen that says everything that is."""
    from assistant.preflight import preflight
    from assistant.settings import load_settings, quiet_telemetry

    quiet_telemetry()
    settings, look = preflight(lambda: load_settings(config, state=state))
    if settings is None or look.found:
        typer.echo(look.screen(), err=True)
        raise typer.Exit(look.exit_code)
    return settings


def reload(state: State = None) -> None:
    """Have the running serve of this state read its configuration again. What cannot change while it runs is said in
    its log; both states of the configuration stand in the prompt log by their hashes.
    """
    with one_line():
        from assistant.reloading import ask_to_reload
        from assistant.settings import load_settings

        typer.echo(f"process {ask_to_reload(load_settings(None, state=state).state)} reads its configuration again")


def off(config: Config = None, state: State = None) -> None:
    """Stop model and posts on every replica at once; alerts are still received, and notes kept."""
    _turn(config, state, off=True)


def on(config: Config = None, state: State = None) -> None:
    """Resume model and posts; what was kept meanwhile is shown."""
    _turn(config, state, off=False)


def _turn(config: Path | None, state: Path | None, *, off: bool) -> None:
    with one_line():
        from assistant.local_person import person
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
