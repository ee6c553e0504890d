"""Small troubles of any day, with alerts of their own, that have nothing to do with the kind."""

from __future__ import annotations

import numpy as np

from evals.lab.gauges import Active
from evals.lab.shop import ROLES, Shop
from evals.lab.spec import Fault, Scenario

DISKS = ("gateway", "orchestrator", "vault", "settlement", "disputes", "payouts")


ALERTS = (
    "DiskAlmostFull",
    "MemoryPressure",
    "OnboardingBacklog",
    "DatabaseReplicaLag",
    "TargetDown",
    "ReconciliationBreaks",
    "ClockSkewHigh",
)


def _one(rng: np.random.Generator, which: int) -> Fault:
    match which:
        case 0:
            return Fault(
                "level",
                str(rng.choice(DISKS)),
                gauge="disk_used",
                to=float(rng.uniform(0.905, 0.94)),
                log=("disk usage high",),
                ramp=900.0,
            )
        case 1:
            return Fault(
                "level",
                str(rng.choice(ROLES)),
                gauge="memory_used",
                to=float(rng.uniform(0.93, 0.96)),
                ramp=1200.0,
                log=("heap near its limit",),
            )
        case 2:
            return Fault(
                "level",
                "onboarding",
                gauge="onboarding_pending",
                to=float(rng.uniform(90, 130)),
                ramp=1800.0,
                log=("reviews are waiting",),
            )
        case 3:
            return Fault(
                "level",
                "ledger",
                gauge="replica_lag",
                to=float(rng.uniform(32, 45)),
                ramp=120.0,
                lasts=float(rng.uniform(300, 900)),
                log=("replica behind",),
            )
        case 4:
            return Fault(
                "level",
                str(rng.choice(ROLES)),
                gauge="up",
                to=0.0,
                ramp=0.0,
                lasts=float(rng.uniform(200, 500)),
                log=("scrape endpoint restarted",),
            )
        case 5:
            return Fault(
                "level",
                "settlement",
                gauge="breaks",
                to=float(rng.uniform(64, 90)),
                ramp=600.0,
                log=("unmatched entries",),
            )
        case _:
            return Fault(
                "skew", str(rng.choice(ROLES)), seconds=float(rng.uniform(2.2, 4.0)), ramp=1200.0, log=("clock drifts",)
            )


def draw_noise(rng: np.random.Generator, shop: Shop, s: Scenario, onset: float) -> tuple[Active, ...]:
    """None to three of them, begun any time in the hours before; never on a service that the kind breaks."""
    busy = {(f.component, f.gauge) for f in s.faults} | {(f.component, "") for f in s.faults}
    out = []
    for which in rng.permutation(7)[: int(rng.choice(4, p=[0.3, 0.35, 0.25, 0.1]))]:
        f = _one(rng, int(which))
        begun = onset - float(rng.uniform(-600, 9000))
        if (f.component, f.gauge) not in busy and (f.component, "") not in busy and f.component not in {s.entity}:
            out.append(Active(f, begun, ALERTS[int(which)]))
    return tuple(out)
