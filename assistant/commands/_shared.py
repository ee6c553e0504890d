"""What every command does alike: options, errors as one line, a console, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from assistant.errors import PayopsError

Config = Annotated[Path | None, typer.Option("--config", help="payops.toml (default: ./payops.toml if there is one)")]
State = Annotated[Path | None, typer.Option("--state", help="directory of all state (default: .state)")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


T = TypeVar("T")
QUIET_S = 30.0
"""Where nobody watches (a file, a pipe), progress is a line at most this often."""

MODEL_FAILED = 4
"""Exit code: there is a note or an answer, from the evidence alone, because the configured model gave none."""


def group(help_text: str) -> typer.Typer:
    """A command with commands below it: plain help, which is quick to load, and our own errors."""
    return typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help=help_text,
    )


@contextmanager
def one_line() -> Iterator[None]:
    """Turn our errors into one line on standard error and their exit code; a stack trace is for bugs only."""
    from redaction import RedactionError

    try:
        yield
    except PayopsError as error:
        print(f"payops: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(error.exit_code) from None
    except RedactionError as error:
        print(f"payops: {error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None


def print_json(value: Any) -> None:
    """One JSON value on standard output, UTF-8, a line break at the end."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def watched(items: Iterable[T], name: str, *, total: int | None = None, done: int = 0) -> Iterator[T]:
    """Progress on standard error with the time left: a bar where people watch, else a line now and then. The first
    `done` items were made in an earlier run, and say nothing about the speed of this one."""
    if not sys.stderr.isatty():
        yield from _in_lines(items, name, total, done)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, completed=done)
        for number, item in enumerate(items, 1):
            if number > done:
                progress.advance(task)
            yield item


def _in_lines(items: Iterable[T], name: str, total: int | None, done: int) -> Iterator[T]:
    began = said = time.monotonic()
    lately: deque[float] = deque([began], maxlen=101)
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if number <= done:
            lately[-1] = now
            continue
        lately.append(now)
        if now - said >= QUIET_S:
            said = now
            sys.stderr.write(progress_line(name, number, total, now - began, lately) + "\n")
            sys.stderr.flush()


def progress_line(name: str, number: int, total: int | None, seconds: float, lately: deque[float]) -> str:
    """`lab: 120 of 1300 (9 %), 4 min, about 38 min left`, by the speed of the last hundred."""
    if total is None:
        return f"{name}: {number}, {seconds / 60:.0f} min"
    a_piece = (lately[-1] - lately[0]) / max(len(lately) - 1, 1)
    left = (total - number) * a_piece / 60
    return f"{name}: {number} of {total} ({number / total:.0%}), {seconds / 60:.0f} min, about {left:.0f} min left"
