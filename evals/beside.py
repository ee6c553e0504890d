"""Two solvers over the same worlds: a candidate beside the live one, paired case by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from assistant.release import release_of
from assistant.settings import load_settings
from evals.gate import PAIRED, Paired, paired
from evals.head import FORMAT, Head, lab_id
from evals.samples import Sample, run
from evals.sets.lab import figures


def side(text: str, without: str = "") -> Head:
    """`analyst`, `line`, or a payops.toml whose model writes. UsageError for anything else."""
    if text in {"analyst", "line"}:
        return Head(FORMAT, release_of(load_settings(None)).id, text, "", without, lab_id())  # type: ignore[arg-type]
    file = Path(text)
    if not file.is_file():
        raise UsageError(f'no solver "{text}"', mend="write analyst, line, or the path of a payops.toml with a [model]")
    return Head(FORMAT, release_of(load_settings(file)).id, "model", str(file.resolve()), without, lab_id())


def beside(wanted: Sequence[Sample], heads: tuple[Head, Head], scratch: Path, *, jobs: int) -> Mapping[str, Any]:
    """Figures of both with intervals, wins and losses of the second. Fewer struck claims in a note are a win."""
    one, two = (_cases(wanted, h, scratch / f"{i}.jsonl", jobs) for i, h in enumerate(heads))
    before = {c["name"]: c for c in one}
    old, new = figures([dict(c) for c in one]), figures([dict(c) for c in two])
    pairs = {name: paired(two, before, name) for name in PAIRED} | {"struck": _struck(two, before)}
    return {
        "worlds": len(two),
        "solvers": [f"{h.solver} without {h.without}" if h.without else h.solver for h in heads],
        "releases": [h.release for h in heads],
        "figures": {k: [old[k], new[k]] for k in new},
        "paired": {k: p.as_json() for k, p in pairs.items()},
    }


def in_words(found: Mapping[str, Any]) -> str:
    """A line a figure, then wins and losses of the candidate."""
    (a, b), (one, two) = found["solvers"], found["releases"]
    lines = [f"{found['worlds']} worlds; live: {a} ({one}); candidate: {b} ({two})"]
    lines += [f"{name:<24} {old!s:<32} {new}" for name, (old, new) in found["figures"].items()]
    for name, p in found["paired"].items():
        (low, high), by = p["interval"], p["difference"]
        counted = f"won {len(p['won'])}, lost {len(p['lost'])} of {p['of']}, by chance {p['chance']:.3f}"
        lines.append(f"{name}: {counted}; candidate {by:+.3f} ({low:+.3f} to {high:+.3f}, 95 % interval)")
    return "\n".join(lines)


def _cases(wanted: Sequence[Sample], head: Head, file: Path, jobs: int) -> list[Mapping[str, Any]]:
    made = [c for c in run(wanted, head, file, jobs=jobs) if "unmade" not in c]
    return sorted(made, key=lambda c: str(c["name"]))


def _struck(cases: Sequence[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> Paired:
    """Fewer is a win; as many counts for neither."""
    won = tuple(c["name"] for c in cases if c["struck"] < before[c["name"]]["struck"])
    lost = tuple(c["name"] for c in cases if c["struck"] > before[c["name"]]["struck"])
    return Paired(won, lost, neither=len(cases) - len(won) - len(lost))
