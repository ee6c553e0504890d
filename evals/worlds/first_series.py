"""The series and the alert rules of the first world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evals.worlds.first_orders import ACQUIRERS, BUCKETS, CODES, ISSUERS, SCHEMES, SERVICES, Attempts, Floats

RUNBOOKS = "https://runbooks.example/"


@dataclass(slots=True)
class Series:
    """Everything a server will be given: label sets and their values on the grid."""

    grid: Floats
    rows: list[tuple[dict[str, str], Floats]] = field(default_factory=list)

    def gauge(self, name: str, labels: dict[str, str], values: Floats) -> None:
        self.rows.append(({"__name__": name, **labels}, values))

    def counter(
        self, name: str, labels: dict[str, str], t: Floats, *, start: int, weights: Floats | None = None
    ) -> None:
        """Cumulative count of events up to each scrape, on top of what was counted before the window."""
        edges = np.concatenate(([-np.inf], self.grid))
        self.rows.append(({"__name__": name, **labels}, start + np.cumsum(np.histogram(t, edges, weights=weights)[0])))

    def histogram(self, name: str, labels: dict[str, str], t: Floats, seconds: Floats, *, start: int) -> None:
        """The _bucket, _sum and _count series of a duration."""
        typical = np.searchsorted(np.sort(seconds[: len(seconds) // 2 + 1]), BUCKETS, side="right") / (
            len(seconds) // 2 + 1
        )
        for le, share in zip(BUCKETS, typical, strict=True):
            text = "+Inf" if np.isinf(le) else f"{le:g}"
            inside = seconds <= le
            self.counter(f"{name}_bucket", {**labels, "le": text}, t[inside], start=int(start * share))
        self.counter(f"{name}_count", labels, t, start=start)
        self.counter(
            f"{name}_sum", labels, t, start=int(start * float(np.median(seconds))), weights=np.round(seconds, 4)
        )


def emit(rng: np.random.Generator, a: Attempts, s: Series, deploys: list[tuple[float, str, str, str]]) -> None:
    """Every series that the shop's services expose."""
    service = {"service": "payment-orchestrator"}
    for (
        i,
        (issuer, region, currency, *_),
    ) in enumerate(ISSUERS):
        for k, scheme in enumerate(SCHEMES):
            for q, acquirer in enumerate(ACQUIRERS):
                mine = (a.issuer == i) & (a.scheme == k) & (a.acquirer == q)
                if not mine.any():
                    continue
                labels = {
                    **service,
                    "scheme": scheme,
                    "issuer": issuer,
                    "acquirer": acquirer,
                    "region": region,
                    "currency": currency,
                }
                for c, code in enumerate(CODES):
                    hits = mine & (a.code == c)
                    if hits.any():
                        rate = hits[a.t < s.grid[-80]].sum()
                        start = int(rate * rng.uniform(20, 30))
                        s.counter(
                            "payment_authorisations_total", {**labels, "response_code": code}, a.t[hits], start=start
                        )
                s.counter(
                    "payment_authorisation_amount_minor_total",
                    labels,
                    a.t[mine],
                    start=int(mine.sum() * 25 * 5000),
                    weights=a.amount[mine].astype(float),
                )
                again = mine & (a.wave > 0)
                s.counter("payment_authorisation_retries_total", labels, a.t[again], start=int(again.sum() * 22))
    for i, (issuer, *_) in enumerate(ISSUERS):
        for q, acquirer in enumerate(ACQUIRERS):
            mine = (a.issuer == i) & (a.acquirer == q)
            if mine.any():
                labels = {"service": "acquirer-connector", "acquirer": acquirer, "issuer": issuer}
                s.histogram(
                    "payment_authorisation_duration_seconds",
                    labels,
                    a.t[mine],
                    a.latency[mine],
                    start=int(mine.sum() * 24),
                )
    _emit_services(rng, a, s)
    _emit_gauges(rng, a, s, deploys)


