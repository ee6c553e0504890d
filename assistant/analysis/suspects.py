"""Suspects: every entity that some evidence speaks for, with that evidence added up.

Entities are services of ours, partners (issuer, acquirer, scheme, …) and other label values a fault is confined to. A
confined loss of approvals speaks for the partner it is confined to; moved signals for their service, less if something
it calls moved as well; log patterns for who writes them and who is named in them; a change near the onset for its
service, and more if it touches exactly what the loss is confined to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from assistant.analysis import payments as pay
from assistant.analysis.accuse import SOON, from_alerts, from_changes, sent_away
from assistant.analysis.balance import from_accounts
from assistant.analysis.candidates import ASKED, PARTNERS, SCOPES, Candidate, Material, Of, loss_owner
from assistant.analysis.dimensions import Explained, families
from assistant.analysis.kinds import (
    COMPLAINT_KINDS,
    loss_kind,
    partner_kind,
    scoped_kind,
    signal_kind,
    swelled,
    vote_of,
)
from assistant.analysis.logs import Pattern, field_role
from assistant.analysis.named import COARSE, from_named
from assistant.analysis.ranking import force
from assistant.analysis.say import codes_line, explained_line, pattern_line, scope, signal_line
from assistant.analysis.signals import Signal

OUTSIDE = frozenset({"issuer", "acquirer", "scheme", "acs", "peer"})
CALLS = frozenset({"latency", "error share", "errors", "threeds"})
"""What a call to an outside partner shows: where one partner alone shows it, our side of it is a bystander."""
RETOLD = 0.25
"""What lines count for who writes them where they pass on the declines of others."""
BY_OTHERS = frozenset({"unavailable", "issuer decision", "funds", "authentication", "limits"})
"""Families of codes that an issuer or a network answers with, and no service of ours."""
WHOLE = 0.9
"""Of the loss: where more than this is confined to some values, what serves others as well as ever is hardly it."""
OWN_PARTS = frozenset({"model", "version", "queue", "stage", "rule", "link"})
"""Labels of parts of a service of ours: a fault confined to one of them is still that service's."""


def gather(m: Material) -> dict[tuple[str, str], Candidate]:
    """Every entity that something speaks for, with what was added up."""
    found: dict[tuple[str, str], Candidate] = {}

    def of(entity: str, dimension: str) -> Candidate:
        return found.setdefault((entity, dimension), Candidate(entity, dimension))

    confined = _from_losses(m, of)
    hosts = _from_scoped_signals(m, of)
    _from_services(m, of, confined)
    _from_volume(m, of)
    _from_logs(m, of, confined)
    from_named(m, of, confined)
    from_accounts(m, of, confined)
    from_alerts(m, of)
    _as_one(found)
    from_changes(m, of, confined)
    for service, best in hosts.items():
        c = of(service, "service")
        if c.fits < 0.5:  # else the change is why our side of it fails
            c.add(-0.6 * max(c.score, 0.0), f"what fails there is confined to {scope(best.labels)}", [best.evidence])
            c.apart = True
    return found


def _as_one(found: dict[tuple[str, str], Candidate]) -> None:
    """A partner that some measures call a peer and others an acquirer is one suspect."""
    for entity, dimension in [key for key in found if key[1] == "peer"]:
        other = next((c for (e, d), c in found.items() if e == entity and d in PARTNERS and d != "peer"), None)
        if other is not None:
            other.take(found.pop((entity, dimension)))


def _from_losses(m: Material, of: Of) -> list[Explained]:
    """Losses that are confined to some label values speak for the partner there."""
    confined = []
    for e in m.explained:
        scheme = next((pay.scheme_of(v) for k, v in e.labels.items() if m.role_of(k) == "scheme"), "")
        shares = families(e.codes, scheme)
        if not e.labels or e.weight > 0.85:
            continue
        entity, dimension = loss_owner(e, m)
        confined.append(e)
        c: Candidate = of(entity, dimension)
        kind, fault = loss_kind(dimension, shares, swelling=_swells(e, m))
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


def _swells(e: Explained, m: Material) -> bool:
    """Whether more arrives than usual, in all or where the loss is."""
    parts = [s for s in m.signals if s.role == "volume" and s.labels and set(s.labels.items()) <= set(e.labels.items())]
    return any(swelled(s) for s in (m.volume, *parts))


