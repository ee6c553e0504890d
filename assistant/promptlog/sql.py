"""What SQLite and PostgreSQL share: the tables and the statements. Subclasses connect, lock and name their errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple
from heapq import merge
from typing import Any

from assistant.promptlog.bodies import Blob
from assistant.promptlog.query import USUAL, one_event_each, query, span_query, wants_span
from assistant.promptlog.record import CLOSES_REQUEST, STAYS_HOT, Address, Event, RecordId
from assistant.promptlog.store import Delivery, Filter, Row, Signed, Taken

SCHEMA_VERSION = 3
PAGE = 2_000
_FIRST_PAGE = 60
_CHUNK = 500

TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL){strict}",
    "CREATE TABLE IF NOT EXISTS entry (idx {int} PRIMARY KEY, id TEXT NOT NULL UNIQUE, time TEXT NOT NULL,"
    " event TEXT NOT NULL, actor TEXT NOT NULL, outcome TEXT NOT NULL, incident TEXT, correlation TEXT, about TEXT,"
    " model TEXT, run TEXT NOT NULL, release TEXT, leaf {bytes}, hashes {bytes} NOT NULL, segment TEXT){strict}",
    "CREATE INDEX IF NOT EXISTS entry_time ON entry (time, idx)",
    "CREATE INDEX IF NOT EXISTS entry_incident ON entry (incident, idx) WHERE incident IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS entry_about ON entry (about, idx) WHERE about IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS entry_event ON entry (event, idx)",
    "CREATE INDEX IF NOT EXISTS entry_actor ON entry (actor, idx)",
    f"CREATE INDEX IF NOT EXISTS entry_outcome ON entry (outcome, idx) WHERE outcome <> '{USUAL}'",
    "CREATE INDEX IF NOT EXISTS entry_model ON entry (model, idx) WHERE model IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS entry_release ON entry (release, idx) WHERE release IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS entry_correlation ON entry (correlation, idx) WHERE correlation IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS redacted (class {text} NOT NULL, idx {int} NOT NULL, PRIMARY KEY (class, idx)){keyed}",
    "CREATE TABLE IF NOT EXISTS blob (address TEXT PRIMARY KEY, twin {bytes} NOT NULL UNIQUE, key_id TEXT NOT NULL,"
    " sealed {bytes} NOT NULL){strict}",
    "CREATE TABLE IF NOT EXISTS body_use (address TEXT NOT NULL, idx {int} NOT NULL,"
    " PRIMARY KEY (address, idx)){keyed}",
    "CREATE TABLE IF NOT EXISTS taken (address TEXT PRIMARY KEY, reason TEXT NOT NULL, record TEXT NOT NULL,"
    " time TEXT NOT NULL){strict}",
    "CREATE TABLE IF NOT EXISTS signed (size {int} PRIMARY KEY, note TEXT NOT NULL, first TEXT NOT NULL,"
    " last TEXT NOT NULL){strict}",
    "CREATE TABLE IF NOT EXISTS delivery (place TEXT PRIMARY KEY, delivered_size {int}, delivered_time TEXT,"
    " failures {int} NOT NULL, failing_since TEXT, reason TEXT NOT NULL){strict}",
)

_COLUMNS = (
    "idx, id, time, event, actor, outcome, incident, correlation, about, model, run, release, leaf, hashes, segment"
)
_ENTRY_COLUMNS = ", ".join(f"e.{name}" for name in _COLUMNS.split(", "))
_STAYING = ", ".join(f"'{event}'" for event in sorted(STAYS_HOT))
_CLOSING = ", ".join(f"'{event}'" for event in sorted(CLOSES_REQUEST))


class SqlCursor(ABC):
    """Runs statements written with `?`; turns foreign errors into StoreBusy and StoreFault."""

    @abstractmethod
    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def many(self, sql: str, values: Iterable[Sequence[Any]]) -> None: ...


class SqlTransaction:
    """`store.Transaction` over a cursor that is inside the write lock."""

    def __init__(self, cursor: SqlCursor) -> None:
        self._cursor = cursor

    def tip(self) -> tuple[int, bytes]:
        rows = self._cursor.all("SELECT idx, hashes FROM entry ORDER BY idx DESC LIMIT 1")
        return (rows[0][0] + 1, bytes(rows[0][1])) if rows else (0, b"")

    def hashes(self, indexes: Sequence[int]) -> dict[int, bytes]:
        return read_hashes(self._cursor, indexes)

    def known(self, ids: Sequence[RecordId]) -> dict[RecordId, Row]:
        found = (_row(r) for r in _in(self._cursor, f"SELECT {_COLUMNS} FROM entry WHERE id IN", ids))
        return {row.id: row for row in found}

    def addresses(self, twins: Sequence[bytes]) -> dict[bytes, Address]:
        return read_addresses(self._cursor, twins)

    def insert(
        self,
        rows: Sequence[Row],
        blobs: Sequence[Blob],
        uses: Sequence[tuple[Address, int]],
        classes: Sequence[tuple[str, int]],
    ) -> None:
        places = ", ".join("?" * 15)
        self._cursor.many(f"INSERT INTO entry ({_COLUMNS}) VALUES ({places})", [_values(row) for row in rows])
        if blobs:
            values = [(b.address, b.twin, b.key_id, b.sealed) for b in blobs]
            self._cursor.many("INSERT INTO blob (address, twin, key_id, sealed) VALUES (?, ?, ?, ?)", values)
        if uses:
            self._cursor.many("INSERT INTO body_use (address, idx) VALUES (?, ?) ON CONFLICT DO NOTHING", uses)
        if classes:
            self._cursor.many("INSERT INTO redacted (class, idx) VALUES (?, ?)", classes)

    def take(self, taken: Sequence[Taken]) -> None:
        self._cursor.many("DELETE FROM blob WHERE address = ?", [(t.address,) for t in taken])
        sql = "INSERT INTO taken (address, reason, record, time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._cursor.many(sql, [(t.address, t.reason, t.record, t.time) for t in taken])

    def archive(self, segment: str, start: int, stop: int) -> None:
        self._cursor.many("UPDATE entry SET segment = ? WHERE idx >= ? AND idx < ?", [(segment, start, stop)])
        sql = f"UPDATE entry SET leaf = NULL WHERE idx >= ? AND idx < ? AND event NOT IN ({_STAYING})"
        self._cursor.many(sql, [(start, stop)])

    def find_by(self, releases: Sequence[tuple[str, int]], classes: Sequence[tuple[str, int]]) -> None:
        self._cursor.many("UPDATE entry SET release = ? WHERE idx = ? AND release IS NULL", releases)
        self._cursor.many("INSERT INTO redacted (class, idx) VALUES (?, ?) ON CONFLICT DO NOTHING", classes)

    def put_signed(self, signed: Signed) -> None:
        sql = (
            "INSERT INTO signed (size, note, first, last) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (size) DO UPDATE SET note = excluded.note, last = excluded.last"
        )
        self._cursor.many(sql, [(signed.size, signed.note, signed.first, signed.last)])

    def put_delivery(self, delivery: Delivery) -> None:
        self._cursor.many("DELETE FROM delivery WHERE place = ?", [(delivery.place,)])
        sql = "INSERT INTO delivery (place, delivered_size, delivered_time, failures, failing_since, reason)"
        self._cursor.many(f"{sql} VALUES (?, ?, ?, ?, ?, ?)", [astuple(delivery)])


class SqlStore(ABC):
    """`store.Store` over two abstract things: a cursor to read with, and a transaction to write in."""

    aside = "{}"
    """How a column is kept from its index in this database (`query.query`)."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[SqlCursor]: ...

    @abstractmethod
    def transaction(self) -> AbstractContextManager[SqlTransaction]: ...

    @abstractmethod
    def claim_run(self, run: str) -> None: ...

    @abstractmethod
    def run_alive(self, run: str) -> bool: ...

    @abstractmethod
    def scrub(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def size(self) -> int:
        with self.reading() as cursor:
            return int(cursor.all("SELECT COALESCE(MAX(idx) + 1, 0) FROM entry")[0][0])

    def row(self, which: int | str) -> Row | None:
        column = "idx" if isinstance(which, int) else "id"
        with self.reading() as cursor:
            rows = cursor.all(f"SELECT {_COLUMNS} FROM entry WHERE {column} = ?", (which,))
        return _row(rows[0]) if rows else None

    def rows(self, wanted: Filter, *, descending: bool = False) -> Iterator[Row]:
        start, stop = self._span(wanted)
        found = [self._pages(one, start, stop, descending=descending) for one in one_event_each(wanted)]
        return merge(*found, key=lambda row: row.index, reverse=descending)

    def _span(self, wanted: Filter) -> tuple[int, int]:
        start, stop = wanted.start, self.size() if wanted.stop is None else wanted.stop
        if not wants_span(wanted):
            return start, stop
        with self.reading() as cursor:
            [(first, last)] = cursor.all(*span_query(wanted))
        return (stop, stop) if first is None else (max(start, first), min(stop, last + 1))

    def _pages(self, wanted: Filter, start: int, stop: int, *, descending: bool) -> Iterator[Row]:
        """The first page is small: who looks at the newest few does not wait for 2,000."""
        asked = query(wanted, start=start, stop=stop, descending=descending, aside=self.aside)
        sql = asked.sql(_ENTRY_COLUMNS, descending=descending)
        edge, count = stop if descending else start, min(_FIRST_PAGE, PAGE)
        while True:
            with self.reading() as cursor:
                page = [_row(r) for r in cursor.all(sql, asked.values(edge, count))]
            yield from page
            if len(page) < count:
                return
            edge = page[-1].index if descending else page[-1].index + 1
            count = PAGE

    def classes(self) -> Iterator[tuple[str, int]]:
        last = ("", -1)
        sql = f"SELECT class, idx FROM redacted WHERE (class, idx) > (?, ?) ORDER BY class, idx LIMIT {PAGE}"
        while True:
            with self.reading() as cursor:
                page = [(str(r[0]), int(r[1])) for r in cursor.all(sql, last)]
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]

    def hashes(self, indexes: Sequence[int]) -> dict[int, bytes]:
        with self.reading() as cursor:
            return read_hashes(cursor, indexes)

    def open_requests(self) -> list[Row]:
        sql = (
            f"SELECT {_COLUMNS} FROM entry AS r WHERE event = '{Event.LLM_REQUEST}' AND NOT EXISTS"
            f" (SELECT 1 FROM entry AS a WHERE a.about = r.id AND a.event IN ({_CLOSING})) ORDER BY idx"
        )
        with self.reading() as cursor:
            return [_row(r) for r in cursor.all(sql)]

    def blob(self, address: Address) -> Blob | None:
        with self.reading() as cursor:
            rows = cursor.all("SELECT address, twin, key_id, sealed FROM blob WHERE address = ?", (address,))
        return Blob(Address(rows[0][0]), bytes(rows[0][1]), rows[0][2], bytes(rows[0][3])) if rows else None

    def addresses(self, twins: Sequence[bytes]) -> dict[bytes, Address]:
        with self.reading() as cursor:
            return read_addresses(cursor, twins)

    def blob_addresses(self) -> Iterator[Address]:
        after = ""
        while True:
            sql = f"SELECT address FROM blob WHERE address > ? ORDER BY address LIMIT {PAGE}"
            with self.reading() as cursor:
                page = [Address(r[0]) for r in cursor.all(sql, (after,))]
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1]

    def uses(self, address: Address) -> list[int]:
        with self.reading() as cursor:
            return [r[0] for r in cursor.all("SELECT idx FROM body_use WHERE address = ? ORDER BY idx", (address,))]

    def taken(self, address: Address) -> Taken | None:
        with self.reading() as cursor:
            rows = cursor.all("SELECT address, reason, record, time FROM taken WHERE address = ?", (address,))
        return _taken(rows[0]) if rows else None

    def all_taken(self) -> Iterator[Taken]:
        with self.reading() as cursor:
            rows = cursor.all("SELECT address, reason, record, time FROM taken ORDER BY address")
        return (_taken(r) for r in rows)

    def signed(self) -> list[Signed]:
        with self.reading() as cursor:
            return [Signed(*r) for r in cursor.all("SELECT size, note, first, last FROM signed ORDER BY size")]

    def signed_at(self, size: int) -> list[Signed]:
        with self.reading() as cursor:
            return [
                Signed(*r) for r in cursor.all("SELECT size, note, first, last FROM signed WHERE size = ?", (size,))
            ]

    def last_signed(self) -> Signed | None:
        with self.reading() as cursor:
            rows = cursor.all("SELECT size, note, first, last FROM signed ORDER BY size DESC LIMIT 1")
        return Signed(*rows[0]) if rows else None

    def deliveries(self) -> list[Delivery]:
        sql = (
            "SELECT place, delivered_size, delivered_time, failures, failing_since, reason FROM delivery ORDER BY place"
        )
        with self.reading() as cursor:
            return [Delivery(*r) for r in cursor.all(sql)]


