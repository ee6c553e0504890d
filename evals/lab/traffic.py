"""Orders arriving at a shop, and the order book of every attempt made for them.

Arrivals are a Poisson process whose intensity follows the day; who pays, with what and how much is drawn per order. All
arrays have one entry an attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from evals.lab.shop import CHANNELS, SCHEMES, Shop
from evals.lab.spec import Fault, Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Share of attempts by channel; card-not-present first (ECB, Report on card fraud: remote payments are the minority of
# all cards' payments, but a PSP's gateway sees mostly them).
CHANNEL_SHARE = (0.62, 0.24, 0.14)
SCA = {"eu": 0.7, "uk": 0.7, "nordics": 0.7, "us": 0.12}  # share of e-commerce orders that are authenticated


@dataclass(slots=True)
class Attempts:
    """Attempts in order of time.

    `t` unix s; `order` id; `issuer`, `scheme`, `acquirer`, `region`, `channel` indices into the shop's tuples; `bin`
    index into the issuer's; `amount` minor units; `wave` 0 first, then retries; `sample` one uniform an order, for
    shares of traffic that stay together; `extra` for traffic that a fault brought; `sca` wants authentication.
    """

    t: Floats
    order: Ints
    issuer: Ints
    scheme: Ints
    acquirer: Ints
    region: Ints
    channel: Ints
    bin: Ints
    amount: Ints
    wave: Ints
    sample: Floats
    extra: Bools
    sca: Bools
    failover: Bools

    def __len__(self) -> int:
        return len(self.t)

    def take(self, index: npt.NDArray[np.int64] | Bools) -> Attempts:
        return Attempts(**{f.name: getattr(self, f.name)[index] for f in fields(Attempts)})


def day_shape(t: Floats) -> Floats:
    """Share of the busiest hour, by the hour of the day: a trough before dawn, a plateau from noon into the evening."""
    hour = (t / 3600.0) % 24.0
    shape = 0.58 + 0.34 * np.cos((hour - 15.2) / 24.0 * 2 * np.pi) + 0.06 * np.cos((hour - 21.0) / 12.0 * 2 * np.pi)
    return np.asarray(shape / 0.91)


def arrivals(rng: np.random.Generator, start: float, end: float, rate: float) -> Floats:
    """Moments of orders between `start` and `end`; `rate` orders/s at the day's peak."""
    seconds = np.arange(start, end, 1.0)
    counts = rng.poisson(rate * day_shape(seconds))
    return np.sort(np.repeat(seconds, counts) + rng.random(int(counts.sum())))


def orders(rng: np.random.Generator, shop: Shop, t: Floats, *, first_id: int = 0, extra: bool = False) -> Attempts:
    """First attempts at the moments `t`."""
    n = len(t)
    share = np.array([i.share for i in shop.issuers])
    issuer = rng.choice(len(share), n, p=share / share.sum())
    scheme, acquirer = np.zeros(n, np.int64), np.zeros(n, np.int64)
    region = np.array([shop.regions.index(i.region) for i in shop.issuers])[issuer]
    u, v = rng.random(n), rng.random(n)
    steps = np.cumsum([i.schemes for i in shop.issuers], axis=1)[issuer]
    scheme = np.minimum((u[:, None] > steps).sum(axis=1), len(SCHEMES) - 1)
    routes = np.cumsum([shop.routes[r] for r in shop.regions], axis=1)[region]
    acquirer = np.minimum((v[:, None] > routes).sum(axis=1), len(shop.acquirers) - 1)
    channel = rng.choice(len(CHANNELS), n, p=CHANNEL_SHARE)
    sca = np.array([SCA[r] for r in shop.regions])[region]
    mean = np.array([8.2, 7.4, 7.3])[channel]  # ln of minor units: about 36, 16 and 15 in the currency
    amount = np.maximum(np.round(np.exp(rng.normal(mean, 0.9))), 50).astype(np.int64)
    return Attempts(
        t=t,
        order=first_id + np.arange(n),
        issuer=issuer,
        scheme=scheme,
        acquirer=acquirer,
        region=region,
        channel=channel,
        bin=2 * scheme + (rng.random(n) < 0.4),
        amount=amount,
        wave=np.zeros(n, np.int64),
        sample=rng.random(n),
        extra=np.full(n, extra),
        sca=(channel == 0) & (rng.random(n) < sca),
        failover=np.zeros(n, np.bool_),
    )


