"""Make a backup of a state, check one, and restore one."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import __version__
from assistant.backup.archive import (
    MANIFEST,
    Manifest,
    copy_sqlite,
    damages,
    new_backup,
    opened,
    read_manifest,
    stated,
)
from assistant.errors import LogInconsistent, PayopsError, PromptLogError, UsageError
from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.keys import load_keys
from assistant.promptlog.open import key_place, log_exists, open_log, outside_notes
from assistant.promptlog.record import Entry, Event, Value, format_time
from assistant.promptlog.retention import Segments
from assistant.promptlog.sqlite import FILE as LOG_FILE
from assistant.serving import database_url
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.promptlog.log import Log

_DATABASES = ("dbos.sqlite", "live.sqlite")
"""In this order, and the log after them: see the room's docstring."""
_FOLDERS = ("cold", "notes")
_KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `doubts` are damages, "" lines never; `records` in its log; `outside` records that the newest
    checkpoint held elsewhere covers (None: none was at hand); `bodies` says whether their contents were read too."""

    manifest: Manifest
    doubts: tuple[str, ...]
    records: int
    outside: int | None
    bodies: bool

    @property
    def missing(self) -> int:
        """Records that are under a checkpoint held elsewhere and not in the backup."""
        return max((self.outside or 0) - self.records, 0)


def create(settings: Settings, out: Path, *, by: str, with_keys: bool = False) -> Manifest:
    """A consistent copy, while others write. The backup is a record, under a fresh checkpoint, before it is made.
    Raises UsageError, PromptLogError."""
    elsewhere = tuple(
        name for name, url in (("notebook", database_url(settings)), ("prompt log", settings.log.database())) if url
    )
    if not elsewhere and not (settings.state / LOG_FILE).exists():
        raise UsageError(f"{settings.state} holds no state", mend="give --state")
    checkpoint = _noted(settings, by) if log_exists(settings) else ""
    with new_backup(out) as folder:
        for name in _DATABASES:
            if (settings.state / name).exists():
                copy_sqlite(settings.state / name, folder / name)
        log_size = 0
        if not settings.log.database():
            copy_sqlite(settings.state / LOG_FILE, folder / LOG_FILE)
            log_size, checkpoint = _log_of(folder / LOG_FILE)
        for name in (*_FOLDERS, *((_KEYS,) if with_keys else ())):
            if (settings.state / name).is_dir():
                shutil.copytree(settings.state / name, folder / name)
        manifest = Manifest(
            made=_now(),
            version=__version__,
            origin=settings.log.origin,
            log_size=log_size,
            checkpoint=checkpoint,
            elsewhere=elsewhere,
            files=stated(folder),
        )
        (folder / MANIFEST).write_text(json.dumps(manifest.as_json(), indent=1, sort_keys=True), encoding="utf-8")
    return manifest


def check(settings: Settings, backup: Path, *, keys: Path | None = None) -> Checked:
    """Hashes, the databases' own checks, the whole log against its checkpoint, and how it stands beside the newest
    checkpoint held elsewhere. Raises UsageError for what is not a backup."""
    with opened(backup) as folder:
        return _checked(settings, folder, keys=keys)


def restore(
    settings: Settings, backup: Path, *, by: str, keys: Path | None = None, behind: bool = False
) -> tuple[Checked, str]:
    """Put a backup in the place of `settings.state`, which must hold no state. Returns what was found, and the id of
    the record that says so ("" where none could be made).

    Raises UsageError, and LogInconsistent for a backup that is damaged or older than a checkpoint held elsewhere;
    nothing is left behind then. `behind` accepts an older one: it is there to be read, nothing is written to its log,
    and `serve` refuses to go on from it.
    """
    state = settings.state
    if any((state / name).exists() for name in (*_DATABASES, LOG_FILE)):
        raise UsageError(f"{state} holds a state already", mend="give --into an empty directory")
    with opened(backup) as folder:
        checked = _checked(settings, folder, keys=keys)
        if checked.doubts:
            raise LogInconsistent(f"the backup is damaged: {checked.doubts[0]}", mend="take another one")
        if checked.missing and not behind:
            raise LogInconsistent(
                f"the backup holds {checked.records} records, a checkpoint held elsewhere covers {checked.outside}: "
                f"{checked.missing} records would be lost in silence",
                mend="find a newer backup; or restore it to be read (--behind) and begin a log of another [log] origin",
            )
        (folder / MANIFEST).unlink()
        if keys is not None:
            shutil.copytree(keys, folder / _KEYS, dirs_exist_ok=True)
        _unsure(folder / "live.sqlite")
        try:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copytree(folder, state, dirs_exist_ok=True)
        except OSError as error:
            raise UsageError(f"{state}: {error.strerror}", mend="give --into a place that we may write") from None
    return checked, "" if checked.missing else _restored(settings, checked, by)


def _checked(settings: Settings, folder: Path, *, keys: Path | None) -> Checked:
    manifest = read_manifest(folder)
    doubts = list(damages(folder, manifest))
    doubts += [f"{name} is damaged inside" for name in _DATABASES if not _whole(folder / name)]
    records, bodies = 0, False
    if (folder / LOG_FILE).exists() and not doubts:
        log = _open_copy(settings, folder, keys)
        try:
            bodies, records = bool(log.keys.bodies), log.size()
            report = log.verify(outside=[manifest.checkpoint] if manifest.checkpoint else [])
            doubts += [d.text for d in report.doubts]
        finally:
            log.close()
    notes = outside_notes(settings)
    outside = max((parse_checkpoint(n).size for n in notes), default=None)
    checked = Checked(manifest, tuple(doubts), records, outside, bodies)
    if notes and not checked.doubts and not checked.missing and records:
        return replace(checked, doubts=_against(settings, folder, keys, notes))
    return checked


def _against(settings: Settings, folder: Path, keys: Path | None, notes: tuple[str, ...]) -> tuple[str, ...]:
    """Whether the log extends the checkpoints held elsewhere."""
    log = _open_copy(settings, folder, keys)
    try:
        return tuple(d.text for d in log.verify(outside=notes, bodies=False).doubts)
    finally:
        log.close()


def _open_copy(settings: Settings, folder: Path, keys: Path | None) -> Log:
    """The log of a copy. Its keys: those given, those in the backup, else the configured ones."""
    place = keys or (folder / _KEYS if (folder / _KEYS).is_dir() else None)
    log = settings.log
    if place is not None:
        signing, body = place / "signing.key", place / "body.key"
        log = replace(log, signing_key_file=str(signing), body_key_file=str(body), signing_key_command="")
        log = replace(log, body_key_command="")
    return open_log(
        folder,
        keys=load_keys(
            origin=log.origin,
            state=settings.state,
            signing=key_place(log.signing_key_file, log.signing_key_command),
            body=key_place(log.body_key_file, log.body_key_command),
            create=False,
        ),
        last_look=lambda content: None,
        origin=log.origin,
        segments=Segments(folder / "cold"),
        check=False,
    )


def _noted(settings: Settings, by: str) -> str:
    """The backup as a record, and a checkpoint over it. Without a signing key there is none, and the log still backs
    up."""
    from assistant.bootstrap import prompt_log
    from redaction import FinalScanner

    log: Any = prompt_log(settings, FinalScanner())
    try:
        log.append(Entry(event=Event.CONFIG_CHANGE, identity=by, origin="cli", resource="backup"))
        return str(log.checkpoint())
    finally:
        log.close()


def _restored(settings: Settings, checked: Checked, by: str) -> str:
    from assistant.bootstrap import prompt_log
    from redaction import FinalScanner

    if not log_exists(settings):
        return ""
    facts: dict[str, Value] = {
        "records": checked.records,
        "made": checked.manifest.made,
        "outside": checked.outside or 0,
    }
    try:
        log: Any = prompt_log(settings, FinalScanner())
        try:
            entry = Entry(event=Event.CONFIG_CHANGE, identity=by, origin="cli", resource="restore", facts=facts)
            return str(log.append(entry).id)
        finally:
            log.close()
    except PromptLogError:
        return ""


def _log_of(path: Path) -> tuple[int, str]:
    """How many records the copy holds, and the newest checkpoint that it signed."""
    with closing(sqlite3.connect(path)) as db:
        size = int(db.execute("SELECT COALESCE(MAX(idx) + 1, 0) FROM entry").fetchone()[0])
        signed = db.execute("SELECT note FROM signed ORDER BY size DESC LIMIT 1").fetchone()
    return size, str(signed[0]) if signed else ""


def _unsure(path: Path) -> None:
    """What waited when the backup was made may have been shown since: outlets look before they show it again."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "UPDATE payops_outbox SET state = 'sending', claim = 'restored', claimed_until = 0"
            " WHERE state IN ('waiting', 'sending')"
        )


def _whole(path: Path) -> bool:
    if not path.exists():
        return True
    try:
        with closing(sqlite3.connect(path)) as db:
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _now() -> str:
    from assistant.promptlog.log import utc_now

    return format_time(utc_now())


def postgres_commands(settings: Settings) -> tuple[str, ...]:
    """What backs up the parts that are in PostgreSQL: one consistent snapshot each, without the password."""
    from sqlalchemy.engine import make_url

    urls = dict.fromkeys(u for u in (database_url(settings), settings.log.database()) if u)
    try:
        shown = [make_url(u).set(drivername="postgresql", password=None).render_as_string() for u in urls]
    except PayopsError:
        return ()
    return tuple(f'pg_dump --format=custom --no-owner --file=payops-{i}.dump "{u}"' for i, u in enumerate(shown, 1))
