"""The order among runbooks once the analyst has a cause: the one that is for this sort of failure goes first.

An alert names a symptom or a cause; several alerts of one incident name several, and their order is chance. Of the
runbooks that they name, the one for this kind of failure goes first: before those of alerts on mere symptoms
(`based_on: symptom`: approvals fall, a service answers errors), and where a runner-up of the analyst's has an alert of
its own, that one too, because two witnesses are better than one. Where alerts name symptoms only, the runbook that is
first of all for this kind goes before them, and they follow; otherwise it stands second. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.runbook_index.document import Runbook
from assistant.runbook_index.view import Hit

Fit = tuple[int, bool, bool, bool, bool]
CAUSE, RUNNER_UP, SYMPTOM, NOT = 3, 2, 1, 0
CHANGES = frozenset({"bad_deploy"})  # known by its id and its minute: alerts on what it broke are all symptoms of it


def for_kind(
    runbooks: Sequence[Runbook],
    hits: list[Hit],
    ranked: Sequence[Hit],
    kind: str,
    *,
    said: str,
    also: Sequence[str] = (),
) -> list[Hit]:
    """`hits` in the order for `kind`; `also` are the runners-up, `said` the findings, which name the service at fault.
    Without a kind, as they were."""
    if not kind:
        return hits
    named = [hit for hit in hits if hit.exact]
    on_symptoms = kind in CHANGES or all(runbooks[hit.number].symptom for hit in named)
    best = max(named, key=lambda hit: _fit(runbooks[hit.number], kind, said, also), default=None)
    if best is not None and _speaks(runbooks[best.number], kind, said, also):
        hits = [_told(best, runbooks, kind, said), *(hit for hit in hits if hit.number != best.number)]
        if (kind in runbooks[best.number].kinds and not on_symptoms) or runbooks[best.number].kinds[:1] == (kind,):
            return hits
    taken = {hit.number for hit in named}
    unnamed = [hit for hit in ranked if kind in runbooks[hit.number].kinds and hit.number not in taken]
    other = max(unnamed, key=lambda hit: _purpose(runbooks[hit.number], kind, said), default=None)
    if other is None:
        return hits
    at = 0 if on_symptoms and runbooks[other.number].kinds[0] == kind else len(named[:1])
    rest = [hit for hit in hits if hit.number != other.number]
    return [*rest[:at], _told(other, runbooks, kind, said), *rest[at:]]


def _fit(runbook: Runbook, kind: str, said: str, also: Sequence[str]) -> Fit:
    """How near a runbook is to what was found; greater is nearer. Between equals the more severe alert decides: where
    an acquirer is slow and times out, it times out."""
    first = runbook.kinds[:1]
    if kind in runbook.kinds:
        rank = SYMPTOM if runbook.symptom else CAUSE
    else:
        rank = RUNNER_UP if first and first[0] in also and not runbook.symptom else NOT
    return (rank, _for_service(runbook, said), first == (kind,), not runbook.symptom, runbook.severity == "critical")


def _purpose(runbook: Runbook, kind: str, said: str) -> tuple[bool, bool]:
    """How near a runbook is that no alert names: first of all for this kind, then for the service at fault."""
    return runbook.kinds[0] == kind, _for_service(runbook, said)


def _speaks(runbook: Runbook, kind: str, said: str, also: Sequence[str]) -> bool:
    """Whether what was found speaks for this one, or its alert is critical and says of itself what is wrong."""
    rank, service, _, cause, critical = _fit(runbook, kind, said, also)
    return bool(rank or service or (cause and critical))


def _for_service(runbook: Runbook, said: str) -> bool:
    return any(service in said for service in runbook.services)


def _told(hit: Hit, runbooks: Sequence[Runbook], kind: str, said: str) -> Hit:
    runbook = runbooks[hit.number]
    why = f"for {kind.replace('_', ' ')}" if kind in runbook.kinds else ""
    why = why or ("for the service at fault" if _for_service(runbook, said) else "")
    return Hit(hit.number, max(hit.score, 0.5), ", ".join(filter(None, (hit.exact, why))), hit.query)
