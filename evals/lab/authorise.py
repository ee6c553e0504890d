"""What happens to an attempt on its way: gateway, risk, vault, HSM, 3DS, acquirer, scheme, issuer.

Each attempt gets its healthy outcome first; a fault overrides it where the attempt reaches the broken stage, so the
outcome that would have been is known for every attempt, and with it the true loss.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from evals.lab.naming import REASONS
from evals.lab.shop import CHANNELS, Shop
from evals.lab.spec import Fault, Scenario
from evals.lab.traffic import Attempts, Bools, Floats, Ints, first_attempts, in_scope, join

CODES = tuple(REASONS)
C = {code: i for i, code in enumerate(CODES)}
STAGE = {
    "gateway": 0,
    "orchestrator": 0,
    "risk": 1,
    "vault": 2,
    "hsm": 3,
    "threeds": 4,
    "acs": 4,
    "directory": 4,
    "connector": 5,
    "acquirer": 5,
    "scheme": 6,
    "issuer": 7,
}
DONE = 99
TIMEOUT = 9.0  # seconds that a connector waits for field 39
# Issuers' declines, healthy. Shape: insufficient funds and "do not honour" lead everywhere, technical codes are rare.
DECLINES = (
    ("51", 0.40),
    ("05", 0.26),
    ("54", 0.045),
    ("14", 0.04),
    ("59", 0.05),
    ("61", 0.07),
    ("65", 0.07),
    ("57", 0.025),
    ("82", 0.02),
    ("91", 0.012),
    ("96", 0.005),
    ("68", 0.003),
)
CHANNEL_SHIFT = (-0.005, 0.075, -0.05)  # card present is approved more often, subscriptions less
CUT_DECLINE, CUT_REVIEW = 0.45, 0.38  # risk scores are Beta(2, 9)
FALLBACK_DECLINE = 0.05
DEFAULT_CODE = {
    "gateway": "G1",
    "orchestrator": "G1",
    "vault": "V1",
    "hsm": "88",
    "threeds": "T1",
    "connector": "96",
    "acquirer": "96",
    "scheme": "96",
    "issuer": "91",
}
TECHNICAL = tuple(C[c] for c in ("91", "96", "68", "30", "88", "V1", "G1", "Q1"))
MEDIAN = {
    "gateway": 0.011,
    "orchestrator": 0.022,
    "risk": 0.038,
    "vault": 0.012,
    "hsm": 0.006,
    "threeds": 0.9,
    "connector": 0.41,
}
RESULTS = ("Y", "N", "U", "A")


@dataclass(slots=True)
class Outcome:
    """Beside Attempts, entry by entry.

    `code`, `healthy` indices into CODES (as it went, as it would have gone); `reported` what the metrics say; `stage`
    where it ended (DONE: approved or declined by the issuer); `fault` index of the fault that changed it, or -1;
    `seconds` by stage; `timeout`, `limited` at the acquirer; `threeds` index into RESULTS or -1; `score`, `model`,
    `decision` (0 approve 1 review 2 decline), `fallback`, `rule` of risk.
    """

    code: Ints
    healthy: Ints
    reported: Ints
    stage: Ints
    fault: Ints
    risk_s: Floats
    vault_s: Floats
    hsm_s: Floats
    threeds_s: Floats
    connector_s: Floats
    own_s: Floats
    timeout: Bools
    limited: Bools
    broken: Ints  # STAGE of a technical failure inside our own services, or -1
    threeds: Ints
    score: Floats
    model: Ints
    decision: Ints
    fallback: Bools
    rule: Bools

    def take(self, index: Ints | Bools) -> Outcome:
        return Outcome(**{f.name: getattr(self, f.name)[index] for f in fields(Outcome)})

    @property
    def total(self) -> Floats:
        """Seconds that the shop took, without the customer's time in 3DS."""
        return np.asarray(self.own_s + self.risk_s + self.vault_s + self.hsm_s + self.connector_s)

    def total_at(self, i: int) -> float:
        """`total` of one attempt."""
        return float(self.own_s[i] + self.risk_s[i] + self.vault_s[i] + self.hsm_s[i] + self.connector_s[i])


def _lognormal(rng: np.random.Generator, n: int, median: float, sigma: float) -> Floats:
    return np.exp(rng.normal(np.log(median), sigma, n))


