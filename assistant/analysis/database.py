"""A database by its vital signs: which limit it ran into, what drove it there, and what it is not.

The signs are those that a managed PostgreSQL shows (CPU, sessions, free storage, replica lag, I/O, write-ahead log)
with the statements and waits behind its load, after the USE method (Gregg 2013: utilisation, saturation, errors of each
resource). A limit counts only if it is still reached at the end: what healed is said to have healed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.analysis.say import number
from assistant.core.evidence import Floats
from assistant.core.time import clock

HISTORY = 1800.0
"""An event that ended this long before the samples begin is history."""


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    source: str
    name: str
    about: str
    unit: str
    t: Floats
    v: Floats


@dataclass(frozen=True, slots=True)
class Event:
    t: float
    text: str
    source: str
    kind: str


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with its load (average active sessions) and its waits (name, load)."""

    statement: str
    load: float
    waits: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Vitals:
    alert: str
    measures: tuple[Measure, ...]
    events: tuple[Event, ...]
    queries: tuple[Query, ...]
    clients: tuple[tuple[str, float], ...] = ()
    """Users and hosts with the load they bring."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`category` as in incident taxonomies (resource_exhaustion, infrastructure, healthy, …); `limits` the limits
    that were reached, the root first; `claims` sentences with their evidence source; `ruled_out` likewise."""

    category: str
    limits: tuple[str, ...]
    cause: str
    claims: tuple[tuple[str, str], ...]
    ruled_out: tuple[tuple[str, str], ...]


_LIMITS: tuple[tuple[str, str], ...] = (
    ("storage", r"free_?storage|disk_?free|free_?space"),
    ("replication lag", r"replica_?lag|replay_?lag|replication"),
    ("connections", r"connections?$|sessions"),
    ("cpu", r"cpu"),
    ("memory", r"freeable_?memory|memory"),
)


_PHASES = (
    ("failover initiated", r"initiated|started"), ("failover in progress", r"in progress"),
    ("failover completed", r"completed"), ("instance available", r"is (now )?available|accepting connections"),
)  # fmt: skip


def diagnose(v: Vitals) -> Diagnosis:
    """What ails the database, if anything."""
    begin = min((float(m.t[0]) for m in v.measures if len(m.t)), default=0.0)
    recent = [e for e in v.events if e.t >= begin - HISTORY]
    told = "\n".join([v.alert, *(e.text for e in recent)])
    reached = _reached(v, recent, told)
    failover = [e for e in recent if re.search(r"(?i)failover|multi-az|host (failure|replac)|reboot", e.text)]
    down = [m for m in v.measures if _dipped(m)]
    if failover and not reached and down:
        return _infrastructure(v, failover, down)
    if not reached:
        return _healthy(v, recent)
    return _exhausted(v, reached, recent)


def _series(v: Vitals, pattern: str) -> list[Measure]:
    return [
        m
        for m in v.measures
        if re.search(pattern, re.sub(r"([a-z])([A-Z])", r"\1_\2", m.name), re.IGNORECASE) and len(m.v)
    ]


def _reached(v: Vitals, recent: Sequence[Event], told: str) -> list[str]:
    found = []
    storage = _series(v, _LIMITS[0][1])
    out_of = [
        e
        for e in recent
        if re.search(r"(?i)ran out of storage|storage.{0,20}(full|critically low)|no space left", e.text)
    ]
    grown = any(re.search(r"(?i)autoscaling completed|storage has been increased|expanded", e.text) for e in recent)
    if any(m.v[-1] < 0.25 * np.max(m.v) and m.v[-1] < 0.6 * m.v[0] for m in storage) or (
        out_of and not storage and not grown
    ):
        found.append("storage")
    lags = _series(v, _LIMITS[1][1])
    if (
        any(m.v[-1] > 60 and m.v[-1] > 4 * max(float(m.v[0]), 1.0) for m in lags)
        or any(m.v[-1] > 300 for m in lags)
        or (
            not any(m.v[-1] < 30 for m in lags if len(lags) == 1)
            and re.search(r"(?i)replica.{0,40}lag.{0,30}exceed|lag (has )?exceeded|replication lag", told)
            and any(re.search(r"(?i)lag", e.text) for e in recent)
        )
    ):
        found.append("replication lag")
    ceiling = _ceiling(told)
    for m in _series(v, _LIMITS[2][1]):
        full = ceiling and m.v[-1] >= 0.9 * ceiling
        if full or (
            m.v[-1] > 1.3 * m.v[0] and re.search(r"(?i)too many clients|connection slots|max_connections", told)
        ):
            found.append("connections")
            break
    if any(_sustained(m, 85.0) for m in _series(v, r"cpu")):
        found.append("cpu")
    return found


