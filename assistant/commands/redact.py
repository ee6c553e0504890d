"""`payops redact`: text in, redacted text out, for people and pipes. `payops redact learn`: a vocabulary."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from assistant.commands._shared import one_line
from assistant.errors import UsageError

if TYPE_CHECKING:
    from redaction import Redactor
    from redaction.stream import Piece

_READ = 1 << 16


class _TextUnlessNamed(TyperGroup):
    """`payops redact FILE` is `payops redact text FILE`; only `learn` has to be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in {"--help", "-h"}):
            args = ["text", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_TextUnlessNamed,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Remove card data, personal data and secrets: payops redact [FILE] [--spans] [--policy FILE].",
)
File = Annotated[Path | None, typer.Argument(metavar="[FILE]", help="default: standard input", show_default=False)]
Policy = Annotated[Path | None, typer.Option("--policy", help="a policy of your own (TOML)")]
Spans = Annotated[bool, typer.Option("--spans", help="print one JSON object a line: what was removed, and where")]


@app.command()
def text(file: File = None, spans: Spans = False, policy: Policy = None) -> None:
    """Redact FILE or standard input, line by line, to standard output. Follows `tail -f`."""
    with one_line():
        redactor = _redactor(policy)
        from redaction.stream import redact_stream

        out = sys.stdout.buffer
        for piece in redact_stream(redactor, _chunks(file, out.flush)):
            out.write(_spans_of(piece) if spans else piece.data)
        out.flush()


@app.command()
def learn(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="log files, UTF-8")],
    out: Annotated[Path | None, typer.Option("--out", help="where to write it (default: standard output)")] = None,
    least: Annotated[int, typer.Option("--least", min=2, help="distinct hours or traces a word must appear in")] = 20,
) -> None:
    """Build a vocabulary from your own logs: words seen in many distinct hours or traces. Nothing else is kept."""
    with one_line():
        from redaction.learn import Learner

        learner = Learner(least=least)
        for file in files:
            try:
                with file.open(encoding="utf-8", errors="replace") as lines:
                    learner.add(lines)
            except OSError as e:
                raise UsageError(f"{file}: cannot be read: {e.strerror}", mend="give log files that exist") from None
        _write(out, learner.vocabulary())
        print(_summary(learner.lines, learner.unplaced, len(learner)), file=sys.stderr)  # noqa: T201


def _summary(lines: int, unplaced: int, words: int) -> str:
    left = f"; {unplaced} had neither a time nor a trace id and were not counted" if unplaced else ""
    return f"payops: {words} words learnt from {lines} lines{left}"


def _write(out: Path | None, vocabulary: str) -> None:
    if out is None:
        sys.stdout.write(vocabulary)
        return
    try:
        out.write_text(vocabulary, encoding="utf-8")
    except OSError as e:
        raise UsageError(
            f"{out}: cannot be written: {e.strerror}", mend="give --out a place you may write to"
        ) from None


def _redactor(policy: Path | None) -> Redactor:
    from redaction import Redactor

    return Redactor.default() if policy is None else Redactor.from_policy(policy)


def _chunks(file: Path | None, before_waiting: Any) -> Iterator[bytes]:
    """What there is to read, as soon as it is there. What is ready is flushed before the next read may wait."""
    try:
        source = sys.stdin.buffer.fileno() if file is None else os.open(file, os.O_RDONLY)
    except OSError as e:
        raise UsageError(
            f"{file}: cannot be read: {e.strerror}", mend="give a file that exists, or pipe text in"
        ) from None
    try:
        while True:
            before_waiting()
            try:
                chunk = os.read(source, _READ)
            except OSError as e:
                raise UsageError(f"{file or 'standard input'}: cannot be read: {e.strerror}") from None
            if not chunk:
                return
            yield chunk
    finally:
        if file is not None:
            os.close(source)


def _spans_of(piece: Piece) -> bytes:
    spans = [
        {
            "class": s.klass,
            "start": s.start,
            "end": s.end,
            "replacement": s.replacement,
            **({"kind": s.kind} if s.kind else {}),
        }
        for s in piece.spans
    ]
    return (json.dumps({"line": piece.line, "spans": spans}, ensure_ascii=False) + "\n").encode("utf-8", "replace")
