"""Rules evaluated over a world's samples, and what Prometheus and Alertmanager would answer about them.

The life of an alert is Prometheus's (rules/alerting.go): pending from the first evaluation that returns its labels,
firing once that has lasted `for`, gone with the first evaluation that does not. Alertmanager shows what fires.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import numpy as np

from evals.lab.naming import Naming
from evals.lab.promql import Labels, Samples, evaluate, metrics_of, render
from evals.lab.rule_forms import Rule
from evals.lab.rulebook import RULES
from evals.lab.shop import Shop
from evals.lab.traffic import Floats

RUNBOOKS = "https://runbooks.example"
RESEND = 60.0  # Prometheus re-sends a firing alert after this many seconds, valid for four times the longer interval


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one rule. `since` activeAt, `fired` when it began to fire (NaN: pending), unix s."""

    rule: Rule
    labels: Mapping[str, str]
    since: float
    fired: float
    value: float


@dataclass(frozen=True, slots=True)
class Board:
    """The rules of a shop as evaluated at `at`; `live` holds what is pending or firing at the last moment."""

    at: Floats
    live: tuple[Alert, ...]
    first_fired: Mapping[str, tuple[tuple[float, Labels], ...]]  # alert name: (first moment it fired, labels)

    @property
    def firing(self) -> tuple[Alert, ...]:
        return tuple(a for a in self.live if not math.isnan(a.fired))


def applicable(rule: Rule, shop: Shop) -> bool:
    """Whether a shop has the labels that a rule aggregates by: no rule by issuer where no metric carries it."""
    return shop.tier == "metrics" or rule.alert != "IssuerDeclineSpike"


def board(shop: Shop, samples: Samples, at: Floats, *, only: Sequence[str] = (), after: float = -math.inf) -> Board:
    """Evaluate the shop's rules (or those named in `only`) at every moment of `at` (unix s).

    `first_fired` leaves out what was active before `after`.
    """
    live: list[Alert] = []
    first: dict[str, tuple[tuple[float, Labels], ...]] = {}
    for rule in RULES:
        if (only and rule.alert not in only) or not applicable(rule, shop):
            continue
        e = shop.naming.express(rule.expr)
        if not metrics_of(e) & set(samples.by_metric):
            continue
        vector = evaluate(e, samples, at)
        fired: list[tuple[float, Labels]] = []
        for labels, values in zip(vector.labels, vector.values, strict=True):
            on = ~np.isnan(values)
            if not on.any():
                continue
            began = (
                np.maximum.accumulate(np.where(~on, np.arange(len(on)), -1)) + 1
            )  # index where the present run began
            since = at[np.minimum(began, len(at) - 1)]
            firing = on & (at - since >= rule.hold)
            new = firing & (since >= after)
            if new.any():
                fired.append((float(at[np.argmax(new)]), labels))
            if on[-1]:
                start = int(began[-1])
                run = np.flatnonzero(firing[start:])
                when = float(at[start + int(run[0])]) if len(run) else math.nan
                live.append(Alert(rule, _labels(rule, shop, labels), float(at[start]), when, float(values[-1])))
        if fired:
            first[rule.alert] = tuple(sorted(fired))
    return Board(at, tuple(live), first)


def _labels(rule: Rule, shop: Shop, own: Labels) -> dict[str, str]:
    return dict(sorted({**dict(own), **rule_labels(rule, shop), "alertname": rule.alert}.items()))


def rule_labels(rule: Rule, shop: Shop) -> dict[str, str]:
    """The labels that the rule itself adds."""
    return {"severity": rule.severity, "team": rule.team}


def stamp(t: float) -> str:
    """RFC 3339 in UTC with milliseconds, as Alertmanager writes it."""
    return datetime.fromtimestamp(round(t, 3), tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def fingerprint(labels: Mapping[str, str]) -> str:
    """LabelSet.Fingerprint of prometheus/common: FNV-1a, 64 bits, over sorted names and values."""
    h = 14695981039346656037
    for name in sorted(labels):
        for byte in (*name.encode(), 255, *labels[name].encode(), 255):
            h = ((h ^ byte) * 1099511628211) & (2**64 - 1)
    return f"{h:016x}"


def humanize(v: float) -> str:
    """Prometheus's `humanize` (template/template.go)."""
    if v == 0 or math.isnan(v) or math.isinf(v):
        return f"{v:.4g}"
    prefixes, step = (("", "k", "M", "G"), 1000.0) if abs(v) >= 1 else (("", "m", "u", "n"), 0.001)
    i = 0
    if abs(v) >= 1:
        while abs(v) >= step and i + 1 < len(prefixes):
            v, i = v / step, i + 1
    else:
        while abs(v) < 1 and i + 1 < len(prefixes):
            v, i = v * 1000, i + 1
    return f"{v:.4g}{prefixes[i]}"


def template(rule: Rule, naming: Naming) -> str:
    """The summary annotation as Prometheus's template."""
    text = rule.says.replace("{value%}", "{{ $value | humanizePercentage }}").replace(
        "{value}", "{{ $value | humanize }}"
    )
    return re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda m: f"{{{{ $labels.{naming.label(m[1])} }}}}", text)


