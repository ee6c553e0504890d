"""Record `evals/worlds/first` from a real Prometheus and Alertmanager.

    python -m evals.worlds.record_first --out DIR --answers FILE [--wait MINUTES]

Three hours of payment telemetry are simulated order by order, loaded into a real server with promtool, and the
onset is laid two minutes ahead of the wall clock: the server's own rules then go pending and fire in real time, its
Alertmanager answers, and samples, rules and alerts are all read back from the two servers. It takes about a quarter of
an hour, most of it waiting. The world is replayable at any date: everything is relative to `now` in world.toml.

The story: a change of the acquirer connector moves the BIN ranges of one issuer to another host link of one acquirer.
That issuer, over that acquirer, answers 91 and 96, slowly; retries follow. Another service is deployed after it, nearer to the
alert, and is innocent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.lab.servers import PrometheusConfig, Server, pair, raw_samples, require_binaries
from evals.world_format import WorldHead, dumps, head_text, refuse_used, toml_string, write_json, write_lines
from evals.worlds.first_logs import Planter, log_entries

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEP, HOURS, AHEAD = 15.0, 3.0, 120.0
SCHEMES = ("visa", "mastercard", "amex")
# issuer, region, currency, share of traffic, share of visa / mastercard / amex, share approved
ISSUERS = (
    ("litoral", "eu", "EUR", 0.17, (0.80, 0.20, 0.0), 0.89),
    ("nordhaven", "eu", "EUR", 0.15, (0.55, 0.45, 0.0), 0.90),
    ("alpenbank", "eu", "EUR", 0.12, (0.40, 0.60, 0.0), 0.91),
    ("meridiano", "eu", "EUR", 0.09, (0.60, 0.40, 0.0), 0.86),
    ("kestrel", "uk", "GBP", 0.14, (0.65, 0.35, 0.0), 0.91),
    ("harbour", "uk", "GBP", 0.11, (0.50, 0.40, 0.10), 0.89),
    ("firstprairie", "us", "USD", 0.12, (0.55, 0.30, 0.15), 0.87),
    ("lumen", "us", "USD", 0.10, (0.45, 0.40, 0.15), 0.88),
)
ACQUIRERS = ("vela", "tamarind", "orbit")
ROUTES = {"eu": (0.6, 0.4, 0.0), "uk": (0.3, 0.0, 0.7), "us": (0.0, 0.5, 0.5)}
DECLINES = ("05", "51", "54", "14", "59", "61", "65", "91", "96")
DECLINE_MIX = (0.33, 0.35, 0.05, 0.05, 0.07, 0.05, 0.06, 0.03, 0.01)
CODES = ("00", *DECLINES)
BUCKETS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0, float("inf"))
GUILTY_ISSUER, GUILTY_ACQUIRER = 0, 0
SERVICES = (
    ("payments-api", "gateway"), ("payment-orchestrator", "orchestrator"), ("risk-scoring", "risk"),
    ("token-vault", "tokenisation"), ("acquirer-connector", "acquirer link"), ("ledger", "ledger"),
    ("webhook-dispatcher", "webhooks"),
)  # fmt: skip
EDGES = (
    ("payments-api", "payment-orchestrator"), ("payment-orchestrator", "risk-scoring"),
    ("payment-orchestrator", "token-vault"), ("payment-orchestrator", "acquirer-connector"),
    ("payment-orchestrator", "ledger"), ("ledger", "webhook-dispatcher"),
)  # fmt: skip
RUNBOOKS = "https://runbooks.example/"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Authorisation attempts in order of time. All arrays have one entry an attempt; `t` unix s, `latency` s."""

    t: Floats
    order: Ints
    issuer: Ints
    scheme: Ints
    acquirer: Ints
    code: Ints
    latency: Floats
    amount: Ints  # minor units
    wave: Ints

    @property
    def approved(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.code == 0)


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


def day_shape(t: Floats) -> Floats:
    """Share of the busiest hour, by hour of the day (UTC): low at 04:00, high from noon to evening."""
    hour = (t / 3600.0) % 24.0
    return 0.62 + 0.28 * np.cos((hour - 15.0) / 24.0 * 2 * np.pi) + 0.10 * np.cos((hour - 19.0) / 12.0 * 2 * np.pi)


