"""`payops analyse`: what the statistics say about a world, hypotheses ranked; no model, no runbooks, no log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._shared import AsJson, Config, one_line, print_json

if TYPE_CHECKING:
    from assistant.analysis import Analysis
    from assistant.core.observations import Observations
    from assistant.settings import Settings

# ruff: noqa: T201


def analyse(
    world: Annotated[Path, typer.Option("--world", help="folder of a recorded world")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Hypotheses ranked, with what speaks for and against each."""
    from assistant.analysis import analyse as think
    from assistant.settings import load_settings

    with one_line():
        seen = observe(world, load_settings(config))
        analysis = think(seen)
        if as_json:
            print_json(as_json_value(analysis, seen))
        else:
            _print(analysis)


def observe(world: Path, settings: Settings) -> Observations:
    """Everything a world shows of its worst incident. WorldError names what is wrong with the folder."""
    from assistant.bootstrap import overrides_of, redactor_of
    from assistant.collect import collect
    from assistant.house import Overrides, Sources
    from assistant.incidents import incident_of, together
    from assistant.sources.promql_parse import metrics_of
    from assistant.sources.world import WorldSource

    source = WorldSource.open(world, redactor_of(settings))
    alerts, rules = source.alerts(), source.rules()
    incident = incident_of(together(alerts, rules), rules, now=source.now())
    told, said = source.payments, overrides_of(settings)
    overrides = Overrides(
        metrics={**told.metrics, **said.metrics},
        labels={**told.labels, **said.labels},
        fields={**told.fields, **said.fields},
        approved=said.approved or told.approved,
        log_labels=said.log_labels,
    )
    return collect(incident, Sources(source, source, source, source), selects=metrics_of, overrides=overrides)


def as_json_value(analysis: Analysis, seen: Observations) -> dict[str, Any]:
    """The analysis as JSON: findings and hypotheses in the words of a note's `--json`."""
    from assistant.core.time import iso

    findings = analysis.findings
    onset, impact = findings.onset, findings.impact
    return {
        "incident_id": seen.incident.id,
        "status": analysis.status,
        "severity": analysis.severity,
        "title": analysis.title,
        "health": findings.health,
        "onset": {"at": iso(onset.at), "t": onset.at, "earliest": iso(onset.earliest), "latest": iso(onset.latest),
            "series": onset.series} if onset else None,
        "hypotheses": [
            {
                "entity": h.entity, "dimension": h.dimension, "kind": h.kind, "cause": h.cause, "class": h.verdict,
                "confidence": h.confidence, "change": h.change or None, "fault": h.fault,
                "evidence": [{"text": r.text, "ids": list(r.evidence)} for r in h.supports],
                "against": [{"text": r.text, "ids": list(r.evidence)} for r in h.against],
                "would_settle": h.would_settle,
            }
            for h in analysis.hypotheses
        ],
        "impact": {
            "from": iso(impact.window.start), "to": iso(impact.window.end), "attempts": round(impact.attempts),
                "lost": round(impact.lost),
            "usual_rate": _rounded(impact.usual_rate), "seen_rate": _rounded(impact.seen_rate),
                "amounts": dict(impact.amounts),
            "by": {k: dict(v) for k, v in impact.by.items()}, "formula": impact.formula,
                "not_counted": list(impact.not_counted),
        } if impact else None,
        "dimensions": [{"labels": dict(d.labels), "share": _rounded(d.share), "surprise": _rounded(d.surprise),
            "usual": _rounded(d.usual), "seen": _rounded(d.seen)} for d in findings.dimensions],
        "shifts": [{"evidence": s.evidence, "what": s.what, "entity": s.entity, "labels": dict(s.labels),
            "usual": _rounded(s.usual), "seen": _rounded(s.seen), "unit": s.unit, "score": s.score,
                "onset": iso(s.onset) if s.onset is not None else None} for s in findings.shifts],
        "patterns": [{"evidence": p.evidence, "service": p.service, "template": p.template, "count": p.count,
            "usual": _rounded(p.usual), "new": p.new, "kind": p.kind,
                "first_seen": iso(p.first_seen)} for p in findings.patterns],
        "changes": [{"id": c.change_id, "service": c.service, "score": c.score, "reasons": list(c.reasons),
            "against": list(c.against)} for c in findings.changes],
        "not_known": list(analysis.not_known),
        "gaps": [{"source": g.source, "reason": g.reason} for g in seen.gaps],
        "evidence": [{"id": k, "text": text} for k, (text, _) in analysis.evidence_texts.items()],
    }  # fmt: skip


def _rounded(x: float) -> float | None:
    return round(x, 6) if x == x else None


def _print(analysis: Analysis) -> None:
    """The same for a terminal, with the charts as sparklines."""
    from assistant.analysis.charts import sparkline
    from assistant.analysis.say import impact_line, number

    print(analysis.title)
    for h in analysis.hypotheses:
        print(f"\n{h.verdict} ({100 * h.confidence:.0f} %): {h.cause}")
        for reason in h.supports:
            print(f"  + {reason.text} [{', '.join(reason.evidence)}]")
        for reason in h.against:
            print(f"  - {reason.text} [{', '.join(reason.evidence)}]")
    if analysis.findings.impact:
        print(f"\n{impact_line(analysis.findings.impact)}")
    for chart in analysis.findings.charts:
        print(f"\n{chart.title} [{chart.evidence}]")
        for legend, values in chart.series.items():
            known = values[values == values]
            span = (
                f"{number(float(known.min()), chart.unit)} .. {number(float(known.max()), chart.unit)}"
                if len(known)
                else ""
            )
            print(f"  {sparkline(values)}  {legend} {span}")
    for line in analysis.not_known:
        print(f"not known: {line}")
