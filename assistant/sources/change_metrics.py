"""Changes that metrics tell of: a new version or revision, a Kubernetes rollout, a changed configuration, a restart.

Nothing has to be configured: `*_build_info` and kube-state-metrics are conventions. A change is dated by the first step
at which it is seen, so it is late by up to a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from assistant.core.evidence import Change, Series
from assistant.core.query import Max, Query, Select
from assistant.core.time import Instant, Window
from assistant.sources.promql import METRIC_NAME

MAX_BUILD_INFOS = 20
NAMES = "|".join(
    (
        ".+_build_info",
        "kube_deployment_status_observed_generation",
        "kube_configmap_metadata_resource_version",
        ".*process_start_time_seconds",
    )
)
_SERVICE = ("service", "app", "application", "deployment", "configmap", "job", "namespace")
_VERSION = ("version", "revision", "commit", "branch", "tag", "goversion")
_STEPS = {
    "kube_deployment_status_observed_generation": (
        "deploy",
        ("namespace", "deployment"),
        "rollout, generation {new:.0f}",
    ),
    "kube_configmap_metadata_resource_version": (
        "config",
        ("namespace", "configmap"),
        "configuration changed, version {new:.0f}",
    ),
}


@dataclass(frozen=True, slots=True)
class ChangeQuery:
    """A query whose steps are changes, and how to read them: `versions` new label sets, `values` a value that moved."""

    query: Query
    metric: str
    reads: str


def change_queries(names: Sequence[str]) -> tuple[ChangeQuery, ...]:
    """The queries that these metrics allow."""
    usable = [n for n in names if METRIC_NAME.match(n)]
    builds = [n for n in usable if n.endswith("_build_info")][:MAX_BUILD_INFOS]
    starts = [n for n in usable if n.endswith("process_start_time_seconds")][:1]
    return (
        *(ChangeQuery(Max(Select(n), (*_SERVICE, *_VERSION)), n, "versions") for n in builds),
        *(ChangeQuery(Max(Select(n), _STEPS[n][1]), n, "values") for n in usable if n in _STEPS),
        *(ChangeQuery(Max(Select(n), ("service", "app", "job", "instance")), n, "starts") for n in starts),
    )


def changes_in(asked: ChangeQuery, series: Sequence[Series], window: Window) -> tuple[Change, ...]:
    """The changes that an answer shows inside the window. Its first step is what was before, never a change."""
    match asked.reads:
        case "versions":
            return _versions(asked.metric, series, window)
        case "starts":
            return _starts(series, window)
        case _:
            return _values(asked.metric, series, window)


def _versions(metric: str, series: Sequence[Series], window: Window) -> tuple[Change, ...]:
    by_service: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for s in series:
        seen = np.flatnonzero(np.isfinite(s.v))
        version = next((s.labels[n] for n in _VERSION if s.labels.get(n)), "")
        if len(seen) and version:
            by_service.setdefault((_service(s.labels), metric), []).append((float(s.t[seen[0]]), version))
    found = []
    for (service, _), firsts in by_service.items():
        firsts.sort()
        for (_, old), (t, new) in pairwise(firsts):
            if t > window.start and new != old:
                found.append(Change(Instant(t), "deploy", service, new, f"{service} {old} -> {new}"))
    return tuple(found)


def _values(metric: str, series: Sequence[Series], window: Window) -> tuple[Change, ...]:
    kind, names, title = _STEPS[metric]
    found = []
    for s in series:
        known = np.flatnonzero(np.isfinite(s.v))
        for a, b in pairwise(known.tolist()):
            if s.v[b] > s.v[a]:
                what = s.labels.get(names[1], "")
                text = f"{what}: {title.format(new=s.v[b])}"
                found.append(Change(Instant(float(s.t[b])), kind, what, f"{what}@{s.v[b]:.0f}", text))
    return tuple(c for c in found if c.t in window)


def _starts(series: Sequence[Series], window: Window) -> tuple[Change, ...]:
    """A process that started inside the window, told by the start time itself: exact, whatever the step."""
    found = []
    for s in series:
        for start in np.unique(s.v[np.isfinite(s.v)])[1:]:
            if start in window:
                who = s.labels.get("instance", "")
                service = _service(s.labels)
                found.append(
                    Change(
                        Instant(float(start)), "restart", service, f"{who}@{start:.0f}", f"{service}: {who} restarted"
                    )
                )
    return tuple(found)


def _service(labels: Mapping[str, str]) -> str:
    return next((labels[n] for n in _SERVICE if labels.get(n)), "")
