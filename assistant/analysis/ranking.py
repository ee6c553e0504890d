"""Which service it is: how strongly each moved, and where it stands in the call graph.

A service is a likelier cause when what it calls is healthy, and a victim when something it calls moved no later than it
did (the traversal of PetShop, arXiv 2311.04806, which beats every method that looks at metrics alone). Services that
nobody calls about and that moved alone stay candidates: the graph may be incomplete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from assistant.analysis.onset import consensus
from assistant.analysis.signals import Signal
from assistant.core.evidence import Topology
from assistant.core.time import Instant

ROLE_WEIGHT: Mapping[str, float] = {
    "approval rate": 1.5,
    "error share": 1.0, "errors": 0.9, "latency": 0.85, "queue": 0.8, "saturation": 0.8, "up": 1.1, "expiry": 1.0,
        "restarts": 1.0,
    "score": 0.9, "fallback": 1.0, "age": 1.0, "breaker": 0.9, "retries": 0.6, "threeds": 0.9, "duplicates": 1.0,
    "reversals": 0.6, "spare": 0.7, "volume": 0.6, "requests": 0.3, "flow": 0.5, "gauge": 0.35, "amount": 0.2,
}  # fmt: skip
STAYS_AWAY = 0.3
"""What traffic that stays away says of the service that measures it: little."""
TOGETHER = 90.0
"""Onsets closer than this cannot be told apart by order."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A service with its strength (0..about 3), its moved signals strongest first, and what it is a victim of."""

    service: str
    strength: float
    signals: tuple[Signal, ...]
    onset: Instant
    victim_of: tuple[str, ...]
    victims: tuple[str, ...]


def force(signal: Signal) -> float:
    """How much one moved signal says, 0..1.4: unusual, large, and of a telling role."""
    unusual = min(signal.score, 20.0) / 20.0
    role = signal.role.split(".")[0]
    said = (0.5 * unusual + 0.5 * signal.weight) * ROLE_WEIGHT.get(role, 0.5)
    return STAYS_AWAY * said if stays_away(signal) else said


def stays_away(signal: Signal) -> bool:
    """Whether a signal is traffic that stays away, or that follows from elsewhere."""
    return signal.role.split(".")[0] in {"requests", "flow", "retries", "amount"} and signal.direction < 0


def strength(signals: Sequence[Signal]) -> float:
    """The strongest signal in full, each further one of another kind at half of what the one before counted."""
    best: dict[str, float] = {}
    for s in signals:
        kind = s.role.split(".")[0]
        best[kind] = max(best.get(kind, 0.0), force(s))
    return sum(f * 0.5**i for i, f in enumerate(sorted(best.values(), reverse=True)))


def rank(
    signals: Sequence[Signal], topology: Topology, *, asked: Set[int] = frozenset(), least: float = 0.15
) -> list[Ranked]:
    """Services with moved signals of some strength, or that the gravest alerts fired for (`asked`, by identity), the
    likeliest cause first."""
    by_service: dict[str, list[Signal]] = {}
    for s in signals:
        if s.moved and s.entity:
            by_service.setdefault(s.entity, []).append(s)
    strong = {name: strength(rows) for name, rows in by_service.items()}
    began = {name: _began(rows) for name, rows in by_service.items()}
    moved = {n for n, f in strong.items() if f >= least or any(id(s) in asked for s in by_service[n])}
    out = []
    for name in moved:
        below = [
            c
            for c in topology.callees(name)
            if c in moved and strong[c] >= 0.6 * strong[name] and began[c] <= began[name] + TOGETHER
        ]
        above = [c for c in topology.callers(name) if c in moved]
        rows = tuple(sorted(by_service[name], key=lambda s: -force(s)))
        out.append(Ranked(name, strong[name], rows, Instant(began[name]), tuple(below), tuple(above)))
    return sorted(out, key=lambda r: (-_merit(r), r.service))


def _began(rows: Sequence[Signal]) -> Instant:
    """When most of what moved of a service moved: the first single series is often chance."""
    timed = [s for s in rows if s.onset is not None]
    at = np.array([float(s.onset) for s in timed if s.onset is not None])
    found = consensus(at, np.array([max(force(s), 0.05) for s in timed]))
    return found.at if found is not None else Instant(float(at.min()))


def _merit(r: Ranked) -> float:
    return r.strength + 0.25 * min(len(r.victims), 3) - 1.0 * bool(r.victim_of)