def healthy(rng: np.random.Generator, shop: Shop, a: Attempts, canary_from: float) -> Outcome:
    """The outcome of every attempt in a shop where nothing is broken. `canary_from`: when the second model starts."""
    n = len(a)
    approve = np.array([i.approved for i in shop.issuers])[a.issuer] + np.array(CHANNEL_SHIFT)[a.channel]
    approve -= np.where(a.wave > 0, 0.22, 0.0)
    codes, shares = zip(*DECLINES, strict=True)
    mix = np.array(shares) / sum(shares)
    declined = np.array([C[c] for c in codes])[rng.choice(len(codes), n, p=mix)]
    # The balance is often there the next day, not the next minute; technical declines pass at once.
    code = np.where(rng.random(n) < approve, C["00"], declined)
    tester = a.extra
    code[tester] = np.array([C["14"], C["82"], C["54"], C["05"], C["00"]])[
        rng.choice(5, int(tester.sum()), p=[0.5, 0.2, 0.12, 0.12, 0.06])
    ]
    stage = np.full(n, DONE)
    sca = a.sca | ((a.wave > 0) & (a.channel == 0) & (rng.random(n) < 0.3))
    threeds = np.where(sca, rng.choice(4, n, p=[0.90, 0.07, 0.015, 0.015]), -1)
    failed = threeds == RESULTS.index("N")
    code[failed], stage[failed] = C["T1"], 4
    score = rng.beta(2.0, 9.0, n) * np.where(a.channel == CHANNELS.index("pos"), 0.55, 1.0)  # a card in the hand
    model = ((a.t >= canary_from) & (a.sample > 0.85)).astype(np.int64)
    decision = np.where(score > CUT_DECLINE, 2, np.where(score > CUT_REVIEW, 1, 0))
    code[decision == 2], stage[decision == 2] = C["R1"], 1
    connector = _lognormal(rng, n, MEDIAN["connector"], 0.36) * (1 + 0.08 * (a.acquirer % 3))
    late = code == C["68"]
    connector[late] = TIMEOUT + rng.random(int(late.sum())) * 0.2
    return Outcome(
        code=code,
        healthy=code.copy(),
        reported=code.copy(),
        stage=stage,
        fault=np.full(n, -1),
        risk_s=_lognormal(rng, n, MEDIAN["risk"], 0.35),
        vault_s=_lognormal(rng, n, MEDIAN["vault"], 0.4),
        hsm_s=_lognormal(rng, n, MEDIAN["hsm"], 0.3),
        threeds_s=np.where(sca, _lognormal(rng, n, MEDIAN["threeds"], 0.5), 0.0),
        connector_s=connector,
        own_s=_lognormal(rng, n, MEDIAN["orchestrator"], 0.3),
        timeout=late,
        limited=np.zeros(n, np.bool_),
        broken=np.full(n, -1),
        threeds=threeds,
        score=score,
        model=model,
        decision=decision,
        fallback=rng.random(n) < 0.002,
        rule=(decision == 2) & (rng.random(n) < 0.3),
    )


def break_it(rng: np.random.Generator, shop: Shop, a: Attempts, o: Outcome, s: Scenario, onset: float) -> None:
    """Apply every fault that acts on the path of an attempt, in place."""
    for k, fault in enumerate(s.faults):
        if fault.component not in STAGE or fault.mechanism not in _ON_PATH:
            continue
        mask = in_scope(fault, a, shop)
        if "model" in fault.scope:
            mask &= o.model == shop.models.index(str(fault.scope["model"]))
        _ON_PATH[fault.mechanism](rng, k, fault, a, o, mask, fault.strength(a.t, onset))


def _fail(o: Outcome, hit: Bools, k: int, component: str, code: str) -> None:
    stage = STAGE[component]
    o.code[hit], o.stage[hit], o.fault[hit] = C[code], stage, k
    if component in {"gateway", "orchestrator", "vault", "hsm", "connector"}:
        o.broken[hit] = stage


def _reach(o: Outcome, fault: Fault) -> Bools:
    return np.asarray(o.stage >= STAGE[fault.component])


def _error(rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats) -> None:
    hit = mask & _reach(o, f) & (rng.random(len(a)) < f.share * strength)
    if f.component == "risk":
        _to_fallback(rng, k, o, hit)
    elif f.component in {"acs", "directory", "threeds"}:
        _unauthenticated(rng, k, o, hit & (o.threeds >= 0), "N" if f.code == "T1" else "U")
    else:
        code = f.code or DEFAULT_CODE[f.component]
        _fail(o, hit & (o.healthy == C["00"]) if code == "05" else hit, k, f.component, code)


