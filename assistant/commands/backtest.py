"""`payops backtest`: a team's own past, replayed; nothing is posted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._shared import AsJson, Config, State, one_line, print_json, watched

if TYPE_CHECKING:
    from assistant.backtest import Keep
    from assistant.core.incident import Incident
    from assistant.house import Sources
    from redaction import FinalScanner

# ruff: noqa: T201


def backtest(
    days: Annotated[int, typer.Option("--days", help="how far back")] = 30,
    limit: Annotated[int, typer.Option("--limit", help="at most so many incidents")] = 500,
    worlds: Annotated[
        Path | None, typer.Option("--worlds", help="a new folder: keep each incident as a redacted world")
    ] = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Replay past alerts of your own: notes per incident, what each would have said and cost. Posts nothing."""
    from contextlib import closing

    from assistant.backtest import as_json as row
    from assistant.backtest import kept_nowhere, replay
    from assistant.bootstrap import build_live
    from assistant.errors import UsageError
    from assistant.incidents import Spans
    from assistant.settings import load_settings

    with one_line():
        if days < 1:
            raise UsageError("--days must be at least 1", mend="give a number of days")
        settings = load_settings(config, state=state)
        if not settings.prometheus.url:
            raise UsageError("a backtest needs a Prometheus", mend='set [prometheus] url = "…" in payops.toml')
        house = build_live(settings, actor="backtest")
        spans = Spans(lead=settings.workflow.lead_s, baseline=settings.workflow.baseline_s)
        price = settings.model.price_in
        with closing(house.promptlog):
            keep = _keeper(worlds, house.scanner) if worlds else kept_nowhere
            found = replay(house, days=days, spans=spans, limit=limit, keep=keep)
            rows: list[Mapping[str, Any]] = list(watched((row(r, price_in=price) for r in found), "past incidents"))
        if as_json:
            print_json(_totals(rows, days))
            return
        for r in rows:
            print(f"{r['at']}  {r['verdict']:<13} {r['title']}  ({', '.join(r['alerts'][:3])})")
        print(_in_words(_totals(rows, days), settings.model.currency))
        if worlds:
            print(f"kept in {worlds}: answers beside it, then payops eval run lab --data {worlds} --answers DIR")


def _keeper(worlds: Path, scanner: FinalScanner) -> Keep:
    """Each incident in a folder named by its moment, which is refused where there is one already."""
    from assistant.core.time import iso
    from assistant.errors import WorldError
    from assistant.world_record import record

    if worlds.exists() and any(worlds.iterdir()):
        raise WorldError(f"{worlds} is not empty", mend="give a new folder to --worlds")

    def keep(incident: Incident, sources: Sources) -> str:
        name = f"{iso(incident.window.end).replace(':', '')}-{incident.id}"
        kept = record(incident, sources, worlds / name, scanner=scanner)
        for gap in kept.gaps:
            sys.stderr.write(f"{name}: left out: {gap.source}: {gap.reason}\n")
        return name

    return keep


def _totals(rows: list[Mapping[str, Any]], days: int) -> dict[str, Any]:
    verdicts = {v: sum(r["verdict"] == v for r in rows) for v in ("confirmed", "likely", "inconclusive", "none")}
    return {
        "days": days,
        "incidents": len(rows),
        "notes_a_day": round(len(rows) / days, 2),
        "verdicts": verdicts,
        "nothing_wrong": sum(r["status"] == "nothing wrong now" for r in rows),
        "tokens": sum(r["tokens"] for r in rows),
        "cost": round(sum(r["cost"] for r in rows), 2),
        "notes": rows,
    }


def _in_words(totals: Mapping[str, Any], currency: str) -> str:
    said = ", ".join(f"{n} {v}" for v, n in totals["verdicts"].items() if n)
    return (
        f"{totals['incidents']} incidents in {totals['days']} days ({totals['notes_a_day']} a day): {said or 'none'}; "
        f"{totals['nothing_wrong']} with nothing wrong; a model would have read about {totals['tokens']:,} tokens, "
        f"{totals['cost']} {currency}"
    )
