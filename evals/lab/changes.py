"""Change events of a world: the guilty one if the kind has one, confounders, and the ordinary ones of any day.

Ordinary changes take titles and diffs from the guilty changes of all kinds (with other values drawn) as well as from
a list of harmless ones: no wording tells which is which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from evals.lab.shop import ROLES, Shop
from evals.lab.spec import Change, Kind, Scenario, bind, load_kind, shipped

HARMLESS = (
    ("deploy", "dependencies brought up to date", "- httpcore==1.0.{n}\n+ httpcore==1.1.{n}"),
    ("deploy", "log fields renamed", "- duration\n+ duration_ms"),
    ("deploy", "base image patched", "- FROM base:2026.{n}\n+ FROM base:2026.{m}"),
    ("deploy", "metrics for pool waits", "+ pool_wait_seconds"),
    ("config", "log level back to info", "- level: debug\n+ level: info"),
    ("config", "replicas raised", "- replicas: {n}\n+ replicas: {m}"),
    ("flag", "new receipt layout for 10% of merchants", ""),
    ("flag", "dark mode in the merchant console", ""),
    ("maintenance", "rolling restart of a node pool", ""),
    ("certificate", "certificate renewed ahead of time", ""),
)
PREFIX = {"deploy": "", "config": "cfg-", "flag": "flag-", "maintenance": "mnt-", "certificate": "crt-"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of changes.json. `guilty` never leaves the answers."""

    ts: float
    kind: str
    service: str
    id: str
    title: str
    diff: str
    guilty: bool

    def document(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "ts": self.ts,
            "kind": self.kind,
            "service": self.service,
            "id": self.id,
            "title": self.title,
        }
        return {**out, "diff": self.diff} if self.diff else out


@cache
def _with_changes() -> tuple[Kind, ...]:
    kinds = (load_kind(name) for name in shipped())
    return tuple(k for k in kinds if k.raw.get("change") or k.raw.get("confounders"))


def _identity(rng: np.random.Generator, kind: str) -> str:
    return PREFIX.get(kind, "") + (rng.bytes(4).hex()[:7] if kind == "deploy" else f"{int(rng.integers(1000, 9999))}")


def _event(rng: np.random.Generator, ts: float, c: Change, *, guilty: bool = False) -> Event:
    return Event(round(ts, 3), c.kind, c.service, _identity(rng, c.kind), c.title, c.diff, guilty)


def ordinary(rng: np.random.Generator, shop: Shop) -> Change:
    """A change as any day has them."""
    kinds = _with_changes()
    if kinds and rng.random() < 0.7:
        kind = kinds[int(rng.integers(len(kinds)))]
        s = bind(kind, shop, rng)
        options = [c for c in (s.change, *s.confounders) if c is not None]
        return options[int(rng.integers(len(options)))]
    what, title, diff = HARMLESS[int(rng.integers(len(HARMLESS)))]
    n = int(rng.integers(2, 9))
    service = shop.service(str(rng.choice(ROLES)))
    return Change(what, service, title, diff.replace("{n}", str(n)).replace("{m}", str(n + 1)), 0.0)


def _disguised(rng: np.random.Generator, c: Change) -> Change:
    """Sometimes the release notes say nothing of what the release does."""
    if rng.random() >= 0.3:
        return c
    options = [h for h in HARMLESS if h[0] == c.kind] or list(HARMLESS)
    what, title, diff = options[int(rng.integers(len(options)))]
    n = int(rng.integers(2, 9))
    return replace(c, kind=what, title=title, diff=diff.replace("{n}", str(n)).replace("{m}", str(n + 1)))


def draw_changes(
    rng: np.random.Generator, shop: Shop, s: Scenario, onset: float, window: tuple[float, float]
) -> tuple[Event, ...]:
    """All changes of the simulated window in order of time.

    Every world has some around the onset, guilty or not, so that neither being near nor being the newest tells much.
    """
    events = [_event(rng, onset - c.before, c) for c in s.confounders]
    if s.change is not None:
        events.append(_event(rng, onset - s.change.before, _disguised(rng, s.change), guilty=True))
    guilty_service = s.change.service if s.change else ""
    for _ in range(int(rng.integers(3, 7))):
        events.append(_event(rng, float(rng.uniform(window[0], onset - 1200)), ordinary(rng, shop)))
    for _ in range(int(rng.integers(2, 5))):
        near = ordinary(rng, shop)
        if near.service != guilty_service:
            events.append(_event(rng, onset + float(rng.uniform(-1200, 900)), near))
    return tuple(sorted(events, key=lambda e: (e.ts, e.id)))
