"""Solving samples in processes of their own: make the world, write the note without its answer, score it.

A world that cannot be made (its fault fires no alert with that seed) is no case, and is told. An error of ours while a
note is written is a case that is wrong in every figure, and is told too: a run does not stop, and hides nothing.
"""

from __future__ import annotations

import gc
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import PayopsError, UsageError
from evals.head import Head

if TYPE_CHECKING:
    from evals.samples import Sample

Case = dict[str, Any]


def solved(left: Sequence[Sample], head: Head, scratch: Path, *, jobs: int) -> Iterator[Case]:
    """Cases in the order they are finished. PayopsError of a set-up that is wrong (no model, no log) ends the run."""
    if not left:
        return
    with ProcessPoolExecutor(max_workers=max(1, jobs), initializer=_ready) as pool:
        waiting = {pool.submit(solve, s, head, scratch): s for s in left}
        try:
            for future in as_completed(waiting):
                yield _case(future, waiting[future])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _case(future: Future[Case], sample: Sample) -> Case:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenProcessPool):
        mend = "run the same command again with the same --out: it goes on (fewer --jobs need less memory)"
        raise UsageError("a worker was killed", mend=mend) from None
    if isinstance(error, PayopsError) or not isinstance(error, Exception):
        raise error
    return failed(sample, f"{type(error).__name__}: {str(error)[:200]}")


def solve(sample: Sample, head: Head, scratch: Path) -> Case:
    """Make, predict, score. The prediction is made in a folder that holds no answers, and no topology where `head`
    says so. `world` is the SHA-256 of what was looked at, so that only the same worlds are compared."""
    from evals.lab.make import make, write
    from evals.lab.spec import load_kind, read_kind
    from evals.sets.lab import case_of, note_of, truth_of
    from evals.world_format import drop_topology

    kind = read_kind(Path(sample.fault)) if sample.fault else load_kind(sample.kind)
    try:
        made = make(kind, sample.seed)
    except UsageError as error:
        return {"name": sample.name, "kind": sample.kind, "seed": sample.seed, "unmade": error.message}
    with tempfile.TemporaryDirectory(dir=scratch) as folder, tempfile.TemporaryDirectory(dir=scratch) as answers:
        world = write(made, Path(folder), Path(answers), packed=False)
        digest = _digest(world)
        del made  # the simulated shop is far larger than the world
        if head.without == "topology":
            drop_topology(world)
        began = time.monotonic()
        note = note_of(world, solver=head.solver, config=head.config)
        seconds = time.monotonic() - began
        truth = truth_of(Path(answers), world.name)
    case = case_of({"case": world.name, "answer": note}, truth)
    return {**case, "name": sample.name, "seed": sample.seed, "world": digest, "seconds": round(seconds, 2)}


def failed(sample: Sample, why: str) -> Case:
    """A case without a note: wrong in everything that a note could be wrong in, claiming nothing."""
    from evals.lab.spec import load_kind, read_kind
    from evals.sets.lab import QUIET

    kind = read_kind(Path(sample.fault)) if sample.fault else load_kind(sample.kind)
    unknown = dict.fromkeys(("case", "tier", "topology", "severity", "naming", "truth"), "unknown")
    none = dict.fromkeys(("said", "said_kind", "confidence", "onset_error", "impact_error"))
    zero = dict.fromkeys(("struck", "redactions", "tokens", "leaks"), 0)
    false = dict.fromkeys(("right@1", "right@3", "decoy", "runbook_right"), False)
    quiet = kind.raw["verdict"] in QUIET
    return {
        **unknown,
        **none,
        **zero,
        **false,
        "kind": sample.kind,
        "quiet": quiet,
        "kinds": [],
        "hidden": kind.raw["verdict"] == "inconclusive",
        "verdict": "no note",
        "change_right": None if quiet else False,
        "must_say_missed": ["a note"],
        "must_not_say_said": [],
        "retrieval": 0.0,
        "cost": 0.0,
        "name": sample.name,
        "seed": sample.seed,
        "world": "",
        "seconds": 0.0,
        "failed": why,
    }


def _digest(world: Path) -> str:
    whole = hashlib.sha256()
    for file in sorted(p for p in world.rglob("*") if p.is_file()):
        whole.update(file.relative_to(world).as_posix().encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()[:16]


def _ready() -> None:
    """A worker collects garbage less often (a world is many small values that live as long as it does), and ends with
    the process that started it, also where that one was killed."""
    gc.set_threshold(200_000, 20, 20)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