def _to_fallback(rng: np.random.Generator, k: int, o: Outcome, hit: Bools) -> None:
    """Risk's model does not answer: the rules decide, more coarsely."""
    o.fallback |= hit
    declined = hit & (rng.random(len(hit)) < FALLBACK_DECLINE)
    cleared = hit & ~declined & (o.decision == 2)
    o.decision[hit] = np.where(declined[hit], 2, 0)
    o.code[cleared] = C["05"]  # what the model would have stopped, issuers mostly decline
    o.stage[cleared] = DONE
    newly = declined & (o.stage > 1)
    o.code[declined], o.stage[declined] = C["R1"], 1
    o.fault[newly] = k


def _unauthenticated(rng: np.random.Generator, k: int, o: Outcome, hit: Bools, result: str) -> None:
    o.threeds[hit] = RESULTS.index(result)
    # Without a result most issuers ask for one (soft decline), some approve: liability stays with the merchant.
    lost = hit & (rng.random(len(hit)) < (1.0 if result == "N" else 0.7))
    newly = lost & (o.stage >= 4)
    o.code[newly], o.stage[newly], o.fault[newly] = C["T1" if result == "N" else "65"], 4, k


def _drop(rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats) -> None:
    hit = mask & _reach(o, f) & (rng.random(len(a)) < f.share * strength)
    if f.component in {"acs", "directory", "threeds"}:
        hit &= o.threeds >= 0
        o.threeds_s[hit] = 10.0 + rng.random(int(hit.sum()))
        _unauthenticated(rng, k, o, hit, "U")
    elif f.component == "risk":
        o.risk_s[hit] = 0.5
        _to_fallback(rng, k, o, hit)
    elif STAGE[f.component] >= 5:
        o.connector_s[hit] = TIMEOUT + rng.random(int(hit.sum())) * 0.3
        o.timeout[hit] = True
        _fail(o, hit, k, f.component, "68")
    else:
        o.own_s[hit] += 5.0
        _fail(o, hit, k, f.component, DEFAULT_CODE[f.component])


def _slow(rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats) -> None:
    hit = mask & _reach(o, f) & (strength > 0)
    add = f.add_ms / 1000.0 * rng.gamma(4.0, 0.25, len(a)) * strength
    match f.component:
        case "risk":
            o.risk_s[hit] += add[hit]
            _to_fallback(rng, k, o, hit & (o.risk_s > 0.5))
            o.risk_s[hit] = np.minimum(o.risk_s[hit], 0.5)
        case "vault":
            o.vault_s[hit] += add[hit]
        case "hsm":
            o.hsm_s[hit] += add[hit]
        case "threeds" | "acs" | "directory":
            hit &= o.threeds >= 0
            o.threeds_s[hit] += add[hit]
            _unauthenticated(rng, k, o, hit & (o.threeds_s > 10.0), "U")
        case "gateway" | "orchestrator":
            o.own_s[hit] += add[hit]
        case _:
            o.connector_s[hit] += add[hit]
            late = hit & (o.connector_s > TIMEOUT) & ~o.timeout
            o.connector_s[late] = TIMEOUT + rng.random(int(late.sum())) * 0.3
            o.timeout |= late
            _fail(o, late, k, f.component, "68")


def _miscode(
    rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats
) -> None:
    hit = mask & (o.code == C[f.from_]) & (rng.random(len(a)) < f.share * strength)
    o.reported[hit] = C[str(f.to)]
    if not f.reported_only:
        o.code[hit], o.fault[hit] = C[str(f.to)], k
        o.stage[hit] = STAGE[f.component]


def _drift(rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats) -> None:
    hit = mask & (strength > 0) & ~o.fallback
    o.score[hit] = np.clip(o.score[hit] + f.shift * strength[hit], 0.001, 0.999)
    declined = hit & ((o.score > CUT_DECLINE) | (rng.random(len(a)) < f.decline_share * strength))
    newly = declined & (o.decision < 2) & (o.stage >= 1)
    o.decision[declined] = 2
    o.code[newly], o.stage[newly], o.fault[newly] = C["R1"], 1, k


