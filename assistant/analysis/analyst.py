"""The analyst: observations in, findings and ranked hypotheses out. Pure; asks nobody, reads no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assistant.analysis.begins import begun
from assistant.analysis.candidates import Material, tallies_of
from assistant.analysis.changes import Symptom, telling, weigh
from assistant.analysis.charts import charts_of
from assistant.analysis.contradiction import contradiction_of
from assistant.analysis.diffs import symptoms_of
from assistant.analysis.dimensions import Cube, Explained, cubes, explain
from assistant.analysis.health import health_of
from assistant.analysis.hypotheses import false_alert, hypotheses_of
from assistant.analysis.impact import impact_of
from assistant.analysis.judging import judge, signals_of
from assistant.analysis.logs import Pattern, mined, patterns_of
from assistant.analysis.onset import consensus
from assistant.analysis.ranking import Ranked, force, rank
from assistant.analysis.rates import scoped_rates
from assistant.analysis.rules import asked_by, pressing
from assistant.analysis.say import number, scope
from assistant.analysis.signals import Rows, Signal
from assistant.analysis.since import led_by, onset_of
from assistant.analysis.stats import Grid
from assistant.analysis.texts import texts_of
from assistant.analysis.thresholds import crossed
from assistant.analysis.watches import slight, told, watched
from assistant.core.alert import frozen
from assistant.core.evidence import EvidenceId
from assistant.core.finding import Findings, Health, Impact, Onset, Shift
from assistant.core.hypothesis import Hypothesis
from assistant.core.incident import Severity
from assistant.core.note import NoteStatus
from assistant.core.observations import Observations
from assistant.core.time import Instant, Window, clock


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What the analyst says. `hypotheses` are ranked; `evidence_texts` maps an evidence id to (text, facts) for each
    piece of evidence that carries something."""

    findings: Findings
    hypotheses: tuple[Hypothesis, ...]
    severity: Severity
    status: NoteStatus
    title: str
    not_known: tuple[str, ...] = ()
    evidence_texts: Mapping[EvidenceId, tuple[str, dict[str, Any]]] = field(default_factory=dict)


def analyse(seen: Observations) -> Analysis:
    """Onset, shifts, dimensions, log novelty, changes, impact, hypotheses: everything that is known without a model."""
    all_cubes = cubes(seen)
    cube = all_cubes[0] if all_cubes else None
    signals = crossed(seen, signals_of(seen)) + payment_signals(seen, cube) + volumes_by_label(seen, all_cubes)
    signals = begun(seen, signals)
    log = mined(seen)
    patterns = patterns_of(seen, log)
    watching, asked = sorted_out(seen, signals, patterns)
    onset = onset_of(seen, signals, patterns, watching, asked)
    patterns = patterns_of(seen, log, onset=onset.at) if onset is not None else patterns
    window = after(seen, onset)
    explained = _explained(all_cubes, seen, window)
    rates = begun(seen, scoped_rates(seen, all_cubes, explained))
    signals, asked = signals + rates, asked | asked_of(seen, rates)
    onset = onset_of(seen, signals, patterns, watching, asked)
    health = health_of(seen, signals, patterns, explained)
    disputed = contradiction_of(seen, cube, window)
    health = "healthy" if disputed is not None else health
    ranked = rank([s for s in signals if s.role != "approval rate"], seen.topology, asked=asked)
    symptom = symptom_of(ranked, explained, patterns)
    links = weigh(seen.changes, onset=onset.at if onset else None, symptom=symptom, topology=seen.topology)
    impact = impact_of(seen, cube, explained, window=window) if health in {"failing", "recovered"} else None
    volume = next((s for s in signals if s.role == "volume" and not s.labels), None)
    material = Material(
        seen,
        onset.at if onset else None,
        explained,
        signals,
        ranked,
        patterns,
        links,
        volume,
        symptom.values,
        symptoms_in(signals, patterns),
        watching,
        asked,
        tallies_of(seen),
    )
    hypotheses = hypotheses_of(material) if health != "healthy" else false_alert(disputed)
    onset = led_by(hypotheses, onset, signals, watching)
    findings = Findings(
        health=health,
        onset=onset if health != "healthy" else None,
        shifts=shifts_of(signals),
        dimensions=tuple(e.value() for e in explained),
        patterns=tuple(p.value() for p in patterns[:12]),
        changes=links,
        impact=impact,
        charts=charts_of(cube, explained, signals, window=seen.incident.window, onset=onset.at if onset else None),
        unseen=unseen_of(seen, cube),
    )
    texts = texts_of(
        seen,
        onset=findings.onset,
        signals=signals,
        cubes=all_cubes,
        explained=explained,
        patterns=patterns,
        links=links,
        impact=impact,
        hypotheses=hypotheses,
    )
    return Analysis(
        findings=findings,
        hypotheses=hypotheses,
        severity=severity_of(seen, health, impact),
        status=status_of(seen, health),
        title=title_of(seen, findings, hypotheses),
        not_known=not_known_of(seen, findings, hypotheses),
        evidence_texts=texts,
    )


