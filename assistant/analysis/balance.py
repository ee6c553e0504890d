"""Whose failures account for the loss.

Payments that an outside party fails before they are sent on (an authentication, a look-up) are lost in every scope
that payments are counted by, in none of them alone. The party's own count tells: where as many more of its answers
fail as approvals are missing, it is what the loss comes from, and the scope that holds most of it is where its
customers are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.analysis.candidates import PARTNERS, Material, Of, loss_owner
from assistant.analysis.dimensions import Explained
from assistant.analysis.named import COARSE
from assistant.core.evidence import EvidenceId

CUSTOMERS = frozenset({"issuer", "bin"})
"""Whose cards an outside party looks after: several of them lose where it fails."""
WHOLE = 0.85
"""Of the loss: what is confined to a scope as far as this needs no other account."""
FROM, TO = 0.6, 2.0
"""Failures for each approval that is missing: fewer do not account for the loss, more come of something else too."""
SHORTEST = 60.0


@dataclass(frozen=True, slots=True)
class Account:
    """A party of a role whose failures rose by `failures` per second, while `lost` approvals per second are missing."""

    value: str
    role: str
    evidence: EvidenceId
    failures: float
    lost: float

    @property
    def text(self) -> str:
        return (
            f"{self.failures:.2g} more of the answers of {self.role}={self.value} fail per s, and {self.lost:.2g} "
            "approvals per s are missing"
        )


def accounts_of(m: Material, confined: Sequence[Explained]) -> list[Account]:
    """Parties whose failures account for a loss that no party of the payments holds; the best account first."""
    if not confined or not _spread(confined[0], m) or m.onset is None:
        return []
    seconds = max(m.seen.incident.window.end - m.onset, SHORTEST)
    lost = confined[0].lost / max(confined[0].share, 0.05) / seconds
    told: dict[tuple[EvidenceId, str, str], float] = defaultdict(float)
    for s in m.signals:
        if s.moved and s.now_bad and s.bad == 1 and s.unit == "per s" and m.near(s.onset, 300.0):
            for label, value in s.labels.items():
                if (role := m.role_of(label)) in PARTNERS and value:
                    told[(s.evidence, role, value)] += max(s.seen - s.usual, 0.0)
    found = [
        Account(value, role, evidence, failures, lost)
        for (evidence, role, value), failures in told.items()
        if FROM * lost <= failures <= TO * lost and _alone(told, evidence, role, value)
    ]
    return sorted(found, key=lambda a: (abs(a.failures - a.lost), a.value))


def _spread(e: Explained, m: Material) -> bool:
    """Whether a loss is of no single party: in a coarse scope, or in a part of it only."""
    dimension = loss_owner(e, m)[1]
    return dimension in COARSE or (dimension in CUSTOMERS and e.share < WHOLE)


def _alone(told: dict[tuple[EvidenceId, str, str], float], evidence: EvidenceId, role: str, value: str) -> bool:
    """Whether hardly any other value of the same label fails more than usual."""
    others = sum(f for (e, r, v), f in told.items() if e == evidence and r == role and v != value)
    return others <= (1.0 - WHOLE) * told[(evidence, role, value)]


def from_accounts(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    """The party that accounts for the loss takes what the scopes that hold parts of it were accused of."""
    for a in accounts_of(m, confined)[:1]:
        c = of(a.value, a.role)
        c.add(1.5, a.text, [a.evidence], by="metric")
        if c.fault == "unknown":
            c.fault = "theirs"
        for owner in sorted({loss_owner(e, m) for e in confined if _spread(e, m)} - {(a.value, a.role)}):
            of(*owner).add(-0.9, a.text, [a.evidence])
