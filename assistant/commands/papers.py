"""`payops paper` and `payops feedback`: what people hand on about an incident, and what they say of a note."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._shared import MODEL_FAILED, AsJson, Config, State, group, one_line, print_json

if TYPE_CHECKING:
    from assistant.house import House
    from assistant.papers import Notes
    from assistant.settings import Settings

feedback = group("Say what a note was worth; take what people said as an evaluation set.")
JUDGEMENTS = ("useful", "not_useful", "wrong", "confidently_wrong")
Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="id at the head of a note, such as inc-7kf3ma")]
Out = Annotated[Path | None, typer.Option("--out", help="file to write; standard output without")]


def paper(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="handover, post-incident or update")],
    incident: Incident,
    out: Out = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """A handover, post-incident draft or stakeholder update, as Markdown, from an incident's latest note. Exit 4 where
    the configured model failed and the note's own prose stands."""
    from dataclasses import asdict

    from assistant.local_person import person
    from assistant.papers import paper as write

    with one_line(), _desk(config, state) as (house, notes, off):
        asked = house.model_state()["model_configured"] and not off
        made = write(_kind(kind), incident, notes=notes, house=house, person=f"os:{person()}", without_model=off)
        if as_json:
            print_json(asdict(made))
        else:
            _put(made.text, out)
        if made.record is None:
            sys.stderr.write(f"payops: without a record: {made.record_missing}\n")
        if asked and made.model is None:
            raise typer.Exit(MODEL_FAILED)


@feedback.command()
def give(
    incident: Incident,
    judgement: Annotated[str, typer.Argument(metavar="JUDGEMENT", help=", ".join(JUDGEMENTS))],
    words: Annotated[str, typer.Option(help="why, in your words; card data in them is removed")] = "",
    cause: Annotated[str, typer.Option(help="what the cause really was")] = "",
    config: Config = None,
    state: State = None,
) -> None:
    """Say of an incident's latest note whether it was useful; kept with its record."""
    from assistant.errors import UsageError
    from assistant.local_person import person
    from assistant.papers import judge

    with one_line():
        said: Any = judgement.replace("-", "_")
        if said not in JUDGEMENTS:
            raise UsageError("no such judgement", mend=f"there are: {', '.join(JUDGEMENTS)}")
        with _desk(config, state) as (house, notes, _):
            who = f"os:{person()}"
            kept = judge(incident, said, notes=notes, house=house, person=who, words=words, right_cause=cause)
            typer.echo(f"kept as record {kept.index}")


@feedback.command()
def export(out: Out = None, config: Config = None, state: State = None) -> None:
    """Everything people said, one JSON object a line: the note as shown, its requests, the judgement, the right cause.

    Reading it is itself a record."""
    from assistant.commands._log import reader
    from assistant.drafting.feedback import export as cases
    from assistant.drafting.feedback import write_set
    from assistant.promptlog.search import Search

    with reader(config, state) as auditor:
        auditor.search(Search(events=("feedback",)), limit=1)
        if out is None:
            write_set(cases(auditor.log), sys.stdout.write)
            return
        with _writable(out) as write:
            count = write_set(cases(auditor.log), write)
        typer.echo(f"{out}: {count} cases")


@contextmanager
def _desk(config: Path | None, state: Path | None) -> Iterator[tuple[House, Notes, str]]:
    """A house, where notes are kept, and why no model may be asked ("" where one may)."""
    from assistant.bootstrap import build_live
    from assistant.commands._log import settings_of
    from assistant.papers import FirstOf, LoggedNotes

    settings = settings_of(config, state)
    kept, off = _notebook(settings)
    house = build_live(settings, actor="cli")
    with closing(house.promptlog):
        logged = LoggedNotes(house.promptlog)  # type: ignore[arg-type]
        yield house, FirstOf((*kept, logged)), off


def _notebook(settings: Settings) -> tuple[tuple[Notes, ...], str]:
    """The notebook of `payops serve`, if there is one, and what its switch says."""
    from assistant.notebook.database import open_database
    from assistant.notebook.notes import NoteBook
    from assistant.serving import database_url
    from assistant.workflow.service import ALL_TABLES
    from assistant.workflow.switch import Switch
    from redaction import FinalScanner

    url = database_url(settings)
    if not url and not (settings.state / "live.sqlite").exists():
        return (), ""
    database = open_database(url, state=settings.state)
    database.prepare(*ALL_TABLES)
    off = "model and posts are switched off (payops off)" if Switch(database).off else ""
    return (NoteBook(database, scanner=FinalScanner()),), off


def _kind(word: str) -> Any:
    """`post-incident` for people, `post_incident` for code; `update` for short."""
    plain = word.replace("-", "_").lower()
    return {"update": "stakeholder_update", "review": "post_incident"}.get(plain, plain)


def _put(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    with _writable(out) as write:
        write(text)
    typer.echo(str(out))


@contextmanager
def _writable(out: Path) -> Iterator[Any]:
    from assistant.errors import UsageError

    try:
        with out.open("w", encoding="utf-8") as file:
            yield file.write
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", mend="give --out a file that can be written") from None
