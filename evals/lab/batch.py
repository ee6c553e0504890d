"""Many worlds at once, in several processes; the bytes do not depend on how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

from evals.lab.make import Options, make, write
from evals.lab.spec import Kind


@dataclass(frozen=True, slots=True)
class Order:
    """One world to make."""

    kind: Kind
    seed: int
    options: Options


def make_one(out: Path, answers: Path, order: Order) -> Path:
    """Make and write one world; return its folder. Raises UsageError and WorldError."""
    return write(make(order.kind, order.seed, order.options), out, answers)


def make_all(orders: Sequence[Order], out: Path, answers: Path, jobs: int = 1) -> Iterator[Path]:
    """The folders of all worlds in the order of `orders`, each as soon as it and those before it are written."""
    work = partial(make_one, out, answers)
    if jobs <= 1:
        yield from map(work, orders)
        return
    # fork does not start the caller's main module anew, which may be a console script without a guard
    method = "fork" if "fork" in get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context(method)) as pool:
        yield from pool.map(work, orders)
