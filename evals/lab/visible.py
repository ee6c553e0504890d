"""When a fault first shows: the stretch of time in which no moment can be told from another.

A fault that hits one issuer in ten shows with the first payment that it hits, a feed that stopped shows with the first
update that does not come, and a batch that does not end looks like any other until it has run longer than they do.
Telemetry is the same, byte for byte, for every moment of such a stretch; an answer inside it is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evals.lab.authorise import STAGE, Outcome
from evals.lab.instruments import Meter
from evals.lab.shop import Shop
from evals.lab.spec import Fault, Scenario
from evals.lab.traffic import Attempts, in_scope

FEEDS = {"fx": "fx_update", "disputes": "chargeback_feed"}
LATE_FILE = 93600.0
"""Seconds after the file before, at which the alert for a missing one fires: when it was due stands nowhere."""
LONGEST = 1800.0
"""Seconds from the moment a batch has run for an hour to the limit of its alert: no run of the shown hours says how
long one may take."""


def onset_span(
    s: Scenario, shop: Shop, onset: float, a: Attempts, o: Outcome, said: Mapping[int, Sequence[float]], m: Meter
) -> tuple[float, float]:
    """(earliest, latest) Unix seconds at which the first faults of `s` may have begun as far as anything recorded
    tells. `onset` lies between them. `said` are the moments of the lines that a fault writes, by its index."""
    first = [k for k, f in enumerate(s.faults) if f.delay <= 0]
    spans = [_span(k, s.faults[k], shop, onset, a, o, said, m) for k in first]
    if not spans:
        return onset, onset
    return min(x for x, _ in spans), max(min(y for _, y in spans), onset)


def _span(
    k: int, f: Fault, shop: Shop, onset: float, a: Attempts, o: Outcome, said: Mapping[int, Sequence[float]], m: Meter
) -> tuple[float, float]:
    if f.mechanism == "freeze" and f.component in FEEDS:
        return _last_update(f, m, onset, FEEDS[f.component]), onset
    if f.mechanism == "freeze" and f.component == "settlement":
        return onset, max(_last_update(f, m, onset, "settlement_file") + LATE_FILE, onset)
    if f.mechanism == "overrun":
        return onset, onset + LONGEST
    if f.mechanism == "say":
        return onset, float(min(said.get(k, ()), default=onset))
    if f.component in STAGE and f.mechanism in {"error", "drop", "expire", "miscode", "rule", "throttle", "slow"}:
        return onset, _first_hit(k, f, shop, onset, a, o)
    return onset, onset


def _first_hit(k: int, f: Fault, shop: Shop, onset: float, a: Attempts, o: Outcome) -> float:
    """When the first attempt that the fault changed was counted: attempts are counted when they end."""
    hit = o.fault == k
    if f.mechanism == "slow":
        hit = in_scope(f, a, shop) & (a.t >= onset) & (o.stage >= STAGE[f.component])
    ended = (a.t + o.total)[hit & (a.t >= onset)]
    return float(ended.min()) if len(ended) else onset


def _last_update(f: Fault, m: Meter, onset: float, role: str) -> float:
    """The feed's last update before it stopped."""
    name = m.naming.metric(role)
    scope = m.naming.labels_of({k: str(v) for k, v in f.scope.items()})
    rows = [v for labels, v in m.rows if labels["__name__"] == name and scope.items() <= labels.items()]
    last = [float(np.nanmax(v)) for v in rows]
    return min([x for x in last if x <= onset], default=onset)
