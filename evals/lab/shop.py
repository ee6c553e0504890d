"""Draw one shop: its services, names, label tier, issuers, acquirers, and how busy it is.

Everything comes from the seed, nothing from the kind of fault: a name never says what is broken.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from assistant.errors import UsageError
from evals.lab import naming as namings
from evals.lab.naming import Naming

FOLDER = Path(__file__).parent / "topologies"
ROLES = (
    "gateway",
    "orchestrator",
    "risk",
    "vault",
    "threeds",
    "connector",
    "hsm",
    "ledger",
    "settlement",
    "webhooks",
    "payouts",
    "disputes",
    "fx",
    "onboarding",
    "terminals",
)
SCHEMES = ("visa", "mastercard", "amex")
CURRENCY = {"eu": "EUR", "uk": "GBP", "us": "USD", "nordics": "SEK"}
CHANNELS = ("ecom", "pos", "recurring")
TIERS = ("metrics", "metrics", "logs", "nowhere")  # where issuer and BIN can be seen; half the worlds: in metrics
_ISSUER_WORDS = (
    "alder",
    "birch",
    "cobalt",
    "dune",
    "ember",
    "fjord",
    "granite",
    "heron",
    "indigo",
    "juniper",
    "kelp",
    "larch",
    "maple",
    "nimbus",
    "onyx",
    "pebble",
    "quarry",
    "raven",
    "saffron",
    "tundra",
    "umber",
    "violet",
    "willow",
    "zephyr",
)
_ACQUIRER_WORDS = ("helio", "ionos", "jasper", "karst", "lotus", "mistral", "nova", "opal", "pylon", "quill")
_ENDINGS = ("bank", "-credit", "savings", "-trust", "", "-mutual")
_ACS_WORDS = ("acs-north", "acs-prime", "stepguard", "authline", "veriport")
_WORLD_WORDS = ("amber", "basil", "cedar", "delta", "elm", "fern", "grove", "hazel", "iris", "jade", "kiwi", "lime")
_PREFIX = {"visa": "4", "mastercard": "5", "amex": "37"}


@dataclass(frozen=True, slots=True)
class Issuer:
    """A card issuer: its region, share of the traffic, shares of the schemes, share approved online, its ACS."""

    name: str
    region: str
    share: float
    schemes: tuple[float, float, float]
    approved: float
    acs: str
    bins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shop:
    """Everything about a payments shop that does not depend on what breaks. `rate` is attempts/s at the day's peak."""

    world: str
    topology: str
    naming: Naming
    services: Mapping[str, str]
    kinds: Mapping[str, str]
    calls: tuple[tuple[str, str], ...]
    tier: str
    regions: tuple[str, ...]
    issuers: tuple[Issuer, ...]
    acquirers: tuple[str, ...]
    routes: Mapping[str, tuple[float, ...]]
    links: tuple[str, ...]
    rate: float
    timezone: str
    steps: tuple[float, float]  # seconds between scrapes, and between evaluations of rules
    models: tuple[str, str]

    def service(self, role: str) -> str:
        return self.services[role]

    def role_of(self, service: str) -> str:
        return next(role for role, name in self.services.items() if name == service)


@cache
def topologies() -> tuple[str, ...]:
    """Names of all topologies, sorted."""
    return tuple(sorted(p.stem for p in FOLDER.glob("*.toml")))


@cache
def _topology(name: str) -> Mapping[str, Mapping[str, object]]:
    raw = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    if missing := [role for role in ROLES if role not in raw["services"]]:
        raise UsageError(f"topology {name} lacks services for {', '.join(missing)}", mend="every role has a service")
    return raw


def draw(rng: np.random.Generator, *, tier: str = "", naming: str = "", topology: str = "") -> Shop:
    """A shop of this seed; `tier`, `naming` and `topology` may be fixed from outside. Raises UsageError."""
    top_name = topology or str(rng.choice(topologies()))
    if top_name not in topologies():
        raise UsageError(f"no topology {top_name!r}", mend=f"there are: {', '.join(topologies())}")
    name = naming or str(rng.choice(namings.names()))
    drawn_tier = str(rng.choice(TIERS))
    if tier and tier not in TIERS:
        raise UsageError(f"no label tier {tier!r}", mend="there are: metrics, logs, nowhere")
    top = _topology(top_name)
    regions = tuple(str(r) for r in rng.permutation(list(CURRENCY))[: int(rng.integers(2, 4))])
    acquirers = tuple(str(a) for a in rng.permutation(_ACQUIRER_WORDS)[: int(rng.integers(3, 5))])
    edges = tuple((a, str(b)) for a, bs in top["calls"].items() for b in bs)  # type: ignore[attr-defined]
    order = rng.permutation(len(edges))
    roles = [ROLES[i] for i in rng.permutation(len(ROLES))]  # the order of services says nothing
    year = int(rng.integers(2026, 2027))
    return Shop(
        world=f"{rng.choice(_WORLD_WORDS)}-{int(rng.integers(10**6)):06d}",
        topology=top_name,
        naming=namings.load(name),
        services={role: str(top["services"][role]) for role in roles},
        kinds={role: str(top["kinds"][role]) if top["tell_kinds"] else "" for role in roles},
        calls=tuple(edges[i] for i in order),
        tier=tier or drawn_tier,
        regions=regions,
        issuers=_issuers(rng, regions),
        acquirers=acquirers,
        routes={region: _route(rng, len(acquirers)) for region in regions},
        links=("a", "b"),
        rate=float(rng.uniform(11, 20)),
        timezone=str(rng.choice(["UTC", "Europe/Lisbon", "Europe/Berlin", "America/New_York"])),
        steps=(15.0, 15.0) if rng.random() < 0.5 else (15.0, 30.0),
        models=(f"gbm-{year}-{int(rng.integers(1, 9)):02d}", f"gbm-{year}-{int(rng.integers(10, 13))}"),
    )


def _issuers(rng: np.random.Generator, regions: tuple[str, ...]) -> tuple[Issuer, ...]:
    words = [str(w) for w in rng.permutation(_ISSUER_WORDS)]
    acs = [str(a) for a in rng.permutation(_ACS_WORDS)[:3]]
    out: list[Issuer] = []
    for region in regions:
        n = 3 if len(regions) == 3 else 4
        shares = rng.dirichlet(np.full(n, 9.0)) / len(regions)
        for share in shares:
            amex = float(rng.uniform(0.05, 0.12)) if region in {"us", "uk"} else 0.0
            visa = float(rng.uniform(0.4, 0.65))
            schemes = (visa, 1 - visa - amex, amex)
            ranges = tuple(
                _PREFIX[s] + f"{int(rng.integers(10**6)):06d}"[: 6 - len(_PREFIX[s])] for s in SCHEMES for _ in range(2)
            )
            name = words.pop() + str(rng.choice(_ENDINGS))
            out.append(
                Issuer(name, region, float(share), schemes, float(rng.uniform(0.87, 0.92)), acs[len(out) % 3], ranges)
            )
    return tuple(out[i] for i in rng.permutation(len(out)))


def _route(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """A region's traffic goes to two acquirers, unevenly."""
    first, second = (int(i) for i in rng.permutation(n)[:2])
    main = float(rng.uniform(0.5, 0.68))
    return tuple(main if i == first else 1 - main if i == second else 0.0 for i in range(n))
