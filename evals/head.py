"""What a run was measured with. Two runs with different heads cannot be one report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from assistant.errors import UsageError

FORMAT = 1
Solver = Literal["analyst", "line", "model"]
SOLVERS = ("analyst", "line", "model")
_HERE = Path(__file__).resolve().parent
_MEASURE = ("lab", "sets/lab.py", "sets/lab_causes.py", "solving.py", "world_format.py")


@dataclass(frozen=True, slots=True)
class Head:
    """`release` is what was measured (`assistant.release`), `lab` what it was measured with (`lab_id`); reports from
    before it was kept have ""."""

    format: int
    release: str
    solver: Solver
    config: str = ""
    without: str = ""
    lab: str = ""

    def __post_init__(self) -> None:
        if self.without not in {"", "topology"}:
            raise UsageError(f'no "{self.without}" to go without', mend="--without topology")


@lru_cache(maxsize=1)
def lab_id() -> str:
    """Twelve hex digits over everything that makes the worlds and scores the notes: with another lab the same seed
    may be another world, and the same note another score."""
    whole = hashlib.sha256()
    for path in (_HERE / part for part in _MEASURE):
        files = sorted(p for p in path.rglob("*") if p.suffix in {".py", ".toml", ".json", ".txt"})
        for file in files if path.is_dir() else [path]:
            whole.update(f"{file.relative_to(_HERE).as_posix()}\0".encode())
            whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:12]
