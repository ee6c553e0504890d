"""Living notes, revision by revision: each is stored once and never changed.

A note is kept under a `key` that names the work it came from ("r1.facts"). Doing that work again, after a crash or by
two replicas at once, finds the key taken and keeps the first note: exactly one.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from assistant.core.note import Note
from assistant.core.note_json import note_to_json
from assistant.notebook.canonical import dump
from assistant.notebook.database import Database
from assistant.notebook.lines import TABLES as LINE_TABLES
from assistant.notebook.lines import digest_of, line_of, lines
from redaction import FinalScanner

TABLES = LINE_TABLES

notes = sa.Table(
    "payops_note",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("written_at", sa.Float(53), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("incident", "key", name="payops_note_key"),
    sa.Index("payops_note_written", "written_at"),
)

_SEEN = 512
"""So many bodies that passed the last look are known by their hash: a page that is shown again is not read again."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A line of the list of notes. `written_at` in Unix seconds."""

    incident: str
    revision: int
    key: str
    written_at: float
    status: str
    severity: str
    title: str


class NoteBook:
    """`assistant.ports.Notebook`. Raises Away and Damaged (see `database`), LeakBlocked where the last look finds
    something.
    """

    def __init__(self, database: Database, *, scanner: FinalScanner) -> None:
        self._db = database
        self._scanner = scanner
        self._passed: OrderedDict[bytes, None] = OrderedDict()
        self._guard = threading.Lock()

    def put(self, note: Note) -> None:
        """Keep a revision. The same revision again changes nothing."""
        with self._db.write() as c:
            self.keep(c, note, key=f"revision.{note.revision}")

    def keep(self, c: sa.Connection, note: Note, *, key: str) -> bool:
        """Keep a note within a transaction of the caller's; False if its key or revision was taken."""
        written = note_to_json(note)
        body = dump(written)
        self._look(body, sink="notebook")
        row = {
            "incident": note.incident_id,
            "revision": note.revision,
            "key": key,
            "written_at": note.written_at,
            "status": note.status,
            "severity": note.severity,
            "title": note.title,
            "body": body,
        }
        # RETURNING, because a driver may not count the rows of an INSERT … DO NOTHING.
        kept = c.execute(self._db.insert(notes).values(row).on_conflict_do_nothing().returning(notes.c.revision))
        if kept.first() is None:
            return False
        line = self._db.insert(lines).values(line_of(written, digest=digest_of(body)))
        c.execute(line.on_conflict_do_nothing())
        return True

    def by_key(self, incident: str, key: str) -> int | None:
        """The revision kept under `key`, if there is one."""
        with self._db.read() as c:
            query = sa.select(notes.c.revision).where(notes.c.incident == incident, notes.c.key == key)
            return c.execute(query).scalar()

    def next_revision(self, incident: str) -> int:
        with self._db.read() as c:
            newest = c.execute(sa.select(sa.func.max(notes.c.revision)).where(notes.c.incident == incident)).scalar()
        return int(newest or 0) + 1

    def latest(self, incident: str) -> Mapping[str, object] | None:
        return self._body(_BODY.where(notes.c.incident == incident).order_by(notes.c.revision.desc()))

    def revision(self, incident: str, number: int) -> Mapping[str, object] | None:
        return self._body(_BODY.where(notes.c.incident == incident, notes.c.revision == number))

    def revisions(self, incident: str) -> tuple[Revision, ...]:
        """All revisions of one incident, first to last."""
        return self._lines(sa.select(*_LINE).where(notes.c.incident == incident).order_by(notes.c.revision))

    def newest(self, *, limit: int = 100, offset: int = 0) -> tuple[Revision, ...]:
        """The latest revision of each incident, newest first."""
        # Walked along the index of `written_at`, so that a page of the list does not read the whole table.
        later = notes.alias()
        superseded = sa.exists().where(later.c.incident == notes.c.incident, later.c.revision > notes.c.revision)
        query = sa.select(*_LINE).where(~superseded).order_by(notes.c.written_at.desc(), notes.c.incident)
        return self._lines(query.limit(limit).offset(offset))

    def fill_lines(self, *, most: int = 200) -> int:
        """Make lines of notes that an older payops kept without; how many were made (0: all have one)."""
        has = sa.exists().where(lines.c.incident == notes.c.incident, lines.c.revision == notes.c.revision)
        with self._db.read() as c:
            bodies = c.execute(sa.select(notes.c.body).where(~has).limit(most)).scalars().all()
        made = [line_of(json.loads(body), digest="") for body in bodies]
        for line in made:
            self._scanner.check(dump(line), sink="notebook")
        if made:
            with self._db.write() as c:
                c.execute(self._db.insert(lines).on_conflict_do_nothing(), made)
        return len(made)

    def _body(self, query: Any) -> Mapping[str, object] | None:
        with self._db.read() as c:
            row = c.execute(query.limit(1)).first()
        if row is None:
            return None
        body, passed = row
        if passed != digest_of(body):
            self._look(body, sink="notebook reader")
        found: dict[str, object] = json.loads(body)
        return found

    def _look(self, body: str, *, sink: str) -> None:
        """The last look, once for the same bytes: its verdict depends on nothing else. Raises LeakBlocked."""
        digest = hashlib.sha256(body.encode()).digest()
        with self._guard:
            known = digest in self._passed
        if not known:
            self._scanner.check(body, sink=sink)
        with self._guard:
            self._passed[digest] = None
            self._passed.move_to_end(digest)
            if len(self._passed) > _SEEN:
                self._passed.popitem(last=False)

    def _lines(self, query: Any) -> tuple[Revision, ...]:
        with self._db.read() as c:
            return tuple(Revision(**row) for row in c.execute(query).mappings())


_LINE = tuple(notes.c[name] for name in ("incident", "revision", "key", "written_at", "status", "severity", "title"))
_BODY = sa.select(notes.c.body, lines.c.digest).select_from(
    notes.outerjoin(lines, sa.and_(lines.c.incident == notes.c.incident, lines.c.revision == notes.c.revision))
)
"""A body, and the digest of the bytes that the last look passed when it was kept."""
