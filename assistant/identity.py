"""Which incident an alert belongs to. Pure: heads of incidents and alerts go in, heads and placements come out.

Alertmanager's group key is neither unique nor stable (Alertmanager #3817, #881), and one outage of a card scheme
fires ten groups; so an alert joins, in this order:

1. the incident that holds its fingerprint, if that is open or was resolved less than `reopen_s` ago (it reopens);
2. an open incident of the same group whose onsets are near;
3. an open incident that shares an entity (service, scheme, issuer, acquirer, …) in the same scope (env, tenant) whose
   onsets are nearer still;
4. the storm, while more than `storm_per_minute` incidents a minute are opening;
5. an incident of its own, whose id is given now and stays.

Onsets are compared with each other (they come from one Prometheus), arrivals with arrivals (they are ours): the two
clocks are never subtracted from one another, so clocks that are apart do not change what belongs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from assistant.core.alert import Alert
from assistant.core.incident import IncidentId, Severity

Entity = tuple[str, str]
How = Literal["fingerprint", "reopened", "group", "entity", "storm", "new", "unmatched"]
Weight = Literal["material", "repeat", "stale"]

ENTITY_LABELS = (
    "service", "app", "application", "component", "scheme", "card_scheme", "network", "issuer", "acquirer", "processor",
    "gateway", "provider", "psp", "bank", "merchant", "link", "connection", "queue", "topic", "database",
)  # fmt: skip
"""Labels whose value names a thing that can fail. Left out on purpose: job and instance (an exporter carries
everything), region and zone (a scheme outage crosses them), team and severity (they name people and urgency).
"""

SCOPE_LABELS = ("env", "environment", "stage", "tenant")
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
_SEVERITY: Mapping[str, Severity] = {
    "critical": "critical", "page": "critical", "high": "high", "error": "high", "major": "high",
    "low": "low", "info": "low",
}  # fmt: skip
_ENTITIES_KEPT = 256


@dataclass(frozen=True, slots=True)
class Rules:
    """Spans in seconds; `storm_per_minute` as in the Slack limit of one post a second and channel."""

    reopen_s: float = 1800.0
    group_onset_s: float = 1800.0
    entity_onset_s: float = 600.0
    storm_per_minute: int = 5
    storm_quiet_s: float = 600.0
    late_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Held:
    """What an incident already knows of one fingerprint. `received_at` by our clock, the others by theirs."""

    incident: IncidentId
    starts_at: float
    status: str
    received_at: float
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """An incident without its alerts: all that placing needs. `onsets` is the first and last `startsAt`; `opened_at`,
    `joined_at` and `resolved_at` are ours; `wants` counts material changes since the beginning;
    `alone`: a person split it, so nothing merges it again by itself."""

    id: IncidentId
    opened_at: float
    joined_at: float
    onsets: tuple[float, float]
    severity: Severity
    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    entities: frozenset[Entity] = frozenset()
    scope: frozenset[Entity] = frozenset()
    firing: int = 0
    resolved_at: float | None = None
    storm: bool = False
    muted: bool = False
    alone: bool = False
    merged_into: IncidentId | None = None
    wants: int = 0

    @property
    def open(self) -> bool:
        return self.resolved_at is None and self.merged_into is None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one delivery of an alert goes. `weight` says whether it changes anything worth a new look; a `stale` or
    `unmatched` delivery changes nothing and is only counted."""

    alert: Alert
    incident: IncidentId | None
    how: How
    weight: Weight


@dataclass(frozen=True, slots=True)
class Placed:
    """`heads` holds the incidents that changed, `placements` one entry for each alert given, in order."""

    heads: Mapping[IncidentId, Head]
    placements: tuple[Placement, ...]


def place(
    alerts: Iterable[Alert],
    *,
    heads: Sequence[Head],
    held: Mapping[str, Held],
    now: float,
    new_id: Callable[[], IncidentId],
    rules: Rules | None = None,
) -> Placed:
    """Place a batch in order, so that alerts of one batch join each other.

    `heads` are the open incidents and those that may reopen; `held` what they know of the batch's fingerprints.
    """
    desk = _Desk({h.id: h for h in heads}, dict(held), now, new_id, rules or Rules())
    placements = tuple(desk.take(alert) for alert in alerts)
    return Placed({i: desk.heads[i] for i in desk.changed}, placements)


def entities(alert: Alert) -> frozenset[Entity]:
    """The things that an alert names, values in lower case; `component` and `app` count as the service they are."""
    alias = {"app": "service", "application": "service", "component": "service", "card_scheme": "scheme"}
    return frozenset(
        (alias.get(name, name), value.lower()) for name in ENTITY_LABELS if (value := alert.labels.get(name, ""))
    )


