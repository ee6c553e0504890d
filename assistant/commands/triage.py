"""`payops triage` and `payops demo`: alerts in, note out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import MODEL_FAILED, AsJson, Config, State, one_line, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from assistant.core.alert import Alert, Rule
    from assistant.core.note import Note
    from assistant.house import House
    from assistant.ports import AlertSource, RunbookIndex
    from assistant.settings import Settings

DEMO_WORLD = Path(__file__).resolve().parents[2] / "evals" / "worlds" / "first"


def triage(
    alerts: Annotated[Path | None, typer.Option(help="alerts as Alertmanager answers or posts them (JSON)")] = None,
    world: Annotated[Path | None, typer.Option(help="a recorded world")] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Alerts in, note out. With --world from a recording, with --alerts from the servers of payops.toml. Exit 4
    where the configured model failed: the note is there, from the evidence alone."""
    from assistant.errors import UsageError

    with one_line():
        if (alerts is None) == (world is None):
            raise UsageError("give either --alerts FILE or --world DIR", mend="payops triage --help shows both")
        settings = _settings(config, state)
        note = note_of_world(world, settings, as_json) if world else _of_alerts(alerts, settings, as_json)  # type: ignore[arg-type]
        _print(note, as_json)
        if settings.model.url and note.model is None:
            raise typer.Exit(MODEL_FAILED)


def demo(
    world: Annotated[Path, typer.Argument(help="a recorded world")] = DEMO_WORLD,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="open it in the web console, on loopback, until stopped")
    ] = False,
    port: Annotated[int, typer.Option(help="port of the console; 0 takes any that is free")] = 8787,
) -> None:
    """Turn a recorded payment incident into a note. No account, key or server; nothing leaves this machine."""
    with one_line():
        settings = _settings(config, state)
        if serve:
            _serve(world, settings, port)
            return
        note = note_of_world(world, settings, as_json)
        _print(note, as_json)
        if not as_json:
            _next(settings)


def _serve(world: Path, settings: Settings, port: int) -> None:
    """The console over the recorded incident, until Ctrl-C or SIGTERM."""
    from assistant.showing import LATER_S, Showing

    with telling(False) as tell:
        showing = Showing(world, settings, port=port, tell=tell)
        showing.start()
    console = _console()
    console.print(f"open   {showing.link()}", soft_wrap=True)
    for line in (
        "then   click the incident and point at a sentence: its evidence, query and chart light up; ? lists the keys",
        f"watch  in {LATER_S:.0f} s the note is written anew, and the page changes by itself",
        "audit  Records, any record, Step by step: your browser computes the proof; Review, Screen now, Take the next",
        "stop   Ctrl-C",
    ):
        console.print(line, style="dim", soft_wrap=True)
    showing.finish_later()
    showing.live.run_until_told(drain_s=5.0)


def _settings(config: Path | None, state: Path | None) -> Settings:
    from assistant.settings import load_settings

    return load_settings(config, state=state)


def note_of_world(path: Path, settings: Settings, quiet: bool = True, *, runbooks: RunbookIndex | None = None) -> Note:
    """The note of a world; around an index that is open already where one is given. WorldError where there is none."""
    from assistant.bootstrap import open_world
    from assistant.errors import SourceError, WorldError

    with telling(quiet) as tell:
        tell("opening the world")
        house, source = open_world(path, settings, runbooks=runbooks)
        with closing(house.promptlog):
            try:
                found = source.alerts()
            except SourceError as error:
                raise WorldError(f"{path}: no alerts to look into: {error.message}", mend="add alerts.json") from None
            return _note(found, source, house, tell)


def _of_alerts(path: Path, settings: Settings, quiet: bool) -> Note:
    from assistant.bootstrap import build_live
    from assistant.errors import AlertError
    from assistant.sources.alertmanager import parse_alerts

    with telling(quiet) as tell:
        tell("reading the alerts")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise AlertError(f"{path}: {error.strerror}", mend="check the path") from None
        house = build_live(settings, actor="cli")
        with closing(house.promptlog):
            found = parse_alerts(data, house.redactor)
            if not found:
                raise AlertError(f"{path}: holds no alert", mend="give what Alertmanager answers or posts")
            return _note(found, house.sources(house.redactor).alerts, house, tell)


def _note(found: Sequence[Alert], source: AlertSource, house: House, tell: Callable[[str], None]) -> Note:
    """The note of the worst that goes on among `found`; rules that cannot be read are a gap of the note."""
    from dataclasses import replace

    from assistant.core.evidence import Gap
    from assistant.errors import SourceError
    from assistant.incidents import incident_of, together
    from assistant.investigate import investigate
    from assistant.records import received

    rules: tuple[Rule, ...] = ()
    gaps: tuple[Gap, ...] = ()
    try:
        rules = source.rules()
    except SourceError as error:
        gaps = (Gap(error.source, error.message),)
    incident = incident_of(together(found, rules), rules, now=house.clock.now())
    received(incident, house)
    note = investigate(incident, house, tell=tell)
    return replace(note, gaps=(*gaps, *(g for g in note.gaps if g not in gaps)))


@contextmanager
def telling(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Progress on standard error: a spinner with the stage for people, nothing for machines."""
    if quiet:
        yield lambda stage: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") as status:
        yield lambda stage: status.update(stage)


def _print(note: Note, as_json: bool) -> None:
    if as_json:
        from assistant.core.note_json import note_to_json

        print_json(note_to_json(note))
        return
    from assistant.render.terminal import show

    show(note, _console())


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _next(settings: Settings) -> None:
    state = f" --state {settings.state}" if str(settings.state) != ".state" else ""
    here = Path.cwd()
    world = DEMO_WORLD.relative_to(here) if DEMO_WORLD.is_relative_to(here) else DEMO_WORLD
    for command, about in (
        (f"payops log search --event note.post{state}", "the record behind this note"),
        (f"payops log verify{state}", "check the whole log"),
        (f"payops demo --serve{state}", "the web console (make console): click the incident, point at a sentence"),
        (f'payops ask "why do Visa payments fail?" --world {world}{state}', "ask about it"),
    ):
        _console().print(f"{command:<72} {about}", style="dim", soft_wrap=True)
