"""Series that go on under new target labels.

A restart, a relabelling or a new pod ends one series and begins another with the same meaning: only the labels of the
target differ (`job`, `instance`, `pod`, …), which Prometheus itself attaches and which name no part of the shop. Read
apart, the old one falls to nothing and the new one rises from nothing. Series that differ in target labels only, and
are hardly ever there together, are one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assistant.core.alert import frozen
from assistant.core.evidence import MetricEvidence, Series

TARGET = frozenset(
    {
        "job", "instance", "pod", "pod_name", "container", "container_id", "endpoint", "namespace", "node", "host",
        "hostname", "replica", "prometheus", "prometheus_replica", "uid", "id", "pod_template_hash", "exported_job",
        "exported_instance", "cluster",
    }
)  # fmt: skip
TOGETHER = 0.1
"""Of the shorter one's samples: more than this at the same time, and they are two."""


def continued(evidence: MetricEvidence) -> MetricEvidence:
    """The same evidence, with series that took over from each other joined under the labels they share."""
    if not any(k in TARGET for s in evidence.series[:1] + evidence.series[-1:] for k in s.labels):
        return evidence
    groups: dict[tuple[tuple[str, str], ...], list[Series]] = defaultdict(list)
    for s in evidence.series:
        groups[tuple(sorted((k, v) for k, v in s.labels.items() if k not in TARGET))].append(s)
    if all(len(g) == 1 for g in groups.values()):
        return evidence
    return replace(evidence, series=tuple(one for g in groups.values() for one in _joined(g, evidence.step)))


def _joined(group: Sequence[Series], step: float) -> list[Series]:
    """Each series joined to the one that ended as it began; those that live side by side stay apart."""
    out: list[Series] = []
    for s in sorted(group, key=lambda s: float(s.t[0]) if len(s.t) else np.inf):
        k = next((i for i, old in enumerate(out) if _takes_over(old, s, step)), None)
        if k is None:
            out.append(s)
            continue
        old = out[k]
        fresh = s.t > old.t[-1]
        labels = frozen({a: b for a, b in s.labels.items() if old.labels.get(a) == b})
        out[k] = Series(labels, np.concatenate([old.t, s.t[fresh]]), np.concatenate([old.v, s.v[fresh]]))
    return out


def _takes_over(old: Series, new: Series, step: float) -> bool:
    if not len(old.t) or not len(new.t):
        return False
    both = float(old.t[-1] - new.t[0]) / step + 1.0
    return both <= max(2.0, TOGETHER * min(len(old.t), len(new.t))) and float(new.t[0] - old.t[-1]) <= 10 * step
