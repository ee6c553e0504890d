"""Sessions in the shared database, so that one can be ended from outside and every replica knows it at once.

The cookie holds a random id, signed with the session key; the database holds only the id's hash, and a code over the
row by the same key. So who reads the database cannot be anybody, and who writes it cannot make a session or give one
more roles; both need the key. A session ends when it was not used for `idle_s` (PCI DSS 8.2.8), and `max_s` after the
login in any case.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from itsdangerous import BadSignature, Signer

from assistant.notebook.canonical import dump
from assistant.notebook.database import Database
from assistant.web.access.person import Person, Session, person

TABLES = sa.MetaData()

sessions = sa.Table(
    "payops_session",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("csrf", sa.Text, nullable=False),
    sa.Column("made_at", sa.Float(53), nullable=False),
    sa.Column("ends_at", sa.Float(53), nullable=False),
    sa.Column("mac", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Float(53), nullable=False),
    sa.Index("payops_session_person", "person"),
)

spent = sa.Table(
    "payops_login_spent",
    TABLES,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("until", sa.Float(53), nullable=False),
)

people = sa.Table(
    "payops_person",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Float(53), nullable=False),
)

_SIGNED = ("key", "person", "name", "roles", "how", "csrf", "made_at", "ends_at")
_TOUCH_S = 30.0
"""A use is written down when the last one written is older than this: a session ends up to that much earlier."""


@dataclass(frozen=True, slots=True)
class Open:
    """A session for people who look: never the cookie. Times in Unix seconds."""

    key: str
    person: str
    name: str
    roles: tuple[str, ...]
    how: str
    made_at: float
    seen_at: float


class Sessions:
    """Raises Away and Damaged (see `notebook.database`). Thread-safe. Times are the database's."""

    def __init__(
        self,
        database: Database,
        *,
        key: bytes,
        idle_s: float = 900.0,
        max_s: float = 28_800.0,
        fit: Callable[[str], bool] = bool,
        moment: Callable[[sa.Connection], float] | None = None,
    ) -> None:
        """`fit` says whether a name of outside may be kept and shown (the last look); one that may not is left out."""
        self._db = database
        self._key = key
        self._signer = Signer(key, salt="payops session", digest_method=hashlib.sha256)
        self._idle, self._max = idle_s, max_s
        self._fit = fit
        self._moment = moment or database.moment

    def prepare(self) -> None:
        self._db.prepare(TABLES)

    def begin(self, who: Person, *, how: str) -> tuple[str, Session]:
        """A new session and the value of its cookie."""
        value = secrets.token_urlsafe(32)
        return self._signer.sign(value).decode(), self._begun(_hash(value), who, how)

    def standing(self, who: Person, *, how: str, active: bool) -> tuple[Session, bool]:
        """The one session of a person whom something else lets in (a proxy), and whether it began just now."""
        same = f"{how}|{who.id}|{','.join(sorted(who.roles))}"
        key = hmac.new(self._key, same.encode(), hashlib.sha256).hexdigest()
        found = self._found(key, active=active)
        return (found, False) if found else (self._begun(key, who, how), True)

    def find(self, cookie: str, *, active: bool) -> Session | None:
        """The session of this cookie, if it stands. `active` counts as a use of it."""
        try:
            value = self._signer.unsign(cookie)
        except BadSignature:
            return None
        return self._found(_hash(value.decode()), active=active)

    def end(self, key: str) -> None:
        with self._db.write() as c:
            c.execute(sa.delete(sessions).where(sessions.c.key == key))

    def end_all(self, who: str = "") -> tuple[Open, ...]:
        """End every session of a person, or of everybody; which those were."""
        mine = sessions.c.person == who if who else sa.true()
        with self._db.write() as c:
            rows = c.execute(sa.delete(sessions).where(mine).returning(*sessions.c)).mappings()
            return tuple(map(_open, rows))

    def all(self) -> tuple[Open, ...]:
        """The sessions that stand, last used first."""
        with self._db.read() as c:
            now = self._moment(c)
            stands = sa.and_(sessions.c.ends_at > now, sessions.c.seen_at > now - self._idle)
            rows = c.execute(sa.select(sessions).where(stands).order_by(sessions.c.seen_at.desc())).mappings()
            return tuple(map(_open, rows))

    def names(self) -> Mapping[str, tuple[str, float]]:
        """Real identity to (name, last login): for reports; taken out when a person is."""
        with self._db.read() as c:
            return {r.id: (r.name, r.seen_at) for r in c.execute(sa.select(people))}

    def forget(self, who: str) -> None:
        """Take a person's name and sessions out."""
        with self._db.write() as c:
            c.execute(sa.delete(people).where(people.c.id == who))
            c.execute(sa.delete(sessions).where(sessions.c.person == who))

    def spend(self, once: str, *, span_s: float) -> bool:
        """True the first time, over all replicas: what lets in once does not let in again."""
        with self._db.write() as c:
            row = {"key": _hash(once), "until": self._moment(c) + span_s}
            insert = self._db.insert(spent).values(row).on_conflict_do_nothing()
            return c.execute(insert.returning(spent.c.key)).first() is not None

    def tidy(self) -> None:
        """Forget what is over."""
        with self._db.write() as c:
            now = self._moment(c)
            over = sa.or_(sessions.c.ends_at < now, sessions.c.seen_at < now - self._idle)
            c.execute(sa.delete(sessions).where(over))
            c.execute(sa.delete(spent).where(spent.c.until < now))

    def _begun(self, key: str, who: Person, how: str) -> Session:
        who = who if self._fit(who.name) else replace(who, name="unnamed")
        roles = json.dumps(sorted(who.roles))
        row: dict[str, Any] = {"key": key, "person": who.id, "name": who.name, "roles": roles, "how": how}
        row["csrf"] = secrets.token_urlsafe(24)
        with self._db.write() as c:
            now = self._moment(c)
            row |= {"made_at": now, "ends_at": now + self._max}
            row |= {"mac": self._mac(row), "seen_at": now}
            insert = self._db.insert(sessions).values(row)
            c.execute(insert.on_conflict_do_update(index_elements=["key"], set_=row))
            known = {"name": who.name, "seen_at": now}
            insert = self._db.insert(people).values(id=who.id, **known)
            c.execute(insert.on_conflict_do_update(index_elements=["id"], set_=known))
        return Session(who, row["csrf"], key)

    def _found(self, key: str, *, active: bool) -> Session | None:
        with self._db.read() as c:
            row = c.execute(sa.select(sessions).where(sessions.c.key == key)).mappings().first()
            now = self._moment(c)
        if row is None or not hmac.compare_digest(row["mac"], self._mac(dict(row))):
            return None
        if now > row["ends_at"] or now - row["seen_at"] > self._idle:
            return None
        if active and now - row["seen_at"] > _TOUCH_S:
            with self._db.write() as c:
                # Only forward: two requests of one moment must not shorten the session.
                mine = sa.and_(sessions.c.key == key, sessions.c.seen_at < now)
                c.execute(sa.update(sessions).where(mine).values(seen_at=now))
        return Session(person(row["person"], row["name"], json.loads(row["roles"])), row["csrf"], key)

    def _mac(self, row: Mapping[str, Any]) -> str:
        told = dump({name: row[name] for name in _SIGNED})
        return hmac.new(self._key, told.encode(), hashlib.sha256).hexdigest()


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _open(row: Mapping[Any, Any]) -> Open:
    roles = tuple(json.loads(row["roles"]))
    return Open(row["key"], row["person"], row["name"], roles, row["how"], row["made_at"], row["seen_at"])
