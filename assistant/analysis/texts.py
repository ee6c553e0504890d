"""The text of each piece of evidence that carries something: a few lines of numbers, and the same as facts.

Every number that a reason, a title or the impact says stands in the text of the evidence it points at; `analyse` ends
by adding any reason's line that is not there yet, so this holds by construction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assistant.analysis.dimensions import Cube, Explained
from assistant.analysis.logs import Pattern
from assistant.analysis.ranking import force
from assistant.analysis.say import codes_line, explained_line, impact_line, labelled, number, pattern_line, signal_line
from assistant.analysis.signals import Signal
from assistant.core.evidence import EvidenceId
from assistant.core.finding import ChangeLink, Impact, Onset
from assistant.core.hypothesis import Hypothesis
from assistant.core.observations import Observations
from assistant.core.time import clock, iso

Texts = Mapping[EvidenceId, tuple[str, dict[str, Any]]]
LINES = 8


def texts_of(
    seen: Observations,
    *,
    onset: Onset | None,
    signals: Sequence[Signal],
    cubes: Sequence[Cube],
    explained: Sequence[Explained],
    patterns: Sequence[Pattern],
    links: Sequence[ChangeLink],
    impact: Impact | None,
    hypotheses: Sequence[Hypothesis],
) -> Texts:
    """Evidence id to (text, facts), for metrics, logs, changes and alerts that carry something."""
    lines: dict[EvidenceId, list[str]] = defaultdict(list)
    facts: dict[EvidenceId, dict[str, Any]] = defaultdict(dict)
    _of_signals(signals, lines, facts)
    _of_payments(cubes, explained, impact, seen, lines, facts)
    _of_logs(seen, patterns, lines, facts)
    _of_changes(seen, links, lines, facts)
    _of_alerts(seen, onset, lines, facts)
    for h in hypotheses:
        for reason in (*h.supports, *h.against):
            for e in reason.evidence[:1]:
                if not any(reason.text in line for line in lines[e]):
                    lines[e].append(reason.text)
    about = {e.id: e.about for e in seen.metrics} | {e.id: e.about for e in seen.logs}
    return {k: ("\n".join(([f"{about[k]}:"] if k in about else []) + v), dict(facts[k])) for k, v in lines.items() if v}


def _of_signals(
    signals: Sequence[Signal], lines: dict[EvidenceId, list[str]], facts: dict[EvidenceId, dict[str, Any]]
) -> None:
    by: dict[EvidenceId, list[Signal]] = defaultdict(list)
    for s in signals:
        by[s.evidence].append(s)
    for e, rows in by.items():
        moved = sorted((s for s in rows if s.moved), key=lambda s: -force(s))
        shown = moved[:LINES] or sorted((s for s in rows if np.isfinite(s.seen)), key=lambda s: -s.score)[:2]
        lines[e] += [
            signal_line(s)
            if s.moved
            else f"{s.what} {labelled(s.labels)}: {number(s.seen, s.unit)}, usual {number(s.usual, s.unit)}, not moved"
            for s in shown
        ]
        if len(rows) > len(shown):
            lines[e].append(f"{len(moved)} of {len(rows)} series moved")
        facts[e]["series"] = len(rows)
        facts[e]["moved"] = [_signal_facts(s) for s in moved[:LINES]]


def _signal_facts(s: Signal) -> dict[str, Any]:
    return {
        "what": s.what, "entity": s.entity, "labels": dict(s.labels), "unit": s.unit, "usual": s.usual, "seen": s.seen,
        "score": round(s.score, 2), "onset": s.onset, "onset_iso": iso(s.onset) if s.onset is not None else None,
    }  # fmt: skip


def _of_payments(
    cubes: Sequence[Cube],
    explained: Sequence[Explained],
    impact: Impact | None,
    seen: Observations,
    lines: dict[EvidenceId, list[str]],
    facts: dict[EvidenceId, dict[str, Any]],
) -> None:
    for e in explained:
        lines[e.evidence] += [line for line in (explained_line(e), codes_line(e)) if line]
        facts[e.evidence].setdefault("explained", []).append(
            {
                "labels": dict(e.labels),
                "usual": e.usual,
                "seen": e.seen,
                "share": e.share,
                "lost": e.lost,
                "codes": dict(e.codes),
            }
        )
    if impact is not None and impact.evidence:
        lines[impact.evidence[0]].append(impact_line(impact))
        lines[impact.evidence[0]] += [
            f"lost by {name}: {', '.join(f'{k} {v:.0f}' for k, v in values.items())}"
            for name, values in impact.by.items()
            if values
        ]
        facts[impact.evidence[0]]["impact"] = {
            "lost": impact.lost,
            "attempts": impact.attempts,
            "amounts": dict(impact.amounts),
        }
    for cube in cubes:
        if cube.evidence not in lines and len(cube.names) <= 1:
            lines[cube.evidence] += rates_by_leaf(cube, seen)


def rates_by_leaf(cube: Cube, seen: Observations) -> list[str]:
    """Approval rates of a one-label cube, before and in the window, the largest change first."""
    before, during = cube.t < seen.incident.baseline.end, cube.t >= seen.incident.window.start
    rows = []
    for i, leaf in enumerate(cube.leaves):
        a0, a1 = float(cube.attempts[i][before].sum()), float(cube.attempts[i][during].sum())
        if a0 > 0 and a1 > 0:
            r0, r1 = float(cube.approved[i][before].sum()) / a0, float(cube.approved[i][during].sum()) / a1
            rows.append(
                (
                    abs(r1 - r0),
                    f"{labelled(leaf) or 'all'}: approval rate {number(r0, 'ratio')} -> {number(r1, 'ratio')}",
                )
            )
    return [text for _, text in sorted(rows, key=lambda r: -r[0])[:LINES]]


def _of_logs(
    seen: Observations,
    patterns: Sequence[Pattern],
    lines: dict[EvidenceId, list[str]],
    facts: dict[EvidenceId, dict[str, Any]],
) -> None:
    for p in patterns[:30]:
        if len(lines[p.evidence]) < LINES:
            lines[p.evidence].append(pattern_line(p))
            lines[p.evidence].append(f"  for example at {iso(p.first_seen)}: {p.example[:200]}")
            facts[p.evidence].setdefault("patterns", []).append(
                {
                    "template": p.template,
                    "service": p.service,
                    "count": p.count,
                    "usual": p.usual,
                    "new": p.new,
                    "kind": p.kind,
                    "first_seen": iso(p.first_seen),
                }
            )
    for e in seen.logs:
        if e.dropped and lines.get(e.id):
            lines[e.id].append(f"{e.dropped} further lines were over the budget")
        facts[e.id]["lines"] = len(e.lines)


def _of_changes(
    seen: Observations,
    links: Sequence[ChangeLink],
    lines: dict[EvidenceId, list[str]],
    facts: dict[EvidenceId, dict[str, Any]],
) -> None:
    changes = {c.id: c for c in seen.changes}
    for link in links:
        c = changes[link.change_id]
        lines[link.evidence].append(f"{c.kind} {c.id} of {c.service} at {iso(c.t)}: {c.title}")
        lines[link.evidence] += [*link.reasons, *(f"against it: {reason}" for reason in link.against)]
        facts[link.evidence] = {"t": c.t, "service": c.service, "score": link.score}


def _of_alerts(
    seen: Observations, onset: Onset | None, lines: dict[EvidenceId, list[str]], facts: dict[EvidenceId, dict[str, Any]]
) -> None:
    for i, alert in enumerate(seen.incident.alerts, start=1):
        e = EvidenceId(f"A{i}")
        labels = " ".join(f"{k}={v}" for k, v in alert.labels.items() if k != "alertname")
        lines[e].append(f"{alert.name} {alert.status} {labels}, started {iso(alert.starts_at)}")
        if onset is not None:
            lines[e].append(f"by the series it began {iso(onset.at)} ({clock(onset.at)}), {onset.series} series agree")
        facts[e] = {"starts_at": alert.starts_at, "status": alert.status}