def _ceiling(told: str) -> float:
    """The connection limit that events or the alert name, 0 if none does."""
    patterns = (
        r"connections?:? *[\d,]+ (?:of|/) *([\d,]+)", r"maximum (?:of )?([\d,]+)", r"max_connections *[=:(] *([\d,]+)",
        r"of ([\d,]+) (?:max|allowed)",
    )  # fmt: skip
    named = [float(x.replace(",", "")) for p in patterns for x in re.findall(p, told, re.IGNORECASE) if x.strip(",")]
    return max(named, default=0.0)


def _sustained(m: Measure, level: float) -> bool:
    tail = m.v[-max(len(m.v) // 3, 3) :]
    return bool(np.median(tail) >= level and tail[-1] >= 0.9 * level)


def _dipped(m: Measure) -> bool:
    """Fell to nearly nothing and came back."""
    return bool(
        len(m.v) > 4 and np.median(m.v) > 1 and np.min(m.v) < 0.1 * np.median(m.v) and m.v[-1] > 0.6 * np.median(m.v)
    )


def _span(m: Measure, digits: str = "") -> str:
    unit = {
        "Percent": "%",
        "Bytes": "bytes",
        "Seconds": "s",
        "Count": "",
        "Milliseconds": "ms",
        "Count/Second": "per s",
    }.get(m.unit, m.unit)
    where = f" of {m.about}" if m.about else ""
    first, last, low, high = (number(float(x), unit) for x in (m.v[0], m.v[-1], m.v.min(), m.v.max()))
    return f"{m.name}{where} went from {first} to {last} (lowest {low}, highest {high})"


def _exhausted(v: Vitals, reached: Sequence[str], recent: Sequence[Event]) -> Diagnosis:
    root, cause = _root(v, reached)
    claims: list[tuple[str, str]] = []
    for name in dict.fromkeys((root, *reached)):
        claims += [(_span(m), m.source) for m in _series(v, dict(_LIMITS)[name])[:2]]
    claims += _drivers(v)
    claims += _load(v)
    claims += [(f"{clock(e.t)} {e.text}", e.source) for e in recent if not re.search(r"(?i)backup|snapshot", e.text)][
        -8:
    ]
    missing = [name for name in reached if not _series(v, dict(_LIMITS)[name])]
    claims += [
        (f"no metric of {name} was collected: told by events and by what it does to the rest", "gap")
        for name in missing
    ]
    limits = tuple(dict.fromkeys((root, *reached)))
    return Diagnosis("resource_exhaustion", limits, cause, tuple(claims), _ruled_out(v, limits, recent))


def _writes(v: Vitals) -> list[Query]:
    return [q for q in _top(v) if re.match(r"(?i)\s*(begin;\s*)?(update|insert|delete|copy|create|merge)", q.statement)]


def _top(v: Vitals) -> list[Query]:
    return sorted(v.queries, key=lambda q: -q.load)


def _root(v: Vitals, reached: Sequence[str]) -> tuple[str, str]:
    """(the limit at the root, the cause in one sentence)."""
    top = _top(v)[0] if v.queries else None
    statement = f": {top.statement[:140]}" if top else ""
    waits = {name: load for q in v.queries for name, load in q.waits}
    idle = waits.get("Client:ClientRead", 0.0) > 0.3 * max(sum(q.load for q in v.queries), 1e-9)
    upkeep = next((q for q in _top(v)[:3] if re.search(r"(?i)vacuum|checkpoint|reindex|analyze\b", q.statement)), None)
    if "connections" in reached:
        leak = (
            "idle client sessions that wait on Client:ClientRead hold connections open, as a connection pool leak does"
            if idle
            else "client sessions use up the connections"
        )
        beside = "; CPU rises with them and shares that root" if "cpu" in reached else ""
        return "connections", f"connection exhaustion: {leak}, until max_connections is reached{beside}"
    if "replication lag" in reached and not ("storage" in reached and _worst_lag(v) < 600):
        write = next(iter(_writes(v)), top)
        said = f" ({write.statement[:140]})" if write else ""
        aside = (
            "; the higher CPU is a read-only SELECT beside it and causally independent"
            if _series(v, "cpu") and any(m.v.max() > 60 for m in _series(v, "cpu"))
            else ""
        )
        return (
            "replication lag",
            f"replication lag: a write-heavy workload{said} generates WAL faster than the replica can replay it{aside}",
        )
    if upkeep is not None:
        limit = "storage" if "storage" in reached else "cpu"
        return (
            limit,
            f"maintenance work of the database itself: {upkeep.statement[:140]} causes checkpoint storms "
            f"and saturates I/O (WAL writes, LWLock waits); the CPU rise is a symptom of it",
        )
    if "storage" in reached and "cpu" in reached:
        pair = "; ".join(q.statement[:120] for q in _top(v)[:2])
        return (
            "storage",
            f"two limits at once, causally independent: CPU by a query and storage space by writes ({pair})",
        )
    if "storage" in reached:
        return "storage", f"storage space runs out: FreeStorageSpace falls while it is written to{statement}"
    return "cpu", f"CPU saturation by a query, as Performance Insights shows{statement}"


def _worst_lag(v: Vitals) -> float:
    return max((float(m.v.max()) for m in _series(v, _LIMITS[1][1])), default=float("inf"))


def _drivers(v: Vitals) -> list[tuple[str, str]]:
    out = []
    for m in v.measures:
        if len(m.v) < 4 or re.search(
            "|".join(p for _, p in _LIMITS), re.sub(r"([a-z])([A-Z])", r"\1_\2", m.name), re.IGNORECASE
        ):
            continue
        early, late = float(np.median(m.v[: max(len(m.v) // 5, 2)])), float(np.median(m.v[-max(len(m.v) // 3, 2) :]))
        if late > 2 * max(early, 1e-9) or late < 0.4 * early:
            out.append((_span(m), m.source))
    return out[:6]


def _load(v: Vitals) -> list[tuple[str, str]]:
    out = []
    for q in _top(v)[:3]:
        waits = ", ".join(f"{n} {x:g}" for n, x in sorted(q.waits, key=lambda w: -w[1])[:3])
        out.append(
            (
                f"Performance Insights: {q.statement[:160]} loads {q.load:g} average active sessions ({waits})",
                "aws_performance_insights",
            )
        )
    if v.clients:
        top = sorted(v.clients, key=lambda c: -c[1])[:4]
        said = ", ".join(f"{name} ({load:g})" for name, load in top)
        out.append((f"the load comes from {said}", "aws_performance_insights"))
    return out


def _ruled_out(v: Vitals, limits: Sequence[str], recent: Sequence[Event]) -> tuple[tuple[str, str], ...]:
    out = []
    for name, pattern in _LIMITS:
        for m in _series(v, pattern)[:1]:
            if name not in limits:
                out.append((f"not {name}: {_span(m)}", m.source))
    history = [e for e in v.events if e not in recent]
    out += [(f"history, resolved before it began: {clock(e.t)} {e.text}", e.source) for e in history[:6]]
    if not any(re.search(r"(?i)failover", e.text) for e in recent):
        out.append(("no failover is in the events of this window", "events"))
    return tuple(out)


def _infrastructure(v: Vitals, failover: list[Event], down: Sequence[Measure]) -> Diagnosis:
    after = [e for e in v.events if e not in failover and e.t >= failover[0].t]
    said = "; ".join(f"{clock(e.t)} {e.text}" for e in (*failover, *after))
    phases = [name for name, p in _PHASES if re.search(p, said, re.IGNORECASE)]
    resumed = ". The workload resumed normally after it" if all(m.v[-1] > 0.6 * np.median(m.v) for m in down) else ""
    cause = (
        f"an infrastructure event and no exhausted resource: "
        f"{'Multi-AZ ' if 'multi-az' in said.lower() else ''}failover. "
        f"The events are the primary evidence source: {', '.join(phases)}{resumed}"
    )
    claims = [(said, failover[0].source), *((_span(m), m.source) for m in down[:4]), *_load(v)[:1]]
    return Diagnosis("infrastructure", ("failover",), cause, tuple(claims), _ruled_out(v, ("failover",), v.events))


def _healthy(v: Vitals, recent: Sequence[Event]) -> Diagnosis:
    healed = [e for e in recent if re.search(r"(?i)autoscal|recovered|completed|increased|resolved", e.text)]
    claims = [(f"{clock(e.t)} {e.text}", e.source) for e in recent[-5:]]
    for _, pattern in _LIMITS:
        claims += [(_span(m), m.source) for m in _series(v, pattern)[:1]]
    claims += _load(v)[:2]
    back = (
        " It has recovered: what the alert fired for is over, storage autoscaling or the load itself ended it."
        if healed
        else ""
    )
    cause = (
        "no active failure: CPU, connections, storage and replication are within normal bounds, "
        f"and no failure or error is in the events.{back}"
    )
    return Diagnosis("healthy", (), cause, tuple(claims), ())
