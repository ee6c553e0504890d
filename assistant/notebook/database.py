"""The door to SQLAlchemy: one engine for SQLite or PostgreSQL, one write lock, foreign errors turned into ours.

What callers rely on:

- `write()` is one transaction, durable when it ends (SQLite WAL with synchronous=FULL; PostgreSQL's default). Writers
  of one SQLite file wait for each other; on PostgreSQL only those do that take the same `lock`.
- `Away` means that the database cannot be reached now; the work was not done, or its outcome is unknown and
  everything that is written here can be written again. `Damaged` means that a person must look.
- `moment()` is the database's clock where replicas share one (leases must not depend on clocks that are apart), this
  machine's where they do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from assistant.errors import WorkflowError
from assistant.notebook.migrations import migrate

T = TypeVar("T")

SCHEMA = 2
"""A number kept by hand: it changes with each step of `migrations`."""

_LOCKS = {"prepare": 7_301, "place": 7_302}


class Away(WorkflowError):
    """The database cannot be reached; try again."""


class Damaged(WorkflowError):
    """The database is not what we wrote, or newer than we are."""


_META = sa.MetaData()
_meta = sa.Table("payops_meta", _META, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))


class Database:
    """One database. `shared` is true for PostgreSQL: other replicas may be using it."""

    def __init__(self, engine: sa.Engine, *, place: str) -> None:
        self.engine = engine
        self.place = place
        self.shared = engine.dialect.name == "postgresql"
        self._reading: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if self.shared else {"payops_read": True}

    def prepare(self, *tables: sa.MetaData) -> None:
        """Create what is missing, bring older tables forward. Raises Damaged for a newer schema or a damaged file, Away
        without a server."""
        with self.write(lock="prepare") as connection:
            for metadata in (_META, *tables):
                metadata.create_all(connection)
                for table in metadata.tables.values():  # an index that came later, on a table that is there
                    for index in table.indexes:
                        index.create(connection, checkfirst=True)
            found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "schema")).scalar()
            if found is None:
                connection.execute(_meta.insert().values(name="schema", value=str(SCHEMA)))
            elif int(found) > SCHEMA:
                raise self._newer(int(found))
            elif int(found) < SCHEMA:
                migrate(connection, found=int(found), wanted=SCHEMA)
                connection.execute(sa.update(_meta).where(_meta.c.name == "schema").values(value=str(SCHEMA)))

    def refuse_newer(self) -> None:
        """A look before the start that changes nothing. Raises Damaged for a newer schema, Away without a server."""
        with self.read() as connection:
            if not sa.inspect(connection).has_table(_meta.name):
                return
            found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "schema")).scalar()
        if found is not None and int(found) > SCHEMA:
            raise self._newer(int(found))

    def _newer(self, found: int) -> Damaged:
        return Damaged(
            f"{self.place} was written by a newer payops (schema {found}, this one knows {SCHEMA})",
            mend="start the newer version, or give another --state or [workflow] url",
        )

    @contextmanager
    def write(self, *, lock: str = "") -> Iterator[sa.Connection]:
        """One transaction, durable when it ends. Raises Away or Damaged."""
        with self._translated(), self.engine.begin() as connection:
            if lock and self.shared:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCKS[lock]})
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Reads that see committed rows, without a transaction."""
        with self._translated(), self.engine.connect() as connection:
            yield connection.execution_options(**self._reading)

    def moment(self, connection: sa.Connection) -> float:
        if not self.shared:
            return time.time()
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ON CONFLICT, in the dialect at hand."""
        return postgresql.insert(table) if self.shared else sqlite.insert(table)

    def patiently(self, work: Callable[[], T], *, stopping: Callable[[], bool], longest: float = 5.0) -> T:
        """Do `work`, again and again while the database is away, unless we are `stopping`; then raises Away."""
        wait = 0.1
        while True:
            try:
                return work()
            except Away:
                if stopping():
                    raise
                time.sleep(wait)
                wait = min(wait * 2, longest)

    def check(self) -> None:
        """A read that touches the file or the server. Raises Away or Damaged."""
        with self.read() as connection:
            connection.execute(sa.select(_meta.c.value).limit(1)).all()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            # The driver's message may quote values: only its type is repeated.
            kind = type(error.orig).__name__ if error.orig is not None else type(error).__name__
            if self.shared or "locked" in str(error.orig) or "busy" in str(error.orig):
                raise Away(f"{self.place}: {kind}", mend="check that the database is up") from None
            raise Damaged(
                f"{self.place}: {kind}",
                mend=f"move the damaged file away (mv {self.place} {self.place}.damaged) and start",
            ) from None
        except SQLAlchemyError as error:
            raise Away(f"{self.place}: {type(error).__name__}", mend="check that the database is up") from None


def open_database(url: str, *, state: Path) -> Database:
    """The PostgreSQL at `url`, or for "" the SQLite file `live.sqlite` under the state directory.

    Raises WorkflowError for a URL that is not PostgreSQL's, Damaged for a file that is not a whole database.
    """
    if not url:
        return _sqlite(state / "live.sqlite")
    if not url.startswith(("postgresql://", "postgres://")):
        raise WorkflowError(
            "[workflow] url is not a postgresql:// URL", mend="leave it out to use SQLite under --state"
        )
    return _postgres(url)


def _sqlite(path: Path) -> Database:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WorkflowError(f"{path.parent}: {error.strerror}", mend="give another --state") from None
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30.0, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _settle(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A writer takes the lock at once: one that reads first could find itself unable to go on.
        reading = connection.get_execution_options().get("payops_read", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    database = Database(engine, place=str(path))
    _whole(database, path)
    return database


def _whole(database: Database, path: Path) -> None:
    """SQLite opens damaged files without a word: ask before relying on it."""
    if not path.exists():
        return
    with database.read() as connection:
        if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
            raise Damaged(
                f"{path} is damaged",
                mend=f"move it away (mv {path} {path}.damaged) and start: alerts that still fire come back",
            )


def _postgres(url: str) -> Database:
    address = sa.engine.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(
        address,
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=10,
        connect_args={"connect_timeout": 3, "application_name": "payops", "tcp_user_timeout": 8000},
    )
    return Database(
        engine, place=f"PostgreSQL at {address.host or 'a socket'}:{address.port or 5432}/{address.database}"
    )
