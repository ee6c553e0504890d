"""Suspects: every entity that some evidence speaks for, with that evidence added up.

Entities are services of ours, partners (issuer, acquirer, scheme, …) and other label values a fault is confined to. A
confined loss of approvals speaks for the partner it is confined to; moved signals for their service, less if something
it calls moved as well; log patterns for who writes them and who is named in them; a change near the onset for its
service, and more if it touches exactly what the loss is confined to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from assistant.analysis import words as w
from assistant.analysis.dimensions import Explained, families
from assistant.analysis.kinds import (
    COMPLAINT_KINDS,
    Fault,
    change_kind,
    loss_kind,
    partner_kind,
    scoped_kind,
    signal_kind,
    words_kind,
)
from assistant.analysis.logs import Pattern, field_role
from assistant.analysis.ranking import Ranked, force
from assistant.analysis.say import codes_line, explained_line, pattern_line, scope, signal_line
from assistant.analysis.signals import Signal
from assistant.core.evidence import Change, EvidenceId
from assistant.core.finding import ChangeLink
from assistant.core.hypothesis import Reason
from assistant.core.observations import Observations
from assistant.core.time import clock

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
    kinds of evidence whose onset agrees."""

    entity: str
    dimension: str
    score: float = 0.0
    supports: list[Reason] = field(default_factory=list)
    against: list[Reason] = field(default_factory=list)
    kinds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    seen_by: set[str] = field(default_factory=set)
    change: str = ""
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

    def role_of(self, label: str) -> str:
        for role, mapped in self.seen.payments.labels.items():
            if mapped.label == label:
                return role
        return next((r for r, (strong, _) in w.LABEL_WORDS.items() if label.lower() in strong), label)

    def near(self, t: float | None, seconds: float = 180.0) -> bool:
        return self.onset is not None and t is not None and abs(t - self.onset) <= seconds


Of = Callable[[str, str], Candidate]


def gather(m: Material) -> dict[tuple[str, str], Candidate]:
    """Every entity that something speaks for, with what was added up."""
    found: dict[tuple[str, str], Candidate] = {}

    def of(entity: str, dimension: str) -> Candidate:
        return found.setdefault((entity, dimension), Candidate(entity, dimension))

    confined = _from_losses(m, of)
    _from_scoped_signals(m, of)
    _from_services(m, of, confined)
    _from_volume(m, of)
    _from_logs(m, of)
    _from_alerts(m, of)
    _from_changes(m, of, confined)
    return found


def _loss_owner(e: Explained, m: Material) -> tuple[str, str]:
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


def _from_losses(m: Material, of: Of) -> list[Explained]:
    """Losses that are confined to some label values speak for the partner there."""
    confined = []
    for e in m.explained:
        shares = families(e.codes)
        if not e.labels or e.weight > 0.85:
            continue
        entity, dimension = _loss_owner(e, m)
        confined.append(e)
        c: Candidate = of(entity, dimension)
        kind, fault = loss_kind(dimension, shares, m.volume)
        sure = min(e.llr / 60.0, 1.0)
        c.add((1.0 + 1.4 * e.share) * sure, explained_line(e), [e.evidence], kind=kind, vote=1.5, by="metric")
        c.within = scope(e.labels)
        c.fault = fault
        if line := codes_line(e):
            c.add(0.2 * sure, line, [e.evidence])
        if len(e.labels) > 1:
            c.add(
                0.0, f"the loss is confined to {scope(e.labels)}; the same values elsewhere are as usual", [e.evidence]
            )
    return confined


def _from_scoped_signals(m: Material, of: Of) -> None:
    """Signals that moved for one value of a label and not for its siblings speak for that value."""
    for group in _scoped(m):
        role, value, rows = group
        c: Candidate = of(value, role)
        best = max(rows, key=force)
        agreeing = m.near(best.onset, 240.0)
        c.add(
            1.1 * force(best),
            signal_line(best),
            [best.evidence],
            kind=scoped_kind(role, best),
            vote=force(best),
            by="metric" if agreeing else "",
        )
        if c.fault == "unknown" and role in PARTNERS:
            c.fault = "theirs"


