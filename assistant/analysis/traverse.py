"""The root of one failing measure in a call graph: whose own part of the change is largest.

A caller's latency holds its callees' latency and a caller's failures hold theirs, so what a node adds itself is its
change less the largest change among what it calls. Nodes that the failing entry point cannot reach are no causes of it.
After the topology traversal of PetShop (Hardt et al., arXiv 2311.04806), with sizes instead of a yes or no per node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.core.evidence import Topology


@dataclass(frozen=True, slots=True)
class NodeChange:
    """How one node changed in the direction that hurts: `step` in the measure's unit, `unusual` as a robust z."""

    step: float
    unusual: float


def reachable(topology: Topology, target: str) -> dict[str, int]:
    """Nodes that `target` calls, directly or not, with their distance; `target` itself is 0."""
    calls: dict[str, list[str]] = {}
    for a, b in topology.edges:
        if a != b:
            calls.setdefault(a, []).append(b)
    found, edge = {target: 0}, [target]
    while edge:
        later = []
        for node in edge:
            for callee in calls.get(node, ()):
                if callee not in found:
                    found[callee] = found[node] + 1
                    later.append(callee)
        edge = later
    return found


def roots(changes: Mapping[str, NodeChange], topology: Topology, target: str, *, unusual: float = 4.0) -> Sequence[str]:
    """All nodes, the likeliest root first. A step that is not unusual counts little, however large."""
    distance = reachable(topology, target)
    sure = {n: c.step * min(c.unusual / unusual, 1.0) ** 2 if c.step > 0 else 0.0 for n, c in changes.items()}
    scored = []
    for node in changes:
        below = max((sure.get(c, 0.0) for c in topology.callees(node) if c != node), default=0.0)
        own = max(sure[node] - below, 0.0)
        near = 1.0 if node in distance else 0.2
        scored.append((own * near + 1e-3 * sure[node] * near, -distance.get(node, 99), node))
    return [node for *_, node in sorted(scored, key=lambda s: (-s[0], -s[1], s[2]))]
