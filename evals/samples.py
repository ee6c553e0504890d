"""Samples of the payments lab: a kind and a seed name a world, which is made, solved, scored and forgotten.

Each finished sample is one line of the cases file, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from evals.cases_file import cases_file
from evals.head import Head


@dataclass(frozen=True, slots=True)
class Sample:
    """`fault` is a file of one's own in place of a shipped kind."""

    kind: str
    seed: int
    fault: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.seed}"


def samples(
    kinds: Sequence[str], seeds: Mapping[str, Sequence[int]], faults: Sequence[Path] = ()
) -> tuple[Sample, ...]:
    """Every kind with every seed, and those with more of their own, seed by seed, so that a run that was stopped has
    seen all kinds. `seeds` is as `seeds_of` reads it. UsageError for a kind that is not shipped, and for seeds of one
    that is not in the run."""
    from evals.lab.spec import shipped

    unknown = sorted((set(kinds) | set(seeds)) - {"", *shipped(), *(path.stem for path in faults)})
    if unknown:
        raise UsageError(f"no kind {', '.join(unknown)}", mend="payops lab list shows them")
    chosen = list(kinds) or ([] if faults else list(shipped()))
    own = [(path.stem, str(path)) for path in faults]
    wanted = [*((k, "") for k in chosen), *own]
    if absent := sorted(set(seeds) - {"", *(k for k, _ in wanted)}):
        raise UsageError(f"seeds for {', '.join(absent)}, which this run has not", mend="name the kind in --kinds too")
    of = {k: {*seeds.get("", ()), *seeds.get(k, ())} for k, _ in wanted}
    order = dict.fromkeys(seed for part in seeds.values() for seed in part)
    return tuple(Sample(k, s, f) for s in order for k, f in wanted if s in of[k])


def seeds_of(text: str) -> dict[str, tuple[int, ...]]:
    """`7`, `1-20` or `1,5,9-12` for every kind, under ""; `healthy:21-50` beside them for that kind alone. UsageError
    for anything else."""
    found: dict[str, list[int]] = {"": []}
    for part in text.split(","):
        kind, colon, seeds = part.strip().rpartition(":")
        low, dash, high = seeds.partition("-")
        if not low.isdigit() or (dash and not high.isdigit()) or int(high or low) < int(low) or (colon and not kind):
            mend = "write 7, 1-20 or 1,5,9-12; healthy:21-50 for one kind alone"
            raise UsageError(f'"{text}" is not a list of seeds', mend=mend)
        found.setdefault(kind, []).extend(range(int(low), int(high or low) + 1))
    return {kind: tuple(dict.fromkeys(seeds)) for kind, seeds in found.items()}


def run(wanted: Sequence[Sample], head: Head, file: Path, *, jobs: int = 2) -> Iterator[Mapping[str, Any]]:
    """Cases as they are finished, those of an earlier part of this run first. UsageError if `file` is another run's.

    Worlds are made beside `file` and leave nothing, also where an earlier part was killed.
    """
    from evals.solving import solved

    scratch = file.with_name(f".{file.name}.worlds")
    with cases_file(file, head) as kept:
        names = {s.name for s in wanted}
        yield from [c for name, c in kept.done.items() if name in names]
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            for case in solved([s for s in wanted if s.name not in kept.done], head, scratch, jobs=jobs):
                kept.add(case)
                yield case
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