def _rule(rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats) -> None:
    hit = mask & (o.stage >= 1) & (rng.random(len(a)) < f.share * strength)
    o.rule |= hit
    newly = hit & (o.decision < 2)
    o.decision[hit] = 2
    o.code[newly], o.stage[newly], o.fault[newly] = C["R1"], 1, k


def _throttle(
    rng: np.random.Generator, k: int, f: Fault, a: Attempts, o: Outcome, mask: Bools, strength: Floats
) -> None:
    """A partner takes only its quota each second; `share` is what it refuses of an ordinary second's traffic."""
    asks = mask & _reach(o, f) & (strength > 0)
    index = np.flatnonzero(asks)
    if not len(index):
        return
    second = a.t[index].astype(np.int64)
    quota = max(1.0, (1 - f.share) * len(index) / max(1, int(second[-1] - second[0]) + 1))
    place = np.arange(len(index)) - np.searchsorted(second, second)
    allowed = np.floor(quota) + (rng.random(len(index)) < quota % 1)
    hit = np.zeros(len(a), np.bool_)
    hit[index[place >= allowed]] = True
    o.limited |= hit
    _fail(o, hit, k, f.component, "Q1")


_ON_PATH = {
    "error": _error,
    "drop": _drop,
    "slow": _slow,
    "miscode": _miscode,
    "drift": _drift,
    "rule": _rule,
    "throttle": _throttle,
    "expire": _error,
    "skew": _error,
}


def _divert(rng: np.random.Generator, shop: Shop, a: Attempts, s: Scenario, onset: float) -> None:
    """Send a share of an acquirer's traffic to another one, before anything is asked of it."""
    for f in s.faults:
        if f.mechanism == "divert":
            away = in_scope(f, a, shop) & (rng.random(len(a)) < f.share * f.strength(a.t, onset))
            a.acquirer[away] = (a.acquirer[away] + 1) % len(shop.acquirers)
            a.failover[away] = True


def retries(rng: np.random.Generator, shop: Shop, a: Attempts, o: Outcome, end: float) -> Attempts:
    """The next tries of the same orders: the orchestrator's at once, the customer's within minutes, often elsewhere."""
    n = len(a)
    technical = np.isin(o.code, TECHNICAL)
    soft = o.code == C["65"]
    hard = np.isin(o.code, [C[c] for c in ("14", "54", "59", "57", "R1", "82")])
    p = np.select([o.code == C["00"], technical, soft, hard], [0.0, 0.72, 0.6, 0.08], 0.24) * 0.7**a.wave
    again = (rng.random(n) < p) & ~a.extra
    machine = technical & (rng.random(n) < 0.6)
    delay = np.where(machine, 1.5 + rng.random(n), 15 + rng.exponential(80.0, n))
    nxt = a.take(again)
    nxt.t = (a.t + o.total + delay)[again]
    nxt.wave = nxt.wave + 1
    nxt.sca = nxt.sca | soft[again]
    elsewhere = technical[again] & (rng.random(len(nxt)) < 0.3)
    routes = np.array([shop.routes[r] for r in shop.regions])
    options = routes[nxt.region] > 0
    options[np.arange(len(nxt)), nxt.acquirer] = False
    other = np.where(options.any(axis=1), options.argmax(axis=1), nxt.acquirer)
    nxt.failover = elsewhere & (other != nxt.acquirer)
    nxt.acquirer = np.where(elsewhere, other, nxt.acquirer)
    keep = np.flatnonzero(nxt.t < end)
    return nxt.take(keep[np.argsort(nxt.t[keep], kind="stable")])


def simulate(
    rng: np.random.Generator, shop: Shop, s: Scenario, window: tuple[float, float], onset: float, canary_from: float
) -> tuple[Attempts, Outcome]:
    """Every attempt of the window with its outcome, in order of time: first attempts and up to three more each."""
    waves: list[tuple[Attempts, Outcome]] = []
    a = first_attempts(rng, shop, s, window, onset)
    for _ in range(4):
        _divert(rng, shop, a, s, onset)
        o = healthy(rng, shop, a, canary_from)
        break_it(rng, shop, a, o, s, onset)
        changed = o.reported == o.healthy
        o.reported = np.where(changed, o.code, o.reported)
        waves.append((a, o))
        a = retries(rng, shop, a, o, window[1])
    whole, index = join([w[0] for w in waves])
    joined = Outcome(**{f.name: np.concatenate([getattr(w[1], f.name) for w in waves]) for f in fields(Outcome)})
    return whole, joined.take(index)
