"""A value out of the tables of a database: SQLite files of ours and others', or the schemas of a PostgreSQL.

Every text and blob of every table is looked at, whatever it is for, so that a table that is new tomorrow is not
forgotten. What was deleted is overwritten too: SQLite by `secure_delete`, an emptied WAL and VACUUM, PostgreSQL by
VACUUM FULL of the tables that held it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from assistant.errors import WorkflowError
from assistant.purging.value import GONE, Value

_PAGE = 500
_OURS = ("public", "dbos")


@dataclass(frozen=True, slots=True)
class Hit:
    """Cells of a table that hold (or held) the value."""

    table: str
    cells: int


def clean_tables(engine: sa.Engine, value: Value, *, dry_run: bool) -> tuple[Hit, ...]:
    """Find it, and unless it is a dry run remove it, in every table. Raises WorkflowError."""
    with _translated():
        hits = tuple(hit for hit in _cleaned(engine, value, dry_run=dry_run) if hit.cells)
        if hits and not dry_run and engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
                for hit in hits:
                    c.exec_driver_sql(f"VACUUM (FULL) {hit.table}")
                c.exec_driver_sql("CHECKPOINT")
    return hits


def scrub_sqlite(engine: sa.Engine) -> bool:
    """Leave nothing of deleted rows in a SQLite file or its WAL. False where another process would not let us."""
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("PRAGMA secure_delete = ON")
            c.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            c.exec_driver_sql("VACUUM")
            busy = c.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
    except DBAPIError:
        return False
    return not busy


def _cleaned(engine: sa.Engine, value: Value, *, dry_run: bool) -> Iterator[Hit]:
    inspector = sa.inspect(engine)
    postgres = engine.dialect.name == "postgresql"
    schemas = [s for s in inspector.get_schema_names() if s in _OURS] if postgres else [None]
    for schema in schemas:
        for name in inspector.get_table_names(schema=schema):
            table = _Table(engine, inspector, schema, name)
            yield Hit(table.quoted, table.clean(value, dry_run=dry_run))


class _Table:
    """One table, by its key (SQLite's rowid where it has none)."""

    def __init__(self, engine: sa.Engine, inspector: sa.Inspector, schema: str | None, name: str) -> None:
        quote = engine.dialect.identifier_preparer.quote
        self._engine = engine
        self._quote = quote
        self._postgres = engine.dialect.name == "postgresql"
        self.quoted = f"{quote(schema)}.{quote(name)}" if schema else quote(name)
        self._columns = [c["name"] for c in inspector.get_columns(name, schema=schema)]
        self._key = list(inspector.get_pk_constraint(name, schema=schema)["constrained_columns"])
        if not self._key:
            self._key = ["ctid" if self._postgres else "rowid"]

    def clean(self, value: Value, *, dry_run: bool) -> int:
        """How many cells held it. One transaction a table; nobody else writes to it meanwhile."""
        cells = 0
        with self._engine.connect() as c, c.begin():
            if self._postgres and not dry_run:
                c.exec_driver_sql(f"LOCK TABLE {self.quoted} IN SHARE ROW EXCLUSIVE MODE")
            elif not self._postgres:
                c.exec_driver_sql("PRAGMA secure_delete = ON")
            for row in self._rows(c):
                changed = {k: new for k, v in row.items() if k in self._columns and (new := _new(v, value)) is not None}
                cells += len(changed)
                if changed and not dry_run:
                    self._update(c, row, changed)
        return cells

    def _rows(self, c: sa.Connection) -> list[dict[str, Any]]:
        """The rows, key first. All of a table at once: the tables that can hold text are kept small by retention."""
        names = list(dict.fromkeys([*self._key, *self._columns]))
        listed = ", ".join(n if n in {"rowid", "ctid"} else self._quote(n) for n in names)
        rows = c.exec_driver_sql(f"SELECT {listed} FROM {self.quoted}")
        return [dict(zip(names, row, strict=True)) for part in rows.partitions(_PAGE) for row in part]

    def _update(self, c: sa.Connection, row: dict[str, Any], changed: dict[str, Any]) -> None:
        for name in set(self._key) & set(changed):
            # Two rows whose keys held the value must not become one.
            changed[name] = f"purged-{secrets.token_hex(6)}"
        sets = ", ".join(f"{self._quote(n)} = :n{i}" for i, n in enumerate(changed))
        keys = " AND ".join(
            f"{n if n in {'rowid', 'ctid'} else self._quote(n)} = :k{i}" for i, n in enumerate(self._key)
        )
        values = {f"n{i}": v for i, v in enumerate(changed.values())}
        values |= {f"k{i}": row[n] for i, n in enumerate(self._key)}
        c.execute(sa.text(f"UPDATE {self.quoted} SET {sets} WHERE {keys}"), values)


def _new(cell: Any, value: Value) -> Any:
    """What stands in the cell afterwards, or None where it does not hold the value."""
    if isinstance(cell, str):
        return value.cleaned(cell) if value.inside(cell) else None
    if isinstance(cell, bytes | memoryview):
        content = bytes(cell)
        if not value.in_bytes(content):
            return None
        text = value.cleaned(content.decode("utf-8", "surrogateescape"))
        clean = text.encode("utf-8", "surrogateescape")
        return clean if not value.in_bytes(clean) else GONE.encode()
    if isinstance(cell, dict | list):
        text = json.dumps(cell)
        return value.cleaned(text) if value.inside(text) else None
    return None


@contextmanager
def _translated() -> Iterator[None]:
    """Foreign errors as ours, by type only: a driver's message quotes values."""
    try:
        yield
    except SQLAlchemyError as error:
        raise WorkflowError(
            f"a database could not be cleaned ({type(error).__name__})", mend="see that it is up, then purge again"
        ) from None
