"""Where a failure began and how it spread.

Failures travel against the calls: who waits on a slow callee slows down. A shared thing (a cache, a broker, a node)
is a dependency like any callee, though no call edge names it. The origin is the one that moved, whose own
dependencies are healthy or moved later, and on which most of what moved depends, directly or not. The one exception
is load: a caller that floods a callee moved before it, and by its traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TOGETHER = 75.0
"""Onsets closer than this, in seconds, are taken as equal: samples are coarse."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A node that moved: since when (Unix seconds), and whether its own outgoing load rose first."""

    onset: float
    flooding: bool = False


@dataclass(frozen=True, slots=True)
class Spread:
    """The origin ("" where nothing moved) and the edges (cause, victim) it spread along, nearest first."""

    origin: str
    edges: tuple[tuple[str, str], ...]


def spread(
    moved: Mapping[str, Moved], depends: Sequence[tuple[str, str]], *, told: Mapping[str, float] | None = None
) -> Spread:
    """`depends` are (dependent, dependency). `told` weighs nodes by how often failing lines name them, 0..1."""
    told = told or {}
    causes = _causes(moved, depends)
    effects: dict[str, list[str]] = {}
    for victim, sources in causes.items():
        for s in sources:
            effects.setdefault(s, []).append(victim)
    if not moved:
        return Spread("", ())
    reach = {n: _reach(n, effects) for n in moved}
    rootless = [n for n in moved if not causes.get(n)] or list(moved)
    origin = max(rootless, key=lambda n: (len(reach[n]) + told.get(n, 0.0), -moved[n].onset, n))
    edges = [(a, b) for a in (origin, *reach[origin]) for b in effects.get(a, ())]
    return Spread(origin, tuple(dict.fromkeys(edges)))


def _causes(moved: Mapping[str, Moved], depends: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """For each moved node, the moved nodes it suffers from."""
    out: dict[str, list[str]] = {}
    for dependent, dependency in depends:
        if dependent not in moved or dependency not in moved or dependent == dependency:
            continue
        up, down = moved[dependent], moved[dependency]
        if up.flooding and up.onset < down.onset - TOGETHER:
            out.setdefault(dependency, []).append(dependent)
        elif down.onset <= up.onset + TOGETHER:
            out.setdefault(dependent, []).append(dependency)
    return out


def _reach(start: str, effects: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Everything that suffers from `start`, nearest first."""
    found, edge = [], [start]
    while edge:
        later = [b for a in edge for b in effects.get(a, ()) if b not in found and b != start]
        later = list(dict.fromkeys(later))
        found += later
        edge = later
    return tuple(found)
