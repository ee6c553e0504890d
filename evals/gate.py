"""The gate: does a run hold the floors, and has nothing fallen against the last accepted report?

Cases of both runs with the same name are paired: a figure that fell is named with the cases that were won and lost, and
an exact sign test (binomial, two-sided) says how likely that is by chance.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from evals.intervals import paired_difference
from evals.sets.lab import figures

GATE = Path(__file__).resolve().parent / "gate.toml"
_TABLES = {"at_least", "at_most", "may_fall", "small"}
PAIRED = {"cause@1": "right@1", "cause@3": "right@3", "change@1": "change_right"}


@dataclass(frozen=True, slots=True)
class Gate:
    at_least: Mapping[str, float]
    at_most: Mapping[str, float]
    may_fall: Mapping[str, float]
    small: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fallen:
    """A figure that does not hold, and why in words."""

    figure: str
    why: str


@dataclass(frozen=True, slots=True)
class Paired:
    """Cases that one run got right and the other did not; `both` and `neither` count the rest. `chance` is the p-value
    of an exact sign test, `difference` how much larger the share of right cases became, with its 95 % interval."""

    won: tuple[str, ...]
    lost: tuple[str, ...]
    both: int = 0
    neither: int = 0

    @property
    def chance(self) -> float:
        n, k = len(self.won) + len(self.lost), min(len(self.won), len(self.lost))
        return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0

    @property
    def difference(self) -> tuple[float, float, float]:
        return paired_difference(self.both, len(self.won), len(self.lost), self.neither)

    @property
    def words(self) -> str:
        by, low, high = self.difference
        counted = f"won {len(self.won)}, lost {len(self.lost)} of {self.of}, by chance {self.chance:.3f}"
        return f"{counted}; {by:+.3f} ({low:+.3f} to {high:+.3f})"

    @property
    def of(self) -> int:
        return len(self.won) + len(self.lost) + self.both + self.neither

    def as_json(self) -> dict[str, Any]:
        by, low, high = (round(x, 4) for x in self.difference)
        return {
            "won": self.won,
            "lost": self.lost,
            "of": self.of,
            "chance": round(self.chance, 4),
            "difference": by,
            "interval": (low, high),
        }


def read_gate(file: Path = GATE) -> Gate:
    """The thresholds. UsageError names an unknown table or figure."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", mend="give a gate file to --gate") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not TOML: {error}", mend="mend that line") from None
    known = set(figures([])) | {"leaks"}
    for table in raw:
        if table not in _TABLES:
            raise UsageError(f'{file}: unknown table "{table}"', mend=f"known: {', '.join(sorted(_TABLES))}")
        if not isinstance(raw[table], dict):
            raise UsageError(f"{file}: {table} is not a table", mend=f"write [{table}]")
        for figure, limit in raw[table].items() if table != "small" else ():
            if figure not in known:
                raise UsageError(f'{file}: no figure "{figure}"', mend=f"known: {', '.join(sorted(known))}")
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise UsageError(f'{file}: "{figure}" in [{table}] is no number', mend=f'"{figure}" = 0.8')
    _small(file, raw.get("small", {}))
    return Gate(*(raw.get(t, {}) for t in ("at_least", "at_most", "may_fall", "small")))


def _small(file: Path, small: Mapping[str, Any]) -> None:
    """`kinds` and `seeds`, both or neither, and nothing else."""
    kinds, seeds = small.get("kinds"), small.get("seeds")
    unknown = sorted(set(small) - {"kinds", "seeds"})
    if unknown:
        raise UsageError(f'{file}: unknown key "{unknown[0]}" in [small]', mend="known: kinds, seeds")
    good = isinstance(kinds, list) and all(isinstance(k, str) for k in kinds) and isinstance(seeds, str)
    if small and not good:
        raise UsageError(f"{file}: [small] wants kinds and seeds", mend='kinds = ["healthy"], seeds = "901"')


