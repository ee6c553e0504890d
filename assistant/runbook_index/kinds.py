"""The order among runbooks once the analyst has a cause: the one that is for this sort of failure goes first.

An alert names a symptom; several alerts of one incident name several, and their order is chance. Of the runbooks that
they name, the one for this kind of failure, or for the service at fault, goes first. A runbook that no alert names but
that is for this kind is shown second, with the reason. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.runbook_index.document import Runbook
from assistant.runbook_index.view import Hit


def for_kind(runbooks: Sequence[Runbook], hits: list[Hit], ranked: Sequence[Hit], kind: str, *, said: str) -> list[Hit]:
    """`hits` in the order for `kind`; `said` are the findings, which name the service at fault. Without a kind, as they
    were."""
    if not kind:
        return hits
    named = [hit for hit in hits if hit.exact]
    best = max(named, key=lambda hit: _fit(runbooks[hit.number], kind, said), default=None)
    if best is not None and _fit(runbooks[best.number], kind, said):
        return [_told(best, runbooks, kind), *(hit for hit in hits if hit.number != best.number)]
    other = max(
        (hit for hit in ranked if kind in runbooks[hit.number].kinds),
        key=lambda hit: _fit(runbooks[hit.number], kind, said),
        default=None,
    )
    if other is None:
        return hits
    rest = [hit for hit in hits if hit.number != other.number]
    return [*rest[: len(named[:1])], _told(other, runbooks, kind), *rest[len(named[:1]) :]]


def _fit(runbook: Runbook, kind: str, said: str) -> int:
    """0 to 2: for this kind, for a service that the findings name."""
    return (kind in runbook.kinds) + any(service in said for service in runbook.services)


def _told(hit: Hit, runbooks: Sequence[Runbook], kind: str) -> Hit:
    why = f"for {kind.replace('_', ' ')}" if kind in runbooks[hit.number].kinds else "for the service at fault"
    return Hit(hit.number, max(hit.score, 0.5), f"{hit.exact}, {why}" if hit.exact else why, hit.query)
