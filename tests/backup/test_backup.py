"""Backups made under load and restored: nothing that a note names is missing, and no older log passes for whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.backup.archive import read_manifest
from assistant.backup.state import check, create, postgres_commands, restore
from assistant.errors import LogInconsistent, UsageError
from assistant.live import Live
from assistant.notebook.database import open_database
from assistant.notebook.notes import NoteBook
from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Event
from assistant.settings import Log, Runbooks, Settings, Web, Workflow
from redaction import FinalScanner
from tests.doubles.postgres import Postgres, running
from tests.live.stack import payload

PAYOPS = "import sys; from assistant.cli import main; sys.exit(main())"


def settings_for(state: Path, url: str = "") -> Settings:
    return Settings(
        state=state,
        web=Web(webhook_port=0, console_port=0),
        runbooks=Runbooks(dense=False),
        workflow=Workflow(url=url),
        log=Log(url=url, checkpoints=(str(state.parent / "drop"),)),
    )


def told(live: Live, name: str) -> None:
    live.receive(live.read(json.dumps(payload(name, at=time.time(), service=name, group=name)).encode()))


def wait_for(what: object, *, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not what():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def quiet(live: Live) -> bool:
    return not live.service.rounds.unfinished() and not live.service.outbox.waiting().count


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that was backed up twice: while it received alerts ("busy"), and at its end ("last.tar")."""
    home = tmp_path_factory.mktemp("worked")
    settings = settings_for(home / "state")
    (home / "drop").mkdir()
    live = Live(settings, notes=settings.state / "notes")
    live.start()
    try:
        stop = threading.Event()

        def busy() -> None:
            for i in range(40):
                if stop.is_set():
                    return
                told(live, f"s{i}")
                time.sleep(0.05)

        sender = threading.Thread(target=busy)
        sender.start()
        wait_for(lambda: live.service.notes.newest())
        create(settings, home / "busy", by="os:tester")
        stop.set()
        sender.join()
        told(live, "after-the-backup")  # so that the checkpoint at the end covers what "busy" does not hold
        wait_for(lambda: quiet(live))
    finally:
        live.stop(drain_s=5)
    create(settings, home / "last.tar", by="os:tester", with_keys=True)
    return home


