"""The values that suspicion is gathered in: candidates, and the material that speaks for or against them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assistant.analysis import words as w
from assistant.analysis.dimensions import Explained
from assistant.analysis.kinds import Fault
from assistant.analysis.logs import Pattern
from assistant.analysis.ranking import Ranked, force
from assistant.analysis.signals import Signal
from assistant.core.evidence import EvidenceId
from assistant.core.finding import ChangeLink
from assistant.core.hypothesis import Reason
from assistant.core.observations import Observations

PARTNERS = ("issuer", "acquirer", "scheme", "bin", "peer", "merchant", "acs")
SCOPES = (
    *PARTNERS,
    "acs",
    "link",
    "region",
    "channel",
    "currency",
    "merchant_category",
    "version",
    "model",
    "queue",
    "stage",
    "rule",
)


@dataclass(slots=True)
class Candidate:
    """An entity under suspicion while evidence is added up. `kinds` votes for the sort of failure; `seen_by` are the
    kinds of evidence whose onset agrees; `fits` is how relevant the change is, 0..1."""

    entity: str
    dimension: str
    score: float = 0.0
    supports: list[Reason] = field(default_factory=list)
    against: list[Reason] = field(default_factory=list)
    kinds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    seen_by: set[str] = field(default_factory=set)
    change: str = ""
    fits: float = 0.0
    fault: Fault = "unknown"
    within: str = ""
    """The scope of loss it explains, for telling rivals from second faults."""

    def add(
        self,
        score: float,
        text: str,
        evidence: Iterable[EvidenceId],
        *,
        kind: str = "",
        vote: float = 1.0,
        by: str = "",
    ) -> None:
        self.score += score
        target = self.supports if score >= 0 else self.against
        if text and text not in {r.text for r in target}:
            target.append(Reason(text, tuple(dict.fromkeys(evidence))))
        if kind:
            self.kinds[kind] += vote
        if by:
            self.seen_by.add(by)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What hypotheses are made of."""

    seen: Observations
    onset: float | None
    explained: Sequence[Explained]
    signals: Sequence[Signal]
    ranked: Sequence[Ranked]
    patterns: Sequence[Pattern]
    links: Sequence[ChangeLink]
    volume: Signal | None = None
    values: frozenset[str] = frozenset()
    """Values that the failing lines and the loss are confined to (an issuer, a host, a link)."""
    symptoms: Mapping[str, float] = field(default_factory=dict)
    about: frozenset[EvidenceId] = frozenset()
    """Kinds of symptom as of `diffs.symptoms_of`; `about` is the evidence that the alerts' rules read."""

    def role_of(self, label: str) -> str:
        for role, mapped in self.seen.payments.labels.items():
            if mapped.label == label:
                return role
        return next((r for r, (strong, _) in w.LABEL_WORDS.items() if label.lower() in strong), label)

    def telling(self, signal: Signal) -> float:
        """The force of a signal, more for what the alerts are about."""
        return force(signal) * (1.35 if signal.evidence in self.about else 1.0)

    def near(self, t: float | None, seconds: float = 180.0) -> bool:
        return self.onset is not None and t is not None and abs(t - self.onset) <= seconds


Of = Callable[[str, str], Candidate]


def loss_owner(e: Explained, m: Material) -> tuple[str, str]:
    """(entity, dimension) of a confined loss. An issuer that fails over one acquirer only is not the issuer's fault."""
    roles = {m.role_of(k): v for k, v in e.labels.items()}
    if "acquirer" in roles and "issuer" in roles:
        return roles["acquirer"], "acquirer"
    for role in (
        "bin",
        "issuer",
        "acquirer",
        "version",
        "merchant",
        "scheme",
        "channel",
        "region",
        "currency",
        "merchant_category",
    ):
        if role in roles:
            return roles[role], role
    label, value = next(iter(e.labels.items()))
    return value, label
