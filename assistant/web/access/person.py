"""A person, their roles, and the session they came with.

| role | may |
|---|---|
| responder | read incidents, notes, runbooks and the system page; give feedback |
| commander | all of that; decide about incidents (merge, split, mute) |
| auditor | read incidents, records, proofs and reviews; sign off; export |

Least privilege: a group gives the roles that `[web.roles]` says, and no group gives none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["responder", "commander", "auditor", "none"]
ROLES: tuple[Role, ...] = ("responder", "commander", "auditor")
IMPLIES: Mapping[str, frozenset[str]] = {"commander": frozenset({"responder"})}
_NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Person:
    """`id` is the real identity as the prompt log keeps it in its erasable blob ("oidc:…", "proxy:…", "os:…"); `name`
    is for pages only. `role` is the one that is shown: auditor before commander before responder. `alone`: everybody
    of this listener is this one local person, so duties cannot be told apart."""

    id: str
    name: str
    role: Role
    roles: frozenset[str]
    alone: bool = False

    def holds(self, *roles: str) -> bool:
        """Whether one of these roles is held."""
        return not self.roles.isdisjoint(roles)


NOBODY = Person("", "", "none", frozenset())


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is in. `key` names the session in our store (never the cookie's value), `csrf` goes into forms."""

    person: Person
    csrf: str
    key: str


def person(identity: str, name: str, roles: Iterable[str], *, alone: bool = False) -> Person:
    """A person with these roles and what they imply; roles that are not ours are left out."""
    given = frozenset(roles) & frozenset(ROLES)
    held = given.union(*(IMPLIES.get(r, frozenset()) for r in given))
    shown: Role = next((r for r in reversed(ROLES) if r in held), "none")
    return Person(identity, plain_name(name) or "unnamed", shown, held, alone)


def plain_name(text: str) -> str:
    """A name of outside as one short line: no control, format or surrogate characters."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * _NAME_LENGTH])
    return " ".join(kept.split())[:_NAME_LENGTH]


def roles_of(groups: Iterable[str], configured: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """`configured` maps a role to the groups that give it (`[web.roles]`). Compared exactly, case included."""
    mine = frozenset(groups)
    return frozenset(role for role, named in configured.items() if role in ROLES and not mine.isdisjoint(named))
