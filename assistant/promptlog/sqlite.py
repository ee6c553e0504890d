"""The log in one SQLite file: WAL, synchronous=FULL, one writer at a time.

`synchronous=NORMAL` would lose acknowledged records when the power goes: never here. A damaged WAL makes SQLite open an
older, shorter log without a word; only a checkpoint held elsewhere shows that, so `open` compares with one.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.errors import LogInconsistent, LogUnavailable
from assistant.promptlog.sql import SCHEMA_VERSION, TABLES, SqlCursor, SqlStore, SqlTransaction
from assistant.promptlog.store import StoreBusy, StoreFault
from assistant.promptlog.upgrade import bring_up

BUSY_SECONDS = 10.0
FILE = "promptlog.sqlite"
_TYPES = {"text": "TEXT", "int": "INTEGER", "bytes": "BLOB", "strict": " STRICT", "keyed": " WITHOUT ROWID, STRICT"}


class _Cursor(SqlCursor):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _naming_faults():
            return self._connection.execute(sql, tuple(values)).fetchall()

    def many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        with _naming_faults():
            self._connection.executemany(sql, values)


class SqliteStore(SqlStore):
    """`directory` None keeps everything in memory: the same code without a disk, for tests."""

    aside = "+{}"

    def __init__(self, directory: Path | None, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._path = None if directory is None else directory / FILE
        self._busy_seconds = busy_seconds
        self._local = threading.local()
        self._guard = threading.RLock()
        self._readers: list[sqlite3.Connection] = []
        self._run_lock: tuple[str, int] | None = None
        if self._path is not None:
            _make_private(self._path)
        with _naming_faults():
            self._writer = self._connect()
            _prepare(self._writer, in_memory=self._path is None)
        if self._path is not None:
            _sync_directory(self._path.parent)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path or ":memory:",
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    @contextmanager
    def reading(self) -> Iterator[SqlCursor]:
        if self._path is None:
            with self._guard:
                yield _Cursor(self._writer)
            return
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            with _naming_faults():
                reader = self._connect()
                reader.execute("PRAGMA query_only = ON")
            self._local.reader = reader
            with self._guard:
                self._readers.append(reader)
        yield _Cursor(reader)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        with self._guard:
            cursor = _Cursor(self._writer)
            cursor.all("BEGIN IMMEDIATE")
            try:
                yield SqlTransaction(cursor)
                cursor.all("COMMIT")
            except BaseException:
                _abandon(self._writer)
                raise

    def claim_run(self, run: str) -> None:
        if self._path is None:
            self._run_lock = (run, -1)
            return
        path = self._path.parent / "runs" / f"{run}.lock"
        fresh = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fresh.rename(path)  # seen by others only when it is held
            self._run_lock = (run, fd)
            for other in path.parent.glob("*.lock"):
                self.run_alive(other.stem)
        except OSError as fault:
            raise LogUnavailable(f"no lock for this run of the prompt log ({fault.strerror})") from None

    def run_alive(self, run: str) -> bool:
        """Also forgets the lock file of a run that is dead."""
        if self._run_lock and self._run_lock[0] == run:
            return True
        if self._path is None:
            return False
        path = self._path.parent / "runs" / f"{run}.lock"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        path.unlink(missing_ok=True)
        return False

    def scrub(self) -> None:
        if self._path is None:
            return
        with self._guard, _naming_faults():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        with self._guard:
            for connection in (*self._readers, self._writer):
                connection.close()
            self._readers.clear()
            if self._run_lock and self._path is not None:
                run, fd = self._run_lock
                (self._path.parent / "runs" / f"{run}.lock").unlink(missing_ok=True)
                os.close(fd)
            self._run_lock = None


def _prepare(connection: sqlite3.Connection, *, in_memory: bool) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal" and not in_memory:
        raise StoreFault("the prompt log's file system does not allow SQLite's WAL", mend="use a local disk")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= SCHEMA_VERSION:
        raise LogInconsistent(f"the prompt log's file has schema {version}, this program knows {SCHEMA_VERSION}")
    if version < SCHEMA_VERSION:
        _make_tables(connection)


def _make_tables(connection: sqlite3.Connection) -> None:
    """New, or from an older schema; another process may have been first."""
    cursor = _Cursor(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        [(version,)] = cursor.all("PRAGMA user_version")
        if version < SCHEMA_VERSION:
            bring_up(cursor, version, [table.format(**_TYPES) for table in TABLES])
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        _abandon(connection)
        raise


@contextmanager
def _naming_faults() -> Iterator[None]:
    """sqlite3's errors in our words; SQLite's own error name, never its message (it may quote values)."""
    try:
        yield
    except sqlite3.Error as fault:
        name = getattr(fault, "sqlite_errorname", type(fault).__name__)
        if name in {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED"}:
            raise StoreBusy("the prompt log is being written by another process", mend="try again") from None
        if name in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
            raise LogInconsistent(
                f"the prompt log's file is damaged ({name})", mend="keep it, restore a copy"
            ) from None
        raise StoreFault(f"the prompt log's disk failed ({name})", mend="see to the disk, then start again") from None


def _abandon(connection: sqlite3.Connection) -> None:
    """Leave a failed transaction. A second failure says nothing new: the caller is already being told."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as fault:
        raise LogUnavailable(
            f"the prompt log's folder cannot be written ({fault.strerror})", mend="see --state"
        ) from None


def _sync_directory(directory: Path) -> None:
    try:
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as fault:
        raise StoreFault(f"the prompt log's folder cannot be flushed ({fault.strerror})") from None
