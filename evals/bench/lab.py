"""Figures of the payments lab: speed, size, sameness of bytes, realism, what a guesser makes of it."""

from __future__ import annotations

import hashlib
import resource
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.bench.figure import Figure

SAMPLE = 66  # worlds: one of each kind; the target speaks of 200, the figure is scaled
CORES = 2


def figures() -> Iterable[Figure]:
    """Make one world of each kind in this process and say what they are like."""
    from evals.lab import shop, spec
    from evals.lab.batch import Order, make_all, make_one
    from evals.lab.make import Options

    kinds = [spec.load_kind(name) for name in spec.shipped()]
    orders = [Order(kinds[i % len(kinds)], 900 + i // len(kinds), Options()) for i in range(SAMPLE)]
    with tempfile.TemporaryDirectory() as tmp:
        out, answers = Path(tmp) / "w", Path(tmp) / "a"
        before = resource.getrusage(resource.RUSAGE_SELF)
        folders = list(make_all(orders, out, answers))
        after = resource.getrusage(resource.RUSAGE_SELF)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        minutes = seconds / SAMPLE * 200 / CORES / 60
        yield Figure("kinds shipped", str(len(kinds)), "kinds", "at least 35", len(kinds) >= 35)
        yield Figure("topologies, namings", f"{len(shop.topologies())}, {_namings()}", "", "several")
        yield Figure("200 worlds on 2 cores (CPU time)", f"{minutes:.1f}", "min", "at most 10", minutes <= 10)
        yield Figure("CPU time of one world", f"{seconds / SAMPLE:.2f}", "s")
        sizes = [_size(f) for f in folders]
        yield Figure("largest world", f"{max(sizes) / 1e6:.2f}", "MB", "under 25", max(sizes) < 25_000_000)
        again = make_one(Path(tmp) / "w2", Path(tmp) / "a2", orders[0])
        same = _digest(again) == _digest(folders[0])
        yield Figure("same seed, same bytes", "yes" if same else "no", "", "byte-identical", same)
        yield from _guesses(folders, answers)
    yield from _realism()


def _namings() -> int:
    from evals.lab import naming

    return len(naming.names())


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _digest(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return hashlib.sha256(b"".join(str(p.relative_to(folder)).encode() + p.read_bytes() for p in files)).hexdigest()


def _guesses(folders: Sequence[Path], answers: Path) -> Iterable[Figure]:
    from evals.lab.guesser import against_chance, blame_the_latest, world_clue

    pairs = [(f, answers / f"{f.name}.toml") for f in folders]
    for ask in ("entity_kind", "verdict"):
        score, luck, p = against_chance([world_clue(*x, ask=ask) for x in pairs])
        value = f"{score:.2f} (p {p:.2f})"
        yield Figure(
            f"guesser of {ask} by names, sizes, times", value, "share", "chance", p > 0.01, f"shuffled {luck:.2f}"
        )
    latest = sum(blame_the_latest(*x) for x in pairs)
    yield Figure(
        "blaming the latest change", f"{latest} of {len(pairs)}", "right", "at most 1 in 5", latest * 5 <= len(pairs)
    )


def _realism() -> Iterable[Figure]:
    from evals.lab.published import compare

    for one, values in compare(range(1, 5)):
        low, high = min(values), max(values)
        inside = one.low <= low and high <= one.high
        target = f"{one.low:g} to {one.high:g}"
        yield Figure(one.name, f"{low:.3g} to {high:.3g}", one.unit, target, inside, one.source)
