"""What the shop's services expose about the attempts and about themselves: every series of the world, by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.lab.authorise import CODES, RESULTS, STAGE, C, Outcome
from evals.lab.instruments import Meter
from evals.lab.mechanisms import OFF_PATH
from evals.lab.shop import CHANNELS, CURRENCY, ROLES, SCHEMES, Shop
from evals.lab.spec import Fault, Scenario
from evals.lab.traffic import Attempts, Bools, Floats, Ints, in_scope

DECISIONS = ("approve", "review", "decline")
CALM_RATE = {"settlement": 0.25, "payouts": 0.5, "disputes": 0.2, "fx": 0.4, "onboarding": 0.15, "terminals": 1.5}
CALM_MEDIAN = {
    "ledger": 0.021,
    "webhooks": 0.18,
    "settlement": 0.09,
    "payouts": 0.24,
    "disputes": 0.05,
    "fx": 0.03,
    "onboarding": 0.3,
    "terminals": 0.02,
}
CALM_BAD = {"webhooks": 0.03, "payouts": 0.012}
RULE_NAMES = ("velocity-card", "geo-mismatch", "amount-step")


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that reached one role: moments of the answers (unix s), seconds each took, and status codes."""

    t: Floats
    seconds: Floats
    status: Ints
    fault: Ints


def group(columns: Sequence[tuple[Ints, int]]) -> tuple[Ints, tuple[tuple[int, ...], ...]]:
    """Number the combinations that occur in several index columns: (number of each entry, combinations)."""
    flat = np.zeros(len(columns[0][0]), np.int64)
    for values, size in columns:
        flat = flat * size + values
    counts = np.bincount(flat)  # far quicker than sorting: there are few combinations
    kinds = np.flatnonzero(counts)
    inverse = np.cumsum(counts > 0)[flat] - 1
    out = []
    for kind in kinds.tolist():
        row = []
        for _, size in reversed(columns):
            kind, part = divmod(kind, size)
            row.append(part)
        out.append(tuple(reversed(row)))
    return inverse, tuple(out)


def authorisations(m: Meter, shop: Shop, a: Attempts, o: Outcome) -> None:
    """Attempts by outcome, amounts, retries, channels, routes and durations."""
    at = a.t + o.total
    me = {"service": shop.service("orchestrator")}
    nr, ns, na = len(shop.regions), len(SCHEMES), len(shop.acquirers)
    with_issuer = shop.tier == "metrics"
    who, size = (a.issuer, len(shop.issuers)) if with_issuer else (a.region, nr)
    key, combos = group([(who, size), (a.scheme, ns), (a.acquirer, na)])
    labels = []
    for first, scheme, acquirer in combos:
        region = shop.issuers[first].region if with_issuer else shop.regions[first]
        row = {
            **me,
            "scheme": SCHEMES[scheme],
            "acquirer": shop.acquirers[acquirer],
            "region": region,
            "currency": CURRENCY[region],
        }
        labels.append({**row, "issuer": shop.issuers[first].name} if with_issuer else row)
    m.outcomes(key, o.reported, at, labels, CODES)
    key, combos = group([(a.scheme, ns), (a.region, nr), ((o.code == C["00"]).astype(np.int64), 2)])
    rows = [
        {
            **me,
            "scheme": SCHEMES[s],
            "region": shop.regions[r],
            "currency": CURRENCY[shop.regions[r]],
            "result": ("declined", "approved")[y],
        }
        for s, r, y in combos
    ]
    m.counters("amount", key, at, rows, weights=a.amount.astype(np.float64))
    again = a.wave > 0
    key, combos = group([(a.scheme[again], ns), (a.acquirer[again], na), (a.region[again], nr)])
    rows = [
        {
            **me,
            "scheme": SCHEMES[s],
            "acquirer": shop.acquirers[q],
            "region": shop.regions[r],
            "currency": CURRENCY[shop.regions[r]],
        }
        for s, q, r in combos
    ]
    m.counters("retries", key, at[again], rows)
    key, combos = group([(a.channel, 3), (a.region, nr), ((o.code == C["00"]).astype(np.int64), 2)])
    rows = [
        {**me, "channel": CHANNELS[c], "region": shop.regions[r], "result": ("declined", "approved")[y]}
        for c, r, y in combos
    ]
    m.counters("channel_attempts", key, at, rows)
    sent = o.stage >= STAGE["connector"]
    key, combos = group([(a.region[sent], nr), (a.acquirer[sent], na), (a.failover[sent].astype(np.int64), 2)])
    rows = [
        {**me, "region": shop.regions[r], "acquirer": shop.acquirers[q], "reason": ("primary", "failover")[f]}
        for r, q, f in combos
    ]
    m.counters("routes", key, a.t[sent], rows)
    _connector(m, shop, a, o, sent, with_issuer)


