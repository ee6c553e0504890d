"""Everything that was collected for one incident, before anybody has thought about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assistant.core.evidence import Change, Gap, LogEvidence, MetricEvidence, MetricInfo, Topology
from assistant.core.incident import Incident
from redaction import CardholderFinding


@dataclass(frozen=True, slots=True)
class Role:
    """What a metric, label or log field means in payments: guessed (with why) or configured.

    `name` is the metric, label or field; `values` narrows it (approved is `result="approved"` or `response_code="00"`).
    """

    role: str
    name: str
    label: str = ""
    values: tuple[str, ...] = ()
    why: str = ""
    configured: bool = False


@dataclass(frozen=True, slots=True)
class PaymentsMap:
    """Roles by name: attempts, approved, amount, latency, retries, queue …; labels scheme, issuer, acquirer, bin,
    response_code, region, channel, merchant_category, currency, service, version; the same for log fields."""

    metrics: Mapping[str, Role] = field(default_factory=dict)
    labels: Mapping[str, Role] = field(default_factory=dict)
    fields: Mapping[str, Role] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """The input of the analyst. `metrics` and `logs` cover baseline and window together; `cardholder` is card
    data that was found in what was read (values removed)."""

    incident: Incident
    payments: PaymentsMap
    catalogue: tuple[MetricInfo, ...] = ()
    metrics: tuple[MetricEvidence, ...] = ()
    logs: tuple[LogEvidence, ...] = ()
    changes: tuple[Change, ...] = ()
    topology: Topology = field(default_factory=Topology)
    gaps: tuple[Gap, ...] = ()
    cardholder: tuple[CardholderFinding, ...] = ()
