"""What stands in a chat: the one message of each incident, and which message belongs to which incident.

Before a message is posted its *intent* (an opaque id, which the message carries too) is written here; afterwards its
place. A process that dies in between leaves an intent without a place: whoever goes on knows that the post is unsure
and can look for the id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from assistant.notebook.database import Database

TABLES = sa.MetaData()

cards = sa.Table(
    "payops_chat_card",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("ts", sa.Text, nullable=False),
    sa.Column("intent", sa.Text, nullable=False),
    sa.Column("intent_at", sa.Float(53), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Float(53), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)

messages = sa.Table(
    "payops_chat_message",
    TABLES,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("ts", sa.Text, primary_key=True),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Index("payops_chat_message_incident", "incident"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """An incident's message. `ts` "" while there is none; `intent` not "" while a post is on its way or unsure.

    `state` is "open" or "hidden" (a person said that it shows what it should not)."""

    incident: str
    channel: str
    ts: str = ""
    intent: str = ""
    intent_at: float = 0.0
    revision: int = 0
    digest: str = ""
    updated_at: float = 0.0
    state: str = "open"


class Posted:
    """Raises Away and Damaged (see `notebook.database`). Times are the database's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, incident: str) -> Place | None:
        with self._db.read() as c:
            row = c.execute(sa.select(cards).where(cards.c.incident == incident)).mappings().first()
        return Place(**row) if row else None

    def now(self) -> float:
        with self._db.read() as c:
            return self._db.moment(c)

    def intend(self, incident: str, channel: str, intent: str) -> None:
        """A post is about to leave. Durable when this returns."""
        with self._db.write() as c:
            now = self._db.moment(c)
            set_ = {"channel": channel, "intent": intent, "intent_at": now}
            empty = {"ts": "", "revision": 0, "digest": "", "updated_at": 0.0, "state": "open"}
            row = self._db.insert(cards).values(incident=incident, **set_, **empty)
            c.execute(row.on_conflict_do_update(index_elements=["incident"], set_=set_))

    def not_posted(self, incident: str) -> None:
        """Slack refused it: there is no message, and nothing is unsure."""
        with self._db.write() as c:
            c.execute(sa.update(cards).where(cards.c.incident == incident).values(intent="", intent_at=0.0))

    def shown(self, incident: str, channel: str, ts: str, *, revision: int, digest: str) -> None:
        """The message stands there, with this revision."""
        with self._db.write() as c:
            now = self._db.moment(c)
            new = {"channel": channel, "ts": ts, "revision": revision, "digest": digest, "updated_at": now}
            c.execute(sa.update(cards).where(cards.c.incident == incident).values(intent="", intent_at=0.0, **new))
            self._belongs(c, channel, ts, incident, "card")

    def state(self, incident: str, state: str) -> None:
        """ "open", "hidden" or "merged"; the digest is forgotten, so that the next revision is shown."""
        with self._db.write() as c:
            c.execute(sa.update(cards).where(cards.c.incident == incident).values(state=state, digest=""))

    def gone(self, channel: str, ts: str) -> None:
        """A message was taken away: the next revision is a new one."""
        with self._db.write() as c:
            this = sa.and_(cards.c.channel == channel, cards.c.ts == ts)
            c.execute(sa.update(cards).where(this).values(ts="", digest="", updated_at=0.0))
            c.execute(sa.delete(messages).where(messages.c.channel == channel, messages.c.ts == ts))

    def belongs(self, channel: str, ts: str, incident: str, kind: str) -> None:
        with self._db.write() as c:
            self._belongs(c, channel, ts, incident, kind)

    def incident_of(self, channel: str, ts: str) -> str | None:
        """The incident in whose thread something was said."""
        with self._db.read() as c:
            this = sa.and_(messages.c.channel == channel, messages.c.ts == ts)
            found = c.execute(sa.select(messages.c.incident).where(this)).scalar()
        return str(found) if found else None

    def _belongs(self, c: sa.Connection, channel: str, ts: str, incident: str, kind: str) -> None:
        row: dict[str, Any] = {"channel": channel, "ts": ts, "incident": incident, "kind": kind}
        c.execute(self._db.insert(messages).values(row).on_conflict_do_nothing())