def _connector(m: Meter, shop: Shop, a: Attempts, o: Outcome, sent: Bools, with_issuer: bool) -> None:
    link = {"service": shop.service("connector")}
    at = a.t + o.total
    who = a.issuer[sent] if with_issuer else np.zeros(int(sent.sum()), np.int64)
    key, combos = group([(who, len(shop.issuers)), (a.acquirer[sent], len(shop.acquirers))])
    rows = [
        {**link, "acquirer": shop.acquirers[q], **({"issuer": shop.issuers[i].name} if with_issuer else {})}
        for i, q in combos
    ]
    scale = 1000.0 if m.naming.milliseconds else 1.0
    m.histograms("duration", key, at[sent], o.connector_s[sent], rows, scale=scale)
    each = [{**link, "acquirer": x} for x in shop.acquirers]
    m.counters("timeouts", a.acquirer[o.timeout], at[o.timeout], each)
    m.counters("rate_limited", a.acquirer[o.limited], at[o.limited], each)


def stages(m: Meter, shop: Shop, a: Attempts, o: Outcome) -> None:
    """HSM, vault, 3DS and risk, as they count themselves."""
    at, scale = a.t + o.total, 1000.0 if m.naming.milliseconds else 1.0
    for role, metric in (("hsm", "hsm_operations"), ("vault", "vault_operations")):
        reached = o.stage >= STAGE[role]
        bad = (o.broken == STAGE[role]) | (m.rng.random(len(a)) < 0.0006)
        me = {"service": shop.service(role)}
        m.counters(
            metric, bad[reached].astype(np.int64), at[reached], [{**me, "result": "ok"}, {**me, "result": "error"}]
        )
    reached = o.stage >= STAGE["hsm"]
    m.histograms(
        "hsm_duration",
        np.zeros(int(reached.sum()), np.int64),
        at[reached],
        o.hsm_s[reached],
        [{"service": shop.service("hsm")}],
        scale=scale,
    )
    asked = o.threeds >= 0
    acs_names = sorted({i.acs for i in shop.issuers})
    acs = np.array([acs_names.index(i.acs) for i in shop.issuers])[a.issuer]
    key, combos = group([(a.scheme[asked], len(SCHEMES)), (acs[asked], len(acs_names)), (o.threeds[asked], 4)])
    rows = [
        {"service": shop.service("threeds"), "scheme": SCHEMES[s], "acs": acs_names[i], "result": RESULTS[r]}
        for s, i, r in combos
    ]
    m.counters("threeds", key, at[asked], rows)
    _risk(m, shop, a, o)


def _risk(m: Meter, shop: Shop, a: Attempts, o: Outcome) -> None:
    me, at = {"service": shop.service("risk")}, a.t + o.risk_s
    key, combos = group([(o.model, 2), (o.decision, 3)])
    m.counters(
        "risk_decisions", key, at, [{**me, "model": shop.models[k], "decision": DECISIONS[d]} for k, d in combos]
    )
    rows = [{**me, "model": name} for name in shop.models]
    scored = ~o.fallback
    m.counters("risk_score_sum", o.model[scored], at[scored], rows, weights=np.round(o.score[scored], 4))
    m.counters("risk_score_count", o.model[scored], at[scored], rows)
    m.counter("risk_fallback", me, at[o.fallback])
    which = a.order % len(RULE_NAMES)
    m.counters("risk_rule_hits", which[o.rule], at[o.rule], [{**me, "rule": name} for name in RULE_NAMES])


def named_rule(m: Meter, shop: Shop, a: Attempts, o: Outcome, s: Scenario) -> None:
    """A broken rule has its own name beside the ordinary ones."""
    for k, fault in enumerate(s.faults):
        if fault.mechanism == "rule":
            hit = o.fault == k
            m.counter(
                "risk_rule_hits",
                {"service": shop.service("risk"), "rule": fault.name or "rule-77"},
                (a.t + o.risk_s)[hit],
            )


def path_requests(shop: Shop, a: Attempts, o: Outcome, rng: np.random.Generator) -> dict[str, Requests]:
    """HTTP requests of the roles on an attempt's path."""
    n = len(a)
    own = rng.random(n)
    out = {}
    seconds = {
        "gateway": o.total + 0.011,
        "orchestrator": o.total,
        "risk": o.risk_s,
        "vault": o.vault_s,
        "hsm": o.hsm_s,
        "threeds": o.threeds_s,
        "connector": o.connector_s,
    }
    failing = (o.broken >= 0) | o.timeout
    slow_3ds = o.threeds_s >= 10.0
    bad = {
        "gateway": failing,
        "orchestrator": failing,
        "risk": o.fallback & (o.fault >= 0),
        "vault": o.broken == STAGE["vault"],
        "hsm": o.broken == STAGE["hsm"],
        "threeds": slow_3ds,
        "connector": (o.broken == STAGE["connector"]) | o.timeout,
    }
    for role, took in seconds.items():
        reached = o.threeds >= 0 if role == "threeds" else o.stage >= STAGE[role]
        status = np.where(
            bad[role] | (own < 0.0005), np.where(o.timeout | slow_3ds, 504, 502 if role != "risk" else 503), 200
        )
        limited = reached & o.limited & (role == "connector")
        status = np.where(limited, 429, status)
        out[role] = Requests((a.t + took)[reached], took[reached], status[reached], o.fault[reached])
    return out