def _emit_services(rng: np.random.Generator, a: Attempts, s: Series) -> None:
    technical = np.isin(a.code, (CODES.index("91"), CODES.index("96")))
    own = {  # service: (which attempts reach it, seconds, share of 5xx on them)
        "payments-api": (a.wave >= 0, a.latency + 0.11, np.where(technical, 0.35, 0.0004)),
        "payment-orchestrator": (a.wave >= 0, a.latency + 0.06, np.where(technical, 0.3, 0.0003)),
        "risk-scoring": (a.wave >= 0, rng.gamma(4.0, 0.011, len(a.t)), np.full(len(a.t), 0.0005)),
        "token-vault": (a.wave >= 0, rng.gamma(3.0, 0.005, len(a.t)), np.full(len(a.t), 0.0002)),
        "acquirer-connector": (a.wave >= 0, a.latency, np.where(technical, 0.3, 0.0005)),
        "ledger": (a.approved, rng.gamma(3.0, 0.009, len(a.t)), np.full(len(a.t), 0.0003)),
        "webhook-dispatcher": (a.approved, rng.gamma(2.0, 0.12, len(a.t)), np.full(len(a.t), 0.006)),
    }
    for name, (reach, seconds, p5xx) in own.items():
        t = a.t + np.minimum(seconds, 9.0)
        bad = reach & (rng.random(len(t)) < p5xx)
        label = {"service": name, "method": "POST"}
        s.counter("http_requests_total", {**label, "code": "200"}, t[reach & ~bad], start=int(reach.sum() * 26))
        s.counter("http_requests_total", {**label, "code": "502"}, t[bad], start=int(reach.sum() * 0.012))
        s.histogram("http_request_duration_seconds", label, t[reach], seconds[reach], start=int(reach.sum() * 26))


def _emit_gauges(rng: np.random.Generator, a: Attempts, s: Series, deploys: list[tuple[float, str, str, str]]) -> None:
    grid, n = s.grid, len(s.grid)
    flight = np.searchsorted(np.sort(a.t), grid) - np.searchsorted(np.sort(a.t + a.latency), grid)
    s.gauge("payment_queue_depth", {"service": "payment-orchestrator", "queue": "authorisations"}, flight.astype(float))
    for q, acquirer in enumerate(ACQUIRERS):
        mine = a.acquirer == q
        depth = np.searchsorted(np.sort(a.t[mine]), grid) - np.searchsorted(np.sort((a.t + a.latency)[mine]), grid)
        s.gauge(
            "payment_queue_depth", {"service": "acquirer-connector", "queue": f"host-{acquirer}"}, depth.astype(float)
        )
    s.gauge(
        "payment_queue_depth", {"service": "webhook-dispatcher", "queue": "outbox"}, rng.poisson(14, n).astype(float)
    )
    s.gauge("payment_queue_depth", {"service": "ledger", "queue": "postings"}, rng.poisson(6, n).astype(float))
    # Due in nine days: the rule that watches for two weeks has fired since before the window. Noise.
    s.gauge(
        "certificate_not_after_seconds",
        {"service": "webhook-dispatcher", "peer": "partner-sftp"},
        np.full(n, round(grid[-1]) + 9.2 * 86400),
    )
    s.gauge(
        "certificate_not_after_seconds",
        {"service": "acquirer-connector", "peer": "vela"},
        np.full(n, round(grid[-1]) + 171.4 * 86400),
    )
    for i, (name, _) in enumerate(SERVICES):
        s.gauge("up", {"job": name, "instance": f"10.20.{i}.17:9102"}, np.ones(n))
        memory = 4.1e8 + 3e7 * i + np.cumsum(rng.normal(0, 2.5e5, n))
        s.gauge("process_resident_memory_bytes", {"service": name}, np.round(memory, -3))
        changes = [(at, old, new) for at, who, old, new in deploys if who == name]
        steady = f"{2 + i % 3}.{7 + i}.{i}"
        versions = [(grid[0] - 1, changes[0][1] if changes else steady), *((at, new) for at, _, new in changes)]
        for k, (at, version) in enumerate(versions):
            until = versions[k + 1][0] if k + 1 < len(versions) else np.inf
            values = np.where((grid >= at) & (grid < until), 1.0, np.nan)
            s.gauge("app_build_info", {"service": name, "version": version}, values)


