"""Which label values explain a lost approval rate.

Lost approvals are counted leaf by leaf: attempts in the window times the leaf's usual rate, minus approvals seen. A set
of label values is then judged by a likelihood-ratio scan (Kulldorff 1997) with the known baseline: the excess of
declines inside it, under Poisson. Adtributor (NSDI 2014) gives the two figures that are shown, explanatory power
(`share` of the loss) and `surprise` (Jensen-Shannon divergence of the contributions); Squeeze (ISSRE 2019) and RiskLoc
(2022) the idea to search conjunctions of two labels, with a penalty for each further condition.

A second set is looked for after the first one's leaves are taken out, so that two faults give two answers. Ratios with
few attempts behind them are smoothed towards the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from assistant.analysis import payments as pay
from assistant.analysis.signals import grid_of
from assistant.analysis.stats import samples_any
from assistant.core.alert import Labels, frozen
from assistant.core.evidence import EvidenceId, Floats, MetricEvidence
from assistant.core.finding import Dimension
from assistant.core.observations import Observations, PaymentsMap
from assistant.core.time import Window

Ints = NDArray[np.int64]
SURE = 12.0
"""The log-likelihood ratio below which an excess is chance, searched over as many sets as there are."""
LEAST = 0.03
"""The smallest fall of an approval rate that is a fault: over hours and many label sets, less is how days differ."""
FEW = 8.0
"""Lost payments below which nothing is said."""


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Attempts and approvals per second for each leaf. `leaves` n label sets without outcome and code labels, `t` (T,),
    `attempts`, `approved` (n, T); `codes` maps a response code to (n, T) of that code."""

    evidence: EvidenceId
    leaves: tuple[Labels, ...]
    t: Floats
    attempts: Floats
    approved: Floats
    codes: Mapping[str, Floats]
    step: float
    covered: NDArray[np.bool_]
    """(T,) where the server had samples at all: elsewhere nothing is known, not even zero."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(k for leaf in self.leaves for k in leaf))

    def total(self) -> tuple[Floats, Floats]:
        """Attempts and approvals per second over all leaves, (T,) each."""
        return self.attempts.sum(axis=0), self.approved.sum(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A set of label values that carries lost approvals. `inside` (n,) marks its leaves; `llr` is its likelihood ratio;
    `share` of the loss, `weight` its share of attempts; usual and seen approval rate; `codes` maps a response code to
    its extra declines per second; counts are in payments."""

    evidence: EvidenceId
    labels: Labels
    inside: NDArray[np.bool_]
    llr: float
    share: float
    weight: float
    surprise: float
    usual: float
    seen: float
    lost: float
    attempts: float
    codes: Mapping[str, float]

    def value(self) -> Dimension:
        return Dimension(self.evidence, self.labels, self.share, self.surprise, self.usual, self.seen)


def cubes(seen: Observations) -> list[Cube]:
    """Cubes of the payments evidence, the one with most dimensions first."""
    by_shape: dict[tuple[str, ...], dict[str, MetricEvidence]] = {}
    for e in seen.metrics:
        if e.role in {"payments", "approved", "declined"} and e.series:
            outcome = seen.payments.metrics.get("attempts")
            names = frozenset(k for s in e.series for k in s.labels) - {
                outcome.label if outcome else "",
                _code_label(seen.payments),
            }
            by_shape.setdefault(tuple(sorted(names)), {}).setdefault(e.role, e)
    built = (_cube(parts, seen.payments) for parts in by_shape.values())
    return sorted((c for c in built if c is not None), key=lambda c: (-len(c.names), -len(c.leaves)))


def _code_label(payments: PaymentsMap) -> str:
    role = payments.labels.get("response_code")
    return role.label if role else ""


