"""`payops eval`: predict, score, compare and gate."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.commands._shared import AsJson, one_line, print_json

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Predict, score, compare and gate.",
)
Data = Annotated[
    Path | None, typer.Option("--data", help="folder of the set; default: the public part beside the checkout")
]
SetName = Annotated[str, typer.Argument(metavar="SET", help="payops eval sets lists them")]


@app.command()
def sets(as_json: AsJson = False) -> None:
    """The evaluation sets there are."""
    from evals.registry import SETS

    if as_json:
        print_json(dict(SETS))
        return
    for name, about in SETS.items():
        print(f"{name:<12} {about}")  # noqa: T201


@app.command()
def predict(name: SetName, data: Data = None, as_json: AsJson = False) -> None:
    """Predictions only, one JSON object a case; never opens an answer."""
    from assistant.errors import UsageError
    from evals.registry import data_dir, load, predictions

    with one_line():
        load(name)
        folder = data_dir(name, data)
        if folder is None:
            raise UsageError(f'set "{name}" needs its data', mend="give the folder of the set to --data")
        for prediction in _watched(predictions(name, folder), name):
            sys.stdout.write(json.dumps(prediction, ensure_ascii=False, default=str) + "\n")
            sys.stdout.flush()


@app.command()
def run(name: SetName, data: Data = None, as_json: AsJson = False) -> None:
    """Predict and score, or measure: figures beside their floors and targets, failures listed."""
    from evals.registry import data_dir, report

    with one_line():
        result = report(name, data_dir(name, data))
        if as_json:
            print_json(result)
        else:
            _show(result)


def _watched(items: Iterable[Mapping[str, Any]], name: str) -> Iterable[Mapping[str, Any]]:
    """A progress bar on standard error where people watch."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=None)
        for item in items:
            progress.advance(task)
            yield item


def _show(result: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(title=f"{result['set']}: {len(result['cases'])} cases", title_justify="left")
    for column in ("figure", "value", "floor", "target"):
        table.add_column(column)
    for name, value in result["figures"].items():
        row = (name, value, result["floors"].get(name, ""), result["targets"].get(name, ""))
        table.add_row(*(Text(f"{v:.4g}" if isinstance(v, float) else str(v)) for v in row))
    console.print(table)
    for failure in result["failures"]:
        console.print(Text(f"missed: {json.dumps(failure, ensure_ascii=False, default=str)[:400]}"))