@pytest.fixture
def home(worked: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy, so that a test may break it. What it restores goes to `tmp_path/new`."""
    shutil.copytree(worked, tmp_path / "home")
    yield tmp_path / "home"


def elsewhere(home: Path, *, checkpoint: bool = True) -> Settings:
    """A new machine that knows the drop, as one does after the old one burnt."""
    drop = str(home / "drop")
    return replace(
        settings_for(home.parent / "new"), log=Log(outside_checkpoint=drop if checkpoint else "", checkpoints=())
    )


def notes_and_records(settings: Settings) -> tuple[list[int], int]:
    """The record that each kept note names, and how many records there are; of a log that verifies."""
    book = NoteBook(open_database("", state=settings.state), scanner=FinalScanner())
    notes = [book.latest(n.incident) for n in book.newest()]
    log = open_configured(settings, last_look=lambda content: None, service="")
    try:
        assert log.verify().ok
        return [n["record"]["index"] for n in notes if n and n["record"]], log.size()  # type: ignore[index]
    finally:
        log.close()


def test_a_backup_made_under_load_is_whole_and_its_log_knows_every_note(home: Path) -> None:
    settings = elsewhere(home, checkpoint=False)
    checked, record = restore(settings, home / "busy", by="os:tester", keys=home / "state" / "keys")
    assert not checked.doubts and checked.bodies and record
    named, size = notes_and_records(settings)
    assert named and max(named) < size
    assert "keys/body.key" not in read_manifest(home / "busy").files


def test_the_last_backup_restores_to_a_service_that_goes_on(home: Path) -> None:
    settings = elsewhere(home)
    checked, record = restore(settings, home / "last.tar", by="os:tester")
    assert (checked.missing, checked.doubts) == (0, ()) and checked.outside
    notes_and_records(settings)
    live = Live(settings, notes=settings.state / "notes")
    live.start()
    try:
        before = live.service.incidents.summary().alerts
        told(live, "after-the-restore")
        wait_for(lambda: quiet(live))
        assert live.service.incidents.summary().alerts == before + 1 > 2
    finally:
        live.stop(drain_s=5)
    log = open_configured(settings, last_look=lambda content: None, service="")
    kinds = [r.resource for r in log.scan() if r.event is Event.CONFIG_CHANGE]
    log.close()
    assert kinds.count("restore") == 1 and kinds.count("backup") == 2
    assert record


def test_an_older_backup_than_the_checkpoint_elsewhere_is_refused_and_leaves_nothing(home: Path) -> None:
    settings = elsewhere(home)
    with pytest.raises(LogInconsistent, match="records would be lost in silence"):
        restore(settings, home / "busy", by="os:tester", keys=home / "state" / "keys")
    assert not settings.state.exists() or not list(settings.state.iterdir())
    checked, record = restore(settings, home / "busy", by="os:tester", keys=home / "state" / "keys", behind=True)
    assert checked.missing > 0 and record == ""
    with pytest.raises(LogInconsistent, match="a checkpoint covers"):
        Live(settings, notes=settings.state / "notes")


@pytest.mark.parametrize("name", ["promptlog.sqlite", "live.sqlite", "manifest.json"])
def test_a_changed_byte_anywhere_is_seen(home: Path, name: str) -> None:
    path = home / "busy" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    settings = elsewhere(home, checkpoint=False)
    with pytest.raises((LogInconsistent, UsageError)):
        restore(settings, home / "busy", by="os:tester", keys=home / "state" / "keys")
    assert not settings.state.exists()


def test_a_log_rewritten_inside_a_backup_is_seen_by_the_checkpoint_elsewhere(home: Path) -> None:
    """Whoever owns the backup can make its hashes right again; not the checkpoint that others hold."""
    from assistant.backup.archive import MANIFEST, stated

    folder = home / "busy"
    other = replace(settings_for(home / "other"), log=Log())
    shutil.copytree(home / "state" / "keys", home / "other" / "keys")
    log = open_configured(other, last_look=lambda content: None)
    log.close()
    shutil.copy(home / "other" / "promptlog.sqlite", folder / "promptlog.sqlite")
    manifest = replace(read_manifest(folder), checkpoint="", files=stated(folder))
    (folder / MANIFEST).write_text(json.dumps(manifest.as_json()))
    with pytest.raises(LogInconsistent):
        restore(elsewhere(home), folder, by="os:tester", keys=home / "state" / "keys")


def test_without_keys_nothing_can_be_checked_and_nothing_is_restored(home: Path) -> None:
    settings = elsewhere(home)
    assert check(settings, home / "busy").doubts
    with pytest.raises(LogInconsistent, match="key"):
        restore(settings, home / "busy", by="os:tester")
    assert not (settings.state / "keys").exists()


def test_the_commands(home: Path) -> None:
    state, new = home / "state", home.parent / "new"

    def payops(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", PAYOPS, *words], capture_output=True, text=True, check=False)

    made = payops("backup", "create", "--state", str(state), "--out", str(home / "now"))
    assert made.returncode == 0 and "keys are not in it" in made.stdout
    again = payops("backup", "create", "--state", str(state), "--out", str(home / "now"))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    good = payops("backup", "verify", str(home / "now"), "--state", str(state), "--json")
    assert good.returncode == 0 and json.loads(good.stdout)["doubts"] == []
    done = payops("backup", "restore", str(home / "now"), "--into", str(new), "--keys", str(state / "keys"))
    assert done.returncode == 0 and "restored; record rec_" in done.stdout
    twice = payops("backup", "restore", str(home / "now"), "--into", str(new))
    assert twice.returncode == 2 and "holds a state already" in twice.stderr
    assert payops("backup", "verify", str(home / "state")).returncode == 2


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.mark.live
def test_pg_dump_as_create_prints_it_restores_to_a_log_that_verifies(server: Postgres, tmp_path: Path) -> None:
    url = server.create_database("backed_up")
    given, secret = settings_for(tmp_path / "state", url), str(tmp_path / "url")
    Path(secret).write_text(url)
    settings = replace(
        given,
        workflow=replace(given.workflow, url="", url_file=secret),
        log=replace(given.log, url="", url_file=secret),
    )
    (tmp_path / "drop").mkdir()
    live = Live(settings, notes=tmp_path / "notes")
    live.start()
    try:
        told(live, "one")
        wait_for(lambda: live.service.notes.newest() and quiet(live))
        manifest = create(settings, tmp_path / "local", by="os:tester")
        assert manifest.elsewhere == ("notebook", "prompt log")
        (command,) = postgres_commands(settings)
        assert command.startswith("pg_dump ")
        dumped = f"{server._bin}/{command}"
        subprocess.run(dumped, shell=True, check=True, cwd=tmp_path)  # the line as a person pastes it
        told(live, "two")
        wait_for(lambda: quiet(live) and len(live.service.notes.newest()) == 2)
    finally:
        live.stop(drain_s=5)
    fresh = server.create_database("restored")
    restoring = [f"{server._bin}/pg_restore", "--exit-on-error", "--no-owner", f"--dbname={fresh}"]
    subprocess.run([*restoring, str(tmp_path / "payops-1.dump")], check=True)

    there = replace(settings, workflow=Workflow(url=fresh), log=Log(url=fresh))
    book = NoteBook(open_database(fresh, state=tmp_path), scanner=FinalScanner())
    (newest,) = book.newest()
    log = open_configured(there, last_look=lambda content: None, service="")
    assert log.verify(outside=[manifest.checkpoint]).ok
    note = book.latest(newest.incident)
    assert note and note["record"]["index"] < log.size()  # type: ignore[index]
    log.close()
    older = replace(there, log=Log(url=fresh, outside_checkpoint=str(tmp_path / "drop")))
    with pytest.raises(LogInconsistent, match="a checkpoint covers"):
        open_configured(older, last_look=lambda content: None)
