"""The note as JSON: the stable form that `--json` prints, the notebook keeps and evaluations read."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from typing import Any

from assistant.core.draft import Claim
from assistant.core.evidence import Evidence
from assistant.core.finding import ChangeLink, Chart, Dimension, Impact
from assistant.core.hypothesis import Hypothesis
from assistant.core.note import Note
from assistant.core.runbook import Passage
from assistant.core.time import iso

VERSION = 1


def note_to_json(note: Note) -> dict[str, Any]:
    """JSON-able dict, times as RFC 3339 in UTC. `version` changes when a key changes its meaning."""
    return {
        "version": VERSION,
        "incident_id": note.incident_id,
        "revision": note.revision,
        "written_at": iso(note.written_at),
        "status": note.status,
        "severity": note.severity,
        "title": note.title,
        "summary": _claims(note.summary),
        "cause": _claims(note.cause),
        "since": iso(note.since) if note.since is not None else None,
        "onset": _onset(note),
        "health": note.findings.health,
        "impact": _impact(note.impact),
        "hypotheses": [_hypothesis(h) for h in note.hypotheses],
        "changes": [_change(c, note) for c in note.changes],
        "dimensions": [_dimension(d) for d in note.findings.dimensions],
        "runbooks": [_passage(p) for p in note.runbooks],
        "runbook_none": note.runbook_none,
        "next_steps": _claims(note.next_steps),
        "not_known": list(note.not_known),
        "gaps": [{"source": g.source, "reason": g.reason} for g in note.gaps],
        "timeline": [{"at": iso(e.t), "text": e.text, "evidence": e.evidence} for e in note.timeline],
        "evidence": [_evidence(e) for e in note.evidence],
        "charts": [_chart(c) for c in note.charts],
        "redactions": dict(note.redactions),
        "model": asdict(note.model) if note.model else None,
        "without_model": note.without_model,
        "spent": asdict(note.spent) if note.spent else None,
        "struck": [{"text": s.claim.text, "rule": s.rule, "detail": s.detail} for s in note.struck],
        "warnings": list(note.warnings),
        "record": asdict(note.record) if note.record else None,
        "record_missing": note.record_missing,
    }


def _claims(claims: tuple[Claim, ...]) -> list[dict[str, Any]]:
    return [{"text": c.text, "evidence": list(c.evidence)} for c in claims]


def _onset(note: Note) -> dict[str, Any] | None:
    onset = note.findings.onset
    if onset is None:
        return None
    return {
        "at": iso(onset.at),
        "earliest": iso(onset.earliest),
        "latest": iso(onset.latest),
        "series": onset.series,
    }


def _impact(impact: Impact | None) -> dict[str, Any] | None:
    if impact is None:
        return None
    return {
        "from": iso(impact.window.start),
        "to": iso(impact.window.end),
        "attempts": round(impact.attempts),
        "lost": round(impact.lost),
        "usual_rate": round(impact.usual_rate, 4),
        "seen_rate": round(impact.seen_rate, 4),
        "amounts": {k: round(v, 2) for k, v in impact.amounts.items()},
        "by": {k: {n: round(v) for n, v in d.items()} for k, d in impact.by.items()},
        "customers": impact.customers,
        "formula": impact.formula,
        "not_counted": list(impact.not_counted),
        "evidence": list(impact.evidence),
    }


def _hypothesis(h: Hypothesis) -> dict[str, Any]:
    """`class` is the verdict; `evidence` and `against` are ids, the sentences stand in `for_` and `counter`."""
    return {
        "entity": h.entity,
        "dimension": h.dimension,
        "kind": h.kind,
        "cause": h.cause,
        "class": h.verdict,
        "confidence": round(h.confidence, 3),
        "fault": h.fault,
        "change": h.change or None,
        "evidence": sorted({e for r in h.supports for e in r.evidence}),
        "against": sorted({e for r in h.against for e in r.evidence}),
        "reasons_for": [{"text": r.text, "evidence": list(r.evidence)} for r in h.supports],
        "reasons_against": [{"text": r.text, "evidence": list(r.evidence)} for r in h.against],
        "would_settle": h.would_settle,
    }


def _dimension(d: Dimension) -> dict[str, Any]:
    return {
        "labels": dict(d.labels),
        "share": round(d.share, 4),
        "surprise": round(d.surprise, 4),
        "usual": round(d.usual, 4),
        "seen": round(d.seen, 4),
        "evidence": d.evidence,
    }


def _change(link: ChangeLink, note: Note) -> dict[str, Any]:
    event = next((c for c in note.change_events if c.id == link.change_id), None)
    return {
        "id": link.change_id,
        "service": link.service,
        "kind": event.kind if event else "",
        "title": event.title if event else "",
        "at": iso(event.t) if event else None,
        "seconds_before_onset": round(link.seconds_before_onset) if isfinite(link.seconds_before_onset) else None,
        "score": round(link.score, 3),
        "reasons": list(link.reasons),
        "against": list(link.against),
        "evidence": link.evidence,
    }


def _passage(p: Passage) -> dict[str, Any]:
    return {
        "id": p.id,
        "title": p.title,
        "path": p.path,
        "heading": p.heading,
        "score": round(p.score, 3),
        "reason": p.reason,
    }


def _evidence(e: Evidence) -> dict[str, Any]:
    return {
        "id": e.id,
        "kind": e.kind,
        "query": e.query,
        "window": [iso(e.window.start), iso(e.window.end)],
        "text": e.text.text,
        "link": e.link,
    }


def _chart(c: Chart) -> dict[str, Any]:
    """Series as [[t, v], …] with null for no sample, so that a page can draw it without asking again."""
    return {
        "evidence": c.evidence,
        "title": c.title,
        "unit": c.unit,
        "t": [round(float(t), 1) for t in c.t],
        "series": {name: [None if v != v else round(float(v), 6) for v in values] for name, values in c.series.items()},
        "threshold": c.threshold,
        "onset": iso(c.onset) if c.onset is not None else None,
    }