def _scoped(m: Material) -> list[tuple[str, str, list[Signal]]]:
    by_evidence: dict[tuple[str, str, str], list[Signal]] = defaultdict(list)
    for s in m.signals:
        if sum(m.role_of(label) in SCOPES for label in s.labels) > 2:
            continue  # a cube of its own: `dimensions` reads those
        for label in s.labels:
            role = m.role_of(label)
            if role in SCOPES:
                by_evidence[(s.evidence, s.role, label)].append(s)
    found = []
    for (_, _, label), rows in by_evidence.items():
        values = {s.labels[label] for s in rows}
        moved: dict[str, list[Signal]] = defaultdict(list)
        for s in rows:
            if s.moved and force(s) >= 0.25:
                moved[s.labels[label]].append(s)
        if moved and len(values) > 1 and len(moved) <= max(1, len(values) // 3):
            found += [(m.role_of(label), value, hits) for value, hits in moved.items()]
    return found


def _from_services(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    """Services whose own signals moved; partners' victims and callers of failing services count less."""
    scoped = {id(s) for _, _, rows in _scoped(m) for s in rows}
    narrow = sum(e.share for e in confined)
    for place, r in enumerate(m.ranked):
        own = [s for s in r.signals if id(s) not in scoped]
        if not own:
            continue
        c: Candidate = of(r.service, "service")
        best = max(own, key=force)
        for s in own[:3]:
            agreeing = m.near(s.onset, 240.0)
            c.add(
                0.9 * force(s) * 0.6 ** own.index(s),
                signal_line(s),
                [s.evidence],
                kind=signal_kind(s),
                vote=force(s),
                by="metric" if agreeing else "",
            )
        if r.victim_of:
            c.add(-0.9, f"it calls {', '.join(r.victim_of[:3])}, which moved no later", [best.evidence])
        elif r.victims:
            c.add(0.35, f"{', '.join(r.victims[:3])} call it and moved as well", [best.evidence])
        elif m.seen.topology.callees(r.service):
            c.add(0.15, "what it calls is as usual", [best.evidence])
        if place == 0:
            c.score += 0.2
        if narrow > 0.5:
            c.add(
                -0.8,
                f"the loss is confined to {scope(confined[0].labels)}, which it does not serve alone",
                [confined[0].evidence],
            )
        if c.fault == "unknown":
            c.fault = "ours"


def _from_volume(m: Material, of: Of) -> None:
    v = m.volume
    if v is None or not v.moved or v.weight < 0.25:
        return
    up = v.direction > 0
    first = next((s for s in m.seen.topology.services if not m.seen.topology.callers(s)), "") or "traffic"
    c: Candidate = of(first, "service" if first != "traffic" else "traffic")
    losing = any(e.lost > 0 for e in m.explained)
    c.add(
        0.5 if losing else 1.2,
        signal_line(v),
        [v.evidence],
        kind="traffic_surge" if up else "traffic_drop",
        vote=0.6 if losing else 2.0,
        by="metric",
    )


def _from_logs(m: Material, of: Of) -> None:
    """New and surging complaints speak for the service that writes them, and for the partner they name."""
    services = {r.service: r for r in m.ranked}
    strong = [p for p in m.patterns if p.severity or p.kind][:12]
    top = strong[0].score if strong else 1.0
    for p in strong:
        weight = min(p.score / max(top, 25.0), 1.0)
        agreeing = m.near(p.onset, 240.0)
        kind = COMPLAINT_KINDS.get(p.kind, "")
        named = _named(p, m)
        for value, (role, share) in named.items():
            c: Candidate = of(value, role)
            c.add(
                0.5 * weight * share if c.score else 0.35 * weight * share,
                pattern_line(p),
                [p.evidence],
                kind=partner_kind(role, kind),
                vote=0.4 * weight,
                by="log" if agreeing else "",
            )
        if p.service:
            c = of(p.service, "service")
            shared = 0.5 if named else 1.0
            c.add(
                0.8 * weight * shared,
                pattern_line(p),
                [p.evidence],
                kind=kind,
                vote=0.9 * weight,
                by="log" if agreeing else "",
            )
            if p.service not in services and not m.ranked:
                c.score += 0.1
            if c.fault == "unknown":
                c.fault = "ours"


def _from_alerts(m: Material, of: Of) -> None:
    """What the alerts fired for: a label value speaks for itself where no sibling fired. A rule's own fixed labels name
    an owner and not a fault."""
    fixed = {r.name: r.labels for r in m.seen.incident.rules}
    values: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, alert in enumerate(m.seen.incident.alerts):
        for label, value in alert.labels.items():
            if label not in {"alertname", "severity", "team"} and label not in fixed.get(alert.name, {}):
                values[(alert.name, label)][value].append(i)
    for (name, label), seen in values.items():
        role = m.role_of(label)
        if len(seen) > 1 or role not in {*SCOPES, "service"}:
            continue
        value, rows = next(iter(seen.items()))
        alert = m.seen.incident.alerts[rows[0]]
        if alert.severity.lower() in {"info", "low"}:
            continue
        c = of(value, role)
        weight = {"service": 0.45, "region": 0.25, "scheme": 0.3, "currency": 0.1}.get(role, 0.5)
        rule = next((r for r in m.seen.incident.rules if r.name == name), None)
        kind = words_kind(f"{name} {rule.expr if rule else ''}")
        c.add(
            weight,
            f"{name} fired for {label}={value} and for no other",
            [EvidenceId(f"A{rows[0] + 1}")],
            kind=kind,
            vote=0.4,
        )


def _named(p: Pattern, m: Material) -> dict[str, tuple[str, float]]:
    """Partners that most lines of a pattern name, with the share of lines: value -> (role, share)."""
    found: dict[str, tuple[str, float]] = {}
    for name, values in p.fields.items():
        role = field_role(name, tuple(values))
        top, share = next(iter(values.items()))
        if role in PARTNERS and share >= 0.8 and top and p.count >= 3:
            found[top] = (role, share)
    services = set(m.seen.topology.services)
    return {v: r for v, r in found.items() if v not in services}


def _from_changes(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    changes = {c.id: c for c in m.seen.changes}
    for link in m.links[:6]:
        change = changes.get(link.change_id)
        if change is None or link.score < 0.3:
            continue
        c = of(link.service, "service")
        touched = _touches(change, m, confined)
        narrow = bool(confined) and not touched
        weight = 1.5 * link.score * (0.35 if narrow else 1.0) * (1.0 if c.score > 0.2 or touched else 0.5)
        told = weight > 0.6
        by = "change" if told and not narrow else ""
        c.add(
            weight,
            _change_text(change, link),
            [link.evidence],
            kind=change_kind(change),
            vote=1.2 * link.score if told else 0.2,
            by=by,
        )
        if told and not c.change:
            c.change, c.fault = change.id, "ours"
        if touched and confined and told:
            # It speaks of exactly what the loss is confined to: the route is ours, the partner there a bystander.
            e = confined[0]
            c.add(1.2 * e.share + 0.8, explained_line(e), [e.evidence], by="metric")
            c.within = scope(e.labels)
            partner = of(*_loss_owner(e, m))
            partner.add(
                -1.0, f"{change.kind} {change.id} of {change.service} touches {', '.join(touched[:3])}", [link.evidence]
            )
        for reason in link.against:
            c.add(-0.05, reason, [link.evidence])


def _change_text(change: Change, link: ChangeLink) -> str:
    reasons = "; ".join(link.reasons)
    return f"{change.kind} {change.id} of {change.service} at {clock(change.t)} ({change.title}): {reasons}"


def _touches(change: Change, m: Material, confined: Sequence[Explained]) -> tuple[str, ...]:
    """Values of the failing things that a change's title or diff names, its own service's name apart."""
    text = f"{change.title}\n{change.diff}".lower()
    values = {v for e in confined for v in e.labels.values()} | set(m.values)
    return tuple(sorted(v for v in values if len(v) > 2 and v != change.service and _named_in(v.lower(), text)))


def _named_in(value: str, text: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(value)}(?![\w])", text) is not None
