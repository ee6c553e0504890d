"""The log in PostgreSQL, for several replicas. The same tables and statements as SQLite; three rules of its own:

- READ COMMITTED, and the advisory lock is taken first: REPEATABLE READ would read a size from before the lock;
- the index comes from the tree, never from a sequence: a sequence lets entry 1 appear under a checkpoint over 2;
- `fsync` and `synchronous_commit` must be on: an acknowledged record is on the server's disk.

A run is alive while its connection holds an advisory lock: the server drops it with the connection.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from assistant.errors import LogInconsistent
from assistant.promptlog.sql import SCHEMA_VERSION, TABLES, SqlCursor, SqlStore, SqlTransaction
from assistant.promptlog.store import StoreBusy, StoreFault
from assistant.promptlog.upgrade import bring_up

if TYPE_CHECKING:
    import psycopg

LOCK_MS = 10_000
_TYPES = {"text": 'TEXT COLLATE "C"', "int": "BIGINT", "bytes": "BYTEA", "strict": "", "keyed": ""}


class _Cursor(SqlCursor):
    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _naming_faults():
            cursor = self._connection.execute(_ours(sql), tuple(values))
            return cursor.fetchall() if cursor.description else []

    def many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        with _naming_faults(), self._connection.cursor() as cursor:
            cursor.executemany(_ours(sql), list(values))


class PostgresStore(SqlStore):
    """`schema` is the PostgreSQL schema that holds the tables, so that several logs can share a database."""

    def __init__(self, url: str, *, schema: str = "promptlog", lock_ms: int = LOCK_MS) -> None:
        self._url, self._schema, self._lock_ms = url, schema, lock_ms
        self._write_guard, self._read_guard = threading.Lock(), threading.Lock()
        self._lock = _number(f"{schema} writer")
        with _naming_faults():
            self._writer = self._connect()
            self._reader = self._connect()
            self._prepare()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        import psycopg

        connection = psycopg.connect(self._url, autocommit=True, application_name="payops promptlog")
        connection.execute("SET default_transaction_isolation = 'read committed'")
        connection.execute("SET synchronous_commit = on")
        connection.execute(f"SET lock_timeout = {int(self._lock_ms)}")
        connection.execute("SELECT set_config('search_path', %s, false)", (self._schema,))
        return connection

    def _prepare(self) -> None:
        """Tables, made under the writer's lock so that replicas may start together."""
        from psycopg import sql

        if self._writer.execute("SHOW fsync").fetchone() != ("on",):
            raise StoreFault("the PostgreSQL server runs with fsync = off", mend="the prompt log needs it on")
        with self._writer.transaction():
            self._writer.execute("SELECT pg_advisory_xact_lock(%s)", (self._lock,))
            self._writer.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
            self._make_tables()

    def _make_tables(self) -> None:
        cursor = _Cursor(self._writer)
        cursor.all(TABLES[0].format(**_TYPES))
        found = cursor.all("SELECT value FROM meta WHERE name = 'schema'")
        version = int(found[0][0]) if found else 0
        if version > SCHEMA_VERSION:
            raise LogInconsistent(f"the prompt log's tables have schema {version}, this program knows {SCHEMA_VERSION}")
        if version == SCHEMA_VERSION:
            return
        bring_up(cursor, version, [table.format(**_TYPES) for table in TABLES], unless="IF NOT EXISTS")
        put = "INSERT INTO meta (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = ?"
        cursor.all(put, (str(SCHEMA_VERSION), str(SCHEMA_VERSION)))

    @contextmanager
    def reading(self) -> Iterator[SqlCursor]:
        with self._read_guard:
            if self._reader.closed:
                with _naming_faults():
                    self._reader = self._connect()
            yield _Cursor(self._reader)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        with self._write_guard:
            cursor = _Cursor(self._writer)
            cursor.all("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                cursor.all("SELECT pg_advisory_xact_lock(?)", (self._lock,))
                yield SqlTransaction(cursor)
                cursor.all("COMMIT")
            except BaseException:
                _abandon(self._writer)
                raise

    def claim_run(self, run: str) -> None:
        with self._write_guard:
            _Cursor(self._writer).all("SELECT pg_advisory_lock(?)", (_number(f"{self._schema} {run}"),))

    def run_alive(self, run: str) -> bool:
        number = _number(f"{self._schema} {run}")
        with self.reading() as cursor:
            taken = bool(cursor.all("SELECT pg_try_advisory_lock(?)", (number,))[0][0])
            if taken:
                cursor.all("SELECT pg_advisory_unlock(?)", (number,))
        return not taken

    def scrub(self) -> None:
        """Rewrite the table of blobs, so that no dead row keeps the bytes (the server's WAL turns over by itself)."""
        with self._write_guard:
            _Cursor(self._writer).all("VACUUM (FULL) blob")

    def close(self) -> None:
        with self._write_guard, self._read_guard:
            self._reader.close()
            self._writer.close()


def _number(name: str) -> int:
    """A lock name as the signed 64-bit number that PostgreSQL wants."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _ours(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


@contextmanager
def _naming_faults() -> Iterator[None]:
    """psycopg's errors in our words: the class and the SQLSTATE, never the message (it may quote values)."""
    import psycopg

    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise StoreBusy("the prompt log is being written by another replica", mend="try again") from None
    except psycopg.Error as fault:
        name = f"{type(fault).__name__} {fault.sqlstate or ''}".strip()
        raise StoreFault(
            f"the prompt log's server failed ({name})", mend="see to PostgreSQL, then start again"
        ) from None


def _abandon(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Leave a failed transaction. A second failure says nothing new: the caller is already being told."""
    import psycopg

    try:
        connection.rollback()
    except psycopg.Error:
        return
