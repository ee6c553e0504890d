"""`payops ask`: a question, answered with evidence, or an honest "I can't tell"."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import MODEL_FAILED, AsJson, Config, State, one_line, print_json

if TYPE_CHECKING:
    from assistant.house import House
    from assistant.settings import Settings


def ask(
    question: Annotated[str, typer.Argument(help="in your own words; card data in it is removed before anything")],
    world: Annotated[Path | None, typer.Option("--world", help="a recorded world instead of the servers")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="show what was looked at")] = False,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Ask about metrics, logs, alerts and changes. Exit 3 where it cannot be told from what can be read, 4 where the
    configured model failed and the evidence answered."""
    from assistant.ask import answer_to_json
    from assistant.ask import ask as line
    from assistant.commands.triage import telling
    from assistant.drafting.lean import lean
    from assistant.drafting.model import load_beside
    from assistant.errors import UsageError
    from assistant.local_person import person
    from assistant.settings import load_settings

    with one_line(), lean():
        if not question.strip():
            raise UsageError("the question is empty", mend='ask something: payops ask "why do Visa payments fail?"')
        settings = load_settings(config, state=state)
        with telling(as_json) as tell:
            tell("opening")
            house = _house(world, settings)
            if settings.model.url:
                load_beside()
            with closing(house.promptlog):
                answer, record = line(question, house, asker=f"os:{person()}", tell=tell)
        if as_json:
            print_json(answer_to_json(answer, record))
        else:
            from rich.console import Console

            from assistant.render.answer import show_answer

            show_answer(answer, record, Console(highlight=False), trace=trace)
        if not answer.answered:
            raise typer.Exit(3)
        if settings.model.url and answer.model is None:
            raise typer.Exit(MODEL_FAILED)


def _house(world: Path | None, settings: Settings) -> House:
    from assistant.bootstrap import build_live, open_world

    return open_world(world, settings)[0] if world else build_live(settings, actor="cli")
