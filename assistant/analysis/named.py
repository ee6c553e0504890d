"""Whom the failing lines name.

Where no metric carries an issuer or a BIN, the lines that failing payments leave behind still do. A partner that nearly
all new complaints name is a likelier culprit than the service that writes them, and than the coarser thing (a scheme,
a region) that the metrics show the loss in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.analysis.candidates import Material, Of, loss_owner
from assistant.analysis.dimensions import Explained, families
from assistant.analysis.kinds import COMPLAINT_KINDS, loss_kind, partner_kind
from assistant.analysis.logs import Pattern, field_role
from assistant.core.evidence import EvidenceId

ROLES = ("issuer", "acquirer", "bin")
COARSE = frozenset({"scheme", "region", "currency", "channel", "merchant_category", "merchant"})
SHARE = 0.85
"""Of the failing lines: what fewer name is no common trait."""
ONLY = 0.95
LINES = 10.0


@dataclass(frozen=True, slots=True)
class Named:
    """A partner that `share` of `lines` failing lines name, in which patterns, written by which services."""

    value: str
    role: str
    lines: float
    share: float
    patterns: tuple[Pattern, ...]

    @property
    def strength(self) -> float:
        return min(self.lines / 30.0, 1.0) * self.share

    @property
    def text(self) -> str:
        return f"{100 * self.share:.0f} % of {self.lines:.0f} failing lines name {self.role}={self.value}"


def named_in(m: Material) -> list[Named]:
    """Partners that the failing lines agree on, by role; a BIN only where no issuer is named."""
    failing = [p for p in m.patterns if p.severity and p.count >= 3 and m.near(p.onset, 300.0)]
    counted: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    whole: dict[str, float] = defaultdict(float)
    telling: dict[str, list[Pattern]] = defaultdict(list)
    for p in failing:
        for name, values in p.fields.items():
            role = field_role(name, tuple(values))
            if role in ROLES:
                whole[role] += p.count
                telling[role].append(p)
                for value, share in values.items():
                    counted[role][value] += p.count * share
    found: list[Named] = []
    for role in ROLES:
        if whole[role] < LINES:
            continue
        value = max(counted[role], key=lambda v: counted[role][v])
        share = min(counted[role][value] / whole[role], 1.0)
        if share >= SHARE and not (role == "bin" and any(n.role == "issuer" for n in found)):
            found.append(Named(value, role, whole[role], share, tuple(telling[role])))
    # An issuer over one acquirer only: either may be it, the lines alone cannot tell.
    return found


def _over_one(n: Named, owner: tuple[str, str]) -> bool:
    """Whether the lines that name an issuer all name the acquirer that the loss is confined to as well."""
    if owner[1] != "acquirer":
        return False
    naming = [p.count for p in n.patterns if any(v.get(owner[0], 0.0) >= ONLY for v in p.fields.values())]
    return sum(naming) >= ONLY * n.lines


def from_named(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    """The named partner takes what the coarser scope and the writing service were accused of."""
    found = named_in(m)
    finer = [n for n in found if n.role in {"issuer", "bin"}] or found
    if confined and any(n.role == "issuer" and _over_one(n, loss_owner(confined[0], m)) for n in found):
        return  # an issuer over one acquirer only, as metrics and lines agree: the lines cannot tell whose it is
    for n in finer:
        evidence = tuple(dict.fromkeys(EvidenceId(p.evidence) for p in n.patterns))
        first = min(p.onset for p in n.patterns)
        complaint = COMPLAINT_KINDS.get(max(n.patterns, key=lambda p: p.score).kind, "")
        owner = loss_owner(confined[0], m) if confined else ("", "")
        c = of(n.value, n.role)
        if owner == (n.value, n.role):
            continue
        coarse = bool(confined) and owner[1] in COARSE
        share = confined[0].share if coarse else 0.0
        codes = families(confined[0].codes) if coarse else {}
        kind = loss_kind(n.role, codes)[0] if coarse else partner_kind(n.role, complaint)
        weight = (0.7 + 1.3 * share) * n.strength
        c.add(weight, n.text, evidence, kind=kind, vote=n.strength, by="log", at=first)
        if c.fault == "unknown":
            c.fault = "theirs"
        if coarse:
            of(*owner).add(-0.9 * n.strength, n.text, evidence)
        for service in {p.service for p in n.patterns if p.service}:
            writer = of(service, "service")
            writer.add(-0.8 * n.strength, n.text, evidence)
            writer.apart = True
