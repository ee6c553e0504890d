"""`payops runbooks`: index, search, lint and begin runbooks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._shared import AsJson, Config, State, group, one_line, print_json

if TYPE_CHECKING:
    from assistant.core.runbook import Passage
    from assistant.runbook_index.lint import Problem
    from assistant.settings import Settings

# ruff: noqa: T201
app = group("Index, search, lint and begin runbooks.")
Corpus = Annotated[
    list[Path] | None, typer.Option("--corpus", help="folder of runbooks; may be given again (default: as configured)")
]


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="an alert's words, or a question")],
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="how many runbooks")] = 5,
    corpus: Corpus = None,
    lexical: Annotated[
        bool, typer.Option("--lexical", help="words only, even where the embedder is installed")
    ] = False,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """The runbooks nearest to QUERY, and whether one fits."""
    from assistant.runbook_index.open import open_in_process
    from assistant.runbook_index.ranking import FITS
    from assistant.settings import load_settings, quiet_telemetry

    quiet_telemetry()
    with one_line():
        settings = load_settings(config, state=state)
        dirs, git = _folders(settings, corpus)
        index = open_in_process(
            dirs=dirs, git=git, state=settings.state, redactor=_redactor(settings), weights_dir=_weights(settings),
            dense=settings.runbooks.dense and not lexical,
        )  # fmt: skip
        passages, sure = index.search(query, k)
    for warning in index.warnings:
        print(f"payops: {warning}", file=sys.stderr)
    if as_json:
        print_json({"fits": sure >= FITS, "score": round(sure, 4), "results": [_as_json(p) for p in passages]})
        return
    if sure < FITS:
        print(
            f"no runbook fits (best score {sure:.2f}, needed {FITS:.2f}); the nearest:" if passages else "no runbooks"
        )
    for n, p in enumerate(passages, 1):
        print(f"{n}. {p.title}  [{p.score:.2f}]  {p.path}\n   {p.heading}: {p.reason}")


@app.command(name="index")
def build(
    corpus: Corpus = None,
    url: Annotated[str, typer.Option("--url", help="Chroma server (default: as configured, else embedded)")] = "",
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Bring the stored index up to date; only changed files are embedded again. Not while `payops serve` runs on the
    same embedded store: one process at a time, a second one is refused."""
    from assistant.runbook_index.open import open_index
    from assistant.settings import load_settings, quiet_telemetry

    quiet_telemetry()
    with one_line():
        settings = load_settings(config, state=state)
        dirs, git = _folders(settings, corpus)
        index = open_index(
            dirs=dirs, git=git, state=settings.state, redactor=_redactor(settings), url=url or settings.runbooks.url,
            weights_dir=_weights(settings), dense=True,
        )  # fmt: skip
        found = {
            "runbooks": len(index.library.runbooks),
            "skipped": [{"path": s.path, "reason": s.reason} for s in index.library.skipped],
            "version": index.library.version,
            "warnings": list(index.warnings),
        }
        index.close()
    if as_json:
        print_json(found)
        return
    print(f"{found['runbooks']} runbooks, version {index.library.version[:12]}")
    for left_out in index.library.skipped:
        print(f"left out {left_out.path}: {left_out.reason}")
    for warning in index.warnings:
        print(f"payops: {warning}", file=sys.stderr)


@app.command()
def lint(
    folders: Annotated[list[Path] | None, typer.Argument(help="folders (default: as configured)")] = None,
    max_age: Annotated[int, typer.Option("--max-age", min=1, help="days since `reviewed`")] = 365,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check front matter, headings, queries, links, review age, marked commands and card data. Exit 1 on a problem."""
    import datetime as dt

    from assistant.runbook_index.folders import read_folder
    from assistant.runbook_index.lint import lint as problems_of
    from assistant.settings import load_settings

    problems: list[Problem] = []
    files = 0
    with one_line():
        settings = load_settings(config)
        redactor, today = _redactor(settings), dt.datetime.now(dt.UTC).date()
        for folder in folders or _folders(settings, None)[0]:
            found = list(read_folder(folder))
            files += len(found)
            problems += problems_of(found, folder=folder, today=today, redactor=redactor, max_age_days=max_age)
    if as_json:
        print_json([{"path": p.path, "line": p.line, "rule": p.rule, "message": p.message} for p in problems])
    else:
        for p in problems:
            print(f"{p.path}:{p.line}: {p.rule}: {p.message}")
        print(f"{files} files, {len(problems)} problems" if files else "no runbooks in the folders")
    if problems or not files:
        raise typer.Exit(1)


@app.command()
def new(
    alert: Annotated[str, typer.Argument(help="the alert's name, exactly as in the rule")],
    out: Annotated[Path, typer.Option("--out", help="your runbook folder")],
    service: Annotated[str, typer.Option("--service", help="the service it is about")] = "payments-api",
    owner: Annotated[str, typer.Option("--owner", help="the team that keeps it")] = "payments-oncall",
    like: Annotated[str, typer.Option("--like", help="begin with the shipped runbook of this alert")] = "",
) -> None:
    """Begin a runbook: the form with what belongs where, or a copy of a shipped one to make your own."""
    import datetime as dt

    from assistant.errors import UsageError
    from assistant.runbook_index.new import copied, skeleton

    today, path = dt.datetime.now(dt.UTC).date(), out / service / f"{alert}.md"
    with one_line():
        if like:
            text = copied(_shipped(like), alert, service=service, owner=owner, today=today)
        else:
            text = skeleton(alert, service=service, owner=owner, today=today)
        if path.exists():
            raise UsageError(f"{path} is there already", mend="edit it, or give another --out")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", mend="give a folder that can be written") from None
    print(f"{path}\npayops runbooks lint {out}     what is still to be written")


def _shipped(alert: str) -> str:
    from assistant.bootstrap import SHIPPED_RUNBOOKS
    from assistant.errors import UsageError

    found = [p for p in SHIPPED_RUNBOOKS.glob("*/*.md") if p.stem.lower() == alert.lower()]
    if not found:
        raise UsageError(f'no shipped runbook is for "{alert}"', mend='payops runbooks search "WORDS" finds one')
    return found[0].read_text(encoding="utf-8")


def _folders(settings: Settings, corpus: list[Path] | None) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Folders and Git specs: those given, else those configured with the shipped ones last."""
    from assistant.bootstrap import runbook_dirs

    if corpus:
        return tuple(corpus), ()
    return runbook_dirs(settings), settings.runbooks.git


def _redactor(settings: Settings) -> Any:
    from assistant.bootstrap import redactor_of

    return redactor_of(settings)


def _weights(settings: Settings) -> Path | None:
    return Path(settings.runbooks.weights_dir) if settings.runbooks.weights_dir else None


def _as_json(p: Passage) -> dict[str, Any]:
    return {
        "id": p.id,
        "title": p.title,
        "path": p.path,
        "heading": p.heading,
        "score": p.score,
        "reason": p.reason,
        "text": p.text.text,
    }
