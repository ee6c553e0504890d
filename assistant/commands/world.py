"""`payops world`: keep an incident as a redacted world."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from assistant.commands._shared import AsJson, Config, State, group, one_line, print_json

app = group("Keep an incident as a redacted world, for evaluation.")


@app.callback()
def _root() -> None:
    """Keep an incident as a redacted world, for evaluation."""


@app.command()
def record(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="an incident id, as in its note")],
    out: Annotated[Path, typer.Option("--out", help="a new folder")],
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Read an incident's evidence once more and keep it, redacted, in a folder that can be replayed."""
    from assistant.bootstrap import build_live
    from assistant.core.incident import IncidentId
    from assistant.errors import UsageError
    from assistant.incidents import Spans
    from assistant.notebook.database import open_database
    from assistant.serving import database_url
    from assistant.settings import load_settings
    from assistant.workflow.incidents import IncidentBook
    from assistant.workflow.investigator import HouseInvestigator
    from assistant.world_record import record as keep

    with one_line():
        settings = load_settings(config, state=state)
        house = build_live(settings)
        with closing(house.promptlog):
            database = open_database(database_url(settings), state=settings.state)
            snapshot = IncidentBook(database, scanner=house.scanner).snapshot(IncidentId(incident))
            if snapshot is None:
                raise UsageError(f"no incident {incident}", mend="payops log search --event note.post lists them")
            spans = Spans(lead=settings.workflow.lead_s, baseline=settings.workflow.baseline_s)
            found = HouseInvestigator(house, spans).incident(IncidentId(incident), snapshot.alerts)
            sources = house.sources(house.redactor.for_incident(incident))
            kept = keep(found, sources, out, scanner=house.scanner)
        if as_json:
            gaps = [{"source": g.source, "reason": g.reason} for g in kept.gaps]
            print_json({"folder": str(kept.folder), "series": kept.series, "lines": kept.lines, "gaps": gaps})
            return
        print(f"{kept.folder}: {kept.series} series, {kept.lines} lines")  # noqa: T201
        for gap in kept.gaps:
            print(f"left out: {gap.source}: {gap.reason}")  # noqa: T201
        print(f"replay it: payops triage --world {kept.folder}")  # noqa: T201
