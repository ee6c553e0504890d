"""Logins, refusals and changes of roles as records of the prompt log, without letting outsiders fill it.

A login without a record is no login. A refusal is refused whether or not it can be recorded: what could not be is
counted and tried again. People who are in get a record for the first refusal of a kind in each minute; all others, and
everybody outside, become one record a minute with counts.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.errors import PromptLogError
from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Outcome, slug
from assistant.promptlog.store import Filter
from assistant.web.access.person import Person

_LOG = logging.getLogger("payops.web")
_KINDS = 64
"""Refusals of so many kinds are told apart in a minute; the rest is counted as "other"."""


@dataclass(slots=True)
class Records:
    """`log` gives the log in use (it may be opened anew). Thread-safe."""

    log: Callable[[], Log]
    count: Callable[[str], None] = lambda why: None
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def login(self, person: Person, *, how: str, ok: bool = True) -> None:
        """`auth.login`, and `role.change` where the roles are not those of the last time. Raises PromptLogError."""
        roles: list[str] = sorted(person.roles)
        log = self.log()
        log.append(
            Entry(
                event=Event.AUTH_LOGIN,
                identity=person.id,
                origin="web",
                outcome=Outcome.OK if ok else Outcome.DENIED,
                resource="console",
                facts={"how": how, "roles": tuple(roles)},
            )
        )
        before = last_roles(log, person.id)
        if (before or frozenset()) != person.roles:
            log.append(
                Entry(
                    event=Event.ROLE_CHANGE,
                    identity=person.id,
                    origin="web",
                    resource="console",
                    facts={"how": how, "before": tuple(sorted(before or ())), "roles": tuple(roles)},
                )
            )

    def ended(self, person: Person, *, how: str) -> None:
        """A session that a person ended. Raises PromptLogError."""
        self.log().append(
            Entry(
                event=Event.AUTH_LOGIN,
                identity=person.id,
                origin="web",
                resource="console",
                facts={"how": how, "ended": True},
            )
        )

    def denied(self, identity: str, why: str, resource: str) -> None:
        """Never raises: who was refused stays refused."""
        self.count(why)
        key = (identity, slug(why), slug(resource))
        with self._guard:
            if key not in self._counts and len(self._counts) >= _KINDS:
                key = ("", slug(why), "other")
            first = key not in self._counts
            self._counts[key] += 0 if first and identity else 1
        if first and identity and not self._written(*key, 1):
            with self._guard:
                self._counts[key] += 1

    def flush(self) -> None:
        """Once a minute: what was counted becomes records. What cannot be recorded is kept for the next time."""
        with self._guard:
            counts, self._counts = self._counts, Counter()
        for key, count in counts.items():
            if count and not self._written(*key, count):
                with self._guard:
                    self._counts[key] += count

    def _written(self, identity: str, why: str, resource: str, count: int) -> bool:
        try:
            self.log().append(
                Entry(
                    event=Event.AUTH_DENIED,
                    actor="" if identity else "unknown",
                    identity=identity or None,
                    origin="web",
                    outcome=Outcome.DENIED,
                    resource=resource,
                    facts={"why": why, "requests": count},
                )
            )
        except PromptLogError as error:
            _LOG.error("a refusal could not be recorded yet", extra={"reason": type(error).__name__})
            return False
        return True


def last_roles(log: Log, identity: str) -> frozenset[str] | None:
    """The roles of the newest `role.change` of this person, None if there is none."""
    newest = None
    for actor in log.pseudonyms_of(identity):
        wanted = Filter(actor=actor, events=(Event.ROLE_CHANGE.value,))
        found = next(iter(log.search(wanted, newest_first=True)), None)
        if found is not None and (newest is None or found.index > newest.index):
            newest = found
    return None if newest is None else frozenset(map(str, newest.facts.get("roles", ())))
