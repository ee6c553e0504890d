"""Which stream label says the service, and which the level: guessed with a reason, or configured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.core.query import Matcher

_CANDIDATES = {
    "service": (
        "service",
        "service_name",
        "app",
        "application",
        "app_name",
        "app_kubernetes_io_name",
        "k8s_app",
        "component",
        "workload",
        "container",
        "container_name",
        "job",
    ),
    "level": ("level", "detected_level", "severity", "severity_text", "lvl", "log_level"),
    "region": ("region", "zone", "datacenter", "dc", "cluster"),
    "version": ("version", "release", "image_tag", "app_kubernetes_io_version"),
}


@dataclass(frozen=True, slots=True)
class LabelRole:
    """A role and the stream label that plays it. `why` is for `doctor`."""

    role: str
    label: str
    why: str
    configured: bool = False


def label_roles(labels: Collection[str], configured: Mapping[str, str]) -> tuple[LabelRole, ...]:
    """The roles that these labels can play. Configuration wins, even for a label that was not seen."""
    told = tuple(LabelRole(role, label, "configured", True) for role, label in sorted(configured.items()))
    guessed = tuple(
        LabelRole(role, found, f"first present of: {', '.join(names[: names.index(found) + 1])}")
        for role, names in _CANDIDATES.items()
        if role not in configured and (found := next((n for n in names if n in labels), None))
    )
    return told + guessed


def as_labels(selector: Sequence[Matcher], roles: Sequence[LabelRole], labels: Collection[str]) -> tuple[Matcher, ...]:
    """Matchers with roles written as the stream labels that play them; a label of that name wins over the role."""
    played = {r.role: r.label for r in roles if r.configured or r.role not in labels}
    return tuple(replace(m, label=played.get(m.label, m.label)) for m in selector)


def with_roles(labels: Mapping[str, str], roles: Sequence[LabelRole]) -> dict[str, str]:
    """Stream labels, and under each role the value of the label that plays it."""
    named = {r.role: labels[r.label] for r in roles if r.label in labels and (r.configured or r.role not in labels)}
    return {**labels, **named}
