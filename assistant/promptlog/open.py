"""From settings to an open log, and the checks at the start.

At every start: the log must be at least as long as, and consistent with, the last checkpoint held elsewhere (a
damaged WAL opens shorter without a word, and a restored old copy looks healthy). A request that a killed process left
without an answer is closed by `llm.unknown_outcome`: whether its bytes left is not known, and the log says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from assistant.errors import LogInconsistent
from assistant.promptlog.audit import verify_on_schedule
from assistant.promptlog.checkpoint import open_checkpoint
from assistant.promptlog.chores import DAY, Chore, Chores
from assistant.promptlog.keys import Keys, load_keys
from assistant.promptlog.log import NO_STANDING, LastLook, Log, SegmentReader, no_segments, utc_now
from assistant.promptlog.places import newest, newest_in_drop, place_of, read_notes
from assistant.promptlog.publish import Alarm, Publisher, always, no_alarm
from assistant.promptlog.record import Entry, Event, Outcome, Value
from assistant.promptlog.retention import MONTH, Segments, archive, expire_bodies
from assistant.promptlog.review import progress, screen
from assistant.promptlog.sqlite import FILE, SqliteStore
from assistant.promptlog.store import Store


def open_log(
    url_or_dir: str | Path,
    *,
    keys: Keys,
    last_look: LastLook,
    origin: str,
    clock: Callable[[], datetime] = utc_now,
    outside: Sequence[str] = (),
    segments: SegmentReader = no_segments,
    service: str = "",
    check: bool = True,
    standing: Mapping[str, Value] = NO_STANDING,
) -> Log:
    """Open (or begin) the log in a folder or at a `postgresql://` URL.

    `outside`: signed notes held elsewhere, compared before anything is written. `service` names a long-lived writer
    ("payops serve"): it closes requests left open by dead processes and records `log.open` and `log.close`. A tool
    that only reads and records that it read passes none. Raises LogInconsistent, LogUnavailable, LogKeyMissing;
    nothing is left open then.
    """
    if check:
        keys.active_body  # noqa: B018  a log without a body key must not begin
    store = open_store(url_or_dir)
    log: Log | None = None
    try:
        log = Log(
            store, keys=keys, last_look=last_look, origin=origin, clock=clock, segments=segments, standing=standing
        )
        if check:
            check_start(log, outside)
        if service:
            close_left_requests(log, actor=service)
            _announce(log, service, checked=len(outside))
    except BaseException:
        (log or store).close()
        raise
    return log


def open_store(url_or_dir: str | Path) -> Store:
    if str(url_or_dir).startswith(("postgresql://", "postgres://")):
        from assistant.promptlog.postgres import PostgresStore

        return PostgresStore(str(url_or_dir))
    return SqliteStore(Path(url_or_dir))


def check_start(log: Log, outside: Sequence[str]) -> None:
    """LogInconsistent unless the log extends every checkpoint held elsewhere (and the last that it signed itself).

    A checkpoint by a key that we do not know is refused as well: it may be of the key that somebody replaced.
    """
    mend = "do not go on: keep this log as it is, and see what `payops log verify` says"
    own = log.store.last_signed()
    for note in (*outside, *([own.note] if own else [])):
        try:
            head = open_checkpoint(note, origin=log.origin, trusted=log.keys.verifiers()).checkpoint
        except LogInconsistent as fault:
            if own and note is own.note and not log.keys.verifiers():
                continue
            raise LogInconsistent(fault.message, mend=mend) from None
        if head.size > log.size():
            raise LogInconsistent(
                f"the prompt log holds {log.size()} records, a checkpoint covers {head.size}", mend=mend
            )
        if log.root(head.size) != head.root:
            raise LogInconsistent(f"the prompt log does not extend its checkpoint over {head.size} records", mend=mend)


def close_left_requests(log: Log, *, actor: str) -> int:
    """Append `llm.unknown_outcome` for each request whose process is dead; how many there were."""
    left = [row for row in log.store.open_requests() if not log.store.run_alive(row.run)]
    for row in left:
        log.append(
            Entry(
                event=Event.LLM_UNKNOWN_OUTCOME,
                actor=actor,
                outcome=Outcome.UNKNOWN,
                resource=f"record:{row.id}",
                incident=row.incident,
                correlation=row.correlation,
                facts={"request": row.id, "request_index": row.index, "run": row.run},
            )
        )
    return len(left)


def _announce(log: Log, service: str, *, checked: int) -> None:
    facts: dict[str, Value] = {"run": log.run, "outside_checkpoints": checked, "size": log.size()}
    log.announce(
        Entry(event=Event.LOG_OPEN, actor=service, facts=facts),
        closed=Entry(event=Event.LOG_CLOSE, actor=service, facts={"run": log.run}),
    )


class LogSettings(Protocol):
    """What this room needs of `assistant.settings.Settings`."""

    @property
    def state(self) -> Path: ...

    @property
    def log(self) -> Any:
        """The table `[log]`."""


def open_configured(
    settings: LogSettings,
    *,
    last_look: LastLook,
    service: str = "payops",
    clock: Callable[[], datetime] = utc_now,
    check: bool = True,
    standing: Mapping[str, Value] = NO_STANDING,
) -> Log:
    """The log of these settings. A log that exists never gets new default keys: a missing one is named instead."""
    log = settings.log
    return open_log(
        log.database() or settings.state,
        keys=configured_keys(settings),
        last_look=last_look,
        origin=log.origin,
        clock=clock,
        outside=outside_notes(settings),
        segments=Segments(cold_directory(settings)),
        service=service,
        check=check,
        standing=standing,
    )


def cold_directory(settings: LogSettings) -> Path:
    """Where segments lie: mount the cold storage there."""
    return settings.state / "cold"


def configured_keys(settings: LogSettings) -> Keys:
    """Key places of `[log]`: a file, else a command, else the default files."""
    log = settings.log
    return load_keys(
        origin=log.origin,
        state=settings.state,
        signing=key_place(log.signing_key_file, log.signing_key_command),
        body=key_place(log.body_key_file, log.body_key_command),
        create=bool(log.database()) or not log_exists(settings),
    )


def log_exists(settings: LogSettings) -> bool:
    """Whether there is a log to read (of a server we cannot say without opening it)."""
    return bool(settings.log.database()) or (settings.state / FILE).exists()


def key_place(file: str, command: str) -> str:
    """`file:…` or `command:…` as `keys` reads it; a command that starts with `signer:` keeps the key to itself."""
    if file:
        return f"file:{file}"
    return command if not command or command.startswith("signer:") else f"command:{command}"


def outside_notes(settings: LogSettings) -> tuple[str, ...]:
    """The newest checkpoint of `[log] outside_checkpoint` (a file, or a drop's folder); without one, the newest of each
    drop in `[log] checkpoints` that can be read here and holds one of this log.
    """
    path = settings.log.outside_checkpoint
    if path:
        return (newest(read_notes(Path(path))),)
    drops = (Path(text) for text in settings.log.checkpoints if "://" not in text)
    return tuple(note for drop in drops for note in newest_in_drop(drop, origin=settings.log.origin))


def configured_publisher(settings: LogSettings, log: Log, *, alarm: Alarm = no_alarm) -> Publisher:
    """The publisher over `[log] checkpoints`; the caller starts and closes it (before the log)."""
    places = [place_of(text, log=log) for text in settings.log.checkpoints]
    return Publisher(log, places, every=settings.log.checkpoint_every_s, alarm=alarm)


def configured_chores(
    settings: LogSettings,
    log: Log,
    publisher: Publisher,
    *,
    alarm: Alarm = no_alarm,
    leads: Callable[[], bool] = always,
) -> Chores:
    """Verification four times a day, screening and retention daily, each by the one that `leads`; the caller starts and
    closes them (before the log).
    """

    def ours(work: Callable[[], object]) -> Callable[[], object]:
        return lambda: work() if leads() else None

    def retain() -> None:
        now = log.clock()
        expire_bodies(log, before=now - settings.log.retain_months * MONTH)
        archive(log, before=now - settings.log.hot_months * MONTH, directory=cold_directory(settings))

    chores = (
        Chore("verification", DAY / 4, ours(lambda: verify_on_schedule(log, publisher.verify_now))),
        Chore("screening", DAY, ours(lambda: screen_daily(log))),
        Chore("retention", DAY, ours(retain)),
    )
    return Chores(chores, alarm=alarm)


def screen_daily(log: Log) -> None:
    """Screen unless that was done less than 20 hours ago (a restart, or another replica)."""
    last = progress(log).last
    if last is None or log.clock() - last >= timedelta(hours=20):
        screen(log)
