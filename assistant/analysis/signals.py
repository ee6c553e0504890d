"""From metric answers to signals: one row a measured thing, with its usual value, how far it moved, and since when.

Counters split by an outcome label become shares of bad outcomes, timestamps become ages, everything else stays what it
is. A signal moved when CUSUM says so, and the step is large against noise (robust z), and large enough to matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assistant.analysis import payments as pay
from assistant.analysis import words as w
from assistant.analysis.plan import metric_role
from assistant.analysis.stats import Bools, Grid, samples_any, to_grid
from assistant.core.alert import Labels, frozen
from assistant.core.evidence import EvidenceId, Floats, MetricEvidence, MetricInfo
from assistant.core.query import Increase, Max, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.core.time import Instant

PAYMENT_ROLES = frozenset({"payments", "approved", "declined", "amount"})
"""Roles that `dimensions` and `impact` read."""
_OUTCOME_NAMES = w.word_set(
    "status code status_code result outcome error response_code rc grpc_code decision state http_code http_status "
    "response_class verdict"
)
_BAD_WORDS = w.DECLINED_WORDS | w.ERRORS | w.word_set("u bad ko nok internal deadline_exceeded resource_exhausted")
_GOOD_UP = frozenset({"up", "spare"})
_BOTH = frozenset({"score", "gauge", "flow", "amount", "requests", "volume", "reversals"})


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A measured thing over the incident. `t` (T,), `v` (T,) with NaN for no sample.

    `bad` is the direction that hurts: +1 up, -1 down, 0 either. `moved` says whether it left its usual range in that
    direction; `score` is the robust z of `seen`; `now_bad` whether the last samples are still outside. `weight` is the
    size of the step against its usual value, 0..1.
    """

    evidence: EvidenceId
    role: str
    what: str
    entity: str
    labels: Labels
    unit: str
    bad: int
    t: Floats
    v: Floats
    usual: float
    sigma: float
    seen: float
    score: float
    weight: float
    onset: Instant | None
    moved: bool
    now_bad: bool
    samples: int

    @property
    def direction(self) -> int:
        return 1 if self.seen >= self.usual else -1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one evidence before they are judged: `labels` n, `grid.v` (n, T)."""

    evidence: MetricEvidence
    role: str
    what: str
    unit: str
    labels: tuple[Labels, ...]
    grid: Grid
    bad: int
    floor: float = 0.03
    absolute: float = 0.0
    least: float = 0.15
    events: Floats | None = None
    few: float = 8.0
    """The smallest step that matters, as a share of the usual value (of 1 for ratios); `events` (n, T) are the events
    per second that the values count or share out, None where they count nothing; a change must be `few` events at
    least, because fewer are chance."""


def selected(query: Query) -> str:
    """The name of the first metric a query reads."""
    match query:
        case Select():
            return query.metric
        case Rate() | Increase():
            return query.of.metric
        case Quantile():
            return query.bucket.metric
        case Ratio():
            return selected(query.part)
        case Sum() | Max() | TopK():
            return selected(query.of)


def role_of(evidence: MetricEvidence, infos: Mapping[str, MetricInfo]) -> str:
    """The planned role, else one read from the query."""
    if evidence.role:
        return evidence.role
    name = selected(evidence.query)
    if isinstance(evidence.query, Quantile):
        return f"latency.p{evidence.query.q * 100:.0f}"
    return metric_role(infos.get(name, MetricInfo(name, "unknown", {}, 0))) or "gauge"


def grid_of(evidence: MetricEvidence) -> Grid:
    """The answer's samples on its own grid."""
    return to_grid(evidence.series, start=evidence.window.start, end=evidence.window.end, step=evidence.step)


def entity_of(labels: Labels, service_label: str) -> str:
    """The service a series belongs to: by the mapped label, else by a label that says so by its name."""
    for name in (service_label, *sorted(w.LABEL_WORDS["service"][0]), "job", "container", "deployment"):
        if name and labels.get(name):
            return labels[name]
    return ""


def bad_outcome(label: str, value: str) -> bool:
    """Whether an outcome value means failure: HTTP 5xx and 429, gRPC and spelled failures, ISO 8583 technical codes."""
    text = value.lower()
    if text[:1] == "5" and len(text) == 3 and (text.isdigit() or text == "5xx"):
        return True
    if text == "429":
        return True
    if text.isdigit():
        return len(text) == 2 and pay.code_of(text).family in {"unavailable", "system"}
    return bool({text, *w.words(value)} & _BAD_WORDS)


