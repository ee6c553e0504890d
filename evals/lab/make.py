"""Make a world: draw a shop, bind a kind to it, simulate, measure, let the rules find out, cut it at `now`, write it.

The same kind, seed and options give the same bytes. `now` lies shortly after the first alert that the fault sets off;
the length of the world is drawn by itself, so that it says nothing. The answers go to another folder.
"""

from __future__ import annotations

import math
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assistant.errors import UsageError
from evals.lab import alerts as boards
from evals.lab import gauges, logs, measure
from evals.lab.answers import answers_text
from evals.lab.authorise import Outcome, simulate
from evals.lab.changes import Event, draw_changes
from evals.lab.instruments import Meter
from evals.lab.noise import draw_noise
from evals.lab.plant import Planter
from evals.lab.promql import Samples
from evals.lab.shop import Shop
from evals.lab.shop import draw as draw_shop
from evals.lab.spec import Kind, Scenario, bind
from evals.lab.traffic import Attempts, Floats
from evals.lab.visible import onset_span
from evals.world_format import WorldHead, dumps, head_text, refuse_used, write_json, write_lines

HOUR = 3600.0
BEFORE, AFTER = 3.7 * HOUR, 75 * 60.0  # what is simulated around the onset
TRIES = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What may be fixed from outside; empty is drawn."""

    tier: str = ""
    naming: str = ""
    topology: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is simulated: the onset (unix s), seconds before and after it, seconds between scrapes."""

    onset: float
    before: float = BEFORE
    after: float = AFTER
    step: float = 0.0  # 0: the shop's own


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that is known about a made world and is not in it."""

    seed: int
    shop: Shop
    scenario: Scenario
    onset: float
    now: float
    start: float
    attempts: Attempts
    outcome: Outcome
    changes: tuple[Event, ...]
    board: boards.Board
    planter: Planter
    noise: tuple[gauges.Active, ...]
    span: tuple[float, float]  # between which the onset cannot be told (visible.py)


@dataclass(frozen=True, slots=True)
class World:
    """A made world in memory, with its truth beside it. `rows` (labels, values) on `grid`, both cut at `now`."""

    truth: Truth
    grid: Floats
    rows: tuple[tuple[dict[str, str], Floats], ...]
    entries: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A simulated shop before it is known when its alert fires."""

    shop: Shop
    scenario: Scenario
    onset: float
    a: Attempts
    o: Outcome
    meter: Meter
    active: tuple[gauges.Active, ...]
    noise: tuple[gauges.Active, ...]
    changes: tuple[Event, ...]
    moments: Mapping[int, Sequence[float]]


def make(kind: Kind, seed: int, options: Options | None = None) -> World:
    """A world of this kind and seed. Raises UsageError when no alert of the kind fires: the fault is too weak."""
    for attempt in range(TRIES):
        rng = np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(kind.name.encode()), attempt]))
        draft = simulate_shop(kind, rng, options or Options())
        now = _moment(draft, rng)
        if now is not None:
            world = _cut(draft, seed, now, rng)
            if world is not None:
                return world
    raise UsageError(
        f"{kind.path.name}: none of its alerts ({', '.join(kind.raw['alerts'])}) fires with seed {seed}",
        mend="raise the fault's strength, or name an alert that it sets off",
    )


def _some_day(rng: np.random.Generator) -> float:
    """An onset on some day of 2026, in the busy hours."""
    day = datetime(2026, 2, 1, tzinfo=UTC).timestamp() + 86400 * int(rng.integers(240))
    return round(day + rng.uniform(7.5, 21.5) * HOUR, 1)


def simulate_shop(kind: Kind, rng: np.random.Generator, options: Options, frame: Frame | None = None) -> Draft:
    """A shop with this kind of incident in it, measured over the whole frame."""
    shop = draw_shop(rng, tier=options.tier, naming=options.naming, topology=options.topology)
    s = bind(kind, shop, rng)
    frame = frame or Frame(_some_day(rng))
    onset, window = frame.onset, (frame.onset - frame.before, frame.onset + frame.after)
    new_model = any(f.scope.get("model") == shop.models[1] for f in s.faults)
    canary = onset - (s.change.before if s.change else HOUR) if new_model else float(rng.choice([window[0], math.inf]))
    a, o = simulate(rng, shop, s, window, onset, canary)
    noise = draw_noise(rng, shop, s, onset)
    active = (*(gauges.Active(f, onset) for f in s.faults), *noise)
    step = frame.step or shop.steps[0]
    grid = np.round(np.arange(window[0], window[1], step) + float(rng.integers(1, 5000)) / 1000.0, 3)
    changes = draw_changes(rng, shop, s, onset, window)
    m = Meter(grid, shop.naming, rng)
    moments = _say(rng, s, onset, window[1])
    _measure(m, shop, s, a, o, active, onset, changes, moments)
    return Draft(shop, s, onset, a, o, m, active, noise, changes, moments)


