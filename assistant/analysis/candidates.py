"""The values that suspicion is gathered in: candidates, and the material that speaks for or against them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assistant.analysis import words as w
from assistant.analysis.dimensions import Explained
from assistant.analysis.kinds import Fault
from assistant.analysis.logs import Pattern
from assistant.analysis.onset import consensus
from assistant.analysis.ranking import STAYS_AWAY, Ranked, force, stays_away
from assistant.analysis.signals import Signal, selected
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


TALLY = 0.5
"""What a count of whole payments says of the service that keeps it."""
ASKED = 1.5
"""How much more a measure says that the alert itself fired for."""


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
    apart: bool = False
    """Whether the loss is confined to, or the failing lines name, something that it does not serve alone."""
    began: float | None = None
    """When the first of what speaks for it moved, Unix seconds."""

    def add(
        self,
        score: float,
        text: str,
        evidence: Iterable[EvidenceId],
        *,
        kind: str = "",
        vote: float = 1.0,
        by: str = "",
        at: float | None = None,
    ) -> None:
        self.score += score
        if at is not None:
            self.began = at if self.began is None else min(self.began, at)
        target = self.supports if score >= 0 else self.against
        if text and text not in {r.text for r in target}:
            target.append(Reason(text, tuple(dict.fromkeys(evidence))))
        if kind:
            self.kinds[kind] += vote
        if by:
            self.seen_by.add(by)

    def take(self, other: Candidate) -> None:
        """What speaks for `other`, the same entity under another name, speaks for this one; the less of both scores
        counts half."""
        self.score = max(self.score, other.score) + 0.5 * min(self.score, other.score)
        self.supports += [r for r in other.supports if r.text not in {x.text for x in self.supports}]
        self.against += [r for r in other.against if r.text not in {x.text for x in self.against}]
        for kind, vote in other.kinds.items():
            self.kinds[kind] += vote
        self.seen_by |= other.seen_by
        began = [t for t in (self.began, other.began) if t is not None]
        self.began = min(began, default=None)


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
    """Kinds of symptom as of `diffs.symptoms_of`."""
    watching: frozenset[int] = frozenset()
    """Identities of signals that are no more than their own warning (`watches.watched`)."""
    asked: frozenset[int] = frozenset()
    """Identities of the signals that the gravest alerts fired for (`rules.asked_by`)."""
    tallies: frozenset[EvidenceId] = frozenset()
    """Evidence that counts whole payments: whoever counts them counts what others failed."""

    def role_of(self, label: str) -> str:
        for role, mapped in self.seen.payments.labels.items():
            if mapped.label == label:
                return role
        return next((r for r, (strong, _) in w.LABEL_WORDS.items() if label.lower() in strong), label)

    def telling(self, signal: Signal) -> float:
        """The force of a signal: most for what the gravest alerts fired for, least for what has healed while that goes
        on."""
        if signal.evidence in self.tallies and signal.entity:
            return TALLY * force(signal)
        if id(signal) in self.asked:
            plain = 0.5 * min(signal.score, 20.0) / 20.0 + 0.5 * signal.weight
            return max(force(signal), STAYS_AWAY * plain if stays_away(signal) else plain) * ASKED
        if id(signal) in self.watching:
            return 0.4 * force(signal)
        healed = not signal.now_bad and any(id(s) in self.asked and s.now_bad for s in self.signals)
        return force(signal) * (0.5 if healed else 1.0)

    def first_asked(self) -> float | None:
        """When most of what the gravest alerts fired for moved; None where none of it is measured."""
        rows = [(float(s.onset), force(s)) for s in self.signals if id(s) in self.asked and s.onset is not None]
        found = consensus(np.array([t for t, _ in rows]), np.array([f for _, f in rows])) if rows else None
        return found.at if found is not None else None

    def near(self, t: float | None, seconds: float = 180.0) -> bool:
        return self.onset is not None and t is not None and abs(t - self.onset) <= seconds


def tallies_of(seen: Observations) -> frozenset[EvidenceId]:
    """Evidence that reads the counters of payments themselves."""
    counters = {mapped.name for mapped in seen.payments.metrics.values()}
    names = counters | {f"{name}_total" for name in counters}
    return frozenset(e.id for e in seen.metrics if selected(e.query) in names)


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
