"""What alerts and changes add to the suspicion."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from assistant.analysis.candidates import SCOPES, Candidate, Material, Of, loss_owner
from assistant.analysis.changes import telling
from assistant.analysis.diffs import effects, explains
from assistant.analysis.dimensions import Explained
from assistant.analysis.kinds import change_kind, words_kind
from assistant.analysis.named import COARSE, named_in
from assistant.analysis.say import explained_line, scope
from assistant.core.evidence import Change, EvidenceId
from assistant.core.finding import ChangeLink
from assistant.core.time import clock

SLACK, SENT = 60.0, 960.0
"""Seconds: a change up to a minute after the onset as it is known, and a quarter of an hour before it."""
SOON = 330.0
"""Seconds before the onset: a change older than that is named only when it fits what fails."""


def from_alerts(m: Material, of: Of) -> None:
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
            vote=0.6,
        )


def from_changes(m: Material, of: Of, confined: Sequence[Explained]) -> None:
    """A change speaks for its service: by its nearness and place (`link.score`), and by what it touches."""
    changes = {c.id: c for c in m.seen.changes}
    issuers = any(n.role in {"issuer", "bin"} for n in named_in(m))
    for link in m.links[:6]:
        change = changes.get(link.change_id)
        if change is None or link.score < 0.3:
            continue
        c = of(link.service, "service")
        touched = _touches(change, m, confined)
        relevant = relevance(change, m, touched)
        if confined and not touched and not _ours_to_route(confined[0], m, issuers):
            # A whole scheme or issuer fails alike: only a change that names it could do that.
            relevant = min(relevant, 0.3)
        narrow = bool(confined) and relevant < 0.5
        weight = (
            1.5
            * link.score
            * (0.35 if narrow else 1.0)
            * (0.6 + 0.4 * relevant)
            * (1.0 if c.score > 0.2 or touched else 0.5)
        )
        told = weight > 0.5
        by = "change" if told and not narrow else ""
        soon = link.seconds_before_onset <= SOON
        timely = told and (relevant >= 0.5 or soon)
        vote = 1.2 * link.score * (0.5 + 0.5 * relevant) if timely else 0.0
        c.add(weight, _change_text(change, link), [link.evidence], kind=change_kind(change), vote=vote, by=by)
        if timely and not c.change:
            c.change, c.fits, c.fault = change.id, relevant if soon else min(relevant, 0.4), "ours"
        if confined and told and relevant >= 0.5:
            _takes_over(c, change, link, confined[0], relevant, m, of)
        for reason in link.against:
            c.add(-0.05, reason, [link.evidence])


def _takes_over(
    c: Candidate, change: Change, link: ChangeLink, e: Explained, relevant: float, m: Material, of: Of
) -> None:
    """The change speaks of what the loss is confined to: the route is ours, the partner there a bystander."""
    c.add(relevant * (1.2 * e.share + 1.6), explained_line(e), [e.evidence], by="metric")
    c.within, c.apart = scope(e.labels), True
    partner = of(*loss_owner(e, m))
    partner.add(
        -1.5 * relevant**2, f"{change.kind} {change.id} of {change.service} came before it and fits", [link.evidence]
    )


def sent_away(m: Material, c: Candidate, value: str) -> None:
    """Traffic that stays away from `value` just after a change that names it was led elsewhere by that change."""
    changes = {x.id: x for x in m.seen.changes}
    for link in m.links:
        change = changes[link.change_id]
        text = f"{change.title}\n{change.diff}".lower()
        if 0.0 <= link.seconds_before_onset + SLACK <= SENT and len(value) > 1 and _named_in(value.lower(), text):
            c.add(0.8, _change_text(change, link), [link.evidence], kind=change_kind(change), vote=0.4, by="change")
            c.change, c.fits, c.fault = change.id, 1.0, "ours"
            return


def _ours_to_route(e: Explained, m: Material, issuers: bool) -> bool:
    """Whether a loss is confined to something our own routing, settings or code treats apart. `issuers` says that the
    failing lines name one issuer: then a region or a currency is only where its cards are."""
    roles = {m.role_of(k) for k in e.labels}
    return bool(roles - {"scheme", "issuer", "bin"} - (COARSE if issuers else set()))


def relevance(change: Change, m: Material, touched: Sequence[str]) -> float:
    """How much a change has to do with what fails, 0..1: it names what fails, its diff can produce the symptoms, or its
    service writes the loudest new complaint and shares words with it."""
    if touched:
        return 1.0
    fits, _ = explains(effects(change.diff), m.symptoms) if change.diff else (0.0, "")
    complaints = [p for p in m.patterns[:6] if p.severity]
    writer = bool(complaints) and complaints[0].service == change.service
    own = telling(f"{change.title} {change.diff}") - telling(change.service)
    shared = own & telling(" ".join(f"{p.template} {p.kind}" for p in complaints))
    return min(0.6 * fits + (0.3 if writer else 0.0) + 0.25 * min(len(shared), 2), 1.0)


def _change_text(change: Change, link: ChangeLink) -> str:
    reasons = "; ".join(link.reasons)
    return f"{change.kind} {change.id} of {change.service} at {clock(change.t)} ({change.title}): {reasons}"


def _touches(change: Change, m: Material, confined: Sequence[Explained]) -> tuple[str, ...]:
    """Values of the failing things that a change's title or diff names, its own service's name apart, and what was
    redacted: two removed values need not be one."""
    text = f"{change.title}\n{change.diff}".lower()
    values = {v for e in confined for v in e.labels.values()} | set(m.values)
    return tuple(
        sorted(v for v in values if len(v) > 2 and "<" not in v and v != change.service and _named_in(v.lower(), text))
    )


def _named_in(value: str, text: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(value)}(?![\w])", text) is not None
