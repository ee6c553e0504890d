"""What it costs: authorisations lost against the baseline, by scheme and region, and money at risk per currency.

Counted from metrics, leaf by leaf, where first attempts can be told from retries: an order that was tried three times
and then approved has lost nothing. A loss that is confined to some label values is counted there only. Currencies are
never added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from assistant.analysis import payments as pay
from assistant.analysis.dimensions import Cube, Explained, counts, covered_in
from assistant.analysis.logs import fields_of
from assistant.analysis.signals import grid_of, selected
from assistant.core.evidence import EvidenceId, Floats, MetricEvidence
from assistant.core.finding import Impact
from assistant.core.observations import Observations
from assistant.core.time import Window

FORMULA = (
    "first attempts in the window x usual approvals per first attempt - approvals seen, per label set; "
    "first attempts are "
    "attempts less retries, and approvals of later tries count, so that orders approved later are netted"
)
PLAIN = "attempts in the window x usual approval rate - approvals seen, per label set; retries could not be told apart"
_ORDER_FIELDS = (
    "order",
    "order_id",
    "payment",
    "payment_id",
    "txn",
    "txn_id",
    "transaction_id",
    "orderid",
    "payment_intent",
    "rrn",
)


def impact_of(
    seen: Observations, cube: Cube | None, explained: Sequence[Explained], *, window: Window
) -> Impact | None:
    """The impact over `window`, or None where no metric tells approvals. What could not be counted is said."""
    if cube is None or not covered_in(cube, seen.incident.baseline):
        return None
    numbers = counts(cube, seen.incident.baseline, window)
    again, source = retries_by_leaf(seen, cube)
    lost = _lost(cube, again, seen.incident.baseline, window)
    inside = np.any([e.inside for e in explained if e.labels], axis=0) if any(e.labels for e in explained) else None
    if inside is not None and len(inside) == len(lost):
        lost = np.where(inside, lost, 0.0)
    lost = _netted_of_chance(lost)
    amounts, amount_source = _amounts(seen, cube, lost)
    attempts = float(numbers.attempts.sum())
    return Impact(
        window=window,
        attempts=attempts,
        lost=float(lost.sum()),
        usual_rate=float(1 - numbers.expected.sum() / attempts) if attempts else float("nan"),
        seen_rate=float(1 - numbers.declined.sum() / attempts) if attempts else float("nan"),
        amounts=amounts,
        by=_by(seen, cube, lost),
        formula=FORMULA if source else PLAIN,
        not_counted=_not_counted(seen, window, bool(source), bool(amount_source)),
        evidence=tuple(e for e in (cube.evidence, source, amount_source) if e),
    )


def _not_counted(seen: Observations, window: Window, retries: bool, money: bool) -> tuple[str, ...]:
    out = []
    if not retries:
        out.append("retries: no counter tells them from first attempts, so orders tried twice count twice")
    if (netted := netted_orders(seen, window)) is not None:
        out.append(
            f"single orders: of {netted[0]} failed orders in the lines that were read, {netted[1]} were approved later"
        )
    if not money:
        out.append("money: no counter of amounts by currency")
    out.append("customers: no metric counts them")
    return tuple(out)


def retries_by_leaf(seen: Observations, cube: Cube) -> tuple[Floats, EvidenceId | None]:
    """Retries per second for each leaf (n, T). Where the counter has fewer labels than the cube, a retry is shared out
    by declines, which are what is tried again. Zeros and None where nothing counts retries."""
    evidence = next((e for e in seen.metrics if e.role == "retries" and _is_mapped(seen, e, "retries")), None)
    none = np.zeros_like(cube.attempts)
    if evidence is None:
        return none, None
    grid = grid_of(evidence)
    if grid.v.shape[1] != len(cube.t):
        return none, None
    shared = [n for n in cube.names if any(n in s.labels for s in evidence.series)]
    sums: dict[tuple[str, ...], Floats] = defaultdict(lambda: np.zeros(len(cube.t)))
    for s, v in zip(evidence.series, grid.v, strict=True):
        sums[tuple(s.labels.get(n, "") for n in shared)] += np.nan_to_num(v)
    declined = np.maximum(cube.attempts - cube.approved, 0.0) + 1e-9
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, leaf in enumerate(cube.leaves):
        groups[tuple(leaf.get(n, "") for n in shared)].append(i)
    for key, rows in groups.items():
        part = declined[rows] / declined[rows].sum(axis=0)
        none[rows] = part * sums[key]
    return np.minimum(none, cube.attempts), evidence.id


def _lost(cube: Cube, again: Floats, baseline: Window, window: Window) -> Floats:
    """Approvals missing per leaf (n,), by `FORMULA`; negative where more than usual were approved."""
    before = (cube.t >= baseline.start) & (cube.t < baseline.end)
    during = (cube.t >= window.start) & (cube.t < window.end)
    first = cube.attempts - again
    f0, y0 = first[:, before].sum(axis=1), cube.approved[:, before].sum(axis=1)
    f1, y1 = first[:, during].sum(axis=1), cube.approved[:, during].sum(axis=1)
    overall = y0.sum() / f0.sum() if f0.sum() else 0.0
    few = 20.0 / cube.step
    lost: Floats = (f1 * (y0 + few * overall) / (f0 + few) - y1) * cube.step
    return lost


def _netted_of_chance(lost: Floats) -> Floats:
    """Chance makes some leaves lose and others win; only the sum is sure, so it is shared out over those that lost."""
    gross, net = np.maximum(lost, 0.0), max(float(lost.sum()), 0.0)
    total = float(gross.sum())
    return gross * (net / total) if total > 0 else gross


def _by(seen: Observations, cube: Cube, lost: Floats) -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = {}
    for role in ("scheme", "region"):
        mapped = seen.payments.labels.get(role)
        if mapped is None or mapped.label not in cube.names:
            continue
        sums: dict[str, float] = defaultdict(float)
        for leaf, n in zip(cube.leaves, lost, strict=True):
            sums[leaf.get(mapped.label, "")] += float(n)
        out[role] = {k: round(v, 1) for k, v in sorted(sums.items(), key=lambda kv: -kv[1]) if v >= 0.5}
    return out


def _is_mapped(seen: Observations, evidence: MetricEvidence, role: str) -> bool:
    mapped = seen.payments.metrics.get(role)
    return mapped is not None and selected(evidence.query).startswith(mapped.name)


def netted_orders(seen: Observations, window: Window) -> tuple[int, int] | None:
    """(orders with a failed line, those of them approved in a later line); None where no order id is in the lines."""
    failed: dict[str, float] = {}
    approved: dict[str, float] = {}
    for evidence in seen.logs:
        for line in evidence.lines:
            if line.t not in window:
                continue
            fields = fields_of(line.text)
            order = next((fields[k] for k in _ORDER_FIELDS if fields.get(k)), "")
            code = next((fields[k] for k in ("rc", "response_code", "code", "resp_code") if fields.get(k)), "")
            if not order or not code:
                continue
            if pay.is_approved(code):
                approved[order] = line.t
            else:
                failed.setdefault(order, line.t)
    if not failed:
        return None
    return len(failed), sum(1 for order, t in failed.items() if approved.get(order, -1.0) > t)


def _amounts(seen: Observations, cube: Cube, lost: Floats) -> tuple[dict[str, float], EvidenceId | None]:
    """Money at risk per currency: lost payments times the usual mean ticket of that currency."""
    evidence = next((e for e in seen.metrics if e.role == "amount" and _is_mapped(seen, e, "amount")), None)
    currency = seen.payments.labels.get("currency")
    if evidence is None or currency is None or not any(currency.label in s.labels for s in evidence.series):
        return {}, None
    money = _by_label(evidence, currency.label, seen.incident.baseline)
    base = (cube.t >= seen.incident.baseline.start) & (cube.t < seen.incident.baseline.end)
    paid = cube.attempts[:, base].sum(axis=1) * cube.step
    if currency.label not in cube.names:
        return {}, None
    per: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for leaf, n, gone in zip(cube.leaves, paid, lost, strict=True):
        per[leaf.get(currency.label, "")][0] += float(n)
        per[leaf.get(currency.label, "")][1] += float(gone)
    minor = "minor" in selected(evidence.query) or "cents" in selected(evidence.query)
    out = {}
    for code, (n, gone) in per.items():
        if n > 0 and gone >= 0.5 and code in money:
            unit = 10 ** pay.MINOR_UNITS.get(code, 2) if minor else 1
            out[code] = round(gone * money[code] / n / unit, 2)
    return out, evidence.id if out else None


def _by_label(evidence: MetricEvidence, label: str, window: Window) -> Mapping[str, float]:
    grid = grid_of(evidence)
    inside = (grid.t >= window.start) & (grid.t < window.end)
    sums: dict[str, float] = defaultdict(float)
    for s, v in zip(evidence.series, grid.v, strict=True):
        sums[s.labels.get(label, "")] += float(np.nansum(v[inside])) * evidence.step
    return sums


def total_of(impacts: Sequence[Impact]) -> dict[str, float]:
    """Money at risk of several impacts, currency by currency; never a sum over currencies."""
    out: dict[str, float] = defaultdict(float)
    for one in impacts:
        for code, value in one.amounts.items():
            out[code] += value
    return dict(out)
