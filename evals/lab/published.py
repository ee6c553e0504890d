"""What is published about real card traffic, and the same figures of the lab's healthy shops.

Each range holds what the named source states; where a source gives one number, the range is around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from evals.lab import shop as shops
from evals.lab.authorise import CODES, RESULTS, C, simulate
from evals.lab.spec import bind, load_kind


@dataclass(frozen=True, slots=True)
class Published:
    """A range and who published it."""

    name: str
    low: float
    high: float
    unit: str
    source: str


RANGES = (
    Published(
        "approved, card not present",
        0.75,
        0.92,
        "share",
        "EBANX, credit card declines (75 % is the floor of good standing); uSwipe, approval ratio (aim over 85 %)",
    ),
    Published(
        "approved, card present", 0.92, 0.99, "share", "Finantrix, card authorisation life cycle (target above 97 %)"
    ),
    Published(
        "insufficient funds among issuers' declines",
        0.36,
        0.50,
        "share",
        "Ethoca by Soar Payments (44.4 %); EBANX (nearly 40 %); Spreedly (almost half)",
    ),
    Published("suspected fraud among issuers' declines", 0.03, 0.12, "share", "Ethoca by Soar Payments (9.4 %)"),
    Published(
        "authentications that succeed",
        0.85,
        0.95,
        "share",
        "Netcetera, strong customer authentication (85.5 % under PSD2, 89 % outside)",
    ),
    Published(
        "authorisation, median", 0.1, 1.0, "s", "Finantrix, payment latency (seconds at most; each hop 50-200 ms)"
    ),
    Published(
        "authorisation, 95th percentile", 0.3, 2.0, "s", "Finantrix, average payment processing latency (P95 below 2 s)"
    ),
    Published("quietest hour", 2, 5, "hour", "Paymark by Scoop: 3 to 4 in the morning"),
    Published(
        "busiest hour",
        11,
        20,
        "hour",
        "Paymark by Scoop: noon to 1; National Retail Federation: online into the evening",
    ),
    Published(
        "quietest hour's share of the busiest",
        0.02,
        0.35,
        "share",
        "Paymark by Scoop, share of spending by hour (figure 1)",
    ),
)


def measure(seed: int) -> dict[str, float]:
    """A whole healthy day of one shop, in the terms of RANGES."""
    rng = np.random.default_rng(seed)
    shop = replace(shops.draw(rng), rate=4.0)
    scenario = bind(load_kind("healthy"), shop, rng)
    start = 1.78e9 - 1.78e9 % 86400
    a, o = simulate(rng, shop, scenario, (start, start + 86400), start + 43200, float("inf"))
    first = a.wave == 0
    approved, remote = o.code == C["00"], a.channel != shops.CHANNELS.index("pos")
    issuer = (o.stage > 7) & ~approved
    hours = np.bincount(((a.t[first] - start) // 3600).astype(np.int64), minlength=24)[:24]
    asked = o.threeds >= 0
    return {
        "approved, card not present": float(approved[first & remote].mean()),
        "approved, card present": float(approved[first & ~remote].mean()),
        "insufficient funds among issuers' declines": float((o.code[issuer] == CODES.index("51")).mean()),
        "suspected fraud among issuers' declines": float((o.code[issuer] == CODES.index("59")).mean()),
        "authentications that succeed": float((o.threeds[asked] == RESULTS.index("Y")).mean()),
        "authorisation, median": float(np.median(o.total)),
        "authorisation, 95th percentile": float(np.quantile(o.total, 0.95)),
        "quietest hour": float(hours.argmin()),
        "busiest hour": float(hours.argmax()),
        "quietest hour's share of the busiest": float(hours.min() / hours.max()),
    }


def compare(seeds: range) -> Iterator[tuple[Published, list[float]]]:
    """Each range with the values of some shops."""
    days = [measure(seed) for seed in seeds]
    for one in RANGES:
        yield one, [day[one.name] for day in days]
