"""Which code change did it, or none: mechanism first, then place, time and shared names.

"None" is the answer where nothing that was changed can produce what is seen, and where the telemetry itself says that
the trigger lies outside the code: a certificate that ran out, a provider that is down, a record that cannot be read, a
node that is lost, more traffic than ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.analysis.diffs import cosmetic, effects, explains, shared_names

LEAST = 0.42
"""A change that scores less is not convicted."""

_OUTSIDE: tuple[tuple[str, str, float], ...] = (
    ("certificate", r"certificate (has )?expired|cert(ificate)? expir|notafter|not yet valid", 0.5),
    ("provider",
        r"provider.{0,40}(outage|incident|degrad|unavailable|down)|(third.?party|external|vendor|"
        r"partner).{0,60}(5\d\d|unavailable|outage|down|timeout|error|feed)|status page|upstream provider|(aws|"
        r"gcp|azure|s3|stripe|twilio|cloudflare|openai).{0,50}(503|unavailable|outage|5xx|slowdown|incident)", 0.45),
    ("bad data",
        r"(same|identical|poison).{0,30}(offset|record|message)|redeliver\w* (the )?same|poison|malformed "
        r"(record|message|payload) from|producer=", 0.5),
    ("node",
        r"node.{0,30}(notready|not ready|lost|drain|preempt|terminated|pressure)|spot (instance )?(interrupt|"
        r"reclaim|terminat)|hardware (fault|error|fail)|disk (i/o )?(failure|error)|kernel panic|"
        r"availability.zone|\baz\b.{0,20}(fail|outage|loss)|host (failure|unreachable)|nic (error|flap)|packet "
        r"loss", 0.45),
    ("quota",
        r"quota (exceeded|exhausted)|rate limit(ed)? by|account limit|throttlingexception|requests? limit "
        r"exceeded", 0.35),
    ("clock", r"clock (skew|drift)|ntp", 0.4),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CodeChange:
    """A change of code. `at` is its time, `deployed` when it reached a service (NaN if never seen), both Unix
    seconds."""

    id: str
    at: float
    deployed: float
    service: str
    title: str
    files: tuple[str, ...]
    diff: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What fails. `onset` Unix seconds; `moved` maps each moved measure ("service metric") to its own onset; `services`
    strongest first; `texts` are new or surging error lines; `symptoms` as of `diffs.symptoms_of`; `surge` says how
    many times the usual traffic arrived before anything failed (1 is usual)."""

    onset: float
    moved: Mapping[str, float]
    services: tuple[str, ...]
    texts: tuple[str, ...]
    symptoms: Mapping[str, float]
    common: frozenset[str]
    surge: float = 1.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """A change with its score 0..1.5 and why."""

    change: CodeChange
    score: float
    mechanism: str
    reasons: tuple[str, ...]


def outside(fault: Fault) -> tuple[float, str]:
    """How strongly the telemetry itself names a trigger that is no code of ours, and which."""
    text = "\n".join(fault.texts)
    best = max(
        ((weight, name) for name, pattern, weight in _OUTSIDE if re.search(pattern, text, re.IGNORECASE)),
        default=(0.0, ""),
    )
    if fault.surge >= 1.8 and best[0] < 0.4:
        return 0.3 + min(0.1 * (fault.surge - 1.8), 0.15), "traffic"
    return best


def suspects(changes: Sequence[CodeChange], fault: Fault) -> tuple[Suspect, ...]:
    """Changes that could have done it, likeliest first. Those later than the onset, without a diff, or cosmetic are
    out."""
    found = [s for c in changes if (s := _weigh(c, fault)) is not None]
    return tuple(sorted(found, key=lambda s: -s.score))


def verdict(changes: Sequence[CodeChange], fault: Fault) -> tuple[str, tuple[Suspect, ...]]:
    """(id of the culprit or "none", suspects)."""
    ranked = suspects(changes, fault)
    against, _ = outside(fault)
    if ranked and ranked[0].score >= LEAST + against:
        return ranked[0].change.id, ranked
    return "none", ranked


def _weigh(change: CodeChange, fault: Fault) -> Suspect | None:
    moment = change.deployed if change.deployed == change.deployed else change.at
    if moment > fault.onset + 60.0 or change.at > fault.onset or not change.diff or cosmetic(change.files):
        return None
    fits, mechanism = explains(effects(change.diff, change.files), fault.symptoms)
    names = shared_names(change.diff, change.files, fault.texts, fault.common)
    reasons = [f"{mechanism} can produce it"] if mechanism else []
    score = 0.75 * fits
    if names:
        score += min(0.07 * len(names), 0.28) * (0.4 + fits)
        reasons.append(f"it speaks of {', '.join(sorted(names)[:4])}")
    place = _place(change, fault)
    score += 0.2 * place * (0.3 + fits)
    started = [name for name, at in fault.moved.items() if -90.0 <= at - moment <= 420.0]
    if started:
        score += 0.15 * (0.3 + fits)
        reasons.append(f"{started[0]} moved within minutes of it")
    if change.deployed == change.deployed:
        score += 0.05
    return Suspect(change, round(score, 4), mechanism, tuple(reasons))


def _place(change: CodeChange, fault: Fault) -> float:
    """1 where the change is in the first failing service, less further away; shared code counts half."""
    where = " ".join(change.files).lower()
    for rank, service in enumerate(fault.services[:5]):
        stem = re.sub(r"(-?(service|svc|api|server|app))?(-\d+)?$", "", service.lower())
        if change.service == service or (len(stem) > 2 and re.search(rf"(?<![a-z]){re.escape(stem)}", where)):
            return 1.0 if rank == 0 else 0.6
    return (
        0.45
        if re.search(
            r"(^|/)(pkg|lib|libs|internal|shared|common|core|proto|config|deploy|infra|terraform|helm)/", where
        )
        else 0.1
    )
