"""The orders of the first world: who pays with what, what is answered, who tries again, what is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEP, HOURS = 15.0, 3.0
SCHEMES = ("visa", "mastercard", "amex")
# issuer, region, currency, share of traffic, share of visa / mastercard / amex, share approved
ISSUERS = (
    ("litoral", "eu", "EUR", 0.17, (0.80, 0.20, 0.0), 0.89),
    ("nordhaven", "eu", "EUR", 0.15, (0.55, 0.45, 0.0), 0.90),
    ("alpenbank", "eu", "EUR", 0.12, (0.40, 0.60, 0.0), 0.91),
    ("meridiano", "eu", "EUR", 0.09, (0.60, 0.40, 0.0), 0.86),
    ("kestrel", "uk", "GBP", 0.14, (0.65, 0.35, 0.0), 0.91),
    ("harbour", "uk", "GBP", 0.11, (0.50, 0.40, 0.10), 0.89),
    ("firstprairie", "us", "USD", 0.12, (0.55, 0.30, 0.15), 0.87),
    ("lumen", "us", "USD", 0.10, (0.45, 0.40, 0.15), 0.88),
)
ACQUIRERS = ("vela", "tamarind", "orbit")
ROUTES = {"eu": (0.6, 0.4, 0.0), "uk": (0.3, 0.0, 0.7), "us": (0.0, 0.5, 0.5)}
DECLINES = ("05", "51", "54", "14", "59", "61", "65", "91", "96")
DECLINE_MIX = (0.33, 0.35, 0.05, 0.05, 0.07, 0.05, 0.06, 0.03, 0.01)
CODES = ("00", *DECLINES)
BUCKETS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0, float("inf"))
GUILTY_ISSUER, GUILTY_ACQUIRER = 0, 0
SERVICES = (
    ("payments-api", "gateway"),
    ("payment-orchestrator", "orchestrator"),
    ("risk-scoring", "risk"),
    ("token-vault", "tokenisation"),
    ("acquirer-connector", "acquirer link"),
    ("ledger", "ledger"),
    ("webhook-dispatcher", "webhooks"),
)
EDGES = (
    ("payments-api", "payment-orchestrator"),
    ("payment-orchestrator", "risk-scoring"),
    ("payment-orchestrator", "token-vault"),
    ("payment-orchestrator", "acquirer-connector"),
    ("payment-orchestrator", "ledger"),
    ("ledger", "webhook-dispatcher"),
)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Authorisation attempts in order of time. All arrays have one entry an attempt; `t` unix s, `latency` s."""

    t: Floats
    order: Ints
    issuer: Ints
    scheme: Ints
    acquirer: Ints
    code: Ints
    latency: Floats
    amount: Ints  # minor units
    wave: Ints

    @property
    def approved(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.code == 0)


def day_shape(t: Floats) -> Floats:
    """Share of the busiest hour, by hour of the day (UTC): low at 04:00, high from noon to evening."""
    hour = (t / 3600.0) % 24.0
    return 0.62 + 0.28 * np.cos((hour - 15.0) / 24.0 * 2 * np.pi) + 0.10 * np.cos((hour - 19.0) / 12.0 * 2 * np.pi)


def first_attempts(rng: np.random.Generator, start: float, end: float, rate: float) -> Attempts:
    """Arrivals as a Poisson process with the day's shape; who pays with what by the tables above."""
    seconds = np.arange(start, end, 1.0)
    counts = rng.poisson(rate * day_shape(seconds))
    t = np.sort(np.repeat(seconds, counts) + rng.random(counts.sum()))
    n = len(t)
    share = np.array([row[3] for row in ISSUERS])
    issuer = rng.choice(len(ISSUERS), n, p=share / share.sum())
    scheme, acquirer = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i, row in enumerate(ISSUERS):
        mine = issuer == i
        scheme[mine] = rng.choice(3, mine.sum(), p=row[4])
        acquirer[mine] = rng.choice(3, mine.sum(), p=ROUTES[row[1]])
    amount = np.round(np.exp(rng.normal(8.05, 0.95, n))).astype(np.int64)
    zeros = np.zeros(n, np.int64)
    return Attempts(t, np.arange(n), issuer, scheme, acquirer, zeros, np.zeros(n), amount, zeros)