def _cube(parts: Mapping[str, MetricEvidence], payments: PaymentsMap) -> Cube | None:
    attempts_role, approved_role = payments.metrics.get("attempts"), payments.metrics.get("approved")
    first = next(iter(parts.values()))
    outcome = attempts_role.label if attempts_role else ""
    code = _code_label(payments)
    drop = {outcome, code} - {""}
    keys: dict[tuple[tuple[str, str], ...], int] = {}
    entries: list[tuple[str, int, Labels, Floats]] = []
    t = grid_of(first).t
    covered = np.zeros(len(t), dtype=bool)
    for role, e in parts.items():
        grid = grid_of(e)
        if len(grid.t) != len(t):
            continue
        covered |= samples_any(grid.v)
        for s, row in zip(e.series, grid.v, strict=True):
            leaf = tuple(sorted((k, x) for k, x in s.labels.items() if k not in drop))
            entries.append((role, keys.setdefault(leaf, len(keys)), s.labels, np.nan_to_num(row)))
    n = len(keys)
    whole, yes, no = np.zeros((n, len(t))), np.zeros((n, len(t))), np.zeros((n, len(t)))
    codes: dict[str, Floats] = {}
    approved_values = set(approved_role.values) if approved_role else set()
    split = "payments" in parts and outcome and approved_values
    for role, i, labels, row in entries:
        value = labels.get(code, "") if code else ""
        if role == "payments":
            whole[i] += row
            if split and labels.get(outcome, "") in approved_values:
                yes[i] += row
            elif value:
                codes.setdefault(value, np.zeros((n, len(t))))[i] += row
        elif role == "approved":
            yes[i] += row
        else:
            no[i] += row
            if value:
                codes.setdefault(value, np.zeros((n, len(t))))[i] += row
    if not split and "approved" not in parts:
        return None
    if "payments" not in parts:
        if "declined" not in parts:
            return None
        whole = yes + no
    return Cube(
        first.id, tuple(frozen(dict(k)) for k in keys), t, whole, np.minimum(yes, whole), codes, first.step, covered
    )


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Per leaf, in payments: attempts and declines in the window, and the declines expected at the usual rate."""

    attempts: Floats
    declined: Floats
    expected: Floats
    usual_rate: Floats


def counts(cube: Cube, baseline: Window, window: Window) -> Counts:
    """Attempts and declines of the window against the usual decline rate of each leaf, smoothed by 20 payments."""
    before = (cube.t >= baseline.start) & (cube.t < baseline.end)
    inside = (cube.t >= window.start) & (cube.t < window.end)
    a0, y0 = cube.attempts[:, before].sum(axis=1) * cube.step, cube.approved[:, before].sum(axis=1) * cube.step
    a1, y1 = cube.attempts[:, inside].sum(axis=1) * cube.step, cube.approved[:, inside].sum(axis=1) * cube.step
    overall = (a0.sum() - y0.sum()) / a0.sum() if a0.sum() else 0.0
    rate = (a0 - y0 + 20 * overall) / (a0 + 20)
    return Counts(a1, np.maximum(a1 - y1, 0.0), np.maximum(a1 * rate, 1e-9), 1 - rate)


def covered_in(cube: Cube, window: Window) -> bool:
    """Whether at least five instants of the window were covered."""
    return int(cube.covered[(cube.t >= window.start) & (cube.t < window.end)].sum()) >= 5


def _llr(observed: Floats, expected: Floats) -> Floats:
    """Poisson log-likelihood ratio of an excess; 0 where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = observed * np.log(observed / expected) - (observed - expected)
    return np.where(observed > expected, np.nan_to_num(ratio), 0.0)


def _sets(cube: Cube, names: Sequence[str], depth: int) -> Iterator[tuple[tuple[str, ...], Ints, int]]:
    """(label names, group of each leaf, number of groups) for every combination of up to `depth` names."""
    coded = {}
    for name in names:
        values = [leaf.get(name, "") for leaf in cube.leaves]
        coded[name] = np.unique(values, return_inverse=True)[1].astype(np.int64)
    for k in range(1, depth + 1):
        for combo in combinations(names, k):
            joined = coded[combo[0]]
            for name in combo[1:]:
                joined = joined * (int(coded[name].max()) + 1) + coded[name]
            groups, index = np.unique(joined, return_inverse=True)
            yield combo, index.astype(np.int64), len(groups)


def explain(cube: Cube, *, baseline: Window, window: Window, depth: int = 2, most: int = 3) -> list[Explained]:
    """Up to `most` disjoint sets of label values that carry the lost approvals, strongest first.

    The empty label set means the loss is spread over everything. Empty list: nothing was lost beyond chance.
    """
    numbers = counts(cube, baseline, window)
    if not covered_in(cube, baseline) or not covered_in(cube, window):
        return []
    names = [n for n in cube.names if len({leaf.get(n, "") for leaf in cube.leaves}) > 1]
    excess = numbers.declined - numbers.expected
    total = max(float(np.maximum(excess, 0).sum()), 1e-9)
    found, left = _greedy(cube, numbers, names, total, depth, most), np.ones(len(cube.leaves), dtype=bool)
    for _, inside, _ in found:
        left &= ~inside
    if not found or not _apart(numbers, left):
        whole = float(_llr(np.array([numbers.declined.sum()]), np.array([numbers.expected.sum()]))[0])
        found = [(frozen({}), np.ones(len(cube.leaves), dtype=bool), whole)] if whole >= SURE else []
    return [
        _explained(cube, numbers, *f, baseline=baseline, window=window)
        for f in found
        if excess[f[1]].sum() >= max(FEW, LEAST * float(numbers.attempts[f[1]].sum()) if f[0] else 0.0)
    ]


_Set = tuple[Labels, NDArray[np.bool_], float]


def _greedy(cube: Cube, numbers: Counts, names: Sequence[str], total: float, depth: int, most: int) -> list[_Set]:
    """Disjoint sets, strongest first, until what is left is chance or a trifle beside the first."""
    left = np.ones(len(cube.leaves), dtype=bool)
    found: list[_Set] = []
    excess = numbers.declined - numbers.expected
    for _ in range(most):
        best = _best_set(cube, numbers, names, left, depth)
        if best is None or best[2] < SURE or float(excess[best[1]].sum()) < FEW:
            break
        if found and (best[2] < 0.08 * found[0][2] or float(excess[best[1]].sum()) < 0.1 * total):
            break
        found.append(best)
        left &= ~best[1]
    return found