def value(figure: object) -> float | None:
    """The proportion in a figure such as `0.85 (17/20, 0.64-0.95)`; None where nothing was counted."""
    if isinstance(figure, (int, float)):
        return float(figure)
    head = str(figure).split(" ", 1)[0]
    try:
        return float(head)
    except ValueError:
        return None


def judge(cases: Sequence[Mapping[str, Any]], gate: Gate, accepted: Mapping[str, Any] | None) -> tuple[Fallen, ...]:
    """What fell. A figure that nothing was counted for cannot hold its floor: it is named too."""
    now = figures([dict(c) for c in cases])
    return (*_no_notes(cases), *_floors(now, gate), *(_against(cases, accepted, gate) if accepted else ()))


def _no_notes(cases: Sequence[Mapping[str, Any]]) -> list[Fallen]:
    """An error of ours in place of a note holds no gate, whatever the rest is like."""
    found = [c for c in cases if "failed" in c]
    shown = "; ".join(f"{c['name']}: {c['failed']}" for c in found[:3])
    return [Fallen("notes", f"{len(found)} of {len(cases)} worlds gave no note ({shown})")] if found else []


def _floors(now: Mapping[str, Any], gate: Gate) -> list[Fallen]:
    out = []
    for name, floor in gate.at_least.items():
        seen = value(now[name])
        if seen is None or seen < floor:
            out.append(Fallen(name, f"{now[name]} is below the floor {floor:g}"))
    for name, ceiling in gate.at_most.items():
        seen = value(now[name])
        if seen is not None and seen > ceiling:
            out.append(Fallen(name, f"{now[name]} is above the ceiling {ceiling:g}"))
    return out


def _against(cases: Sequence[Mapping[str, Any]], accepted: Mapping[str, Any], gate: Gate) -> list[Fallen]:
    """Falls against the accepted report, over the cases that both have; UsageError where there are none in common."""
    before = {c["name"]: c for c in accepted["cases"]}
    both = [c for c in cases if _same(c, before)]
    absent = sorted(set(before) - {c["name"] for c in cases})
    others = sorted(c["name"] for c in cases if c["name"] in before and not _same(c, before))
    if others:
        why = f"{len(others)} of {len(before)} cases are other worlds than the accepted ones ({others[0]}, …)"
        return [Fallen("cases", f"{why}: the lab has changed; measure it, and have the new report accepted")]
    if not both:
        raise UsageError("the accepted report has no case in common with this run", mend="run its kinds and seeds")
    then = figures([dict(before[c["name"]]) for c in both])
    now = figures([dict(c) for c in both])
    out = []
    if absent:
        shown = ", ".join(absent[:3])
        out.append(
            Fallen("cases", f"{len(absent)} of {len(before)} accepted cases were not run ({shown}, …): run them")
        )
    for name, may_fall in gate.may_fall.items():
        old, new = value(then[name]), value(now[name])
        if old is not None and new is not None and new < old - may_fall:
            lost = ", ".join(paired(both, before, name).lost[:5]) if name in PAIRED else ""
            out.append(Fallen(name, f"{now[name]}, accepted {then[name]}" + (f"; lost {lost}" if lost else "")))
    return out


def paired(
    cases: Sequence[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]], figure: str = "cause@1"
) -> Paired:
    """Wins and losses case by case, against the cases of another run by name: only where both saw the same world."""
    key = PAIRED[figure]
    pairs = [(c["name"], bool(c[key]), bool(before[c["name"]][key])) for c in cases if _same(c, before)]
    won = tuple(name for name, now, then in pairs if now and not then)
    lost = tuple(name for name, now, then in pairs if then and not now)
    both = sum(now and then for _, now, then in pairs)
    return Paired(won, lost, both, len(pairs) - both - len(won) - len(lost))


def _same(case: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]) -> bool:
    """Is there a case of that name, of the same world? Reports from before worlds were hashed are taken at their
    word."""
    other = before.get(case["name"])
    return other is not None and len({case.get("world"), other.get("world")} - {None, ""}) < 2