def scope(alert: Alert) -> frozenset[Entity]:
    return frozenset((name, value) for name in SCOPE_LABELS if (value := alert.labels.get(name, "")))


def severity(alert: Alert) -> Severity:
    """An alert without a known severity counts as medium, like a warning."""
    return _SEVERITY.get(alert.severity.lower(), "medium")


def staleness(alert: Alert, known: Held | None, *, now: float, rules: Rules) -> Weight:
    """What a delivery is worth beside what is known of its fingerprint.

    An earlier `startsAt` is an episode that is over. Within one episode "resolved" ends it; "firing" after that is a
    late delivery (retry, HA peer) if it comes within `late_s`, else Alertmanager has really seen it fire again.
    """
    if known is None:
        return "material"
    if alert.starts_at < known.starts_at:
        return "stale"
    if alert.starts_at > known.starts_at:
        return "material" if alert.status == "firing" or known.status == "firing" else "repeat"
    if alert.status == known.status:
        return "repeat"
    if alert.status == "firing" and now - known.received_at < rules.late_s:
        return "stale"
    return "material"


@dataclass(slots=True)
class _Desk:
    """The batch in hand; changed heads are collected as they change."""

    heads: dict[IncidentId, Head]
    held: dict[str, Held]
    now: float
    new_id: Callable[[], IncidentId]
    rules: Rules
    changed: dict[IncidentId, None] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.changed = {}

    def take(self, alert: Alert) -> Placement:
        known = self.held.get(alert.fingerprint)
        weight = staleness(alert, known, now=self.now, rules=self.rules)
        head, how = self._find(alert, known)
        if weight == "stale":
            return Placement(alert, head.id if head else None, "fingerprint" if head else "unmatched", "stale")
        if head is None and alert.status == "resolved":
            # It fired and ended before we could see it: there is nothing to look at, and nothing to open.
            return Placement(alert, None, "unmatched", "stale")
        head = head or self._opened(alert)
        after, news = joined(head, alert, known, now=self.now)
        if how == "reopened" and alert.status == "firing":
            after, news = replace(after, resolved_at=None), True
        elif how == "reopened":
            how = "fingerprint"
        material = news or how == "new"
        self._keep(replace(after, wants=after.wants + 1) if material else after, alert)
        return Placement(alert, head.id, how, "material" if material else "repeat")

    def _find(self, alert: Alert, known: Held | None) -> tuple[Head | None, How]:
        if known is not None and (head := self._follow(known.incident)) is not None:
            if head.open:
                return head, "fingerprint"
            if head.resolved_at is not None and self.now - head.resolved_at < self.rules.reopen_s:
                return head, "reopened"
        if alert.status == "resolved":
            return None, "unmatched"
        if head := self._by_group(alert):
            return head, "group"
        if head := self._by_entity(alert):
            return head, "entity"
        if head := self._storm():
            return head, "storm"
        return None, "new"

    def _follow(self, incident: IncidentId) -> Head | None:
        """The incident that now stands for `incident`, after merges. A circle of merges cannot be made by `merged`."""
        head = self.heads.get(incident)
        while head is not None and head.merged_into is not None:
            head = self.heads.get(head.merged_into)
        return head

    def _by_group(self, alert: Alert) -> Head | None:
        if not alert.group_key:
            return None
        return self._nearest(alert, self.rules.group_onset_s, lambda h: alert.group_key in h.groups)

    def _by_entity(self, alert: Alert) -> Head | None:
        mine, here = entities(alert), scope(alert)
        return self._nearest(
            alert, self.rules.entity_onset_s, lambda h: bool(mine & h.entities) and agree(here, h.scope)
        )

    def _nearest(self, alert: Alert, within: float, fits: Callable[[Head], bool]) -> Head | None:
        near = [h for h in self.heads.values() if h.open and not h.storm and apart(alert, h) <= within and fits(h)]
        return min(near, key=lambda h: (apart(alert, h), h.opened_at, h.id), default=None)

    def _storm(self) -> Head | None:
        """The storm that goes on, if one does."""
        return next(
            (
                h
                for h in self.heads.values()
                if h.storm and h.open and self.now - h.joined_at < self.rules.storm_quiet_s
            ),
            None,
        )

    def _opened(self, alert: Alert) -> Head:
        minute = sum(1 for h in self.heads.values() if not h.storm and 0 <= self.now - h.opened_at < 60.0)
        at = alert.starts_at
        return Head(
            id=self.new_id(),
            opened_at=self.now,
            joined_at=self.now,
            onsets=(at, at),
            severity=severity(alert),
            storm=minute >= self.rules.storm_per_minute,
        )

    def _keep(self, head: Head, alert: Alert) -> None:
        self.heads[head.id] = head
        self.changed[head.id] = None
        self.held[alert.fingerprint] = Held(head.id, alert.starts_at, alert.status, self.now, alert.ends_at)


