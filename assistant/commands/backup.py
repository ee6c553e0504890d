"""`payops backup create|verify|restore`: the state kept elsewhere, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import AsJson, Config, State, one_line, print_json

if TYPE_CHECKING:
    from assistant.backup.state import Checked

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

Backup = Annotated[Path, typer.Argument(help="the directory or tar file that `create` made")]
Keys = Annotated[Path | None, typer.Option("--keys", help="folder with signing.key and body.key, if kept apart")]


@app.callback()
def backup() -> None:
    """The state kept elsewhere, and back."""


@app.command()
def create(
    out: Annotated[Path, typer.Option("--out", help="a new directory, or a name ending in .tar")],
    config: Config = None,
    state: State = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="put the log's keys in it: whoever holds it reads every body")
    ] = False,
    json: AsJson = False,
) -> None:
    """A consistent copy of the state, also while serve runs. Parts in PostgreSQL are named, with their command."""
    with one_line():
        from assistant.backup.state import create as made
        from assistant.backup.state import postgres_commands
        from assistant.local_person import person
        from assistant.settings import load_settings

        settings = load_settings(config, state=state)
        manifest = made(settings, out, by=person(), with_keys=with_keys)
        commands = postgres_commands(settings)
        if json:
            print_json({**manifest.as_json(), "also": list(commands)})
            return
        typer.echo(f"{out}: {len(manifest.files)} files, {manifest.log_size} records of the prompt log")
        if not with_keys:
            typer.echo("the log's keys are not in it: keep them apart, without the body key no body can be read")
        typer.echo("the runbook index is not in it: it is built again at the start")
        for line in commands:
            typer.echo(f"in PostgreSQL: {line}")


@app.command()
def verify(backup: Backup, config: Config = None, state: State = None, keys: Keys = None, json: AsJson = False) -> None:
    """Every hash, every database, the whole log; and how it stands beside the newest checkpoint held elsewhere. Exit 1
    on any doubt."""
    with one_line():
        from assistant.backup.state import check
        from assistant.settings import load_settings

        checked = check(load_settings(config, state=state), backup, keys=keys)
        _show(checked, as_json=json)
        if checked.doubts or checked.missing:
            raise typer.Exit(1)


@app.command()
def restore(
    backup: Backup,
    into: Annotated[Path, typer.Option("--into", help="the state directory to be; must hold no state")],
    config: Config = None,
    keys: Keys = None,
    behind: Annotated[
        bool, typer.Option("--behind", help="restore, to be read only, what lacks records of a checkpoint elsewhere")
    ] = False,
    json: AsJson = False,
) -> None:
    """Put a backup in place, after everything `verify` does. Refused where records under a checkpoint held elsewhere
    would be missing."""
    with one_line():
        from assistant.backup.state import restore as restored
        from assistant.local_person import person
        from assistant.settings import load_settings

        settings = replace(load_settings(config, state=into), state=into)
        checked, record = restored(settings, backup, by=person(), keys=keys, behind=behind)
        _show(checked, as_json=json, record=record)
        if checked.missing:
            typer.echo(f"{checked.missing} records are LOST: this log is to be read, not continued", err=True)


def _show(checked: Checked, *, as_json: bool, record: str | None = None) -> None:
    said = {
        "made": checked.manifest.made,
        "records": checked.records,
        "outside": checked.outside,
        "missing": checked.missing,
        "bodies_read": checked.bodies,
        "doubts": list(checked.doubts),
        "elsewhere": list(checked.manifest.elsewhere),
    }
    if record is not None:
        said["record"] = record
    if as_json:
        print_json(said)
        return
    typer.echo(f"made {said['made']}, {said['records']} records, bodies {'read' if checked.bodies else 'NOT read'}")
    covered = "no checkpoint held elsewhere is at hand" if checked.outside is None else f"{checked.outside} records"
    typer.echo(f"newest checkpoint held elsewhere: {covered}")
    for line in checked.doubts:
        typer.echo(f"in doubt: {line}")
    for name in checked.manifest.elsewhere:
        typer.echo(f"the {name} is in PostgreSQL and not in this backup")
    if record is not None:
        typer.echo(f"restored; record {record or 'none'}")
