"""How a shop names what it measures. The lab thinks in roles; each shop has its own words for them.

A naming is a TOML file under `namings/`: `prefix`-free metric names by role, label names by role, the unit of durations
(`seconds` or `milliseconds`), and how an authorisation's outcome is told (`outcome`):

* ``code``    one counter, a label holds the response code (`response_code="00"`)
* ``result``  one counter, `result="approved" | "declined" | "error"` and a label holds the reason in words
* ``split``   three counters: attempts, approved, declined with the code

The file `namings/plain.toml` has every role: what another naming does not say is taken from there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from assistant.errors import UsageError
from evals.lab.promql import Aggregate, Binary, Expr, Number, Quantile, Rate, Select

FOLDER = Path(__file__).parent / "namings"
APPROVED = "00"
# Reasons in words, as gateways commonly give them for ISO 8583 field 39 (1987) and scheme-specific codes.
REASONS = {
    "00": "approved",
    "05": "do_not_honor",
    "14": "invalid_card_number",
    "51": "insufficient_funds",
    "54": "expired_card",
    "59": "suspected_fraud",
    "61": "limit_exceeded",
    "65": "authentication_required",
    "57": "not_permitted",
    "91": "issuer_unavailable",
    "96": "system_malfunction",
    "68": "late_response",
    "63": "security_violation",
    "30": "format_error",
    "R1": "risk_declined",
    "T1": "threeds_failed",
    "G1": "gateway_error",
    "82": "cvv_mismatch",
    "12": "invalid_transaction",
    "88": "cryptographic_failure",
    "V1": "tokenisation_failed",
    "Q1": "rate_limited",
}
ERROR_CODES = frozenset({"91", "96", "68", "30", "G1", "88", "V1", "Q1"})


@dataclass(frozen=True, slots=True)
class Naming:
    """Names by role. `metrics` and `labels` map every role; `milliseconds` scales durations; see the module."""

    name: str
    metrics: Mapping[str, str]
    labels: Mapping[str, str]
    outcome: str
    milliseconds: bool

    def metric(self, role: str) -> str:
        """The name of a role; a histogram's parts are `<role>_bucket`, `_sum` and `_count`."""
        base = role.removesuffix("_bucket") if role.endswith("_bucket") else role
        return self.metrics[base] + role[len(base) :]

    def label(self, role: str) -> str:
        return self.labels.get(role, role)

    def labels_of(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Label roles to this shop's label names."""
        return {self.label(k): v for k, v in labels.items()}

    def outcome_labels(self, code: str) -> dict[str, str]:
        """Label roles that tell one response code on the attempts counter."""
        if self.outcome == "result":
            result = "approved" if code == APPROVED else "error" if code in ERROR_CODES else "declined"
            return {"result": result, "code": REASONS[code]}
        return {"code": code}

    def express(self, e: Expr) -> Expr:
        """An expression over roles, in this shop's names and units."""
        match e:
            case Select():
                return self._select(e)
            case Rate(of, seconds):
                return Rate(self._select(of), seconds)
            case Aggregate(how, by, of):
                return Aggregate(how, tuple(self.label(b) for b in by), self.express(of))
            case Quantile(q, of):
                return Quantile(q, self.express(of))
            case Number(value, duration):
                return Number(value * 1000, duration) if duration and self.milliseconds else e
            case Binary(op, left, right):
                return Binary(op, self.express(left), self.express(right))
            case _:
                return e

    def _select(self, s: Select) -> Select:
        codes = [m for m in s.match if m[0] == "code" and s.metric == "attempts"]
        rest = tuple((self.label(k), op, v) for k, op, v in s.match if (k, op, v) not in codes)
        metric = self.metric(s.metric)
        if not codes:
            return replace(s, metric=metric, match=rest)
        _, op, value = codes[0]
        if self.outcome == "split":
            if value == APPROVED:
                return replace(s, metric=self.metric("approved"), match=rest)
            return replace(s, metric=self.metric("declined"), match=((self.label("code"), op, value), *rest))
        if self.outcome == "result":
            if value == APPROVED:
                return replace(s, metric=metric, match=((self.label("result"), op, "approved"), *rest))
            words = "|".join(REASONS[c] for c in value.split("|"))
            return replace(s, metric=metric, match=((self.label("code"), op, words), *rest))
        return replace(s, metric=metric, match=((self.label("code"), op, value), *rest))


@cache
def load(name: str) -> Naming:
    """The naming called `name`. Raises UsageError that names the file and the field."""
    plain = tomllib.loads((FOLDER / "plain.toml").read_text())
    path = FOLDER / f"{name}.toml"
    if not path.exists():
        raise UsageError(f"no naming {name!r}", mend=f"there are: {', '.join(names())}")
    own = tomllib.loads(path.read_text())
    for table in ("metrics", "labels"):
        if unknown := sorted(set(own[table]) - set(plain[table])):
            raise UsageError(f"{path.name}: unknown {table} {', '.join(unknown)}", mend="use the roles of plain.toml")
    if own["outcome"] not in {"code", "result", "split"} or own["unit"] not in {"seconds", "milliseconds"}:
        raise UsageError(f"{path.name}: outcome or unit is unknown", mend="see evals/lab/naming.py")
    metrics, labels = {**plain["metrics"], **own["metrics"]}, {**plain["labels"], **own["labels"]}
    return Naming(name, metrics, labels, own["outcome"], own["unit"] == "milliseconds")


@cache
def names() -> tuple[str, ...]:
    """Names of all namings, sorted."""
    return tuple(sorted(p.stem for p in FOLDER.glob("*.toml")))
