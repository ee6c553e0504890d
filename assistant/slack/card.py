"""What a note says in one message, as a value: made with the note, stored in the outbox, drawn on delivery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from assistant.core.alert import Alert
from assistant.core.draft import Claim
from assistant.core.hypothesis import Hypothesis, rivals
from assistant.core.note import Note
from assistant.render.words import hypothesis_words, impact_words

_ALERTS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence and the ids of its evidence."""

    text: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """`facts`: this is the first sight, a draft follows. `digest` changes with what is material: status, severity, the
    leading hypothesis, kinds of evidence, sources that are missing, and whether a model has written. `by` is the
    model's name, or "" with the reason in `without`."""

    incident: str
    revision: int
    title: str
    status: str
    severity: str
    since: float | None
    written_at: float
    alerts: tuple[str, ...]
    more_alerts: int
    summary: tuple[Line, ...]
    causes: tuple[Line, ...]
    impact: tuple[str, ...]
    steps: tuple[Line, ...]
    not_known: tuple[str, ...]
    gaps: tuple[str, ...]
    warnings: tuple[str, ...]
    runbook: str
    charts: int
    redacted: int
    record: int | None
    record_id: str
    by: str
    without: str
    verdict: str
    facts: bool
    storm: bool
    digest: str

    @property
    def over(self) -> bool:
        """Nothing comes after this revision, unless it fires again."""
        return self.status in ("resolved", "merged")

    @property
    def recorded(self) -> str:
        return "" if self.record is None else str(self.record)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Card:
        """Raises KeyError for what is not a card."""
        values: dict[str, Any] = {f.name: raw[f.name] for f in fields(cls)}
        for name in ("summary", "causes", "steps"):
            values[name] = tuple(Line(x["text"], tuple(x["evidence"])) for x in raw[name])
        for name in ("alerts", "impact", "not_known", "gaps", "warnings"):
            values[name] = tuple(raw[name])
        return cls(**values)


def card_of(note: Note, alerts: Sequence[Alert], *, facts: bool = False, storm: bool = False) -> Card:
    """`facts`: the short form of the first seconds. `storm`: the incident stands for many."""
    names = list(dict.fromkeys(a.name for a in alerts))
    return Card(
        incident=note.incident_id,
        revision=note.revision,
        title=note.title,
        status=note.status,
        severity=note.severity,
        since=note.since,
        written_at=note.written_at,
        alerts=tuple(names[:_ALERTS]),
        more_alerts=max(0, len(names) - _ALERTS),
        summary=_lines(note.summary[:3]),
        causes=_causes(note),
        impact=tuple(impact_words(note.impact)) if note.impact else (),
        steps=_lines(note.next_steps[:3]),
        not_known=note.not_known[:3],
        gaps=tuple(f"{g.source}: {g.reason}" for g in note.gaps[:3]),
        warnings=note.warnings[:2],
        runbook=note.runbooks[0].title if note.runbooks else "",
        charts=len(note.charts),
        redacted=sum(note.redactions.values()),
        record=note.record.index if note.record else None,
        record_id=note.record.id if note.record else "",
        by=note.model.name if note.model else "",
        without="" if note.model else note.without_model,
        verdict=note.hypotheses[0].verdict if note.hypotheses else "",
        facts=facts,
        storm=storm,
        digest=_digest(note, facts),
    )


def _lines(claims: Iterable[Claim]) -> tuple[Line, ...]:
    return tuple(Line(c.text, tuple(c.evidence)) for c in claims)


def _causes(note: Note) -> tuple[Line, ...]:
    """The leading hypotheses with how sure they are, the first in the model's words where one wrote; and whether they
    cannot be told apart."""
    found = [Line(f"{hypothesis_words(h)}: {h.cause}", _ids(h)) for h in note.hypotheses[:2]]
    if note.model and note.cause and note.hypotheses:
        said = " ".join(c.text for c in note.cause[:2])
        ids = tuple(dict.fromkeys(str(i) for c in note.cause[:2] for i in c.evidence))
        found[0] = Line(f"{hypothesis_words(note.hypotheses[0])}: {said}", ids)
    pair = rivals(note.hypotheses)
    checks = "; or ".join(dict.fromkeys(h.would_settle for h in pair if h.would_settle))
    if pair:
        found.append(
            Line("The evidence does not tell these two apart." + (f" To tell: {checks}." if checks else ""), ())
        )
    return tuple(found)


def _ids(h: Hypothesis) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(i) for r in h.supports for i in r.evidence))[:4]


def _digest(note: Note, facts: bool) -> str:
    leading = note.hypotheses[0] if note.hypotheses else None
    parts = (
        note.status,
        note.severity,
        [leading.entity, leading.kind, leading.verdict, leading.change] if leading else [],
        sorted({e.kind for e in note.evidence}),
        sorted({g.source for g in note.gaps}),
        bool(note.model),
        facts,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