def read_hashes(cursor: SqlCursor, indexes: Sequence[int]) -> dict[int, bytes]:
    return {r[0]: bytes(r[1]) for r in _in(cursor, "SELECT idx, hashes FROM entry WHERE idx IN", indexes)}


def read_addresses(cursor: SqlCursor, twins: Sequence[bytes]) -> dict[bytes, Address]:
    return {bytes(r[0]): Address(r[1]) for r in _in(cursor, "SELECT twin, address FROM blob WHERE twin IN", twins)}


def _in(cursor: SqlCursor, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for at in range(0, len(values), _CHUNK):
        chunk = values[at : at + _CHUNK]
        yield from cursor.all(f"{sql} ({', '.join('?' * len(chunk))})", chunk)


def _row(r: tuple[Any, ...]) -> Row:
    leaf = None if r[12] is None else bytes(r[12])
    found = (r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11])
    return Row(r[0], RecordId(r[1]), *found, leaf, bytes(r[13]), r[14])


def _values(row: Row) -> tuple[Any, ...]:
    """In the order of `_COLUMNS` (`dataclasses.astuple` copies deeply, which costs more than the insert)."""
    return tuple(getattr(row, name) for name in Row.__slots__)


def _taken(r: tuple[Any, ...]) -> Taken:
    return Taken(Address(r[0]), r[1], RecordId(r[2]), r[3])