def summary(rule: Rule, naming: Naming, alert: Alert) -> str:
    """The summary annotation as Prometheus would fill it."""
    text = rule.says.replace("{value%}", f"{alert.value * 100:.4g}%").replace("{value}", humanize(alert.value))
    return re.sub(r"\{(\w+)\}", lambda m: alert.labels.get(naming.label(m[1]), ""), text)


def notes(rule: Rule, text: str) -> dict[str, str]:
    return {"runbook_url": f"{RUNBOOKS}/{rule.team}/{rule.alert}", "summary": text}


def rule_groups(shop: Shop) -> list[dict[str, Any]]:
    """The shop's rules as a rules file has them, one group a team."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for rule in RULES:
        if applicable(rule, shop):
            expr = render(shop.naming.express(rule.expr))
            one = {
                "alert": rule.alert,
                "expr": expr,
                "for": f"{rule.hold}s",
                "labels": rule_labels(rule, shop),
                "annotations": notes(rule, template(rule, shop.naming)),
            }
            groups.setdefault(rule.team, []).append(one)
    return [
        {"name": team, "interval": f"{shop.steps[1]:.0f}s", "rules": rules} for team, rules in sorted(groups.items())
    ]


def rules_document(shop: Shop, b: Board) -> dict[str, Any]:
    """What GET /api/v1/rules answers."""
    groups = []
    for group in rule_groups(shop):
        rules = [_rule_document(shop, b, r) for r in group["rules"]]
        groups.append(
            {
                "name": group["name"],
                "file": "/etc/prometheus/rules.yml",
                "rules": rules,
                "interval": shop.steps[1],
                "limit": 0,
                "evaluationTime": 0.004,
                "lastEvaluation": stamp(float(b.at[-1])),
            }
        )
    return {"status": "success", "data": {"groups": groups}}


def _rule_document(shop: Shop, b: Board, raw: Mapping[str, Any]) -> dict[str, Any]:
    mine = [a for a in b.live if a.rule.alert == raw["alert"]]
    state = "firing" if any(not math.isnan(a.fired) for a in mine) else "pending" if mine else "inactive"
    alerts = [
        {
            "labels": dict(a.labels),
            "annotations": notes(a.rule, summary(a.rule, shop.naming, a)),
            "state": "pending" if math.isnan(a.fired) else "firing",
            "activeAt": stamp(a.since),
            "value": f"{a.value:e}",
        }
        for a in mine
    ]
    return {
        "state": state,
        "name": raw["alert"],
        "query": raw["expr"],
        "duration": int(raw["for"][:-1]),
        "keepFiringFor": 0,
        "labels": raw["labels"],
        "annotations": raw["annotations"],
        "alerts": alerts,
        "health": "ok",
        "evaluationTime": 0.0004,
        "lastEvaluation": stamp(float(b.at[-1])),
        "type": "alerting",
    }


def alerts_document(shop: Shop, b: Board) -> list[dict[str, Any]]:
    """What GET /api/v2/alerts of Alertmanager answers: what fires, by fingerprint as it sorts them."""
    out = []
    last = float(b.at[-1])
    for a in b.firing:
        sent = a.fired + math.floor((last - a.fired) / RESEND) * RESEND
        query = quote_plus(render(shop.naming.express(a.rule.expr)))
        out.append(
            {
                "annotations": notes(a.rule, summary(a.rule, shop.naming, a)),
                "endsAt": stamp(sent + 4 * max(RESEND, shop.steps[1])),
                "fingerprint": fingerprint(a.labels),
                "receivers": [{"name": "assistant"}],
                "startsAt": stamp(a.fired),
                "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
                "updatedAt": stamp(sent + 0.004),
                "generatorURL": f"http://prometheus.example/graph?g0.expr={query}&g0.tab=1",
                "labels": dict(a.labels),
            }
        )
    return sorted(out, key=lambda x: str(x["fingerprint"]))
