"""A team's own past: which notes would have been written, what each would have said, and what it would have cost.

Prometheus keeps its alerts' history as the series `ALERTS`. Firing spans are read from it, grouped as live alerts are,
and each group is investigated at a moment shortly after it fired, with nothing later than that in view. Nothing is
posted; records go to a log under the state directory given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.core.alert import Alert, Rule, frozen
from assistant.core.evidence import Series
from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.core.note_json import note_to_json
from assistant.core.query import Matcher, Select
from assistant.core.time import Instant, Window, iso
from assistant.errors import SourceError
from assistant.house import House, Sources
from assistant.incidents import Spans, incident_of, together
from assistant.ports import MetricSource

FIRING = Select("ALERTS", (Matcher("alertstate", "=", "firing"),))
DAY = 86_400.0
_STEP = 60.0
_GAP = 5 * 60.0
_TOGETHER = 30 * 60.0
_LOOK = 10 * 60.0
CHARACTERS_A_TOKEN = 4.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert's span of firing, in Unix seconds; `end` is its last sample."""

    labels: Mapping[str, str]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one past incident would have given. `tokens` estimates the prompt at four characters a token; `world` is the
    folder that it was kept in, if any."""

    at: float
    alerts: tuple[str, ...]
    note: Note
    tokens: int
    world: str = ""


Keep = Callable[[Incident, Sources], str]
"""Keeps an incident as a world, and gives the folder's name."""


def kept_nowhere(incident: Incident, sources: Sources) -> str:
    return ""


def episodes(source: MetricSource, *, now: float, days: int) -> tuple[Episode, ...]:
    """Firing spans of the last `days` days, oldest first. Raises SourceError where a day cannot be read."""
    found: list[Episode] = []
    for day in range(days, 0, -1):
        window = Window(Instant(now - day * DAY), Instant(now - (day - 1) * DAY))
        series, _ = source.range(FIRING, window=window, step=_STEP)
        found.extend(e for s in series for e in _spans(s))
    return _joined(sorted(found, key=lambda e: e.start))


def _spans(series: Series) -> Iterator[Episode]:
    """A span ends where samples stop for more than five minutes."""
    t = series.t[np.isfinite(series.v)]
    if not len(t):
        return
    labels = {k: v for k, v in series.labels.items() if k not in {"__name__", "alertstate"}}
    for part in np.split(t, np.flatnonzero(np.diff(t) > _GAP) + 1):
        yield Episode(labels, float(part[0]), float(part[-1]))


def _joined(found: Sequence[Episode]) -> tuple[Episode, ...]:
    """Spans of one alert that were cut only by the day's end are one."""
    last: dict[str, Episode] = {}
    out: list[Episode] = []
    for e in found:
        key = fingerprint(e.labels)
        before = last.get(key)
        if before and e.start - before.end <= _GAP:
            out.remove(before)
            e = Episode(e.labels, before.start, max(before.end, e.end))
        last[key] = e
        out.append(e)
    return tuple(sorted(out, key=lambda e: e.start))


def fingerprint(labels: Mapping[str, str]) -> str:
    """A stable name of a label set; not Alertmanager's own hash."""
    return hashlib.sha256(json.dumps(dict(labels), sort_keys=True).encode()).hexdigest()[:16]


def groups(found: Sequence[Episode]) -> tuple[tuple[Episode, ...], ...]:
    """Episodes that begin within half an hour of the one before belong together."""
    out: list[list[Episode]] = []
    for e in found:
        if out and e.start - out[-1][-1].start < _TOGETHER:
            out[-1].append(e)
        else:
            out.append([e])
    return tuple(tuple(g) for g in out)


def replay(
    house: House, *, days: int, spans: Spans | None = None, limit: int = 500, keep: Keep = kept_nowhere
) -> Iterator[Replayed]:
    """Past incidents one by one, oldest first, at most `limit`; each is handed to `keep`. Raises SourceError where the
    past cannot be read."""
    from assistant.investigate import examine, facts_note

    sources = house.sources(house.redactor)
    past = episodes(sources.metrics, now=house.clock.now(), days=days)
    rules = _rules(house)
    for group in groups(past)[:limit]:
        at = min(group[0].start + _LOOK, house.clock.now())
        alerts = tuple(alert_of(e, at) for e in group if e.start <= at)
        incident = incident_of(together(alerts, rules), rules, now=at, spans=spans)
        case = examine(incident, house)
        size = sum(len(e.text.text) for e in case.context.evidence) + sum(
            len(p.text.text) for p in case.runbook.passages
        )
        names = tuple(dict.fromkeys(a.name for a in alerts))
        world = keep(incident, house.sources(house.redactor.for_incident(incident.id)))
        yield Replayed(at, names, facts_note(case, house), int(size / CHARACTERS_A_TOKEN), world)


def alert_of(episode: Episode, at: float) -> Alert:
    """The alert as it stood at `at`. Its annotations are not kept by Prometheus."""
    over = episode.end < at - _GAP
    return Alert(
        fingerprint=fingerprint(episode.labels),
        labels=frozen(episode.labels),
        annotations={},
        starts_at=Instant(episode.start),
        status="resolved" if over else "firing",
        ends_at=Instant(episode.end) if over else None,
    )


def _rules(house: House) -> tuple[Rule, ...]:
    try:
        return house.sources(house.redactor).alerts.rules()
    except SourceError:
        # Without rules each window starts at the alert itself; collecting says that the rules are missing.
        return ()


def as_json(r: Replayed, *, price_in: float = 0.0) -> dict[str, object]:
    """One line of the report: when, what fired, what the note says, what a model would have cost (`price_in` a million
    tokens)."""
    note = note_to_json(r.note)
    first = note["hypotheses"][0] if note["hypotheses"] else None
    return {
        "at": iso(r.at),
        "alerts": list(r.alerts),
        "title": note["title"],
        "status": note["status"],
        "verdict": first["class"] if first else "none",
        "entity": first["entity"] if first else None,
        "change": first["change"] if first else None,
        "lost": note["impact"]["lost"] if note["impact"] else None,
        "gaps": [g["source"] for g in note["gaps"]],
        "tokens": r.tokens,
        "cost": round(r.tokens * price_in / 1e6, 4),
        "record": note["record"]["index"] if note["record"] else None,
        "world": r.world,
    }
