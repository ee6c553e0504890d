"""Questions that people asked in a chat, redacted, until they are answered: a process that dies loses none.

A question is kept before Slack is told that we have it (`put`, under an id made of where it was asked, so that a
repetition is known), worked on under a claim (see `claims`), and kept with its answer for the buttons below it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from assistant.notebook.canonical import dump
from assistant.notebook.database import Database
from redaction import FinalScanner

TABLES = sa.MetaData()

questions = sa.Table(
    "payops_chat_question",
    TABLES,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("ts", sa.Text, nullable=False),
    sa.Column("thread", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float(53), nullable=False),
    sa.Column("intent", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Index("payops_chat_question_state", "state", "asked_at"),
)

_LONGEST_WAIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. `thread` is where the answer goes; `turn` counts its versions (people edit); `reply` is the answer's
    message, "" before; `intent` an unsure post of it. `state`: "open", "answered", "deleted", "given up"."""

    id: str
    kind: str
    channel: str
    ts: str
    thread: str
    person: str
    text: str
    turn: int = 1
    state: str = "open"
    asked_at: float = 0.0
    intent: str = ""
    reply: str = ""
    incident: str = ""
    answer: str = ""

    def said(self) -> Mapping[str, Any] | None:
        """The answer as JSON, if there is one."""
        found: Mapping[str, Any] | None = json.loads(self.answer) if self.answer else None
        return found


def question_id(team: str, channel: str, ts: str) -> str:
    """Opaque, and the same for the same message."""
    return "q-" + hashlib.sha256(f"{team}.{channel}.{ts}".encode()).hexdigest()[:16]


class Questions:
    """Raises Away and Damaged; LeakBlocked where the last look finds something in a text or an answer."""

    def __init__(self, database: Database, *, scanner: FinalScanner) -> None:
        self._db = database
        self._scanner = scanner

    def put(self, asked: Asked) -> bool:
        """Keep it; False if it is here already."""
        self._scanner.check(asked.text, sink="chat question")
        with self._db.write() as c:
            row = {name: getattr(asked, name) for name in Asked.__slots__} | {"asked_at": self._db.moment(c)}
            kept = self._db.insert(questions).values(row).on_conflict_do_nothing().returning(questions.c.id)
            return c.execute(kept).first() is not None

    def get(self, question: str) -> Asked | None:
        with self._db.read() as c:
            row = c.execute(sa.select(questions).where(questions.c.id == question)).mappings().first()
        return Asked(**row) if row else None

    def edit(self, question: str, text: str) -> Asked | None:
        """The text as it stands now: one more turn, to be answered again. None where nothing changed."""
        self._scanner.check(text, sink="chat question")
        this = sa.and_(questions.c.id == question, questions.c.text != text, questions.c.state != "deleted")
        with self._db.write() as c:
            new = {"text": text, "turn": questions.c.turn + 1, "state": "open", "asked_at": self._db.moment(c)}
            changed = c.execute(sa.update(questions).where(this).values(new)).rowcount
        return self.get(question) if changed else None

    def delete(self, question: str) -> Asked | None:
        """It was taken back: its text and its answer go. Returns what was there."""
        before = self.get(question)
        with self._db.write() as c:
            gone = {"state": "deleted", "text": "", "answer": ""}
            c.execute(sa.update(questions).where(questions.c.id == question).values(gone))
        return before

    def intend(self, question: str, intent: str) -> None:
        """A reply is about to leave, or (with "") is known not to have."""
        with self._db.write() as c:
            c.execute(sa.update(questions).where(questions.c.id == question).values(intent=intent))

    def replied(self, question: str, reply: str) -> None:
        """A message of ours stands below it: a placeholder or the answer."""
        with self._db.write() as c:
            c.execute(sa.update(questions).where(questions.c.id == question).values(intent="", reply=reply))

    def answered(self, question: str, *, turn: int, reply: str, incident: str, answer: Mapping[str, Any]) -> bool:
        """The answer stands there. False if the question changed meanwhile."""
        text = dump(answer)
        self._scanner.check(text, sink="chat answer")
        new = {"intent": "", "reply": reply, "incident": incident, "answer": text, "state": "answered"}
        with self._db.write() as c:
            this = sa.and_(questions.c.id == question, questions.c.turn == turn, questions.c.state == "open")
            return c.execute(sa.update(questions).where(this).values(new)).rowcount == 1

    def give_up(self, question: str) -> None:
        with self._db.write() as c:
            c.execute(sa.update(questions).where(questions.c.id == question).values(state="given up"))

    def open(self, *, older_s: float, limit: int = 20) -> tuple[Asked, ...]:
        """Questions that wait for an answer for so long; those older than 15 minutes are not worth one any more."""
        with self._db.write() as c:
            now = self._db.moment(c)
            late = sa.and_(questions.c.state == "open", questions.c.asked_at < now - _LONGEST_WAIT_S)
            c.execute(sa.update(questions).where(late).values(state="given up"))
            waits = sa.and_(questions.c.state == "open", questions.c.asked_at <= now - older_s)
            query = sa.select(questions).where(waits).order_by(questions.c.asked_at).limit(limit)
            rows = c.execute(query).mappings().all()
        return tuple(Asked(**row) for row in rows)
