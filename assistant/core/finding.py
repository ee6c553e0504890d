"""What the statistics say, before any model is asked: onsets, shifts, explaining dimensions, log novelty, impact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assistant.core.alert import Labels
from assistant.core.evidence import EvidenceId, Floats
from assistant.core.time import Instant, Window


@dataclass(frozen=True, slots=True)
class Onset:
    """When it began: the consensus over series, and the span that holds it; `series` counts those that agree."""

    at: Instant
    earliest: Instant
    latest: Instant
    series: int


@dataclass(frozen=True, slots=True)
class Shift:
    """One measured thing that moved: its usual value, its value in the window, and how unusual that is (robust z)."""

    evidence: EvidenceId
    what: str
    entity: str
    labels: Labels
    usual: float
    seen: float
    unit: str
    score: float
    onset: Instant | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """Label values that explain a change of a ratio: `share` of the lost part, `surprise` as in Adtributor."""

    evidence: EvidenceId
    labels: Labels
    share: float
    surprise: float
    usual: float
    seen: float


@dataclass(frozen=True, slots=True)
class LogPattern:
    """A log template that is new or surging. `example` is a redacted line; counts are lines in window and baseline."""

    evidence: EvidenceId
    template: str
    service: str
    first_seen: Instant
    count: int
    usual: float
    new: bool
    example: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ChangeLink:
    """A change weighed against the onset: `score` 0..1 with the reasons for and against in words of ours."""

    evidence: EvidenceId
    change_id: str
    service: str
    seconds_before_onset: float
    score: float
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Impact:
    """What it costs. First attempts only, later approvals of the same order netted where orders are known, currencies
    never added. `amounts` maps an ISO 4217 code to money at risk; `by` counts lost approvals per scheme and region.
    `formula` says how it was computed; `not_counted` what could not be."""

    window: Window
    attempts: float
    lost: float
    usual_rate: float
    seen_rate: float
    amounts: Mapping[str, float] = field(default_factory=dict)
    by: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    customers: float | None = None
    formula: str = ""
    not_counted: tuple[str, ...] = ()
    evidence: tuple[EvidenceId, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart as a value; terminal, Slack and page render it. `series` maps a legend to values over `t`."""

    evidence: EvidenceId
    title: str
    unit: str
    t: Floats
    series: Mapping[str, Floats]
    threshold: float | None = None
    onset: Instant | None = None
    window: Window | None = None


Health = Literal["failing", "recovered", "healthy", "unknown"]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the analyst found. `health` "healthy" or "recovered" means nothing is wrong now."""

    health: Health
    onset: Onset | None
    shifts: tuple[Shift, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    patterns: tuple[LogPattern, ...] = ()
    changes: tuple[ChangeLink, ...] = ()
    impact: Impact | None = None
    charts: tuple[Chart, ...] = ()
    unseen: tuple[str, ...] = ()