def rows_of(evidence: MetricEvidence, role: str, covered: Bools | None = None) -> list[Rows]:
    """The rows of one answer, as its role wants them read. `covered` (T,) says when the server had samples of
    anything: a counter without a sample then had not counted yet."""
    grid, labels = grid_of(evidence), tuple(s.labels for s in evidence.series)
    if not labels:
        return []
    kind = role.split(".")[0]
    outcome = next((n for n in labels[0] if n.lower() in _OUTCOME_NAMES), "")
    if (
        kind in {"requests", "threeds", "flow", "errors", "payments"}
        and outcome
        and len({x.get(outcome) for x in labels}) > 1
    ):
        return _shares(evidence, kind, grid, labels, outcome, covered)
    if kind in {"age", "gauge"} and _is_recent(grid):
        grid = Grid(grid.t, grid.t[None, :] - grid.v)
        return [
            Rows(evidence, "age", f"age of {evidence.about}", "s", labels, grid, 1, floor=0.1, absolute=30.0, least=0.5)
        ]
    if kind == "expiry":
        left = grid.v - grid.t[None, :] if _is_timestamp(grid) else grid.v
        return [Rows(evidence, "expiry", f"time left of {evidence.about}", "s", labels, Grid(grid.t, left), -1)]
    counts: Floats | None = None
    if kind in {"requests", "flow", "retries", "errors", "amount", "duplicates", "reversals", "restarts", "fallback"}:
        grid = Grid(grid.t, _absent_is_zero(grid.v, covered))
        counts = grid.v
    if (
        kind in {"gauge", "score", "saturation", "queue", "latency"}
        and not isinstance(evidence.query, Quantile | Ratio)
        and _is_counter(grid)
    ):
        rate = np.diff(grid.v, axis=1, prepend=np.nan) / evidence.step
        rising = Grid(grid.t, np.where(rate >= 0, rate, np.nan))
        role = "score" if kind == "score" else "flow"
        return [Rows(evidence, role, f"rate of {evidence.about}", "per s", labels, rising, 0, 0.1, 0.02, 0.4)]
    bad = -1 if kind in _GOOD_UP else 0 if kind in _BOTH else 1
    floors = {
        "requests": (0.08, 0.02, 0.3), "flow": (0.08, 0.02, 0.4), "gauge": (0.08, 0.0, 0.4), "amount": (0.1, 0.0, 0.4),
        "errors": (0.1, 0.02, 0.5), "retries": (0.1, 0.02, 0.5), "latency": (0.1, 0.0, 0.5), "queue": (0.15, 2.0, 0.5),
        "saturation": (0.05, 0.0, 0.2), "up": (0.0, 0.05, 0.3), "score": (0.03, 0.0, 0.1), "restarts": (0.0, 0.001,
            0.5),
    }  # fmt: skip
    floor, absolute, least = floors.get(kind, (0.08, 0.01, 0.4))
    return [Rows(evidence, role, evidence.about, evidence.unit, labels, grid, bad, floor, absolute, least, counts)]


def _absent_is_zero(v: Floats, covered: Bools | None = None) -> Floats:
    """A rate that has no sample while others have is a label set that did not occur: 0."""
    some = samples_any(v)
    if covered is not None and len(covered) == len(some):
        some = some | covered
    return np.where(np.isfinite(v) | ~some[None, :], v, 0.0)


def is_elapsed(grid: Grid) -> bool:
    """Whether what rises does so by a second a second: the time that something has been running."""
    if len(grid.t) < 2:
        return False
    steps = np.diff(grid.v, axis=1)
    rising = steps[np.isfinite(steps) & (steps > 0)]
    return len(rising) >= 4 and float((np.abs(rising / float(np.median(np.diff(grid.t))) - 1.0) < 0.2).mean()) > 0.8


def _is_counter(grid: Grid) -> bool:
    """Whether untyped series only ever rise: a counter that nobody called one."""
    steps = np.diff(grid.v, axis=1)
    steps = steps[np.isfinite(steps)]
    clocks = np.abs(steps / max(float(np.median(np.diff(grid.t))), 1e-9) - 1.0) < 0.05 if len(grid.t) > 1 else steps < 0
    if len(steps) and float(clocks.mean()) > 0.5:
        return False  # it grows by a second a second: an elapsed time
    return len(steps) > 20 and float((steps >= 0).mean()) > 0.98 and float((steps > 0).mean()) > 0.3


def _is_timestamp(grid: Grid) -> bool:
    seen = grid.v[np.isfinite(grid.v)]
    return bool(len(seen)) and float(np.median(seen)) > 1e9


def _is_recent(grid: Grid) -> bool:
    """Whether values are Unix seconds of something that happened not long ago, whatever the name says."""
    if not np.isfinite(grid.v).any():
        return False
    ages = grid.t[None, :] - grid.v
    return bool(_is_timestamp(grid) and float(np.nanmin(ages)) > -60.0 and float(np.nanmax(ages)) < 30 * 86400.0)


def _shares(
    evidence: MetricEvidence, kind: str, grid: Grid, labels: Sequence[Labels], outcome: str, covered: Bools | None
) -> list[Rows]:
    """Shares of bad outcomes, and the volume, for each label set without the outcome label."""
    v = _absent_is_zero(grid.v, covered)
    rest = [frozen({k: x for k, x in one.items() if k != outcome}) for one in labels]
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for i, one in enumerate(rest):
        groups.setdefault(tuple(one.items()), []).append(i)
    names = [frozen(dict(k)) for k in groups]
    whole = np.stack([np.nansum(v[rows], axis=0) for rows in groups.values()])
    whole = np.where(samples_any(v)[None, :], whole, np.nan)
    failing = np.array([bad_outcome(outcome, one.get(outcome, "")) for one in labels])
    part = np.stack(
        [
            np.nansum(v[[i for i in rows if failing[i]]], axis=0) if failing[rows].any() else np.zeros(v.shape[1])
            for rows in groups.values()
        ]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(whole > 0, part / whole, np.nan)
    share_rows = Rows(
        evidence, "error share", f"share of failed {evidence.about}", "ratio", tuple(names), Grid(grid.t, share), 1,
        0.1, 0.01, 0.02, part,
    )  # fmt: skip
    volume = Rows(
        evidence, "requests", f"volume of {evidence.about}", "per s", tuple(names), Grid(grid.t, whole), 0, 0.08, 0.02,
            0.3, whole,
    )  # fmt: skip
    return [share_rows, volume] if failing.any() else [volume]
