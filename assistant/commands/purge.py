"""`payops purge`: a leaked value out of every store, and back from where it was shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import AsJson, Config, State, one_line, print_json

if TYPE_CHECKING:
    from assistant.purging.purge import Report


def purge(
    config: Config = None,
    state: State = None,
    notes: Annotated[list[Path] | None, typer.Option(help="folder of notes outside the state (serve --notes)")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say where it is")] = False,
    json: AsJson = False,
) -> None:
    """Remove a leaked value from every store and from what was shown. Reads it from standard input, or asks for it
    without showing it. Switch off first (payops off). Exit 1 where it is still somewhere.
    """
    with one_line():
        from assistant.local_person import person
        from assistant.purging.purge import purge as purged
        from assistant.purging.value import value_of
        from assistant.settings import load_settings

        settings = load_settings(config, state=state)
        value = value_of(_asked())
        report = purged(settings, value, by=person(), notes=tuple(notes or ()), dry_run=dry_run)
        if json:
            print_json(report.as_json())
        else:
            _show(report)
        if not dry_run and not report.clean:
            raise typer.Exit(1)


def _asked() -> str:
    """Never an argument: those stand in process lists and histories."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("the value (not shown): ")
    return sys.stdin.read().rstrip("\r\n")


def _show(report: Report) -> None:
    from assistant.purging.purge import NOT_REACHED

    did = "holds" if report.dry_run else "held"
    typer.echo(f"a value of class {report.klass}" + (" (dry run: nothing is changed)" if report.dry_run else ""))
    for store in report.stores:
        if store.held or store.left:
            typer.echo(f"  {store.name}: {did} it in {store.held} places")
        for line in store.left:
            typer.echo(f"    still there: {line}")
    if not report.held:
        typer.echo("  no store holds it")
    for message in report.messages:
        will = "would be taken back" if report.dry_run else "is taken back by serve"
        typer.echo(f"  shown on {message.outlet} for {message.incident} ({message.ref}): {will}")
    if report.requests:
        typer.echo("requests to a model that carried it; ask the provider to delete them:")
    for r in report.requests:
        ids = "  ".join(filter(None, (r.ticket, r.answer))) or "no id given"
        typer.echo(f"  {r.time}  {r.provider}  {r.model}  {ids}  record {r.index} {r.record}")
    for line in report.trouble:
        typer.echo(f"not done: {line}", err=True)
    if not report.dry_run:
        gone = "gone from every store reached" if report.clean else f"STILL in {report.remaining} places"
        typer.echo(f"{gone}; records {', '.join(report.records) or 'none'}")
    typer.echo("not reached from here:")
    for line in NOT_REACHED:
        typer.echo(f"  {line}")