def _from_scoped_signals(m: Material, of: Of) -> dict[str, Signal]:
    """Signals that moved for one value of a label and not for its siblings speak for that value. Returned are the
    services where an outside partner's part alone fails, with the signal that says so."""
    hosts: dict[str, Signal] = {}
    for group in _scoped(m):
        role, value, rows = group
        if role in OWN_PARTS:
            continue
        c: Candidate = of(value, role)
        best = max(rows, key=m.telling)
        # Traffic that moved to or from a value follows from elsewhere.
        weight = 0.5 if best.role in {"flow", "requests"} and role not in OWN_PARTS else 1.1
        agreeing = m.near(best.onset, 240.0)
        c.add(
            weight * m.telling(best),
            signal_line(best),
            [best.evidence],
            kind=scoped_kind(role, best),
            vote=vote_of(best) * (ASKED if id(best) in m.asked else 1.0),
            by="metric" if agreeing else "",
            at=best.onset,
        )
        if c.fault == "unknown" and role in PARTNERS:
            c.fault = "theirs"
        if role in OUTSIDE and best.entity and best.role.split(".")[0] in CALLS and m.telling(best) >= 0.4:
            hosts[best.entity] = best
    return hosts


def _scoped(m: Material) -> list[tuple[str, str, list[Signal]]]:
    by_evidence: dict[tuple[str, str, str], list[Signal]] = defaultdict(list)
    for s in m.signals:
        if s.role == "approval rate" or sum(m.role_of(label) in SCOPES for label in s.labels) > 2:
            continue  # a cube of its own: `dimensions` reads those
        for label in s.labels:
            role = m.role_of(label)
            if role in SCOPES:
                by_evidence[(s.evidence, s.role, label)].append(s)
    found = []
    for (_, _, label), rows in by_evidence.items():
        role = m.role_of(label)
        if role in OUTSIDE and rows[0].role == "gauge":
            continue  # our own count of something, by partner, accuses no partner
        values = {s.labels[label] for s in rows}
        moved: dict[str, list[Signal]] = defaultdict(list)
        for s in rows:
            if s.moved and (force(s) if role in OUTSIDE else m.telling(s)) >= 0.25:
                moved[s.labels[label]].append(s)
        if moved and len(values) > 1 and len(moved) <= max(1, len(values) // 3):
            found += [(role, value, hits) for value, hits in moved.items()]
    return found


def _from_services(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    """Services whose own signals moved; partners' victims and callers of failing services count less."""
    scoped = {
        id(s)
        for role, _, rows in _scoped(m)
        for s in rows
        if role not in OWN_PARTS and (role in PARTNERS or id(s) not in m.asked)
    }
    narrow = sum(e.share for e in confined)
    changed = {k.service for k in m.links if k.score >= 0.3 and k.seconds_before_onset <= SOON}
    for place, r in enumerate(m.ranked):
        own = sorted((s for s in r.signals if id(s) not in scoped), key=lambda s: -m.telling(s))
        if not own:
            continue
        c: Candidate = of(r.service, "service")
        best = max(own, key=force)
        for s in own[:3]:
            agreeing = m.near(s.onset, 240.0)
            c.add(
                0.9 * m.telling(s) * 0.6 ** own.index(s),
                signal_line(s),
                [s.evidence],
                by="metric" if agreeing else "",
                at=s.onset,
            )
        for kind, vote in _votes(own, m).items():
            c.kinds[kind] += vote
        if r.victim_of:
            c.add(-0.9, f"it calls {', '.join(r.victim_of[:3])}, which moved no later", [best.evidence])
        elif r.victims:
            call = "calls" if len(r.victims) == 1 else "call"
            c.add(0.35, f"{', '.join(r.victims[:3])} {call} it and moved as well", [best.evidence])
        elif m.seen.topology.callees(r.service):
            c.add(0.15, "what it calls is as usual", [best.evidence])
        if place == 0:
            c.score += 0.2
        if narrow > 0.5:
            c.add(
                -0.8 - (0.25 if narrow < WHOLE or r.service in changed else 0.5) * max(c.score, 0.0),
                f"the loss is confined to {scope(confined[0].labels)}, which it does not serve alone",
                [confined[0].evidence],
            )
            c.apart = True
        if c.fault == "unknown":
            c.fault = "ours"


def _votes(own: Sequence[Signal], m: Material) -> dict[str, float]:
    """What the moved signals of a service say of the kind: for each kind its strongest signal in full, each further one
    at half of the one before."""
    said: dict[str, list[float]] = defaultdict(list)
    for s in own:
        weight = ASKED if id(s) in m.asked else 0.3 if id(s) in m.watching else 1.0
        said[signal_kind(s)].append(weight * vote_of(s))
    return {kind: sum(v * 0.5**i for i, v in enumerate(sorted(votes, reverse=True))) for kind, votes in said.items()}


def _from_volume(m: Material, of: Of) -> None:
    """Traffic that swells or stays away: the label value it is confined to, else the first service it reaches."""
    v = m.volume
    if v is None or not v.moved or v.weight < 0.25:
        return
    kind = "traffic_surge" if v.direction > 0 else "traffic_drop"
    losing = any(e.lost > 0 for e in m.explained)
    weight = 0.4 if losing else 1.2
    parts = [
        s
        for s in m.signals
        if s.role == "volume" and s.labels and s.moved and s.direction == v.direction
        and abs(s.seen - s.usual) > 0.7 * abs(v.seen - v.usual)
    ]  # fmt: skip
    if parts and (best := min(parts, key=lambda s: s.usual)).usual < 0.8 * v.usual:
        label, value = next(iter(best.labels.items()))
        of(value, m.role_of(label)).add(
            weight, signal_line(best), [best.evidence], kind=kind, vote=2.0, by="metric", at=best.onset
        )
        if kind == "traffic_drop":
            sent_away(m, of(value, m.role_of(label)), value)
        return
    first = next((s for s in m.seen.topology.services if not m.seen.topology.callers(s)), "")
    c = of(first, "service") if first else of("traffic", "traffic")
    c.add(weight, signal_line(v), [v.evidence], kind=kind, vote=0.6 if losing else 2.0, by="metric", at=v.onset)


def _from_logs(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    """New and surging complaints speak for the service that writes them, and for the partner they name."""
    services = {r.service: r for r in m.ranked}
    strong = [p for p in m.patterns if p.severity or p.kind][:12]
    top = strong[0].score if strong else 1.0
    voted: set[tuple[str, str]] = set()
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
                vote=0.4 * weight * _first(voted, value, kind),
                by="log" if agreeing else "",
                at=p.onset,
            )
        if p.service:
            c = of(p.service, "service")
            shared = RETOLD if _retells(p, confined, m) else 0.5 if named else 1.0
            c.add(
                0.8 * weight * shared,
                pattern_line(p),
                [p.evidence],
                kind=kind,
                vote=0.9 * weight * _first(voted, p.service, kind),
                by="log" if agreeing else "",
                at=p.onset,
            )
            if p.service not in services and not m.ranked:
                c.score += 0.1
            if c.fault == "unknown":
                c.fault = "ours"


def _retells(p: Pattern, confined: Sequence[Explained], m: Material) -> bool:
    """Whether the lines of a pattern report the very declines that the loss is made of, where that is confined to a
    region, a currency or a scheme: who writes them passes on what others answered."""
    if not confined or loss_owner(confined[0], m)[1] not in COARSE or confined[0].share < WHOLE:
        return False
    lost = {code for code, n in confined[0].codes.items() if n >= 0.1 * max(confined[0].codes.values())}
    families = {pay.code_of(code).family for code in lost}
    for name, values in p.fields.items():
        if field_role(name, tuple(values)) == "response_code":
            top, share = next(iter(values.items()))
            return share >= WHOLE and pay.code_of(top).family in families & BY_OTHERS
    return False


def _first(voted: set[tuple[str, str]], entity: str, kind: str) -> float:
    """1 for the first complaint of a kind about an entity, less for each further one: the same said in other words."""
    again = (entity, kind) in voted
    voted.add((entity, kind))
    return 0.2 if again else 1.0


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
