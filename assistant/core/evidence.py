"""What was seen, with an id that claims can point at; and what was not seen, with the reason.

Evidence ids are short and typed: `A1` an alert, `M3` a metric query, `L2` a log search, `C1` a change, `R1` a runbook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NewType

import numpy as np
from numpy.typing import NDArray

from assistant.core.alert import Labels
from assistant.core.query import Query
from assistant.core.time import Instant, Window
from redaction import RedactedText

EvidenceId = NewType("EvidenceId", str)
EvidenceKind = Literal["alert", "metric", "log", "change", "runbook"]
Floats = NDArray[np.float64]
MetricType = Literal["counter", "gauge", "histogram", "summary", "unknown"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be looked at. `source` as configuration names it; `reason` is ours, never telemetry."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Samples of one label set: `t` and `v` float64 of shape (n,), `t` Unix seconds ascending, `v` finite or NaN."""

    labels: Labels
    t: Floats
    v: Floats

    def within(self, window: Window) -> Series:
        keep = slice(*np.searchsorted(self.t, (window.start, window.end)).tolist())
        return Series(self.labels, self.t[keep], self.v[keep])


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric as discovery saw it: `labels` maps each label name to (some of) its values; `series` counts them all."""

    name: str
    type: MetricType
    labels: Mapping[str, tuple[str, ...]]
    series: int
    help: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class MetricEvidence:
    """The answer to one metric query. `about` says in a few words what it measures; `dropped` counts series over
    budget. `role` and `unit` are those of `analysis.plan.PlannedQuery`, empty where nobody planned the query."""

    id: EvidenceId
    query: Query
    promql: str
    about: str
    window: Window
    step: float
    series: tuple[Series, ...]
    dropped: int = 0
    role: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One redacted line. `t` Unix seconds; `labels` are the stream's."""

    t: float
    labels: Labels
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class LogEvidence:
    """The answer to one log search: redacted lines in time order, and the count of lines the budget dropped."""

    id: EvidenceId
    query: str
    about: str
    window: Window
    lines: tuple[LogLine, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A deploy, configuration change, flag, certificate or maintenance. `service` is what it changed."""

    t: Instant
    kind: str
    service: str
    id: str
    title: str
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Topology:
    """Services and who calls whom, as (caller, callee)."""

    services: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()

    def callees(self, service: str) -> tuple[str, ...]:
        return tuple(b for a, b in self.edges if a == service)

    def callers(self, service: str) -> tuple[str, ...]:
        return tuple(a for a, b in self.edges if b == service)

    def reached(self, services: Iterable[str]) -> frozenset[str]:
        """These services and all that they call, directly or through others."""
        found = wave = frozenset(services)
        while wave:
            wave = frozenset(b for a, b in self.edges if a in wave) - found
            found |= wave
        return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence as the prompt, the note and the reader see it.

    `text` is what it shows in a few lines of numbers. Everything a claim says must occur in the `text` of the evidence
    it points at. `facts` holds the same numbers for machines (JSON-able), `link` an id of ours, never an address.
    """

    id: EvidenceId
    kind: EvidenceKind
    query: str
    window: Window
    text: RedactedText
    link: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
