"""What every command does alike: options, errors as one line, a console, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.errors import PayopsError

Config = Annotated[Path | None, typer.Option("--config", help="payops.toml (default: ./payops.toml if there is one)")]
State = Annotated[Path | None, typer.Option("--state", help="directory of all state (default: .state)")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


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
