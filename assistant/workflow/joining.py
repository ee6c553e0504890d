"""Incidents that turn out to be one: the same leading cause, since the same moment.

Labels cannot tell that (`assistant.identity`): one issuer that is away fires alerts about schemes, regions and
acquirers, each of its own group, and none of them names the issuer. What the analyst found can. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assistant.core.incident import IncidentId
from assistant.core.note import Note
from assistant.core.time import parse_iso
from assistant.identity import Head, agree

ONSETS_S = 180.0
"""Onsets of one cause, found from windows that end at different times, lie within this of each other."""

OPENED_S = 3600.0
MOST = 50
"""Alerts of one cause come within the hour; so many incidents are looked at, the newest."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an incident is about, as its note says it. `onset` in Unix seconds."""

    dimension: str
    entity: str
    onset: float


def cause_of(note: Mapping[str, Any]) -> Cause | None:
    """The leading cause of a note (as JSON), None where nothing was told with enough weight."""
    leading = note["hypotheses"][0] if note["hypotheses"] else None
    if leading is None or leading["class"] not in {"confirmed", "likely"} or not note["onset"]:
        return None
    return Cause(leading["dimension"], leading["entity"], parse_iso(note["onset"]["at"]))


def same(one: Cause, other: Cause | None) -> bool:
    if other is None or (one.dimension, one.entity) != (other.dimension, other.entity):
        return False
    return abs(one.onset - other.onset) <= ONSETS_S


def elders(mine: Head, heads: Iterable[Head]) -> tuple[Head, ...]:
    """Open incidents that `mine` may become part of, oldest first. The younger joins the older, so there is no circle.

    An alert of low severity neither joins nor is joined: it may stay on for days and would keep the other one open.
    What a person split stays apart, a storm is about many things, and scopes (environment, tenant) must agree.
    """
    if not _joins(mine):
        return ()
    older = [h for h in heads if _joins(h) and _age(h) < _age(mine) and mine.opened_at - h.opened_at <= OPENED_S]
    return tuple(sorted((h for h in older if agree(mine.scope, h.scope)), key=_age)[-MOST:])


def farewell(note: Note, kept: IncidentId, *, now: float, revision: int) -> Note:
    """The last revision of an incident that became part of `kept`."""
    said = f"part of {kept} now: the same cause since the same moment"
    return replace(note, status="merged", warnings=(said, *note.warnings), written_at=now, revision=revision)


def _age(head: Head) -> tuple[float, str]:
    return head.opened_at, head.id


def _joins(head: Head) -> bool:
    return head.open and not (head.storm or head.alone or head.severity == "low")