def _say(rng: np.random.Generator, s: Scenario, onset: float, end: float) -> dict[int, list[float]]:
    out = {}
    for k, f in enumerate(s.faults):
        if f.mechanism == "say":
            t = np.sort(rng.uniform(onset, end, rng.poisson(f.per_minute * (end - onset) / 60)))
            out[k] = [float(x) for x in t if rng.random() < f.strength(np.array([x]), onset)[0]]
    return out


def _measure(
    m: Meter,
    shop: Shop,
    s: Scenario,
    a: Attempts,
    o: Outcome,
    active: Sequence[gauges.Active],
    onset: float,
    changes: Sequence[Event],
    moments: Mapping[int, Sequence[float]],
) -> None:
    requests = measure.path_requests(shop, a, o, m.rng)
    requests.update(measure.calm_requests(shop, a, o, s, (float(m.grid[0]) - 30, float(m.grid[-1])), onset, m.rng))
    soon = _soon(m.rng, shop, s)
    measure.authorisations(m, shop, a, o)
    measure.stages(m, shop, a, o)
    measure.named_rule(m, shop, a, o, s)
    measure.services(m, shop, requests)
    measure.duplicates(m, shop, a, o, s, onset)
    measure.failures(m, shop, requests, s, gauges.certificates(shop))
    gauges.queues(m, shop, a, o, requests, active)
    gauges.resources(m, shop, a, o, active)
    gauges.feeds(m, shop, active, onset)
    gauges.expiries(m, shop, s, onset, soon)
    gauges.versions(m, shop, [(c.ts, c.service) for c in changes if c.kind == "deploy"])
    for k, t in moments.items():
        f = s.faults[k]
        if f.scanner:
            m.counter("scanner_hits", {"service": shop.service(f.component), "class": f.scanner}, np.array(t))
    m.rows.sort(key=lambda row: tuple(sorted(row[0].items())))
    _vanish(m, shop, active)


def _soon(rng: np.random.Generator, shop: Shop, s: Scenario) -> tuple[str, float] | None:
    wanted = "CertificateExpiresSoon" in s.alerts and not any(f.mechanism == "expire" for f in s.faults)
    peers = [peer for _, peer in gauges.certificates(shop)]
    return (str(rng.choice(peers)), float(rng.uniform(2, 13))) if wanted or rng.random() < 0.45 else None


def _vanish(m: Meter, shop: Shop, active: Sequence[gauges.Active]) -> None:
    for x in active:
        if x.fault.mechanism == "vanish" and x.fault.signal == "metrics":
            gone = x.fault.strength(m.grid, x.onset) > 0
            m.alter(_of_service(m, shop, x, counters=False), partial(_hide, gone))
        elif x.fault.mechanism == "restart":
            m.alter(_of_service(m, shop, x, counters=True), partial(_reset, m.grid, x))


def _hide(gone: npt.NDArray[np.bool_], values: Floats) -> Floats:
    return np.where(gone, np.nan, values)


def _of_service(m: Meter, shop: Shop, x: gauges.Active, *, counters: bool) -> Callable[[dict[str, str]], bool]:
    """Whether a series is exposed by the service that a fault acts on."""
    label, name, up = m.naming.label("service"), shop.service(x.fault.component), m.naming.metric("up")
    endings = ("_total", "_bucket", "_count", "_sum")

    def of_it(labels: dict[str, str]) -> bool:
        mine = labels.get(label) == name and labels["__name__"] != up
        return mine and (not counters or labels["__name__"].endswith(endings))

    return of_it


def _reset(grid: Floats, x: gauges.Active, values: Floats) -> Floats:
    """A counter of a process that starts again and again: it begins at zero each time."""
    life = np.where(x.fault.strength(grid, x.onset) > 0, np.floor((grid - x.onset) / x.fault.every), -1)
    started = np.concatenate([[True], np.diff(life) != 0])
    base = np.where(started, np.concatenate([[0.0], values[:-1]]), 0.0)
    held = base[np.maximum.accumulate(np.where(started, np.arange(len(values)), 0))]
    return np.where(life >= 0, values - np.nan_to_num(held), values)


def evaluation_times(grid: Floats, every: float, until: float) -> Floats:
    """When rules are evaluated: never at the moment of a scrape, from a little after the first one."""
    return np.round(np.arange(float(grid[0]) + every * 0.437, until, every), 3)


