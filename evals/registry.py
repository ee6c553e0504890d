"""The evaluation sets by name, and the two steps that are never one: predict, then score.

A set is a module in `evals/sets`. Sets with cases have `predict(data)`, which yields `{case, answer}` and never opens
an answer, and `score(predictions, data)`, which does. Sets that measure a property of ours have `run(data)`. Both
results have one form::

    {set, cases[], figures{}, floors{}, targets{}, failures[]}
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import UsageError

Prediction = Mapping[str, Any]
Report = Mapping[str, Any]

SETS: Mapping[str, str] = {
    "rootcause": "which change did it, or none",
    "noise": "page or suppress each alert",
    "blastradius": "where it began and how it spread",
    "petshop": "the root service, real telemetry with a call graph",
    "rds": "category and facts of a database incident",
    "lab": "worlds of the payments lab: the whole note",
    "runbooks": "the right runbook, or none",
    "redaction": "written forms found, leaks, false cards, throughput",
    "injection": "live links, mentions and leaks at every sink",
    "grounding": "unsupported statements that survive the checks",
}
PREDICTED = ("rootcause", "noise", "blastradius", "petshop", "rds", "lab", "runbooks")
_SHARED = {
    "rootcause": "benchmarks/edgedelta-rootcausebench",
    "noise": "benchmarks/edgedelta-noisebench",
    "blastradius": "benchmarks/edgedelta-blastradiusbench",
    "petshop": "benchmarks/petshop",
    "rds": "benchmarks/opensre-synthetic",
    "runbooks": "benchmarks/runbook-retrieval",
    "redaction": "redaction",
    "injection": "injection",
}


@dataclass(frozen=True, slots=True)
class Set:
    name: str
    predict: Callable[[Path], Iterator[Prediction]] | None
    score: Callable[[list[Prediction], Path], Report] | None
    run: Callable[[Path | None], Report] | None


def load(name: str) -> Set:
    """The set of that name. UsageError lists the names where there is none."""
    if name not in SETS:
        raise UsageError(f'no set "{name}"', mend=f"there are: {', '.join(SETS)}")
    module = importlib.import_module(f"evals.sets.{name}")
    return Set(name, getattr(module, "predict", None), getattr(module, "score", None), getattr(module, "run", None))


def data_dir(name: str, given: Path | None) -> Path | None:
    """`given`, else the public set beside the checkout where it stands, else None."""
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"{given}: no such folder", mend="give the folder of the set to --data")
        return given
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / _SHARED.get(name, "-")
    return beside if beside.is_dir() else None


def predictions(name: str, data: Path) -> Iterator[Prediction]:
    """Predictions of a set over any folder of its form. No answer is opened."""
    chosen = load(name)
    if chosen.predict is None:
        raise UsageError(f'set "{name}" has no cases to predict', mend=f"run it: payops eval run {name}")
    yield from chosen.predict(data)


def report(name: str, data: Path | None) -> Report:
    """Predict and score, or measure. UsageError where the data is needed and absent."""
    chosen = load(name)
    if chosen.run is not None:
        return chosen.run(data)
    if data is None:
        raise UsageError(f'set "{name}" needs its data', mend="give the folder of the set to --data")
    if chosen.predict is None or chosen.score is None:
        raise UsageError(f'set "{name}" is not complete', mend="it needs predict and score")
    return chosen.score(list(chosen.predict(data)), data)
