"""Acceptances of releases and changes of what runs, made ready for their page. Pure but for the bodies it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assistant.promptlog.record import Event, Record

PARTS = ("prompts", "model", "policy", "runbooks", "code")
"""What a release is made of, each by its hash."""

Body = Callable[[Record, str], str]
"""A body of a record as text, or in brackets why it is gone; "" where the record names none of that name."""


def promotions(newest_first: Sequence[Record], *, body: Body, who: Callable[[Record], str]) -> list[dict[str, Any]]:
    """Each acceptance with its approver, its authors, and what it changed against the one before it."""
    found = [r for r in newest_first if r.event is Event.RELEASE_PROMOTE]
    return [
        {
            "record": record,
            "release": str(record.facts.get("release", "–")),
            "how": how_of(record.facts),
            "approver": who(record) if record.facts.get("approved", True) and record.identity else "",
            "authors": body(record, "authors") or body(record, "author"),
            "worlds": record.facts.get("worlds"),
            "changed": changed(before.facts if before else None, record.facts),
            "falls": [str(f) for f in record.facts.get("falls") or ()],
        }
        for record, before in zip(found, [*found[1:], None], strict=False)
    ]


def how_of(facts: Mapping[str, Any]) -> str:
    if facts.get("rollback"):
        return "rolled back to"
    return "accepted" if facts.get("approved", True) else "baseline, approved by nobody"


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """The parts whose hash is another; everything where there was nothing before."""
    return [part for part in PARTS if before is None or before.get(part) != after.get(part)]


def changes(newest_first: Sequence[Record]) -> list[dict[str, Any]]:
    """Changes of configuration with what they say of themselves."""
    return [{"record": r, "said": _said(r)} for r in newest_first if r.event is Event.CONFIG_CHANGE]


def _said(record: Record) -> str:
    own = {k: v for k, v in record.facts.items() if k not in ("release", "policy")}
    return ", ".join(f"{k} {v if isinstance(v, str) else json.dumps(v)}" for k, v in sorted(own.items()))