def sorted_out(
    seen: Observations, signals: Sequence[Signal], patterns: Sequence[Pattern]
) -> tuple[frozenset[int], frozenset[int]]:
    """(identities of signals that are no more than their own warning, of those that the gravest alerts fired for; where
    all of those are mere warnings, of those that say themselves what does not work)."""
    watching = frozenset(id(s) for s in signals if s.moved and watched(seen, s, signals, patterns))
    asked = asked_of(seen, [s for s in signals if id(s) not in watching])
    grave = frozenset(id(s) for s in signals if id(s) in asked and not slight(seen, s, signals))
    said = frozenset(id(s) for s in told(seen, signals, patterns)) if watching else frozenset()
    return watching, grave or asked or said


def asked_of(seen: Observations, signals: Sequence[Signal]) -> frozenset[int]:
    """Identities of the signals that the gravest alerts fired for."""
    first = pressing(seen)
    return frozenset(id(s) for s in signals if s.evidence in first and asked_by(seen, s))


def payment_signals(seen: Observations, cube: Cube | None) -> list[Signal]:
    """The approval rate and the volume of attempts, as signals."""
    if cube is None:
        return []
    attempts, approved = cube.total()
    attempts = np.where(cube.covered, attempts, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(attempts > 0, approved / attempts, np.nan)
    evidence = next(e for e in seen.metrics if e.id == cube.evidence)
    none = (frozen({}),)
    rows = (
        Rows(
            evidence,
            "approval rate",
            "approval rate of payments",
            "ratio",
            none,
            Grid(cube.t, rate[None, :]),
            -1,
            0.01,
            0.005,
            0.02,
        ),
        Rows(
            evidence,
            "volume",
            "payment attempts",
            "per s",
            none,
            Grid(cube.t, attempts[None, :]),
            0,
            0.08,
            0.01,
            0.25,
            attempts[None, :],
        ),
    )
    incident = seen.incident
    return [s for r in rows for s in judge(r, since=incident.baseline.end, until=incident.window.end, service_label="")]


def volumes_by_label(seen: Observations, all_cubes: Sequence[Cube]) -> list[Signal]:
    """Attempts by each single label: traffic that stays away, or swells, for one value only."""
    out: list[Signal] = []
    for cube in all_cubes:
        if len(cube.names) != 1:
            continue
        evidence = next(e for e in seen.metrics if e.id == cube.evidence)
        name = f"payment attempts by {cube.names[0]}"
        rows = Rows(
            evidence,
            "volume",
            name,
            "per s",
            cube.leaves,
            Grid(cube.t, cube.attempts),
            0,
            0.1,
            0.05,
            0.35,
            cube.attempts,
        )
        out += judge(rows, since=seen.incident.baseline.end, until=seen.incident.window.end, service_label="")
    return out


def after(seen: Observations, onset: Onset | None) -> Window:
    """From the onset to now, at least a minute; the incident's window where no onset is known."""
    window = seen.incident.window
    start = min(max(onset.at, window.start), window.end - 60.0) if onset is not None else window.start
    return Window(Instant(start), window.end) if start < window.end else window


def _explained(all_cubes: Sequence[Cube], seen: Observations, window: Window) -> list[Explained]:
    """The losses, from the cube that explains them best: the widest where there is one, else the best single label."""
    if not all_cubes:
        return []
    widest = explain(all_cubes[0], baseline=seen.incident.baseline, window=window)
    if len(all_cubes[0].names) > 1 or len(all_cubes) == 1:
        return widest
    single = [explain(c, baseline=seen.incident.baseline, window=window, most=2) for c in all_cubes]
    confined = [x for x in single if x and x[0].labels]
    return max(confined, key=lambda x: x[0].llr) if confined else widest


def symptom_of(ranked: Sequence[Ranked], explained: Sequence[Explained], patterns: Sequence[Pattern]) -> Symptom:
    """What is wrong in words, for weighing changes."""
    services = [r.service for r in ranked]
    services += [p.service for p in patterns[:6] if p.severity and p.service and p.service not in services]
    told = [f"{s.what} {' '.join(s.labels.values())}" for r in ranked[:4] for s in r.signals[:3]]
    told += [f"{p.template} {p.kind}" for p in patterns[:6] if p.severity]
    values = {v for e in explained for v in e.labels.values() if v}
    values |= {
        v
        for p in patterns[:6]
        if p.severity
        for shares in p.fields.values()
        for v, n in shares.items()
        if n >= 0.8 and not v.isdigit()
    }
    return Symptom(
        tuple(services),
        frozenset(r.service for r in ranked if r.victim_of),
        telling(" ".join(told)),
        frozenset(values),
        {r.service: _began(r, patterns) for r in ranked},
    )


def _began(ranked: Ranked, patterns: Sequence[Pattern]) -> float:
    """When a service began to fail: where most of what moved there agrees. The first single series that moved is often
    chance, and a change that came after it would look too late."""
    told = [p for p in patterns if p.severity and p.service == ranked.service]
    at = [float(s.onset) for s in ranked.signals if s.onset is not None] + [float(p.onset) for p in told]
    weight = [min(force(s), 0.8) for s in ranked.signals if s.onset is not None]
    found = consensus(np.array(at), np.array(weight + [min(p.score / 60.0, 0.6) for p in told]))
    return float(found.at if found is not None else ranked.onset)


def symptoms_in(signals: Sequence[Signal], patterns: Sequence[Pattern]) -> dict[str, float]:
    """Kinds of symptom, by the names of what moved and the words of what complains."""
    texts = [(s.what, force(s)) for s in signals if s.moved]
    texts += [(f"{p.template} {p.kind}", min(p.score / 40.0, 1.5)) for p in patterns[:10] if p.severity]
    return symptoms_of(texts)


def shifts_of(signals: Sequence[Signal]) -> tuple[Shift, ...]:
    moved = sorted((s for s in signals if s.moved), key=lambda s: -force(s))
    return tuple(
        Shift(s.evidence, s.what, s.entity, s.labels, s.usual, s.seen, s.unit, round(s.score, 2), s.onset)
        for s in moved[:40]
    )


def severity_of(seen: Observations, health: Health, impact: Impact | None) -> Severity:
    """By what it costs first, then by what the alerts say; nothing that is healthy is above low."""
    if health in {"healthy", "recovered"}:
        return "low"
    said = {a.severity.lower() for a in seen.incident.alerts}
    share = impact.lost / impact.attempts if impact and impact.attempts else 0.0
    if share >= 0.1 or said & {"critical", "page"}:
        return "critical"
    if share >= 0.02 or said & {"high", "error", "major"}:
        return "high"
    return "low" if said and said <= {"info", "low"} else "medium"


def status_of(seen: Observations, health: Health) -> NoteStatus:
    if seen.incident.alerts and all(a.status == "resolved" for a in seen.incident.alerts):
        return "resolved"
    return "nothing wrong now" if health in {"healthy", "recovered"} else "open"


def title_of(seen: Observations, findings: Findings, hypotheses: Sequence[Hypothesis]) -> str:
    """One line: what, how much, since when."""
    name = seen.incident.alerts[0].name if seen.incident.alerts else "question"
    if findings.health == "healthy":
        return f"{name}: nothing is wrong now"
    since = f" since {clock(findings.onset.at)}" if findings.onset else ""
    if findings.health == "recovered":
        return f"{name}: recovered, it began {clock(findings.onset.at)}" if findings.onset else f"{name}: recovered"
    if findings.dimensions:
        d = findings.dimensions[0]
        return (
            f"Approvals of {scope(d.labels)} fell from {number(d.usual, 'ratio')} to {number(d.seen, 'ratio')}{since}"
        )
    if findings.shifts:
        s = findings.shifts[0]
        where = f" of {s.entity}" if s.entity else ""
        return f"{s.what}{where} moved from {number(s.usual, s.unit)} to {number(s.seen, s.unit)}{since}"
    return f"{name}: {hypotheses[0].cause}{since}" if hypotheses else f"{name}: no measure tells what is wrong"


def unseen_of(seen: Observations, cube: Cube | None) -> tuple[str, ...]:
    """What the methods could not see, in words."""
    out = list(seen.payments.unmapped)
    if cube is not None and not cube.names:
        out.append("approvals by any label: the counter carries none")
    if not seen.changes:
        out.append("changes: none were found in the baseline and the window")
    if not seen.topology.edges:
        out.append("who calls whom: no topology is known, so causes and victims are told by time alone")
    out += [f"{e.dropped} series of {e.about} were over the budget" for e in seen.metrics if e.dropped]
    return tuple(out)


def not_known_of(seen: Observations, findings: Findings, hypotheses: Sequence[Hypothesis]) -> tuple[str, ...]:
    out = [f"{g.source}: {g.reason}" for g in seen.gaps]
    if findings.health == "failing" and not hypotheses:
        out.append("the cause: nothing that was seen points at one")
    if hypotheses and hypotheses[0].verdict != "confirmed" and hypotheses[0].would_settle:
        out.append(f"what would settle it: {hypotheses[0].would_settle}")
    if hypotheses and hypotheses[0].fault == "theirs":
        out.append(f"the inside of {hypotheses[0].entity}: an outside party cannot be observed from here")
    return tuple(dict.fromkeys((*out, *findings.unseen)))