def joined(head: Head, alert: Alert, known: Held | None, *, now: float) -> tuple[Head, bool]:
    """The head with one delivery counted in, and whether that is worth a new look: a new alert name or entity, a worse
    severity, the end of the last firing alert, or the first of a storm. Repeats and more of the same are not."""
    was_firing = known is not None and known.status == "firing" and known.incident == head.id
    firing = head.firing + (alert.status == "firing") - was_firing
    mine = entities(alert) if alert.status == "firing" else frozenset()
    after = replace(
        head,
        joined_at=now if known is None else head.joined_at,
        onsets=(min(head.onsets[0], alert.starts_at), max(head.onsets[1], alert.starts_at)),
        severity=_worse(head.severity, severity(alert)) if alert.status == "firing" else head.severity,
        names=_bounded(head.names, {alert.name}),
        groups=_bounded(head.groups, {alert.group_key} - {""}),
        entities=_bounded(head.entities, mine),
        scope=head.scope | scope(alert) if not head.names else head.scope,
        firing=firing,
        resolved_at=now if firing == 0 and head.open else head.resolved_at,
    )
    # In a storm every name is new; only its beginning, a worse severity and its end are news.
    news = after.names != head.names or (after.entities != head.entities and not head.storm)
    news = news and (not head.storm or not head.names)
    return after, news or after.severity != head.severity or (after.resolved_at is not None and head.open)


def agree(one: frozenset[Entity], other: frozenset[Entity]) -> bool:
    """Scopes agree unless one label says two things: an alert that names no environment fits each."""
    mine, theirs = dict(one), dict(other)
    return all(theirs.get(name, value) == value for name, value in mine.items())


def apart(alert: Alert, head: Head) -> float:
    """Seconds between an alert's onset and the span of an incident's onsets; 0 within it."""
    first, last = head.onsets
    return max(first - alert.starts_at, alert.starts_at - last, 0.0)


def merged(kept: Head, other: Head) -> tuple[Head, Head]:
    """Two incidents made one: `kept` gets everything, `other` points at it. ValueError for one with itself or a
    merged one.
    """
    if kept.id == other.id or kept.merged_into or other.merged_into:
        raise ValueError("an incident is merged with another one that was not merged yet")
    whole = replace(
        kept,
        joined_at=max(kept.joined_at, other.joined_at),
        onsets=(min(kept.onsets[0], other.onsets[0]), max(kept.onsets[1], other.onsets[1])),
        severity=_worse(kept.severity, other.severity),
        names=_bounded(kept.names, other.names),
        groups=_bounded(kept.groups, other.groups),
        entities=_bounded(kept.entities, other.entities),
        firing=kept.firing + other.firing,
        resolved_at=None if kept.firing + other.firing else kept.resolved_at,
        wants=kept.wants + 1,
    )
    return whole, replace(other, merged_into=kept.id, firing=0)


def split(
    head: Head, leaving: Sequence[Alert], staying: Sequence[Alert], *, now: float, new_id: IncidentId
) -> tuple[Head, Head]:
    """`leaving` alerts become an incident of their own. ValueError unless both sides keep an alert."""
    if not leaving or not staying:
        raise ValueError("a split leaves at least one alert on each side")
    return _of(head, staying, now=now), _of(
        replace(head, id=new_id, opened_at=now, storm=False, wants=0), leaving, now=now
    )


def _of(head: Head, alerts: Sequence[Alert], *, now: float) -> Head:
    firing = sum(a.status == "firing" for a in alerts)
    return replace(
        head,
        onsets=(min(a.starts_at for a in alerts), max(a.starts_at for a in alerts)),
        severity=SEVERITIES[min(SEVERITIES.index(severity(a)) for a in alerts)],
        names=_bounded(frozenset(), {a.name for a in alerts}),
        groups=_bounded(frozenset(), {a.group_key for a in alerts} - {""}),
        entities=_bounded(frozenset(), {e for a in alerts for e in entities(a)}),
        firing=firing,
        resolved_at=None if firing else (head.resolved_at or now),
        alone=True,
        wants=head.wants + 1,
    )


def _worse(one: Severity, other: Severity) -> Severity:
    return SEVERITIES[min(SEVERITIES.index(one), SEVERITIES.index(other))]


def _bounded(have: frozenset, more: Iterable) -> frozenset:  # type: ignore[type-arg]
    """A set that grows to a bound and no further, so that a storm of 10,000 alerts keeps a small head."""
    room = _ENTITIES_KEPT - len(have)
    fresh = sorted(set(more) - have)[: max(room, 0)]
    return have | frozenset(fresh) if fresh else have
