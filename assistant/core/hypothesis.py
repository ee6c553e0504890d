"""A possible cause, weighed: what speaks for it, what against, and what would settle it."""

from __future__ import annotations

from dataclasses import dataclass
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
