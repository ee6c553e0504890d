"""The shop's log streams: JSON, logfmt, text, stack traces, ISO 8583 dumps, with planted cardholder data among them.

The number of lines is the shop's, not the fault's: what a fault adds takes the place of ordinary lines, so that the
size of the file says nothing. Issuer and BIN are written only where the label tier lets logs carry them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evals.lab.authorise import CODES, RESULTS, STAGE, Outcome
from evals.lab.gauges import Active
from evals.lab.log_words import BACKGROUND, FIELDS, LOGGED_BY, STREAMS, TRACES, WORDS
from evals.lab.plant import FORMS, Planter
from evals.lab.shop import ROLES, SCHEMES, Shop
from evals.lab.spec import Scenario
from evals.lab.traffic import Attempts
from evals.world_format import dumps


@dataclass(slots=True)
class Writer:
    """Collects entries in this shop's style."""

    shop: Shop
    rng: np.random.Generator
    stream: Mapping[str, str]
    names: Mapping[str, str]
    formats: Mapping[str, str]
    trace: str
    entries: list[tuple[int, dict[str, str], str]] = field(default_factory=list)

    def put(self, t: float, role: str, level: str, text: str, fields: Mapping[str, object]) -> None:
        """One line of a service in the format of that service."""
        visible = {
            self.names.get(k, k): v
            for k, v in fields.items()
            if k not in {"issuer", "bin"} or self.shop.tier != "nowhere"
        }
        match self.formats[role]:
            case "json":
                line = dumps({"level": level, self.names["msg"]: text, **visible})
            case "logfmt":
                line = f'level={level} {self.names["msg"]}="{text}" ' + " ".join(f"{k}={v}" for k, v in visible.items())
            case _:
                line = f"{level.upper():5} {text} " + " ".join(f"{k}={v}" for k, v in visible.items())
        self.raw(t, role, level, line.rstrip())

    def raw(self, t: float, role: str, level: str, line: str) -> None:
        ts = int(t * 1000) * 1_000_000 + int(self.rng.integers(1_000_000))
        self.entries.append((ts, self._labels(role, level), line))

    def _labels(self, role: str, level: str) -> dict[str, str]:
        name, s = self.shop.service(role), self.stream
        key, value = s["fixed"].split("=")
        out = {s["service"]: name, key: value, s["level"]: level, s["pod"]: f"{name}-{int(self.rng.integers(3))}"}
        return {**out, s["extra"]: name} if s["extra"] else out


def writer(rng: np.random.Generator, shop: Shop) -> Writer:
    formats = {role: str(rng.choice(["json", "logfmt", "text"], p=[0.5, 0.3, 0.2])) for role in ROLES}
    i, k = int(rng.integers(len(STREAMS))), int(rng.integers(len(FIELDS)))
    return Writer(shop, rng, STREAMS[i], FIELDS[k], formats, TRACES[int(rng.integers(len(TRACES)))])


def _fields(shop: Shop, a: Attempts, o: Outcome, i: int) -> dict[str, object]:
    issuer = shop.issuers[int(a.issuer[i])]
    return {
        "order": f"ord_{int(a.order[i]):08x}",
        "scheme": SCHEMES[int(a.scheme[i])],
        "issuer": issuer.name,
        "bin": issuer.bins[int(a.bin[i])],
        "acquirer": shop.acquirers[int(a.acquirer[i])],
        "rc": CODES[int(o.reported[i])],
        "ms": round(o.total_at(i) * 1000),
    }


def _pick(d: Mapping[str, object], *keys: str) -> dict[str, object]:
    return {k: d[k] for k in keys}


def ordinary(w: Writer, a: Attempts, o: Outcome, i: int) -> None:
    """One line about one attempt, by one of the services that saw it."""
    f, at = _fields(w.shop, a, o, i), float(a.t[i]) + o.total_at(i)
    match int(w.rng.integers(9)):
        case 0 | 1 | 2:
            w.put(at, "orchestrator", "info", "authorisation answered", f)
        case 3 | 4 if o.stage[i] >= STAGE["connector"]:
            fields = {
                **_pick(f, "acquirer", "bin", "rc", "ms"),
                "stan": f"{int(a.order[i]) % 999983:06d}",
                "link": w.shop.links[int(a.order[i]) % 2],
            }
            w.put(at, "connector", "info", "0110 received", fields)
        case 5:
            w.put(
                float(a.t[i]),
                "risk",
                "info",
                "scored",
                {**_pick(f, "order"), "score": round(float(o.score[i]), 3), "model": w.shop.models[int(o.model[i])]},
            )
        case 6 if o.threeds[i] >= 0:
            w.put(
                at,
                "threeds",
                "info",
                "authentication result",
                {**_pick(f, "order", "scheme", "issuer"), "result": RESULTS[int(o.threeds[i])]},
            )
        case 7 if o.code[i] == 0:
            w.put(at + 0.3, "ledger", "info", "posted", {**_pick(f, "order"), "entries": 2})
        case 8 if o.code[i] == 0:
            w.put(at + 0.9, "webhooks", "info", "delivered", {**_pick(f, "order"), "status": 200})
        case _:
            w.raw(
                float(a.t[i]),
                "gateway",
                "info",
                f"POST /v1/payments 200 {f['ms']}ms {w.names['order']}={f['order']} "
                f"merchant=m_{int(a.order[i]) % 211:04d}",
            )


