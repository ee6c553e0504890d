"""Through every store, with a record before and one after; then a second look that says whether it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from assistant.errors import PayopsError, PromptLogError
from assistant.promptlog.open import log_exists
from assistant.promptlog.record import Entry, Event
from assistant.promptlog.sqlite import FILE as LOG_FILE
from assistant.purging.bodies import Carrying, find_bodies, take_bodies
from assistant.purging.files import clean_files, databases_under
from assistant.purging.shown import Message, mark_shown
from assistant.purging.tables import clean_tables, scrub_sqlite
from assistant.purging.value import Value
from assistant.serving import database_url
from assistant.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assistant.promptlog.log import Log

NOT_REACHED = (
    "backups and snapshots made before now, and PostgreSQL's WAL and its archive",
    "the state directories of other replicas: run this there too",
    "logs of this process that a collector has taken away",
    "memory of processes that run: restart them afterwards",
    "the model's provider: ask it to delete the requests named here",
    "Slack's own exports and edit history; what people copied",
    "the systems that the value came from (Prometheus, Alertmanager, Loki, change events, runbook repositories)",
)
"""What holds it perhaps and cannot be cleaned from here. Chroma holds vectors, no text."""


@dataclass(frozen=True, slots=True)
class Store:
    """One store: how many places of it held the value, and what is left there, with the reason."""

    name: str
    held: int
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """What was found and done. Never holds the value. `records`: the ids of the records before and after, or why there
    are none."""

    klass: str
    dry_run: bool
    stores: list[Store] = field(default_factory=list)
    messages: tuple[Message, ...] = ()
    requests: tuple[Carrying, ...] = ()
    records: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    remaining: int = 0

    @property
    def held(self) -> int:
        return sum(store.held for store in self.stores)

    @property
    def clean(self) -> bool:
        return not self.remaining and not self.trouble and not any(store.left for store in self.stores)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "held": self.held, "clean": self.clean, "not_reached": list(NOT_REACHED)}


def purge(settings: Settings, value: Value, *, by: str, notes: Sequence[Path] = (), dry_run: bool = False) -> Report:
    """Remove the value, or say where it is. What cannot be done is in the report; nothing else is left undone for it.

    `notes` are folders of notes outside the state directory. Raises SettingsError.
    """
    report = Report(value.klass, dry_run)
    log = _log(settings, report)
    try:
        if not dry_run:
            _record(log, report, by, {"phase": "begun", "class": value.klass})
        _everywhere(settings, value, report, log, by=by, notes=notes, dry_run=dry_run)
        if not dry_run:
            again = Report(value.klass, True)
            _everywhere(settings, value, again, log, by=by, notes=notes, dry_run=True)
            report.remaining = again.held
            counts = {s.name.replace(" ", "_"): s.held for s in report.stores}
            facts = {"phase": "done", "class": value.klass, "removed": counts, "remaining": report.remaining}
            _record(log, report, by, facts | {"requests": len(report.requests), "messages": len(report.messages)})
    finally:
        if log is not None:
            log.close()
    return report


def _everywhere(
    settings: Settings,
    value: Value,
    report: Report,
    log: Log | None,
    *,
    by: str,
    notes: Sequence[Path],
    dry_run: bool,
) -> None:
    with _noting(report):
        _notebook(settings, value, report, dry_run=dry_run)
    if log is not None:
        with _noting(report):
            _prompt_log(log, value, report, by=by, dry_run=dry_run)
    for path in databases_under(settings.state):
        with _noting(report):
            _file_database(path, value, report, dry_run=dry_run)
    for folder in dict.fromkeys((settings.state, *notes)):
        files = clean_files(folder, value, dry_run=dry_run)
        report.stores.append(Store(f"files under {folder.name}", files.held, tuple(map(value.cleaned, files.left))))


def _notebook(settings: Settings, value: Value, report: Report, *, dry_run: bool) -> None:
    """Messages first: what was shown must be marked before its payload is clean."""
    from assistant.notebook.database import open_database

    url = database_url(settings)
    if not url and not (settings.state / "live.sqlite").exists():
        return
    with closing(open_database(url, state=settings.state)) as database:
        report.messages = mark_shown(database, value, dry_run=dry_run)
        report.stores.append(Store("messages", len(report.messages)))
        if database.shared:
            hits = clean_tables(database.engine, value, dry_run=dry_run)
            report.stores.append(Store("PostgreSQL", sum(h.cells for h in hits)))


def _prompt_log(log: Log, value: Value, report: Report, *, by: str, dry_run: bool) -> None:
    found = find_bodies(log, value)
    report.requests = found.requests
    if found.addresses and not dry_run:
        take_bodies(log, found, by=by)
    left = [f"record {i}: in the leaf, which cannot change without breaking the proofs" for i in found.leaves]
    if found.unread:
        left.append(f"{found.unread} bodies could not be opened (a key that is not here)")
    report.stores.append(Store("prompt log", len(found.addresses), tuple(left)))


def _file_database(path: Path, value: Value, report: Report, *, dry_run: bool) -> None:
    """A SQLite file: its rows, and what deleted rows left in its pages. Rows of the prompt log are sealed."""
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30.0})
    left = []
    try:
        cells = 0
        if path.name != LOG_FILE:
            cells = sum(hit.cells for hit in clean_tables(engine, value, dry_run=dry_run))
        bytes_hold = _bytes_hold(path, value)
        if (cells or bytes_hold) and not dry_run:
            done = scrub_sqlite(engine)
            if not done or _bytes_hold(path, value):
                left.append(f"{path}: deleted pages may still hold it; stop serve and purge again")
    finally:
        engine.dispose()
    report.stores.append(Store(path.name, max(cells, int(bytes_hold)), tuple(left)))


def _bytes_hold(path: Path, value: Value) -> bool:
    tails = (path, path.with_name(f"{path.name}-wal"))
    return any(value.plain_in(p.read_bytes()) for p in tails if p.exists())


def _log(settings: Settings, report: Report) -> Log | None:
    """The prompt log, or None where there is none or it cannot be opened; then the rest is purged all the same."""
    from assistant.bootstrap import prompt_log
    from redaction import FinalScanner

    if not log_exists(settings):
        return None
    try:
        log: Any = prompt_log(settings, FinalScanner())
    except PromptLogError as error:
        report.trouble.append(f"prompt log: {error}")
        return None
    return log  # type: ignore[no-any-return]


def _record(log: Log | None, report: Report, by: str, facts: dict[str, Any]) -> None:
    if log is None:
        return
    entry = Entry(event=Event.CONFIG_CHANGE, identity=by, origin="cli", resource="purge", facts=facts)
    with _noting(report):
        report.records.append(log.append(entry).id)


@contextmanager
def _noting(report: Report) -> Iterator[None]:
    """A store that cannot be purged is said, and the others are purged."""
    try:
        yield
    except PayopsError as error:
        report.trouble.append(str(error))
