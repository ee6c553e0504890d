"""A trivial guesser that looks only at what must say nothing: names, order, sizes, timestamps.

Nearest neighbours in a rank-scaled feature space, leave-one-out, against the same guesser on shuffled labels. When the
real score is no better than the shuffled ones, those features give nothing away.
"""

from __future__ import annotations

import gzip
import json
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class Clue:
    """What the guesser may look at in one world, and what it shall guess."""

    features: tuple[float, ...]
    truth: str


def world_clue(folder: Path, answers: Path, *, ask: str) -> Clue:
    """Name, sizes, counts, order and times of one world's files; `ask` names the field of the answers to guess."""
    told = tomllib.loads(answers.read_text())
    head = tomllib.loads((folder / "world.toml").read_text())
    first = json.loads(gzip.decompress((folder / "metrics" / "series.ndjson.gz").read_bytes()).split(b"\n", 1)[0])
    changes = json.loads((folder / "changes.json").read_text())
    features = (
        float(zlib.crc32(folder.name.encode()) % 1000),
        float(len(folder.name)),
        float((folder / "metrics" / "series.ndjson.gz").stat().st_size),
        float((folder / "logs.ndjson.gz").stat().st_size),
        float((folder / "world.toml").stat().st_size),
        float(len(changes)),
        float((folder / "changes.json").stat().st_size),
        head["now"] % 86400,
        head["now"] % 1,
        float(len(first["v"])),
        first["t0"] % 60,
        float(zlib.crc32(head["services"][0]["name"].encode()) % 1000),
    )
    return Clue(features, str(told[ask]))


def change_clues(folder: Path, answers: Path) -> list[Clue]:
    """Identity and wording of every change of one world. When it was is evidence, not a giveaway, and is left out."""
    told = tomllib.loads(answers.read_text())
    changes = json.loads((folder / "changes.json").read_text())
    out = []
    for c in changes:
        features = (
            float(len(changes)),
            float(zlib.crc32(c["title"].encode()) % 1000),
            float(len(c.get("diff", ""))),
            float(zlib.crc32(c["kind"].encode()) % 100),
            c["ts"] % 60,
            c["ts"] % 1,
            float(int(c["id"][-2:], 16) if c["id"][-2:].isalnum() else 0),
        )
        out.append(Clue(features, "guilty" if c["id"] == told["change"] else "innocent"))
    return out


def blame_the_latest(folder: Path, answers: Path) -> bool:
    """Whether the newest change of a world is the guilty one."""
    changes = json.loads((folder / "changes.json").read_text())
    return bool(changes) and changes[-1]["id"] == tomllib.loads(answers.read_text())["change"]


def _ranks(x: Floats) -> Floats:
    """Each column as ranks in 0..1, equal values alike, so that no unit outweighs another."""
    ranked = [np.unique(column, return_inverse=True)[1] for column in x.T]
    return np.stack([r / max(1, int(r.max())) for r in ranked], axis=1)


def right(features: Floats, truth: npt.NDArray[np.str_]) -> float:
    """Share of worlds whose truth is the majority among their nearest neighbours, each left out in turn."""
    x = _ranks(features)
    distance = np.abs(x[:, None, :] - x[None, :, :]).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1)[:, :NEIGHBOURS]
    hits = 0
    for i, row in enumerate(near):
        values, counts = np.unique(truth[row], return_counts=True)
        hits += bool(values[int(np.argmax(counts))] == truth[i])
    return hits / len(truth)


def against_chance(clues: list[Clue], *, shuffles: int = 200, seed: int = 1) -> tuple[float, float, float]:
    """(score, mean score on shuffled truths, share of shuffles that did at least as well: a p value)."""
    features = np.array([c.features for c in clues])
    truth = np.array([c.truth for c in clues])
    rng = np.random.default_rng(seed)
    score = right(features, truth)
    by_luck = np.array([right(features, rng.permutation(truth)) for _ in range(shuffles)])
    return score, float(by_luck.mean()), float((by_luck >= score - 1e-12).mean())
