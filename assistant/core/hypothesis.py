"""A possible cause, weighed: what speaks for it, what against, and what would settle it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from assistant.core.evidence import EvidenceId

Verdict = Literal["confirmed", "likely", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence for or against, and the evidence that carries it."""

    text: str
    evidence: tuple[EvidenceId, ...]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """`entity` is what failed (a service, an issuer, a scheme, an acquirer, a link), with its label in `dimension`
    ("issuer", "service", …); `kind` the sort of failure in words of `analysis.payments.KINDS`; `cause` one sentence.
    `change` is the id of the change behind it or "" for none; `fault` says whose it is. `confidence` is 0..1 and
    calibrated by `payops eval run lab`; `verdict` is decided by code before any prose and cannot be raised by a model.
    """

    entity: str
    dimension: str
    kind: str
    cause: str
    verdict: Verdict
    confidence: float
    supports: tuple[Reason, ...] = ()
    against: tuple[Reason, ...] = ()
    change: str = ""
    fault: Literal["ours", "theirs", "unknown"] = "unknown"
    would_settle: str = ""


_LOWER: Mapping[Verdict, Verdict] = {
    "confirmed": "likely",
    "likely": "inconclusive",
    "inconclusive": "inconclusive",
}


def argued_down(hypotheses: tuple[Hypothesis, ...], reason: str) -> tuple[Hypothesis, ...]:
    """The leading verdict one step lower where a draft gave a reason that passed the checks: a model can argue a
    verdict down, never up. The reason stands among what speaks against."""
    if not reason or not hypotheses:
        return hypotheses
    first = hypotheses[0]
    against = (*first.against, Reason(reason, ()))
    return (replace(first, verdict=_LOWER[first.verdict], against=against), *hypotheses[1:])


RIVAL_SHARE = 0.75
"""Of the leading confidence: one that is as near is not told apart from it by the evidence."""


def rivals(hypotheses: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
    """The leading hypothesis and the next one, where the evidence does not tell them apart: they share a verdict that
    is not strong, and the second is nearly as likely. Empty otherwise; two that are confirmed are two faults at once.
    """
    if len(hypotheses) < 2:
        return ()
    first, second = hypotheses[:2]
    near = second.confidence >= RIVAL_SHARE * first.confidence
    return (first, second) if first.verdict == second.verdict != "confirmed" and near else ()