def first_attempts(rng: np.random.Generator, start: float, end: float, rate: float) -> Attempts:
    """Arrivals as a Poisson process with the day's shape; who pays with what by the tables above."""
    seconds = np.arange(start, end, 1.0)
    counts = rng.poisson(rate * day_shape(seconds))
    t = np.sort(np.repeat(seconds, counts) + rng.random(counts.sum()))
    n = len(t)
    share = np.array([row[3] for row in ISSUERS])
    issuer = rng.choice(len(ISSUERS), n, p=share / share.sum())
    scheme, acquirer = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i, row in enumerate(ISSUERS):
        mine = issuer == i
        scheme[mine] = rng.choice(3, mine.sum(), p=row[4])
        acquirer[mine] = rng.choice(3, mine.sum(), p=ROUTES[row[1]])
    amount = np.round(np.exp(rng.normal(8.05, 0.95, n))).astype(np.int64)
    zeros = np.zeros(n, np.int64)
    return Attempts(t, np.arange(n), issuer, scheme, acquirer, zeros, np.zeros(n), amount, zeros)


def answer(rng: np.random.Generator, a: Attempts, onset: float) -> Attempts:
    """What issuer and acquirer answer, and how long it takes: the healthy mix, and the fault on top of it."""
    n = len(a.t)
    rates = np.array([row[5] for row in ISSUERS])[a.issuer] - 0.12 * (a.wave > 0)
    code = np.where(rng.random(n) < rates, 0, 1 + rng.choice(len(DECLINES), n, p=DECLINE_MIX))
    latency = np.exp(rng.normal(np.log(0.42), 0.38, n)) + 0.04 * a.acquirer
    strength = np.clip((a.t - onset) / 60.0, 0, 1) * 0.88
    hit = (a.issuer == GUILTY_ISSUER) & (a.acquirer == GUILTY_ACQUIRER) & (rng.random(n) < strength)
    code[hit] = 1 + np.where(rng.random(hit.sum()) < 0.78, DECLINES.index("91"), DECLINES.index("96"))
    latency[hit] += 3.0 + rng.gamma(4.0, 0.6, hit.sum())
    return Attempts(a.t, a.order, a.issuer, a.scheme, a.acquirer, code, latency, a.amount, a.wave)


def retries(rng: np.random.Generator, a: Attempts, end: float) -> Attempts:
    """Second tries: the orchestrator's own after 91 and 96, the customer's after any decline, often much later."""
    code = np.array(CODES)[a.code]
    technical = np.isin(code, ("91", "96"))
    p = np.where(technical, 0.8, np.where(a.approved, 0.0, 0.28)) * 0.75**a.wave
    again = rng.random(len(a.t)) < p
    delay = np.where(
        technical & (rng.random(len(a.t)) < 0.6), 2.0 + rng.random(len(a.t)), 20 + rng.exponential(70, len(a.t))
    )
    t = (a.t + a.latency + delay)[again]
    acquirer = a.acquirer[again].copy()
    other = rng.random(len(t)) < 0.15  # the customer's second try may be routed elsewhere
    for i in np.flatnonzero(other):
        acquirer[i] = rng.choice(3, p=ROUTES[ISSUERS[a.issuer[again][i]][1]])
    keep = np.flatnonzero(t < end)
    parts = (a.order[again], a.issuer[again], a.scheme[again], acquirer)
    order, issuer, scheme, acquirer = (x[keep] for x in parts)
    zeros = np.zeros(len(keep), np.int64)
    return Attempts(
        t[keep],
        order,
        issuer,
        scheme,
        acquirer,
        zeros,
        np.zeros(len(keep)),
        a.amount[again][keep],
        zeros + a.wave.max() + 1,
    )


def simulate(rng: np.random.Generator, start: float, end: float, onset: float) -> Attempts:
    """All attempts of the window: first ones and up to three waves of retries, in order of time."""
    waves = [answer(rng, first_attempts(rng, start, end, 17.0), onset)]
    for _ in range(3):
        waves.append(answer(rng, retries(rng, waves[-1], end), onset))
    joined = {name: np.concatenate([getattr(w, name) for w in waves]) for name in Attempts.__slots__}
    by_time = np.argsort(joined["t"], kind="stable")
    return Attempts(**{name: values[by_time] for name, values in joined.items()})