def rule_groups() -> tuple[dict[str, Any], ...]:
    """The shop's alert rules, as a rules file has them."""
    by = "sum by (scheme, region)"
    approved = f'{by} (rate(payment_authorisations_total{{response_code="00"}}[5m]))'
    every = f"{by} (rate(payment_authorisations_total[5m]))"
    p95 = "histogram_quantile(0.95, sum by (le, acquirer) (rate(payment_authorisation_duration_seconds_bucket[5m])))"
    failed = 'sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))'
    errors = f"{failed} / sum by (service) (rate(http_requests_total[5m]))"
    return (
        {
            "name": "authorisations",
            "rules": [
                _rule(
                    "AuthorisationDeclineSpike",
                    f"1 - {approved} / {every} > 0.22",
                    "2m",
                    "critical",
                    "payment-orchestrator",
                    "authorisation",
                    "{{ $labels.scheme }} authorisations decline in {{ $labels.region }}: "
                    "{{ $value | humanizePercentage }}",
                ),
                _rule(
                    "AcquirerLatencyHigh",
                    f"{p95} > 4",
                    "2m",
                    "warning",
                    "acquirer-connector",
                    "acquirer",
                    "p95 of authorisations over {{ $labels.acquirer }} is {{ $value | humanizeDuration }}",
                ),
            ],
        },
        {
            "name": "services",
            "rules": [
                _rule(
                    "ServiceErrorRateHigh",
                    f"{errors} > 0.05",
                    "2m",
                    "warning",
                    "",
                    "platform",
                    "{{ $labels.service }} answers {{ $value | humanizePercentage }} with 5xx",
                ),
                _rule(
                    "QueueBacklog",
                    "max by (service, queue) (payment_queue_depth) > 500",
                    "5m",
                    "warning",
                    "",
                    "platform",
                    "{{ $labels.queue }} of {{ $labels.service }} holds {{ $value }}",
                ),
                _rule(
                    "CertificateExpiresSoon",
                    "min by (service, peer) (certificate_not_after_seconds) - time() < 1209600",
                    "1m",
                    "info",
                    "",
                    "platform",
                    "certificate for {{ $labels.peer }} ends in {{ $value | humanizeDuration }}",
                ),
                _rule("TargetDown", "up == 0", "2m", "warning", "", "platform", "{{ $labels.job }} cannot be scraped"),
            ],
        },
    )


def _rule(name: str, expr: str, hold: str, severity: str, service: str, team: str, summary: str) -> dict[str, Any]:
    labels = {"severity": severity, "team": team, **({"service": service} if service else {})}
    return {
        "alert": name,
        "expr": expr,
        "for": hold,
        "labels": labels,
        "annotations": {"summary": summary, "runbook_url": f"{RUNBOOKS}{team}/{name}"},
    }


def openmetrics_lines(s: Series) -> Iterator[str]:
    """The series as OpenMetrics text with timestamps, sample by sample; a NaN is a scrape without that series."""
    for labels, values in sorted(s.rows, key=lambda row: row[0]["__name__"]):
        inside = ",".join(f'{k}="{v}"' for k, v in labels.items() if k != "__name__")
        head = f"{labels['__name__']}{{{inside}}}"
        for t, v in zip(s.grid.tolist(), values.tolist(), strict=True):
            if v == v:
                yield f"{head} {v:.10g} {t:.3f}"
    yield "# EOF"
