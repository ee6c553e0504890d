"""The targets of the lab, and what a run shows about each: the interval's bound on the far side is held against it.

A proportion may reach its target by luck of the draw. It is *held* where the whole 95 % interval (Wilson) is on the
good side, *not shown* where only the proportion is, and *missed* where that is not.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evals.intervals import wilson

TARGETS = {
    "cause@1": ">= 0.80",
    "cause@3": ">= 0.95",
    "decoys": "< 0.03",
    "healthy_called_healthy": ">= 0.95",
    "onset_within_60s": ">= 0.90",
    "confirmed_wrong": "<= 0.01",
    "likely_wrong": "<= 0.15",
    "leaks": "0",
}
SIZE = {"seeds a kind": 20, "confirmed verdicts": 300, "healthy worlds": 100}
_COUNTS = re.compile(r"[\d.]+ \((\d+)/(\d+),")


@dataclass(frozen=True, slots=True)
class Against:
    """`bound` is the end of the interval that the target is held against: `lower` or `upper`; None without a count."""

    target: str
    bound: float | None
    which: str
    says: str

    @property
    def words(self) -> str:
        return f"{self.says} ({self.which} bound {self.bound:.3f})" if self.bound is not None else self.says


def counts(figure: object) -> tuple[int, int] | None:
    """Hits and of in a figure such as `0.850 (17/20, 0.640-0.948)`."""
    found = _COUNTS.match(str(figure))
    return (int(found[1]), int(found[2])) if found else None


def against(figures: Mapping[str, Any], targets: Mapping[str, str] = TARGETS) -> dict[str, Against]:
    """What each figure says about its target."""
    return {name: _one(figures.get(name), target) for name, target in targets.items()}


def _one(figure: object, target: str) -> Against:
    sign, _, number = target.rpartition(" ")
    if not sign:
        return Against(target, None, "", "held" if str(figure) == target else "missed")
    found = counts(figure)
    if found is None:
        return Against(target, None, "", "nothing counted")
    (low, high), limit, share = wilson(*found), float(number), found[0] / found[1]
    up = sign == ">="
    bound = low if up else high
    reached, held = ((x >= limit) if up else (x < limit if sign == "<" else x <= limit) for x in (share, bound))
    return Against(target, bound, "lower" if up else "upper", "held" if held else "not shown" if reached else "missed")


def size(cases: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How large a run is, in the targets' own words: the fewest seeds of any kind counts."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for case in cases:
        seeds[str(case["kind"])].add(int(case.get("seed", 0)))
    verdicts = Counter(case["verdict"] for case in cases)
    return {
        "kinds": len(seeds),
        "seeds a kind": min(map(len, seeds.values()), default=0),
        "confirmed verdicts": verdicts["confirmed"],
        "healthy worlds": sum(bool(case["quiet"]) for case in cases),
    }


def too_small(found: Mapping[str, int]) -> tuple[str, ...]:
    """What a run lacks of the targets' own size, in words; empty where it is large enough."""
    return tuple(f"{found[name]} of {want} {name}" for name, want in SIZE.items() if found[name] < want)


def as_json(found: Mapping[str, Against]) -> dict[str, dict[str, Any]]:
    return {name: asdict(a) for name, a in found.items()}