def impact(a: Attempts, onset: float) -> dict[str, Any]:
    """First attempts from the onset that failed by the fault, net of orders approved later; per currency."""
    approved_orders = np.unique(a.order[a.approved])
    first = (a.wave == 0) & (a.t >= onset) & (a.issuer == GUILTY_ISSUER) & (a.acquirer == GUILTY_ACQUIRER)
    failed = first & np.isin(a.code, (CODES.index("91"), CODES.index("96")))
    lost = failed & ~np.isin(a.order, approved_orders)
    currency = ISSUERS[GUILTY_ISSUER][2]
    return {
        "first_attempts": int(first.sum()), "failed_first_attempts": int(failed.sum()),
        "approved_later": int(failed.sum() - lost.sum()), "lost_orders": int(lost.sum()),
        "lost_amount_minor": {currency: int(a.amount[lost].sum())},
    }  # fmt: skip


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
    errors = 'sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))'
    return (
        {"name": "authorisations", "rules": [
            _rule("AuthorisationDeclineSpike", f"1 - {approved} / {every} > 0.22", "2m", "critical", "payment-orchestrator", "authorisation",
                  "{{ $labels.scheme }} authorisations decline in {{ $labels.region }}: {{ $value | humanizePercentage }}"),
            _rule("AcquirerLatencyHigh", f"{p95} > 4", "2m", "warning", "acquirer-connector", "acquirer",
                  "p95 of authorisations over {{ $labels.acquirer }} is {{ $value | humanizeDuration }}"),
        ]},
        {"name": "services", "rules": [
            _rule("ServiceErrorRateHigh", f"{errors} > 0.05", "2m", "warning", "", "platform",
                  "{{ $labels.service }} answers {{ $value | humanizePercentage }} with 5xx"),
            _rule("QueueBacklog", "max by (service, queue) (payment_queue_depth) > 500", "5m", "warning", "", "platform",
                  "{{ $labels.queue }} of {{ $labels.service }} holds {{ $value }}"),
            _rule("CertificateExpiresSoon", "min by (service, peer) (certificate_not_after_seconds) - time() < 1209600", "1m", "info", "", "platform",
                  "certificate for {{ $labels.peer }} ends in {{ $value | humanizeDuration }}"),
            _rule("TargetDown", "up == 0", "2m", "warning", "", "platform", "{{ $labels.job }} cannot be scraped"),
        ]},
    )  # fmt: skip


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


def read_back(server: Server, names: list[str], now: float, grid: Floats) -> Iterator[str]:
    """Rows of series.ndjson, from the raw samples that the server answers, on the scrapes' grid."""
    t0, n = round(float(grid[0]), 3), len(grid)
    for name in names:
        for series in raw_samples(server, name, now, HOURS * 3600 + 60):
            values: list[float | int | None] = [None] * n
            for t, text in series["values"]:
                v = float(text)
                values[round((float(t) - t0) / STEP)] = int(v) if v.is_integer() else v
            yield dumps({"labels": series["metric"], "t0": t0, "step": STEP, "v": values})


def wait_until(moment: float, say: Callable[[str], None]) -> None:
    while (left := moment - time.time()) > 0:
        say(f"{left / 60:.1f} minutes to wait")
        time.sleep(min(left, 60.0))


