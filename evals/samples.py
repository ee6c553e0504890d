"""Samples of the payments lab: a kind and a seed are made into a world, solved, scored and forgotten.

Each finished sample is one line of `cases.jsonl`, so that an interrupted run goes on where it stopped. The first line
says what was measured with (format, release, solver); a file of another release or solver is refused, never mixed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.errors import UsageError

FORMAT = 1
Solver = Literal["analyst", "line", "model"]


@dataclass(frozen=True, slots=True)
class Sample:
    """`fault` is a file of one's own in place of a shipped kind."""

    kind: str
    seed: int
    fault: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.seed}"


@dataclass(frozen=True, slots=True)
class Head:
    """What a run was measured with; two runs with different heads cannot be one report."""

    format: int
    release: str
    solver: Solver
    config: str = ""
    without: str = ""

    def __post_init__(self) -> None:
        if self.without not in {"", "topology"}:
            raise UsageError(f'no "{self.without}" to go without', mend="--without topology")


def samples(kinds: Sequence[str], seeds: Sequence[int], faults: Sequence[Path] = ()) -> tuple[Sample, ...]:
    """Every kind with every seed. UsageError for a kind that is not shipped."""
    from evals.lab.spec import shipped

    unknown = sorted(set(kinds) - set(shipped()))
    if unknown:
        raise UsageError(f"no kind {', '.join(unknown)}", mend="payops lab list shows them")
    chosen = list(kinds) or ([] if faults else list(shipped()))
    own = [(path.stem, str(path)) for path in faults]
    return tuple(Sample(k, s, f) for k, f in [*((k, "") for k in chosen), *own] for s in seeds)


def seeds_of(text: str) -> tuple[int, ...]:
    """`7`, `1-20` or `1,5,9-12`. UsageError for anything else."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdigit() or (dash and not high.isdigit()):
            raise UsageError(f'"{text}" is not a list of seeds', mend="write 7, 1-20 or 1,5,9-12")
        found.extend(range(int(low), int(high or low) + 1))
    return tuple(dict.fromkeys(found))


def run(wanted: Sequence[Sample], head: Head, file: Path, *, jobs: int = 2) -> Iterator[Mapping[str, Any]]:
    """Cases as they are finished, those of an earlier part of this run first. UsageError if `file` is another run's."""
    done = {c["name"]: c for c in read(file, head)}
    names = {s.name for s in wanted}
    yield from (c for name, c in done.items() if name in names)
    left = [s for s in wanted if s.name not in done]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        if not done and file.stat().st_size == 0:
            out.write(json.dumps({"head": asdict(head)}) + "\n")
        for case in _solved(left, head, jobs):
            out.write(json.dumps(case, ensure_ascii=False) + "\n")
            out.flush()
            yield case


def read(file: Path, head: Head) -> list[dict[str, Any]]:
    """The finished cases in `file`; a last line cut by a crash is left out and done again."""
    if not file.is_file() or file.stat().st_size == 0:
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        first = json.loads(lines[0])["head"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{file}: not a run of this program", mend="give another --out") from None
    first = {"without": "", **first}
    if first != asdict(head):
        changed = ", ".join(k for k in asdict(head) if first.get(k) != asdict(head)[k])
        raise UsageError(f"{file}: measured with another {changed}", mend="give another --out, or remove the file")
    cases = []
    for line in lines[1:]:
        try:
            cases.append(json.loads(line))
        except ValueError:
            continue
    return cases


def _solved(left: Sequence[Sample], head: Head, jobs: int) -> Iterable[Mapping[str, Any]]:
    if jobs <= 1:
        yield from (solve(s, head.solver, head.config, without=head.without) for s in left)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        waiting = [pool.submit(solve, s, head.solver, head.config, without=head.without) for s in left]
        for future in as_completed(waiting):
            yield future.result()


def solve(sample: Sample, solver: Solver, config: str = "", *, without: str = "") -> dict[str, Any]:
    """Make, predict, score. The prediction is made in a folder that holds no answers, and no topology if `without` is
    "topology"."""
    import time

    from evals.lab.make import make, write
    from evals.lab.spec import load_kind, read_kind
    from evals.sets.lab import case_of, note_of, truth_of
    from evals.world_format import drop_topology

    kind = read_kind(Path(sample.fault)) if sample.fault else load_kind(sample.kind)
    with tempfile.TemporaryDirectory(prefix="payops-eval-") as folder, tempfile.TemporaryDirectory() as answers:
        world = write(make(kind, sample.seed), Path(folder), Path(answers))
        if without == "topology":
            drop_topology(world)
        began = time.monotonic()
        note = note_of(world, solver=solver, config=config)
        seconds = time.monotonic() - began
        truth = truth_of(Path(answers), world.name)
    case = case_of({"case": world.name, "answer": note}, truth)
    return {**case, "name": sample.name, "seed": sample.seed, "seconds": round(seconds, 2)}