def in_scope(fault: Fault, a: Attempts, shop: Shop) -> Bools:
    """Which attempts a fault's scope covers. `model` is handled by risk; an unknown value covers nothing."""
    mask = np.ones(len(a), np.bool_)
    for key, value in fault.scope.items():
        wanted = {str(v) for v in (value if isinstance(value, (list, tuple)) else (value,))}
        match key:
            case "issuer":
                mask &= np.isin(a.issuer, [i for i, x in enumerate(shop.issuers) if x.name in wanted])
            case "scheme":
                mask &= np.isin(a.scheme, [i for i, x in enumerate(SCHEMES) if x in wanted])
            case "acquirer":
                mask &= np.isin(a.acquirer, [i for i, x in enumerate(shop.acquirers) if x in wanted])
            case "region":
                mask &= np.isin(a.region, [i for i, x in enumerate(shop.regions) if x in wanted])
            case "channel":
                mask &= np.isin(a.channel, [i for i, x in enumerate(CHANNELS) if x in wanted])
            case "acs":
                mask &= np.isin(a.issuer, [i for i, x in enumerate(shop.issuers) if x.acs in wanted])
            case "bin":
                pairs = [(i, k) for i, x in enumerate(shop.issuers) for k, b in enumerate(x.bins) if b in wanted]
                mask &= np.isin(a.issuer * 8 + a.bin, [i * 8 + k for i, k in pairs])
            case "link":
                mask &= np.isin((a.order % 2), [i for i, x in enumerate(shop.links) if x in wanted])
            case "sample":
                mask &= a.sample < float(value)
    return mask


def first_attempts(
    rng: np.random.Generator, shop: Shop, s: Scenario, window: tuple[float, float], onset: float
) -> Attempts:
    """All orders' first attempts, with what faults bring (flood) and keep away (lose)."""
    start, end = window
    a = orders(rng, shop, arrivals(rng, start, end, shop.rate))
    for fault in s.faults:
        if fault.mechanism == "lose":
            gone = in_scope(fault, a, shop) & (rng.random(len(a)) < fault.share * fault.strength(a.t, onset))
            if fault.component == "terminals":
                gone &= a.channel == CHANNELS.index("pos")
            a = a.take(~gone)
        elif fault.mechanism == "flood":
            a = _join([a, _flood(rng, shop, fault, a, (start, end), onset)])
    return a


def _flood(
    rng: np.random.Generator, shop: Shop, fault: Fault, a: Attempts, window: tuple[float, float], onset: float
) -> Attempts:
    """Extra orders: `factor` times the ordinary traffic of the scope; card testing pays small sums, online."""
    t = arrivals(rng, *window, shop.rate * fault.factor)
    t = t[rng.random(len(t)) < fault.strength(t, onset)]
    more = orders(rng, shop, t, first_id=int(a.order.max(initial=0)) + 1, extra=True)
    more = more.take(in_scope(fault, more, shop))
    if fault.profile == "cardtest":
        more.channel[:] = 0
        more.sca[:] = False
        more.amount[:] = rng.integers(50, 400, len(more))
    else:
        more.extra[:] = False  # real customers: their orders count like any other
    return more


def _join(parts: list[Attempts]) -> Attempts:
    whole = Attempts(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Attempts)})
    return whole.take(np.argsort(whole.t, kind="stable"))


def join(parts: list[Attempts]) -> tuple[Attempts, npt.NDArray[np.int64]]:
    """Concatenate in order of time; also the permutation, for arrays kept beside."""
    whole = Attempts(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Attempts)})
    index = np.argsort(whole.t, kind="stable")
    return whole.take(index), index