def answer(rng: np.random.Generator, a: Attempts, onset: float) -> Attempts:
    """What issuer and acquirer answer, and how long it takes: the healthy mix, and the fault on top of it."""
    n = len(a.t)
    rates = np.array([row[5] for row in ISSUERS])[a.issuer] - 0.12 * (a.wave > 0)
    code = np.where(rng.random(n) < rates, 0, 1 + rng.choice(len(DECLINES), n, p=DECLINE_MIX))
    latency = np.exp(rng.normal(np.log(0.42), 0.38, n)) + 0.04 * a.acquirer
    strength = np.clip((a.t - onset) / 60.0, 0, 1) * 0.88
    hit = (a.issuer == GUILTY_ISSUER) & (a.acquirer == GUILTY_ACQUIRER) & (rng.random(n) < strength)
    code[hit] = 1 + np.where(rng.random(hit.sum()) < 0.78, DECLINES.index("91"), DECLINES.index("96"))
    latency[hit] += 3.0 + rng.gamma(4.0, 0.6, hit.sum())
    return Attempts(a.t, a.order, a.issuer, a.scheme, a.acquirer, code, latency, a.amount, a.wave)


def retries(rng: np.random.Generator, a: Attempts, end: float) -> Attempts:
    """Second tries: the orchestrator's own after 91 and 96, the customer's after any decline, often much later."""
    code = np.array(CODES)[a.code]
    technical = np.isin(code, ("91", "96"))
    p = np.where(technical, 0.8, np.where(a.approved, 0.0, 0.28)) * 0.75**a.wave
    again = rng.random(len(a.t)) < p
    delay = np.where(
        technical & (rng.random(len(a.t)) < 0.6), 2.0 + rng.random(len(a.t)), 20 + rng.exponential(70, len(a.t))
    )
    t = (a.t + a.latency + delay)[again]
    acquirer = a.acquirer[again].copy()
    other = rng.random(len(t)) < 0.15  # the customer's second try may be routed elsewhere
    for i in np.flatnonzero(other):
        acquirer[i] = rng.choice(3, p=ROUTES[ISSUERS[a.issuer[again][i]][1]])
    keep = np.flatnonzero(t < end)
    parts = (a.order[again], a.issuer[again], a.scheme[again], acquirer)
    order, issuer, scheme, acquirer = (x[keep] for x in parts)
    zeros = np.zeros(len(keep), np.int64)
    return Attempts(
        t[keep],
        order,
        issuer,
        scheme,
        acquirer,
        zeros,
        np.zeros(len(keep)),
        a.amount[again][keep],
        zeros + a.wave.max() + 1,
    )


def simulate(rng: np.random.Generator, start: float, end: float, onset: float) -> Attempts:
    """All attempts of the window: first ones and up to three waves of retries, in order of time."""
    waves = [answer(rng, first_attempts(rng, start, end, 17.0), onset)]
    for _ in range(3):
        waves.append(answer(rng, retries(rng, waves[-1], end), onset))
    joined = {name: np.concatenate([getattr(w, name) for w in waves]) for name in Attempts.__slots__}
    by_time = np.argsort(joined["t"], kind="stable")
    return Attempts(**{name: values[by_time] for name, values in joined.items()})


def impact(a: Attempts, onset: float) -> dict[str, Any]:
    """First attempts from the onset that failed by the fault, net of orders approved later; per currency."""
    approved_orders = np.unique(a.order[a.approved])
    first = (a.wave == 0) & (a.t >= onset) & (a.issuer == GUILTY_ISSUER) & (a.acquirer == GUILTY_ACQUIRER)
    failed = first & np.isin(a.code, (CODES.index("91"), CODES.index("96")))
    lost = failed & ~np.isin(a.order, approved_orders)
    currency = ISSUERS[GUILTY_ISSUER][2]
    return {
        "first_attempts": int(first.sum()),
        "failed_first_attempts": int(failed.sum()),
        "approved_later": int(failed.sum() - lost.sum()),
        "lost_orders": int(lost.sum()),
        "lost_amount_minor": {currency: int(a.amount[lost].sum())},
    }