def record(out: Path, answers: Path, wait: float, seed: int) -> None:
    """Simulate, load, wait for the alert, read everything back, write the world and its answers."""
    require_binaries()
    refuse_used(out)
    rng = np.random.default_rng(seed)
    onset = np.ceil(time.time() + AHEAD)
    end = onset + wait * 60 + 30
    grid = np.round(np.arange(end - HOURS * 3600, end, STEP) + 0.417, 3)
    a = simulate(rng, float(grid[0]) - STEP, float(grid[-1]) + 1, onset)
    deploys = [
        (onset - 95 * 60, "ledger", "4.12.5", "4.13.0"),
        (onset - 41, "acquirer-connector", "2.30.1", "2.31.0"),
        (onset + 78, "webhook-dispatcher", "4.13.2", "4.13.3"),
    ]
    s = Series(grid)
    emit(rng, a, s, deploys)
    with tempfile.TemporaryDirectory() as tmp:
        history = Path(tmp) / "history.om"
        write_lines(history, openmetrics_lines(s))
        config = PrometheusConfig(rule_groups=rule_groups())
        with pair(Path(tmp), config, history=history) as (server, manager):
            wait_until(onset + wait * 60, print)
            now = round(time.time(), 3)
            alerts, rules = manager.get("/api/v2/alerts"), server.get("/api/v1/rules")
            kept = grid[grid <= now]
            names = sorted({labels["__name__"] for labels, _ in s.rows})
            rows = list(read_back(server, names, now, kept))
    if not alerts:
        raise SystemExit("no alert fired: nothing recorded")
    planter = Planter(rng)
    entries = log_entries(rng, planter, a, onset, now, [row[0] for row in ISSUERS], ACQUIRERS, SCHEMES, CODES, deploys)
    for rule in (r for g in rules["data"]["groups"] for r in g["rules"]):
        rule.pop("evaluationTime", None)
    for group in rules["data"]["groups"]:
        group["file"] = "rules.yml"
    for alert in alerts:
        alert["generatorURL"] = "http://prometheus.example/" + alert["generatorURL"].split("/", 3)[3]
    head = WorldHead(name="amber-0417", now=now, timezone="Europe/Lisbon", services=SERVICES, edges=EDGES)
    out.mkdir(parents=True, exist_ok=True)
    (out / "world.toml").write_text(head_text(head))
    write_json(out / "alerts.json", alerts)
    write_json(out / "rules.json", rules)
    write_lines(out / "metrics" / "series.ndjson.gz", rows)
    write_lines(out / "logs.ndjson.gz", (dumps(e) for e in entries))
    write_json(out / "changes.json", _changes(deploys, now))
    seen = a.t <= now
    a = Attempts(**{name: getattr(a, name)[seen] for name in Attempts.__slots__})
    write_answers(answers, a, onset, planter)


def _changes(deploys: list[tuple[float, str, str, str]], now: float) -> list[dict[str, Any]]:
    diffs = {
        "ledger": "- batch_size: 200\n+ batch_size: 250",
        "acquirer-connector": "  routes:\n-   bins_453201_453219: {acquirer: vela, link: host-a}\n+   bins_453201_453219: {acquirer: vela, link: host-c}",
        "webhook-dispatcher": "- user_agent: dispatcher/4.13.2\n+ user_agent: dispatcher/4.13.3",
    }
    titles = {
        "ledger": "ledger 4.13.0: larger posting batches",
        "acquirer-connector": "acquirer-connector 2.31.0: host link table brought up to date",
        "webhook-dispatcher": "webhook-dispatcher 4.13.3: user agent string",
    }
    ids = ("c3f0a91", "7be2d04", "e81c55b")
    rows = [
        {"ts": round(at, 3), "kind": "deploy", "service": name, "id": ident, "title": titles[name], "diff": diffs[name]}
        for (at, name, _, _), ident in zip(deploys, ids, strict=True)
    ]
    flag = {
        "ts": round(now - 140 * 60, 3),
        "kind": "flag",
        "service": "risk-scoring",
        "id": "flag-2207",
        "title": "velocity window raised to 15 minutes",
    }
    return sorted([*rows, flag], key=lambda row: float(row["ts"]))


def write_answers(path: Path, a: Attempts, onset: float, planter: Planter) -> None:
    """The truth, in a folder that no code under test reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    i = impact(a, onset)
    lines = [
        "format = 1", 'world = "amber-0417"', 'verdict = "cause"', 'entity = "acquirer-connector"', 'entity_kind = "service"',
        f'issuer = "{ISSUERS[GUILTY_ISSUER][0]}"', f'acquirer = "{ACQUIRERS[GUILTY_ACQUIRER]}"', 'kind = "error"',
        'change = "7be2d04"', 'innocent_changes = ["e81c55b", "c3f0a91", "flag-2207"]', f"onset = {onset}",
        'runbook = "runbooks/payment-orchestrator/AuthorisationDeclineSpike.md"', "", "[impact]",
        *(f"{k} = {v}" for k, v in i.items() if isinstance(v, int)), "", "[impact.lost_amount_minor]",
        *(f"{k} = {v}" for k, v in i["lost_amount_minor"].items()),
    ]  # fmt: skip
    for p in planter.planted:
        lines += [
            "",
            "[[planted]]",
            f'class = "{p.kind}"',
            f'form = "{p.form}"',
            f"value = {toml_string(p.value)}",
            f"written = {toml_string(p.written)}",
        ]
    path.write_text("\n".join(lines) + "\n")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Record evals/worlds/first from real servers.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--wait", type=float, default=12.0, help="minutes from the onset to the recording")
    parser.add_argument("--seed", type=int, default=417)
    given = parser.parse_args(argv)
    record(given.out, given.answers, given.wait, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
