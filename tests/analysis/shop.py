"""A small payment shop as observations: what a healthy hour looks like, and faults on top of it.

Names are drawn by the caller, so that a test can call everything otherwise and expect the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from assistant.core.alert import Alert, Rule, frozen
from assistant.core.evidence import (
    Change,
    EvidenceId,
    Floats,
    Gap,
    LogEvidence,
    LogLine,
    MetricEvidence,
    Series,
    Topology,
)
from assistant.core.incident import Incident, IncidentId
from assistant.core.observations import Observations, PaymentsMap, Role
from assistant.core.query import Max, Quantile, Query, Rate, Select, Sum
from assistant.core.time import Instant, Window

STEP, START, LENGTH = 15.0, 1_800_000_000.0, 4800.0
ONSET = START + 4200.0
WINDOW = Window(Instant(START + 3600.0), Instant(START + LENGTH))
BASELINE = Window(Instant(START), Instant(START + 3600.0))
WHOLE = Window(BASELINE.start, WINDOW.end)


@dataclass(frozen=True, slots=True)
class Names:
    """What the shop calls things."""

    issuers: tuple[str, ...] = ("i1", "i2", "i3", "i4")
    acquirers: tuple[str, ...] = ("a1", "a2")
    schemes: tuple[str, ...] = ("visa", "mastercard")
    services: tuple[str, ...] = ("edge", "core", "link", "books")
    labels: tuple[str, str, str, str] = ("issuer", "acquirer", "scheme", "service")


@dataclass(slots=True)
class Shop:
    """Build with `fail`, `slow`, `error`, `say`, then `observations`."""

    seed: int = 1
    names: Names = field(default_factory=Names)
    onset: float = ONSET
    until: float = START + LENGTH
    rate: float = 12.0
    losses: list[tuple[Mapping[str, str], float, str]] = field(default_factory=list)
    latency: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    lines: list[LogLine] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def t(self) -> Floats:
        return np.arange(WHOLE.start, WHOLE.end, STEP)

    def fail(self, where: Mapping[str, str], share: float, code: str) -> Shop:
        """A share of the attempts of some label values ends with `code` from the onset on."""
        self.losses.append((where, share, code))
        return self

    def say(self, service: str, text: str, count: int, *, since: float | None = None, level: str = "error") -> Shop:
        rng = np.random.default_rng(len(self.lines) + 7)
        begin = self.onset if since is None else since
        for t in np.sort(rng.uniform(begin, self.until, count)):
            n = int(rng.integers(1000, 9999))
            self.lines.append(LogLine(float(t), frozen({"app": service, "level": level}), text.replace("#", str(n))))
        return self

    def change(
        self, service: str, ident: str, title: str, *, before: float, diff: str = "", kind: str = "deploy"
    ) -> Shop:
        self.changes.append(Change(Instant(self.onset - before), kind, service, ident, title, diff))
        return self

    def observations(self, *, gaps: Sequence[Gap] = (), logs: bool = True, metrics: bool = True) -> Observations:
        evidence = (*self._payments(), self._latency(), self._errors()) if metrics else ()
        label = self.names.labels
        outcome = Role("attempts", "pay_total", label="code")
        payments = PaymentsMap(
            metrics={"attempts": outcome, "approved": replace(outcome, role="approved", values=("00",))},
            labels={
                role: Role(role, name, label=name)
                for role, name in zip(("issuer", "acquirer", "scheme", "service"), label, strict=True)
            }
            | {"response_code": Role("response_code", "code", label="code")},
            fields={"service": Role("service", "app", label="app"), "level": Role("level", "level", label="level")},
        )
        return Observations(
            incident=self.incident(),
            payments=payments,
            metrics=evidence,
            logs=(self._logs(),) if logs else (),
            changes=tuple(self.changes),
            topology=Topology(self.names.services, self._edges()),
            gaps=tuple(gaps),
        )

    def incident(self) -> Incident:
        alert = Alert("f", frozen({"alertname": "Declines", "severity": "critical"}), {}, Instant(ONSET + 180))
        rule = Rule("Declines", 'sum(rate(pay_total{code!="00"}[5m])) / sum(rate(pay_total[5m])) > 0.2', 120.0)
        return Incident(IncidentId("inc-test"), (alert,), WINDOW, BASELINE, (rule,))

    def _edges(self) -> tuple[tuple[str, str], ...]:
        edge, core, link, books = self.names.services
        return ((edge, core), (core, link), (core, books))

    def _active(self) -> Floats:
        return ((self.t >= self.onset) & (self.t < self.until)).astype(np.float64)

    def _payments(self) -> tuple[MetricEvidence, ...]:
        rng, label = np.random.default_rng(self.seed), self.names.labels
        rows: list[tuple[dict[str, str], Floats]] = []
        combos = list(product(self.names.issuers, self.names.acquirers, self.names.schemes))
        for issuer, acquirer, scheme in combos:
            here = {label[0]: issuer, label[1]: acquirer, label[2]: scheme}
            attempts = rng.poisson(self.rate / len(combos) * 60.0, len(self.t)).astype(np.float64)
            codes = {"05": 0.05, "51": 0.05, "91": 0.005}
            lost = {c: s for where, s, c in self.losses if where.items() <= here.items()}
            left, out = attempts.copy(), {}
            for code in dict.fromkeys((*codes, *lost)):
                share = codes.get(code, 0.0) + lost.get(code, 0.0) * self._active()
                out[code] = rng.binomial(np.maximum(left, 0).astype(int), np.clip(share, 0, 1)).astype(np.float64)
                left = left - out[code]
            out["00"] = left
            rows += [({**here, "code": code}, v / 60.0) for code, v in out.items()]
        joint = self._evidence(
            "M1", Sum(Rate(Select("pay_total"), 60), (*label[:3], "code")), rows, "payments", "per s"
        )
        return (joint,)

    def _latency(self) -> MetricEvidence:
        rng = np.random.default_rng(self.seed + 1)
        rows = [
            ({self.names.labels[3]: s}, rng.normal(0.4, 0.02, len(self.t)) + self.latency.get(s, 0.0) * self._active())
            for s in self.names.services
        ]
        query = Quantile(0.95, Select("rpc_seconds_bucket"), 120, (self.names.labels[3],))
        return self._evidence("M2", query, rows, "latency.p95", "s")

    def _errors(self) -> MetricEvidence:
        rng = np.random.default_rng(self.seed + 2)
        rows = []
        for s in self.names.services:
            bad = np.clip(0.002 + self.errors.get(s, 0.0) * self._active(), 0, 1)
            n = rng.poisson(600, len(self.t))
            failed = rng.binomial(n, bad)
            rows += [
                ({self.names.labels[3]: s, "status": "500"}, failed / 60),
                ({self.names.labels[3]: s, "status": "200"}, (n - failed) / 60),
            ]
        return self._evidence(
            "M3", Sum(Rate(Select("rpc_total"), 60), (self.names.labels[3], "status")), rows, "requests", "per s"
        )

    def _logs(self) -> LogEvidence:
        rng = np.random.default_rng(self.seed + 3)
        quiet = [
            LogLine(float(t), frozen({"app": s, "level": "warn"}), f"slow answer to request {int(rng.integers(1e6))}")
            for s in self.names.services
            for t in rng.uniform(WHOLE.start, WHOLE.end, 40)
        ]
        lines = tuple(sorted((*quiet, *self.lines), key=lambda line: line.t))
        return LogEvidence(EvidenceId("L1"), "{}", "complaints", WHOLE, lines)

    def _evidence(
        self, ident: str, query: Query, rows: Sequence[tuple[Mapping[str, str], Floats]], role: str, unit: str
    ) -> MetricEvidence:
        series = tuple(Series(frozen(labels), self.t, v) for labels, v in rows)
        return MetricEvidence(
            EvidenceId(ident), query, "", f"{role} of the shop", WHOLE, STEP, series, role=role, unit=unit
        )


def gauge(
    ident: str, name: str, series: Sequence[tuple[Mapping[str, str], Floats, Floats]], *, role: str = "gauge"
) -> MetricEvidence:
    """A gauge's evidence over the whole span from (labels, t, v)."""
    made = tuple(Series(frozen(labels), t, v) for labels, t, v in series)
    return MetricEvidence(EvidenceId(ident), Max(Select(name), ()), "", name, WHOLE, STEP, made, role=role)
