"""Collect what can be seen of an incident: metrics, logs, changes, topology. What cannot be seen becomes a Gap.

Queries are planned from the alert's own rule, from what the server says it holds, and from payment roles; they run side
by side under a concurrency budget. A failing query costs itself, never the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from assistant.analysis.plan import PlannedQuery, PlannedSearch, guess_roles, plan_log_searches, plan_queries
from assistant.core.evidence import (
    Change,
    EvidenceId,
    Gap,
    LogEvidence,
    MetricEvidence,
    MetricInfo,
    Series,
    Topology,
)
from assistant.core.incident import Incident
from assistant.core.observations import Observations
from assistant.core.query import Select
from assistant.core.time import Window
from assistant.errors import SourceError
from assistant.house import Overrides, Sources

T = TypeVar("T")
_STEP_CHOICES = (15.0, 30.0, 60.0, 120.0, 300.0)
_POINTS = 720
_NO_METRICS: tuple[MetricInfo, ...] = ()
_NO_LABELS: Mapping[str, tuple[str, ...]] = {}
_NO_CHANGES: tuple[Change, ...] = ()
_NO_SELECTS: tuple[Select, ...] = ()


@dataclass(slots=True)
class _Gaps:
    """Gaps as they turn up, each said once, with how often it happened."""

    counts: dict[Gap, int] = field(default_factory=dict)

    def attempt(self, source: str, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except SourceError as error:
            gap = Gap(error.source or source, error.message)
            self.counts[gap] = self.counts.get(gap, 0) + 1
            return otherwise

    def all(self) -> tuple[Gap, ...]:
        return tuple(
            gap if n == 1 else Gap(gap.source, f"{gap.reason} ({n} queries)") for gap, n in self.counts.items()
        )


def step_for(window: Window) -> float:
    """The finest usual step that keeps a series under 720 points: finer costs a server more and shows no more."""
    return next((s for s in _STEP_CHOICES if window.seconds / s <= _POINTS), _STEP_CHOICES[-1])


def collect(
    incident: Incident,
    sources: Sources,
    *,
    selects: Callable[[str], tuple[Select, ...]],
    overrides: Overrides | None = None,
    concurrency: int = 4,
) -> Observations:
    """Everything that can be seen of `incident`, over its baseline and window together. Never raises for a source."""
    overrides, gaps = overrides or Overrides(), _Gaps()
    whole = Window(incident.baseline.start, incident.window.end)
    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="collect") as pool:
        catalogue_job = pool.submit(gaps.attempt, "prometheus", lambda: sources.metrics.catalogue(whole), _NO_METRICS)
        labels_job = pool.submit(gaps.attempt, "loki", lambda: sources.logs.labels(whole), _NO_LABELS)
        changes_job = pool.submit(gaps.attempt, "changes", lambda: sources.changes.changes(whole), _NO_CHANGES)
        topology_job = pool.submit(gaps.attempt, "topology", sources.changes.topology, Topology())
        catalogue, log_labels = catalogue_job.result(), labels_job.result()
        payments = guess_roles(catalogue, overrides=overrides, log_labels=log_labels)
        reads = _selects(incident, selects, gaps)
        queries = plan_queries(
            incident=incident, payments=payments, catalogue=catalogue, topology=topology_job.result(), selects=reads
        )
        searches = plan_log_searches(incident=incident, payments=payments, log_labels=log_labels)
        # One search goes first: a log store that does not answer is found out by one request, not by all at once.
        first = pool.submit(_log, searches[0], sources, whole, gaps) if searches else None
        metrics = list(pool.map(lambda q: _metric(q, sources, whole, gaps), queries))
        logs = [first.result()] if first else []
        logs += pool.map(lambda s: _log(s, sources, whole, gaps), searches[1:])
    return Observations(
        incident=incident,
        payments=payments,
        catalogue=catalogue,
        metrics=_numbered_metrics(metrics),
        logs=_numbered_logs(logs),
        changes=changes_job.result(),
        topology=topology_job.result(),
        gaps=tuple(dict.fromkeys((*gaps.all(), *sources.notices(), *_blind(catalogue, log_labels, gaps)))),
        cardholder=sources.findings(),
    )


def _selects(incident: Incident, selects: Callable[[str], tuple[Select, ...]], gaps: _Gaps) -> tuple[Select, ...]:
    """The metrics that the alerts' own rules read: they are drilled into without any configuration."""
    found: dict[Select, None] = {}
    for rule in incident.rules:
        found |= dict.fromkeys(gaps.attempt("rules", partial(selects, rule.expr), _NO_SELECTS))
    return tuple(found)


def _metric(planned: PlannedQuery, sources: Sources, window: Window, gaps: _Gaps) -> MetricEvidence | None:
    step = step_for(window)
    answer = gaps.attempt("prometheus", lambda: sources.metrics.range(planned.query, window=window, step=step), None)
    if answer is None or not answer[0]:
        return None
    series, dropped = answer
    return MetricEvidence(
        id=EvidenceId("M"),
        query=planned.query,
        promql=sources.metrics.promql(planned.query),
        about=planned.about,
        window=window,
        step=_step_of(series, step),
        series=series,
        dropped=dropped,
        role=planned.role,
        unit=planned.unit,
    )


def _step_of(series: tuple[Series, ...], asked: float) -> float:
    """The step the server gave: a source may raise it to keep to its budget of points."""
    longest = max(series, key=lambda s: len(s.t))
    return float(np.median(np.diff(longest.t))) if len(longest.t) > 2 else asked


def _log(planned: PlannedSearch, sources: Sources, window: Window, gaps: _Gaps) -> LogEvidence | None:
    return gaps.attempt(
        "loki",
        lambda: sources.logs.search(
            selector=planned.selector, window=window, contains=planned.contains, about=planned.about
        ),
        None,
    )


def _numbered_metrics(found: Iterable[MetricEvidence | None]) -> tuple[MetricEvidence, ...]:
    kept = [m for m in found if m is not None]
    return tuple(replace(m, id=EvidenceId(f"M{i}")) for i, m in enumerate(kept, start=1))


def _numbered_logs(found: Iterable[LogEvidence | None]) -> tuple[LogEvidence, ...]:
    kept = [log for log in found if log is not None]
    return tuple(replace(log, id=EvidenceId(f"L{i}")) for i, log in enumerate(kept, start=1))


def _blind(catalogue: Sequence[MetricInfo], log_labels: Mapping[str, tuple[str, ...]], gaps: _Gaps) -> tuple[Gap, ...]:
    """An empty answer is a gap of its own: a server that holds nothing looks healthy otherwise."""
    known = {gap.source for gap in gaps.counts}
    found = []
    if not catalogue and "prometheus" not in known:
        found.append(Gap("prometheus", "answers, but holds no metrics in this window"))
    if not log_labels and "loki" not in known:
        found.append(Gap("loki", "answers, but holds no streams in this window"))
    return tuple(found)