def _safe(shop: Shop, s: Scenario, text: str) -> str:
    """Where issuer and BIN are visible nowhere, no text of a kind names them either."""
    if shop.tier == "nowhere":
        for key in ("issuer", "bin"):
            if key in s.bound:
                text = text.replace(str(s.bound[key]), "-")
    return text


def fault_lines(
    w: Writer, p: Planter, s: Scenario, a: Attempts, o: Outcome, active: Sequence[Active], now: float, budget: int
) -> None:
    """What services say about the faults, at most `budget` lines in all."""
    share = max(1, budget // max(1, len(active)))
    for k, x in enumerate(active):
        f = x.fault
        texts = tuple(_safe(w.shop, s, t) for t in (f.log or WORDS.get(f.mechanism, ())))
        if f.mechanism in {"say", "vanish", "flood", "lose", "divert"} or not texts:
            continue
        role = LOGGED_BY.get(f.component, f.component)
        hit = np.flatnonzero((o.fault == k) & (a.t + o.total <= now)) if k < len(s.faults) else np.array([], np.int64)
        if f.mechanism in {"drift", "rule", "miscode"} and not f.log:
            continue  # nothing looks wrong to the service itself
        if len(hit):
            for i in np.sort(w.rng.permutation(hit)[:share]):
                _hit_line(w, p, a, o, int(i), role, texts, f.level)
        else:
            _state_lines(w, x, role, texts, now, min(share, 400))


def _hit_line(
    w: Writer, p: Planter, a: Attempts, o: Outcome, i: int, role: str, texts: Sequence[str], level: str
) -> None:
    f, at = _fields(w.shop, a, o, i), float(a.t[i]) + o.total_at(i)
    text = fill(str(texts[int(w.rng.integers(len(texts)))]), p, f)
    keys = (
        ("acquirer", "bin", "issuer", "rc", "ms")
        if role == "connector"
        else ("order", "scheme", "issuer", "ms")
        if role == "threeds"
        else ("order", "ms")
    )
    w.put(at, role, level, text, _pick(f, *keys))
    chance = w.rng.random()
    if chance < 0.03:
        w.raw(
            at + 0.01,
            role,
            "error",
            w.trace.replace("{cls}", "HostLink").replace("{text}", text).replace("{ms}", str(f["ms"])),
        )
    elif chance < 0.04 and len(p.planted) < 90:
        w.raw(at + 0.02, "connector", "debug", iso_dump(w, p, a, i, str(f["rc"])))


def iso_dump(w: Writer, p: Planter, a: Attempts, i: int, rc: str) -> str:
    """A request dumped field by field, as switches do when somebody left debugging on (ISO 8583:1987 fields)."""
    prefix = w.shop.issuers[int(a.issuer[i])].bins[int(a.bin[i])] if w.shop.tier != "nowhere" else ""
    return (
        f"0100 002={p.pan('plain', prefix)} 003=000000 004={int(a.amount[i]):012d} "
        f"011={int(a.order[i]) % 999983:06d} 014=2907 022=051 "
        f"035={p.pan('track2')} 041=TRM{int(a.order[i]) % 9973:05d} 049=978 resp 039={rc}"
    )


def _state_lines(w: Writer, x: Active, role: str, texts: Sequence[str], now: float, most: int) -> None:
    start = x.onset + x.fault.delay
    if now <= start:
        return
    end = min(now, start + x.fault.lasts) if x.fault.lasts > 0 else now
    n = min(most, int((end - start) / 60 * 5) + 1)
    for t in np.sort(w.rng.uniform(start, end, n)):
        text = str(texts[int(w.rng.integers(len(texts)))])
        w.put(
            float(t),
            role,
            "warn" if w.rng.random() < 0.5 else x.fault.level,
            fill(text, None, {"ms": int(w.rng.integers(2000, 9000))}),
            {"attempt": int(w.rng.integers(1, 6))},
        )


def fill(text: str, p: Planter | None, fields: Mapping[str, object]) -> str:
    """Put an attempt's values and, with a planter, planted values into {names} of a text."""
    for key in ("order", "rc", "ms", "stan", "n"):
        if f"{{{key}}}" in text:
            text = text.replace(f"{{{key}}}", str(fields.get(key, "-")))
    if p is not None:
        makers = {"pan": p.pan, "cvv": p.cvv, "name": p.name, "email": p.email, "bearer": p.bearer, "token": p.token}
        for key, make in makers.items():
            if f"{{{key}}}" in text:
                text = text.replace(f"{{{key}}}", make())
    return text


def said(
    w: Writer, p: Planter, s: Scenario, active: Sequence[Active], moments: Mapping[int, Sequence[float]], now: float
) -> None:
    """Lines of the `say` mechanism, at the moments drawn for it."""
    for k, x in enumerate(active):
        for n, t in enumerate(moments.get(k, ())):
            if t <= now:
                line = _safe(w.shop, s, str(x.fault.lines[n % len(x.fault.lines)]))
                w.raw(
                    t,
                    x.fault.component,
                    x.fault.level,
                    fill(
                        line,
                        p,
                        {"order": f"ord_{int(w.rng.integers(2**31)):08x}", "n": n, "ms": int(w.rng.integers(5, 900))},
                    ),
                )


def plants(w: Writer, p: Planter, start: float, now: float) -> None:
    """The carelessness of every shop: a few dozen lines that should never have been written."""
    for form in [*FORMS, *FORMS]:
        t = float(w.rng.uniform(max(start, now - 2400), now) if w.rng.random() < 0.5 else w.rng.uniform(start, now))
        written = p.pan(form)
        match form:
            case "percent":
                line = f"GET /v1/tokens?number={written}&exp=07%2F29 400 12ms"
            case "base64":
                line = f"debug payload_b64={written} source=checkout"
            case "json-number":
                card = f'{{"number":{written},"cvc":"{p.cvv()}","exp":"07/29"}}'
                line = f'{{"level":"debug","{w.names["msg"]}":"tokenise request","card":{card}}}'
            case "hex":
                line = f"vault frame 0x{written} accepted"
            case _:
                line = f"card {written} rejected by checkout form, customer {p.email()}"
        w.raw(t, "vault" if form in {"hex", "json-number"} else "gateway", "debug", line)
    for _ in range(6):
        fields = {"cardholder": p.name(), "email": p.email(), "cvv": p.cvv()}
        w.raw(
            float(w.rng.uniform(start, now)),
            "gateway",
            "warn",
            dumps({"level": "warn", w.names["msg"]: "address check failed", **fields}),
        )
    w.raw(
        float(w.rng.uniform(start, now)),
        "webhooks",
        "debug",
        f"POST https://hooks.partner.example/in headers: Authorization: {p.bearer()} content-length: 412",
    )


def background(w: Writer, start: float, now: float, n: int) -> None:
    """Warnings and errors of an ordinary day."""
    for t in w.rng.uniform(start, now, n):
        role = str(w.rng.choice(ROLES))
        level = "error" if w.rng.random() < 0.3 else "warn"
        w.put(float(t), role, level, str(w.rng.choice(BACKGROUND)), {"ms": int(w.rng.integers(5, 3000))})


def entries(
    w: Writer,
    p: Planter,
    s: Scenario,
    a: Attempts,
    o: Outcome,
    active: Sequence[Active],
    moments: Mapping[int, Sequence[float]],
    starts: Sequence[tuple[float, str]],
    window: tuple[float, float],
    budget: int,
) -> list[dict[str, Any]]:
    """All lines of the world in order of time, about `budget` of them."""
    start, now = window
    plants(w, p, start, now)
    said(w, p, s, active, moments, now)
    background(w, start, now, budget // 60)
    fault_lines(w, p, s, a, o, active, now, int(budget * 0.35))
    for t, service in starts:
        role = w.shop.role_of(service)
        w.put(t + 3, role, "info", "starting", {"pid": int(w.rng.integers(9, 90))})
        w.put(t + 11, role, "info", "ready", {"port": 8080})
    seen = np.flatnonzero((a.t > start) & (a.t + o.total < now))
    room = max(0, budget - len(w.entries))
    for i in np.sort(w.rng.permutation(seen)[:room]):
        ordinary(w, a, o, int(i))
    out = [_shifted(w, active, e) for e in w.entries]
    kept = [e for e in out if e is not None and start * 1e9 <= e[0] <= now * 1e9]
    return [{"ts": ts, "labels": labels, "line": line} for ts, labels, line in sorted(kept, key=lambda e: (e[0], e[2]))]


def _shifted(
    w: Writer, active: Sequence[Active], e: tuple[int, dict[str, str], str]
) -> tuple[int, dict[str, str], str] | None:
    """A skewed service writes skewed times; a service whose logs vanish writes none."""
    ts, labels, line = e
    service = labels[w.stream["service"]]
    for x in active:
        if x.fault.mechanism not in {"vanish", "skew"} or x.fault.component not in ROLES:
            continue
        if w.shop.service(x.fault.component) == service:
            strength = float(x.fault.strength(np.array([ts / 1e9]), x.onset)[0])
            if x.fault.mechanism == "skew":
                ts += int(x.fault.seconds * strength * 1e9)
            elif x.fault.signal == "logs" and strength > 0:
                return None
    return ts, labels, line