def _apart(numbers: Counts, left: NDArray[np.bool_]) -> bool:
    """Whether the rest is spared: a loss that only covers everything piece by piece is a loss of everything."""
    outside = float(numbers.attempts[left].sum() / max(numbers.attempts.sum(), 1e-9))
    excess = numbers.declined - numbers.expected
    rest = float(np.maximum(excess[left].sum(), 0.0) / max(excess.sum(), 1e-9))
    return (outside >= 0.15 and rest <= 0.3) or (outside >= 0.05 and rest <= 0.02)


def _best_set(
    cube: Cube, numbers: Counts, names: Sequence[str], left: NDArray[np.bool_], depth: int
) -> tuple[Labels, NDArray[np.bool_], float] | None:
    if not left.any():
        return None
    seen, expected = numbers.declined * left, numbers.expected * left
    whole = float(_llr(np.array([seen.sum()]), np.array([expected.sum()]))[0])
    best: tuple[float, float, Labels, NDArray[np.bool_]] = (0.0, 0.0, frozen({}), left.copy())
    penalty = 0.02 * max(whole, 50.0)
    for combo, index, size in _sets(cube, names, depth):
        inside: Floats = np.bincount(index, seen, size).astype(np.float64)
        usual: Floats = np.bincount(index, np.maximum(expected, 1e-9), size).astype(np.float64)
        ratios = _llr(inside, usual)
        group = int(np.argmax(ratios))
        score = float(ratios[group]) - penalty * (len(combo) - 0.5) - 3.0 * len(combo)
        if score > best[0]:
            chosen = (index == group) & left
            leaf = cube.leaves[int(np.argmax(chosen))]
            best = (score, float(ratios[group]), frozen({n: leaf.get(n, "") for n in combo}), chosen)
    return (best[2], best[3], best[1]) if best[1] > 0 else None


def _explained(
    cube: Cube,
    numbers: Counts,
    labels: Labels,
    inside: NDArray[np.bool_],
    llr: float,
    *,
    baseline: Window,
    window: Window,
) -> Explained:
    excess = numbers.declined - numbers.expected
    gains = np.maximum(excess, 0)
    attempts, declined, expected = (
        numbers.attempts[inside].sum(),
        numbers.declined[inside].sum(),
        numbers.expected[inside].sum(),
    )
    p, q = expected / max(numbers.expected.sum(), 1e-9), declined / max(numbers.declined.sum(), 1e-9)
    return Explained(
        evidence=cube.evidence,
        labels=labels,
        inside=inside,
        llr=llr,
        share=float(min(gains[inside].sum() / max(gains.sum(), 1e-9), 1.0)),
        weight=float(attempts / max(numbers.attempts.sum(), 1e-9)),
        surprise=float(_surprise(p, q)),
        usual=float(1 - expected / attempts) if attempts else float("nan"),
        seen=float(1 - declined / attempts) if attempts else float("nan"),
        lost=float(excess[inside].sum()),
        attempts=float(attempts),
        codes=extra_codes(cube, inside, baseline=baseline, window=window),
    )


def _surprise(p: float, q: float) -> float:
    """Adtributor's surprise of one element: its term of the Jensen-Shannon divergence, in nats."""
    p, q = max(p, 1e-12), max(q, 1e-12)
    return float(0.5 * (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))))


def extra_codes(cube: Cube, inside: NDArray[np.bool_], *, baseline: Window, window: Window) -> dict[str, float]:
    """Declines a response code has beyond its usual share of attempts, in payments, largest first (positive only)."""
    before = (cube.t >= baseline.start) & (cube.t < baseline.end)
    during = (cube.t >= window.start) & (cube.t < window.end)
    a0, a1 = cube.attempts[inside][:, before].sum(), cube.attempts[inside][:, during].sum()
    extra = {}
    for code, v in cube.codes.items():
        usual = v[inside][:, before].sum() / a0 if a0 else 0.0
        more = (v[inside][:, during].sum() - usual * a1) * cube.step
        if more > 1:
            extra[code] = float(more)
    return dict(sorted(extra.items(), key=lambda kv: -kv[1]))


def families(codes: Mapping[str, float], scheme: str = "") -> dict[str, float]:
    """Extra declines by family of response code, as shares of all of them, largest first. Codes by which `scheme` asks
    for authentication count as that."""
    soft = set(pay.SCA_SOFT_DECLINES.get(scheme, ()))
    if next(iter(sorted(codes, key=lambda code: -codes[code])), "") == "65":
        soft.add("65")  # so many cards at once do not exceed their number of payments: it asks for authentication
    total = sum(codes.values())
    found: dict[str, float] = {}
    for code, n in codes.items():
        family = "authentication" if code in soft else pay.code_of(code).family
        found[family] = found.get(family, 0.0) + n / total
    return dict(sorted(found.items(), key=lambda kv: -kv[1]))
