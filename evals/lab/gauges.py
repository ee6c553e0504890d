"""Queues, feeds, resources, certificates, versions: what services tell about their state, healthy and broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.lab.authorise import C, Outcome
from evals.lab.instruments import Meter
from evals.lab.measure import Requests
from evals.lab.shop import ROLES, SCHEMES, Shop
from evals.lab.spec import Fault, Scenario
from evals.lab.traffic import Attempts, Floats

DAY = 86400.0
RELATIVE = {"terminals"}  # gauges whose target is a share of what they had
# For gauges that several services have: (role of the owner or "" for every one, mean range, noise)
ONE_OWNER = {
    "pool_in_use": ("ledger", "orchestrator"),
    "replica_lag": ("ledger",),
    "feature_age": ("risk",),
    "onboarding_pending": ("onboarding",),
}


@dataclass(frozen=True, slots=True)
class Active:
    """A fault and the moment from which its clock runs (noise has its own)."""

    fault: Fault
    onset: float
    alert: str = ""  # the alert that a small trouble sets off


def certificates(shop: Shop) -> list[tuple[str, str]]:
    """(role, peer) of every mutual-TLS certificate that the shop watches."""
    own = [("connector", a) for a in shop.acquirers]
    return [
        *own,
        ("hsm", "hsm-cluster"),
        ("webhooks", "partner-sftp"),
        ("payouts", "bank-gateway"),
        ("threeds", "directory"),
    ]


def _wobble(rng: np.random.Generator, n: int, mean: float, noise: float, *, memory: float = 0.97) -> Floats:
    """A mean-reverting walk."""
    from scipy.signal import lfilter

    shocks = rng.normal(0, noise * np.sqrt(1 - memory**2), n)
    return mean + np.asarray(lfilter([1.0], [1.0, -memory], shocks))


def _acts(active: Sequence[Active], role: str, gauge: str) -> list[Active]:
    return [
        x
        for x in active
        if x.fault.component == role and x.fault.gauge == gauge and x.fault.mechanism in {"level", "climb"}
    ]


def _bend(
    base: npt.NDArray[Any],
    grid: Floats,
    acts: Sequence[Active],
    *,
    relative: bool = False,
    scope: dict[str, str] | None = None,
) -> Floats:
    """Apply `level` and `climb` to a gauge whose own labels are `scope`."""
    out: Floats = np.array(base, dtype=np.float64)
    for x in acts:
        f = x.fault
        if any(k in (scope or {}) and (scope or {})[k] != str(v) for k, v in f.scope.items()):
            continue
        strength = f.strength(grid, x.onset)
        if f.mechanism == "level":
            target = (
                base * float(f.to)
                if relative
                else float(f.to) * (1 + 0.02 * (base - base.mean()) / (np.abs(base).mean() + 1e-9))
            )
            out = out + (target - out) * strength
        else:
            grown = out + f.per_minute * np.maximum(grid - x.onset - f.delay, 0) / 60.0 * (strength > 0)
            limit = float(f.to) if f.to else np.inf
            out = np.minimum(grown, np.maximum(out, limit)) if f.per_minute > 0 else grown
    return out


def queue(rng: np.random.Generator, grid: Floats, t: Floats, headroom: float, slowed: Floats) -> tuple[Floats, Floats]:
    """Depth of a queue at each scrape and its age in seconds.

    Arrivals at `t` are served at `headroom` times their mean rate, times `slowed` (1 healthy, 0 stopped).
    """
    arrived = np.bincount(np.searchsorted(grid, t), minlength=len(grid) + 1)[: len(grid)].astype(np.float64)
    arrived[0] = 0.0
    capacity = max(arrived.mean(), 0.05) * headroom
    served = rng.poisson(np.maximum(capacity * slowed, 0.0))
    depth = np.empty(len(grid))
    waiting = 0.0
    for i in range(len(grid)):
        waiting = max(0.0, waiting + arrived[i] - served[i])
        depth[i] = waiting
    recent = np.convolve(arrived, np.ones(8) / 8, mode="full")[: len(grid)]
    step = float(np.median(np.diff(grid)))
    return depth, depth / np.maximum(recent / step, 0.01)


def _slowed(active: Sequence[Active], role: str, name: str, grid: Floats) -> Floats:
    out = np.ones(len(grid))
    for x in active:
        f = x.fault
        if f.mechanism == "stall" and f.component == role and f.queue == name:
            out = out * (1 - (1 - f.factor) * f.strength(grid, x.onset))
    return out


def queues(
    m: Meter, shop: Shop, a: Attempts, o: Outcome, requests: dict[str, Requests], active: Sequence[Active]
) -> None:
    """Postings to the ledger, webhooks out, refunds, merchants waiting, attempts in flight."""
    grid, ledger = m.grid, shop.service("ledger")
    approved = np.sort((a.t + o.total)[o.code == C["00"]])
    depth, age = queue(m.rng, grid, approved, 1.9, _slowed(active, "ledger", "postings", grid))
    m.gauge("queue_depth", {"service": ledger, "queue": "postings"}, depth)
    m.gauge(
        "posting_lag",
        {"service": ledger},
        _bend(np.round(age + m.rng.gamma(2, 0.3, len(grid)), 2), grid, _acts(active, "ledger", "posting_lag")),
    )
    m.gauge(
        "consumer_lag",
        {"service": ledger, "topic": "postings"},
        np.round(_bend(depth + m.rng.poisson(4, len(grid)), grid, _acts(active, "ledger", "consumer_lag"))),
    )
    m.gauge(
        "consumer_lag",
        {"service": shop.service("webhooks"), "topic": "payment-events"},
        m.rng.poisson(9, len(grid)).astype(np.float64),
    )
    hooks = requests["webhooks"]
    failed = np.sort(hooks.t[hooks.status != 200] + m.rng.exponential(90, int((hooks.status != 200).sum())))
    t = np.sort(np.concatenate([approved, failed[failed < grid[-1]]]))
    broken = np.ones(len(grid))
    share = np.bincount(np.searchsorted(grid, hooks.t[hooks.status != 200]), minlength=len(grid) + 1)[: len(grid)]
    every = np.maximum(np.bincount(np.searchsorted(grid, hooks.t), minlength=len(grid) + 1)[: len(grid)], 1)
    broken -= 0.75 * np.minimum(share / every, 1.0)
    depth, _ = queue(m.rng, grid, t, 1.8, _slowed(active, "webhooks", "outbox", grid) * broken)
    m.gauge(
        "queue_depth", {"service": shop.service("webhooks"), "queue": "outbox"}, depth + m.rng.poisson(12, len(grid))
    )
    refunds = np.sort(m.rng.uniform(grid[0], grid[-1], m.rng.poisson(0.4 * (grid[-1] - grid[0]))))
    depth, _ = queue(m.rng, grid, refunds, 1.6, _slowed(active, "ledger", "refunds", grid))
    m.gauge("queue_depth", {"service": ledger, "queue": "refunds"}, depth + m.rng.poisson(3, len(grid)))
    flight = np.searchsorted(np.sort(a.t), grid) - np.searchsorted(np.sort(a.t + o.total), grid)
    m.gauge(
        "queue_depth", {"service": shop.service("orchestrator"), "queue": "authorisations"}, flight.astype(np.float64)
    )
    stalled = 1 - _slowed(active, "onboarding", "pending", grid)
    pending = np.maximum(_wobble(m.rng, len(grid), m.rng.uniform(14, 30), 3.0), 1) + np.cumsum(
        stalled * m.rng.poisson(1.1, len(grid))
    )
    m.gauge(
        "onboarding_pending",
        {"service": shop.service("onboarding")},
        np.round(_bend(pending, grid, _acts(active, "onboarding", "onboarding_pending"))),
    )


def resources(m: Meter, shop: Shop, a: Attempts, o: Outcome, active: Sequence[Active]) -> None:
    """Pools, replicas, clocks, disks, memory, links, terminals, breaks, and whether a target could be scraped."""
    grid, n, rng = m.grid, len(m.grid), m.rng
    for role in shop.services:
        me = {"service": shop.service(role)}
        skew = [x for x in active if x.fault.mechanism == "skew" and x.fault.component == role]
        clock = np.abs(rng.normal(0, 0.015, n)) + sum(
            (abs(x.fault.seconds) * x.fault.strength(grid, x.onset) for x in skew), np.zeros(n)
        )
        m.gauge("clock_offset", me, np.round(_bend(clock, grid, _acts(active, role, "clock_offset")), 4))
        disk = rng.uniform(0.35, 0.68) + np.arange(n) * rng.uniform(0, 2e-6)
        m.gauge("disk_used", me, np.round(np.minimum(_bend(disk, grid, _acts(active, role, "disk_used")), 0.995), 4))
        memory = _wobble(rng, n, rng.uniform(0.4, 0.7), 0.015)
        m.gauge(
            "memory_used",
            me,
            np.round(
                np.minimum(
                    _restarts(_bend(memory, grid, _acts(active, role, "memory_used")), grid, active, role), 0.99
                ),
                4,
            ),
        )
        up = np.round(_bend(np.ones(n), grid, _acts(active, role, "up")))
        m.gauge(
            "up",
            {
                **me,
                "job": me["service"],
                "instance": f"10.{rng.integers(200)}.{rng.integers(250)}.{rng.integers(250)}:9{rng.integers(100, 999)}",
            },
            _down(up, grid, active, role),
        )
    rate = np.bincount(m.bins(a.t), minlength=n + 1)[:n] / np.median(np.diff(grid))
    for role in ONE_OWNER["pool_in_use"]:
        me = {"service": shop.service(role)}
        base = np.minimum(rng.poisson(rate * rng.uniform(0.9, 1.6)) + 6.0, 90)
        m.gauge("pool_in_use", me, np.round(np.minimum(_bend(base, grid, _acts(active, role, "pool_in_use")), 100)))
        m.gauge("pool_max", me, np.full(n, 100.0))
    ledger = {"service": shop.service("ledger")}
    m.gauge(
        "replica_lag", ledger, np.round(_bend(rng.gamma(2.0, 0.3, n), grid, _acts(active, "ledger", "replica_lag")), 2)
    )
    age = (grid + rng.uniform(0, 300)) % 300
    m.gauge(
        "feature_age",
        {"service": shop.service("risk")},
        np.round(_bend(age, grid, _acts(active, "risk", "feature_age"))),
    )
    for acquirer in shop.acquirers:
        breaks = np.maximum(np.round(_wobble(rng, n, rng.uniform(5, 14), 2.0, memory=0.995)), 0)
        m.gauge(
            "breaks",
            {"service": shop.service("settlement"), "acquirer": acquirer},
            np.round(_bend(breaks, grid, _acts(active, "settlement", "breaks"), scope={"acquirer": acquirer})),
        )
        for link in shop.links:
            up = np.round(
                _bend(
                    np.ones(n), grid, _acts(active, "connector", "link_up"), scope={"acquirer": acquirer, "link": link}
                )
            )
            m.gauge("link_up", {"service": shop.service("connector"), "acquirer": acquirer, "link": link}, up)
    for region in shop.regions:
        fleet = np.round(rng.uniform(1500, 6000) * (1 + 0.02 * np.sin(grid / 7000)) + rng.normal(0, 6, n))
        m.gauge(
            "terminals",
            {"service": shop.service("terminals"), "region": region},
            np.round(
                _bend(fleet, grid, _acts(active, "terminals", "terminals"), relative=True, scope={"region": region})
            ),
        )


def _restarts(memory: Floats, grid: Floats, active: Sequence[Active], role: str) -> Floats:
    """A process that is killed and starts again: memory is a saw."""
    for x in active:
        if x.fault.mechanism == "restart" and x.fault.component == role:
            phase = ((grid - x.onset) % x.fault.every) / x.fault.every
            memory = np.where(x.fault.strength(grid, x.onset) > 0, 0.3 + 0.68 * phase, memory)
    return memory


def _down(up: Floats, grid: Floats, active: Sequence[Active], role: str) -> Floats:
    for x in active:
        if x.fault.mechanism == "restart" and x.fault.component == role:
            phase = (grid - x.onset) % x.fault.every
            up = np.where((x.fault.strength(grid, x.onset) > 0) & (phase < 16), 0.0, up)
        if x.fault.mechanism == "vanish" and x.fault.component == role and x.fault.signal == "metrics":
            up = np.where(x.fault.strength(grid, x.onset) > 0, 0.0, up)
    return up


def feeds(m: Meter, shop: Shop, active: Sequence[Active], onset: float) -> None:
    """Timestamps of the last file, event or update, and the settlement batch."""
    grid, rng = m.grid, m.rng
    frozen = {x.fault.component: x for x in active if x.fault.mechanism == "freeze"}
    m.gauge("fx_update", {"service": shop.service("fx")}, _last(grid, _ticks(rng, grid, 240.0), frozen.get("fx")))
    for scheme in SCHEMES:
        stop = frozen.get("disputes")
        if stop and str(stop.fault.scope.get("scheme", scheme)) != scheme:
            stop = None
        m.gauge(
            "chargeback_feed",
            {"service": shop.service("disputes"), "scheme": scheme},
            _last(grid, _ticks(rng, grid, 260.0), stop),
        )
    late = frozen.get("settlement")
    # Every world's files are due near the same moment: a missing one is seen beside those that came.
    due = onset + rng.uniform(-900, 900) if late is None else onset
    for acquirer in shop.acquirers:
        came = due - rng.uniform(60, 900)
        yesterday = onset - 93600 + rng.uniform(60, 600)
        mine = late is not None and str(late.fault.scope.get("acquirer", acquirer)) == acquirer
        value = np.full(len(grid), yesterday if mine else came - DAY)
        m.gauge(
            "settlement_file",
            {"service": shop.service("settlement"), "acquirer": acquirer},
            np.round(value if mine else np.where(grid >= came, came, value)),
        )
    overrun = next((x for x in active if x.fault.mechanism == "overrun"), None)
    start = onset - 3600 if overrun else onset + rng.uniform(-5400, 600)
    length = np.inf if overrun else rng.uniform(1500, 3000)
    running = np.where((grid >= start) & (grid < start + length), grid - start, 0.0)
    m.gauge("batch_duration", {"service": shop.service("settlement")}, np.round(running))


def _ticks(rng: np.random.Generator, grid: Floats, mean: float) -> Floats:
    span = float(grid[-1] - grid[0]) + 1200
    return np.sort(grid[0] - 1200 + np.cumsum(rng.uniform(0.4 * mean, 1.6 * mean, int(span / mean * 1.7) + 4)))


def _last(grid: Floats, ticks: Floats, stop: Active | None) -> Floats:
    if stop is not None:
        ticks = ticks[ticks < stop.onset + stop.fault.delay]
    return np.round(ticks[np.maximum(np.searchsorted(ticks, grid, side="right") - 1, 0)])


def expiries(m: Meter, shop: Shop, s: Scenario, onset: float, soon: tuple[str, float] | None) -> None:
    """Ends of certificates; an expired one ended at the onset, and one may end soon as noise."""
    for role, peer in certificates(shop):
        ends = onset + m.rng.uniform(40, 320) * DAY
        if soon and soon[0] == peer:
            ends = onset + soon[1] * DAY
        values = np.full(len(m.grid), round(ends))
        for f in s.faults:
            if f.mechanism == "expire" and f.component == role and f.peer == peer:
                values = np.full(len(m.grid), round(onset + f.delay))
        m.gauge("certificate", {"service": shop.service(role), "peer": peer}, values.astype(np.float64))


def versions(m: Meter, shop: Shop, deploys: Sequence[tuple[float, str]]) -> None:
    """build_info of every service; a deploy changes the version within two scrapes."""
    for role in ROLES:
        name = shop.service(role)
        moments = sorted(t for t, service in deploys if service == name)
        major, minor, patch = (int(x) for x in m.rng.integers((1, 0, 0), (7, 40, 9)))
        edges = [-np.inf, *moments, np.inf]
        for i in range(len(edges) - 1):
            inside = (m.grid >= edges[i]) & (m.grid < edges[i + 1])
            if inside.any():
                m.gauge(
                    "build_info",
                    {"service": name, "version": f"{major}.{minor + i}.{patch}"},
                    np.where(inside, 1.0, np.nan),
                )
