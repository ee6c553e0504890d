"""What an alert rule is, and the few forms that the lab's rules have, over roles.

`home` is the role whose runbooks folder holds the alert's page (runbooks/<service>/<Alert>.md in the plain topology).
Thresholds are those that a healthy day stays under in every shop; `tests/lab` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from evals.lab.promql import Aggregate, Binary, Expr, Now, Number, Quantile, Rate, Select

Match = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule. `hold` is its `for` in seconds; `expr` over roles; `says` a summary template of Prometheus."""

    alert: str
    home: str
    severity: str
    hold: int
    expr: Expr
    says: str
    team: str = "platform"


def rate(metric: str, *match: Match, by: tuple[str, ...] = (), seconds: int = 300) -> Expr:
    return Aggregate("sum", by, Rate(Select(metric, match), seconds))


def ratio(top: Expr, bottom: Expr) -> Expr:
    return Binary("/", top, bottom)


def over(e: Expr, limit: float, *, duration: bool = False) -> Expr:
    return Binary(">", e, Number(limit, duration))


def under(e: Expr, limit: float) -> Expr:
    return Binary("<", e, Number(limit))


def busy(e: Expr, metric: str, by: tuple[str, ...], floor: float) -> Expr:
    return Binary("and", e, over(rate(metric, by=by), floor))


def declines(*by: str) -> Expr:
    approved = rate("attempts", ("code", "=", "00"), by=by)
    return Binary("-", Number(1), ratio(approved, rate("attempts", by=by)))


def share(metric: str, match: Match, *by: str) -> Expr:
    return ratio(rate(metric, match, by=by), rate(metric, by=by))


def codes(codes: str, *by: str) -> Expr:
    op = "=~" if "|" in codes else "="
    return ratio(rate("attempts", ("code", op, codes), by=by), rate("attempts", by=by))


def age(metric: str, *by: str) -> Expr:
    return Binary("-", Now(), Aggregate("max", by, Select(metric)))


def p95(metric: str, *by: str) -> Expr:
    return Quantile(0.95, rate(f"{metric}_bucket", by=("le", *by)))


def peak(metric: str, *by: str) -> Expr:
    return Aggregate("max", by, Select(metric))
