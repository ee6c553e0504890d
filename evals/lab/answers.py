"""The truth of a made world, as TOML for scorers. Its folder is read by nothing under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evals.lab.authorise import RESULTS, STAGE, C
from evals.lab.impact import impact
from evals.lab.rulebook import BY_NAME
from evals.lab.traffic import Bools, in_scope
from evals.world_format import toml_string

if TYPE_CHECKING:
    from evals.lab.make import Truth

PLAIN_HOMES = {
    "gateway": "payments-api",
    "orchestrator": "payment-orchestrator",
    "risk": "risk-scoring",
    "vault": "token-vault",
    "threeds": "threeds-server",
    "connector": "acquirer-connector",
    "hsm": "hsm-proxy",
    "ledger": "ledger",
    "settlement": "settlement",
    "webhooks": "webhook-dispatcher",
    "payouts": "payouts",
    "disputes": "disputes",
    "fx": "fx-rates",
    "onboarding": "merchant-onboarding",
    "terminals": "terminal-gateway",
}


def runbook_path(alert: str) -> str:
    """Where the shipped runbook of an alert lies, or "none"."""
    return "none" if alert == "none" else f"runbooks/{PLAIN_HOMES[BY_NAME[alert].home]}/{alert}.md"


def _value(v: object) -> str:
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, (int, float)):
        return repr(v)
    if isinstance(v, str):
        return toml_string(v)
    if isinstance(v, Sequence):
        return "[" + ", ".join(_value(x) for x in v) + "]"
    raise TypeError(f"no TOML for {type(v).__name__}")


def _table(name: str, fields: Mapping[str, object]) -> list[str]:
    return ["", name, *(f"{k} = {_value(v)}" for k, v in fields.items())]


def observable(t: Truth) -> dict[str, str]:
    """Where issuer and BIN can be seen in this world."""
    return {
        "issuer": t.shop.tier,
        "bin": "nowhere" if t.shop.tier == "nowhere" else "logs",
        "scheme": "metrics",
        "acquirer": "metrics",
        "region": "metrics",
    }


def hidden(t: Truth) -> bool:
    """Whether the entity at fault cannot be named by anyone who sees only this world."""
    s = t.scenario
    return s.unobservable or (s.entity_kind in {"issuer", "bin"} and observable(t)[s.entity_kind] == "nowhere")


def effects(t: Truth) -> list[dict[str, object]]:
    """For every fault that changes outcomes: the stated share, and the share it hit of what it could hit."""
    out: list[dict[str, object]] = []
    for k, f in enumerate(t.scenario.faults):
        row: dict[str, object] = {
            "mechanism": f.mechanism,
            "component": f.component,
            "from": round(t.onset + f.delay, 1),
        }
        if f.mechanism in {"error", "drop", "expire", "miscode", "rule"} and f.component in STAGE and f.share:
            reached, hit = _reached(t, k)
            row |= {"stated": f.share, "reached": int(reached.sum()), "hit": int((reached & hit).sum())}
        out.append(row)
    return out


def _reached(t: Truth, k: int) -> tuple[Bools, Bools]:
    """(attempts that a fault at full strength could hit, attempts that it hit)."""
    f, a, o = t.scenario.faults[k], t.attempts, t.outcome
    reached = (
        in_scope(f, a, t.shop) & (f.strength(a.t, t.onset) >= 1) & (a.t <= t.now) & (o.stage >= STAGE[f.component])
    )
    if f.mechanism == "miscode":
        return reached & (o.healthy == C[f.from_]) & ((o.fault < 0) | (o.fault == k)), o.reported == C[str(f.to)]
    if STAGE[f.component] == STAGE["threeds"]:
        return reached & (o.threeds >= 0), (o.threeds == RESULTS.index("N" if f.code == "T1" else "U"))
    if f.component == "risk" and f.mechanism != "rule":
        return reached, o.fallback
    if f.mechanism == "rule":
        return reached, o.rule
    return reached, o.fault == k


def answers_text(t: Truth) -> str:
    """The answers as TOML; see README.md for what each field means."""
    s, b = t.scenario, t.board
    blind = hidden(t)
    guilty = [c.id for c in t.changes if c.guilty]
    small = {x.alert for x in t.noise} - set(s.alerts)
    own = sorted({a.rule.alert for a in b.firing if a.since >= t.onset - 1 and a.rule.alert not in small})
    noise = sorted({a.rule.alert for a in b.firing} - set(own))
    names = [str(t.scenario.bound[k]) for k in ("issuer", "bin") if k in t.scenario.bound] if blind else []
    head: dict[str, object] = {
        "format": 1,
        "world": t.shop.world,
        "kind": s.kind,
        "title": s.title,
        "seed": t.seed,
        "verdict": "inconclusive" if blind and s.verdict == "cause" else s.verdict,
        "entity_kind": s.entity_kind,
        "entity": s.entity,
        "hidden": blind,
        "accept": list(s.coarser),
        "mechanisms": [f.mechanism for f in s.faults],
        "change": guilty[0] if guilty else "none",
        "innocent_changes": [c.id for c in t.changes if not c.guilty],
        "onset": t.onset if s.faults else "none",
        "onset_from": t.span[0] if s.faults else "none",
        "onset_until": t.span[1] if s.faults else "none",
        "runbook": runbook_path(s.runbook),
        "alerts": own,
        "noise_alerts": noise,
        "tier": t.shop.tier,
        "topology": t.shop.topology,
        "naming": t.shop.naming.name,
        "must_say": [x for x in s.must_say if not any(n in x for n in names)],
        "must_not_say": [*s.must_not_say, *(["confirmed"] if blind else [])],
    }
    lines = [f"{k} = {_value(v)}" for k, v in head.items()]
    ends = [t.onset + f.delay + f.lasts for f in s.faults if f.lasts > 0]
    if ends and max(ends) <= t.now:
        lines.append(f"ended = {max(ends)!r}")
    lines += _table("[observable]", observable(t))
    cost = impact(t.shop, t.attempts, t.outcome, t.now)
    amounts = cost.pop("lost_amount_minor")
    lines += _table("[impact]", cost)
    assert isinstance(amounts, Mapping)
    lines += _table("[impact.lost_amount_minor]", amounts)
    for kind, name in s.also:
        lines += _table("[[also]]", {"entity_kind": kind, "entity": name})
    for row in effects(t):
        lines += _table("[[effects]]", row)
    for p in t.planter.planted:
        lines += _table("[[planted]]", {"class": p.kind, "form": p.form, "value": p.value, "written": p.written})
    return "\n".join(lines) + "\n"