def _moment(d: Draft, rng: np.random.Generator) -> float | None:
    """`now`: some time after the kind's first alert fires, or after the fault ended while one still does."""
    at = evaluation_times(d.meter.grid, d.shop.steps[1], d.onset + AFTER)
    b = boards.board(d.shop, d.meter.samples(), at, only=d.scenario.alerts, after=d.onset)
    fired = [t for moments in b.first_fired.values() for t, _ in moments]
    if not fired and not d.scenario.faults:
        fired = [d.onset]
    if not fired:
        return None
    if d.scenario.now_after == "end":
        ends = [f.delay + f.lasts for f in d.scenario.faults if f.lasts > 0]
        return round(d.onset + max(ends) + float(rng.uniform(45, 110)), 3)
    return round(min(min(fired) + float(rng.uniform(75, 780)), d.onset + AFTER - 20), 3)


def _cut(d: Draft, seed: int, now: float, rng: np.random.Generator) -> World | None:
    """The world as seen at `now`, or None when by then none of the kind's alerts fires."""
    start = max(now - rng.uniform(2.7, 3.6) * HOUR, float(d.meter.grid[0]))
    keep = (d.meter.grid >= start) & (d.meter.grid <= now)
    grid = d.meter.grid[keep]
    rows = tuple((labels, np.round(values[keep], 6)) for labels, values in d.meter.rows)
    rows = tuple(row for row in rows if not np.isnan(row[1]).all())
    cut = Meter(grid, d.shop.naming, rng, rows=list(rows))
    at = evaluation_times(grid, d.shop.steps[1], now)
    b = boards.board(d.shop, cut.samples(), at)
    if not any(x.rule.alert in d.scenario.alerts and (x.since >= d.onset or not d.scenario.faults) for x in b.firing):
        return None
    planter = Planter(rng)
    w = logs.writer(rng, d.shop)
    changes = tuple(c for c in d.changes if start <= c.ts <= now)
    starts = [(c.ts, c.service) for c in changes if c.kind in {"deploy", "config"}]
    budget = int(rng.integers(7000, 13000))
    lines = logs.entries(w, planter, d.scenario, d.a, d.o, d.active, d.moments, starts, (start, now), budget)
    planter.forget_unless_in("\n".join(str(e["line"]) for e in lines))
    span = onset_span(d.scenario, d.shop, d.onset, d.a, d.o, d.moments, d.meter)
    truth = Truth(seed, d.shop, d.scenario, d.onset, now, start, d.a, d.o, changes, b, planter, d.noise, span)
    return World(truth, grid, rows, tuple(lines))


def head(w: World) -> WorldHead:
    """world.toml: services in an order that says nothing, edges by name."""
    shop = w.truth.shop
    services = tuple((name, shop.kinds[role]) for role, name in shop.services.items())
    edges = tuple((shop.service(a), shop.service(b)) for a, b in shop.calls)
    return WorldHead(shop.world, w.truth.now, shop.timezone, services, edges)


def _numbers(values: np.ndarray[Any, Any]) -> list[float | int | None]:
    """As JSON has them: no sample is null, whole numbers are written without a point."""
    out: list[Any] = values.tolist()
    for i in np.flatnonzero(values == np.floor(values)).tolist():
        out[i] = int(out[i])
    for i in np.flatnonzero(np.isnan(values)).tolist():
        out[i] = None
    return out


def series_lines(w: World) -> list[str]:
    """series.ndjson."""
    t0, step = round(float(w.grid[0]), 3), w.truth.shop.steps[0]
    out = []
    for labels, values in w.rows:
        if np.isnan(values).any() or (values != np.floor(values)).any():
            v = _numbers(values)
        else:
            v = values.astype(np.int64).tolist()
        out.append(dumps({"labels": labels, "t0": t0, "step": step, "v": v}))
    return out


def write(w: World, out: Path, answers: Path, *, packed: bool = True) -> Path:
    """Write the world under `out`/<neutral name> and its answers to `answers`/<same name>.toml. Raises WorldError.
    Samples and lines are gzipped, unless it is read once and thrown away.

    The folder gets its name when it is whole: a run that is cut off leaves no half world behind that name.
    """
    b, shop = w.truth.board, w.truth.shop
    folder, part = out / shop.world, out / f".{shop.world}.part"
    refuse_used(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / "world.toml").write_text(head_text(head(w)))
    write_json(part / "alerts.json", boards.alerts_document(shop, b))
    write_json(part / "rules.json", boards.rules_document(shop, b))
    ending = ".gz" if packed else ""
    write_lines(part / "metrics" / f"series.ndjson{ending}", series_lines(w))
    write_lines(part / f"logs.ndjson{ending}", (dumps(e) for e in w.entries))
    write_json(part / "changes.json", [c.document() for c in w.truth.changes])
    answers.mkdir(parents=True, exist_ok=True)
    (answers / f"{shop.world}.toml").write_text(answers_text(w.truth))
    if folder.exists():
        folder.rmdir()
    return part.rename(folder)


def samples_of(w: World) -> Samples:
    """The world's samples, for evaluating rules over them again."""
    return Meter(w.grid, w.truth.shop.naming, np.random.default_rng(0), rows=list(w.rows)).samples()