def calm_requests(
    shop: Shop,
    a: Attempts,
    o: Outcome,
    s: Scenario,
    window: tuple[float, float],
    onset: float,
    rng: np.random.Generator,
) -> dict[str, Requests]:
    """HTTP requests of the roles behind the authorisation, with the faults that act on them."""
    approved = o.code == C["00"]
    out = {}
    for role in OFF_PATH:
        if role in CALM_RATE:
            t = np.sort(rng.uniform(*window, rng.poisson(CALM_RATE[role] * (window[1] - window[0]))))
        else:
            t = (a.t + o.total)[approved]
        seconds = np.exp(rng.normal(np.log(CALM_MEDIAN[role]), 0.4, len(t)))
        status = np.where(rng.random(len(t)) < CALM_BAD.get(role, 0.0006), 502, 200)
        hit_by = np.full(len(t), -1)
        for k, f in enumerate(s.faults):
            if f.component != role or f.mechanism not in {"error", "drop", "slow", "expire"}:
                continue
            strength = f.strength(t, onset)
            if f.mechanism == "slow":
                seconds = seconds + f.add_ms / 1000.0 * rng.gamma(4.0, 0.25, len(t)) * strength
                status = np.where((seconds > 10.0) & (strength > 0), 504, status)
                hit_by = np.where(strength > 0, k, hit_by)
            else:
                hit = rng.random(len(t)) < f.share * strength
                status = np.where(hit, 504 if f.mechanism == "drop" else 502, status)
                seconds = np.where(hit & (f.mechanism == "drop"), 10.0, seconds)
                hit_by = np.where(hit, k, hit_by)
        out[role] = Requests(t + np.minimum(seconds, 10.0), np.minimum(seconds, 10.0), status, hit_by)
    return out


def services(m: Meter, shop: Shop, requests: dict[str, Requests]) -> None:
    """The http metrics of every service, and the counters that come from their answers."""
    scale = 1000.0 if m.naming.milliseconds else 1.0
    for role in shop.services:
        r = requests[role]
        me = {"service": shop.service(role), "method": "POST"}
        key, kinds = group([(r.status, 600)])
        m.counters("requests", key, r.t, [{**me, "status": str(k)} for (k,) in kinds])
        m.histograms("request_duration", np.zeros(len(r.t), np.int64), r.t, r.seconds, [me], scale=scale)
        load = np.bincount(m.bins(r.t), minlength=len(m.grid) + 1)[: len(m.grid)]
        busy = np.cumsum(load * 0.004 + 0.15 + 0.02 * m.rng.random(len(m.grid)))
        m.gauge("cpu", {"service": me["service"]}, np.round(busy + m.rng.uniform(1e4, 9e5), 2))
    for role, metric in (("webhooks", "webhook_deliveries"), ("payouts", "payouts")):
        me, r = {"service": shop.service(role)}, requests[role]
        m.counters(
            metric, (r.status != 200).astype(np.int64), r.t, [{**me, "result": "ok"}, {**me, "result": "failed"}]
        )


def duplicates(m: Meter, shop: Shop, a: Attempts, o: Outcome, s: Scenario, onset: float) -> None:
    """Idempotency conflicts and second captures: a few always, many when a fault makes them."""
    for role, metric, calm in (("gateway", "duplicates", 0.003), ("ledger", "double_charges", 0.00008)):
        share = np.full(len(a), calm)
        for f in s.faults:
            if f.mechanism == "duplicate" and f.component == role:
                share = share + f.share * f.strength(a.t, onset) * in_scope(f, a, shop)
        hit = (m.rng.random(len(a)) < share) & ((o.code == C["00"]) | (role == "gateway"))
        m.counter(metric, {"service": shop.service(role)}, (a.t + o.total)[hit])


def failures(
    m: Meter, shop: Shop, requests: dict[str, Requests], s: Scenario, peers: Sequence[tuple[str, str]]
) -> None:
    """TLS and DNS failures: those that faults count, over a thin background."""
    span = float(m.grid[-1] - m.grid[0])
    for role in ROLES:
        extra = [
            requests[role].t[requests[role].fault == k]
            for k, f in enumerate(s.faults)
            if f.counts == "dns_failures" and f.component == role
        ]
        calm = m.grid[0] + m.rng.random(m.rng.poisson(span / 1800)) * span
        m.counter("dns_failures", {"service": shop.service(role)}, np.sort(np.concatenate([calm, *extra])))
    for role, peer in peers:
        own = [
            (k, f)
            for k, f in enumerate(s.faults)
            if f.component == role and f.peer == peer and (f.mechanism == "expire" or f.counts == "tls_failures")
        ]
        extra = [requests[role].t[requests[role].fault == k] for k, _ in own]
        calm = m.grid[0] + m.rng.random(m.rng.poisson(span / 2400)) * span
        m.counter(
            "tls_failures", {"service": shop.service(role), "peer": peer}, np.sort(np.concatenate([calm, *extra]))
        )


def measured(f: Fault) -> bool:
    """Whether a mechanism acts on gauges and series rather than on events (see gauges.py)."""
    return f.mechanism in {"level", "climb", "freeze", "overrun", "stall", "skew", "expire", "vanish", "restart"}
