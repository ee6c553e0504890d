"""`payops purge` judged by bytes: a value in every store, and none in any file or table afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from assistant.live import Live
from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Event, Gone
from assistant.purging.purge import purge
from assistant.purging.value import value_of
from assistant.settings import Log, Runbooks, Settings, Web, Workflow
from tests.doubles.postgres import running
from tests.live.stack import payload
from tests.purging.planted import PAN, holding, look_at_nothing, plant_files, plant_log, plant_rows, wait_for

PAYOPS = "import sys; from assistant.cli import main; sys.exit(main())"


def settings_for(state: Path, url: str = "") -> Settings:
    return Settings(
        state=state,
        web=Web(webhook_port=0, console_port=0),
        runbooks=Runbooks(dense=False),
        workflow=Workflow(url=url),
        log=Log(url=url),
    )


def lived(settings: Settings) -> None:
    """A service that worked on one incident."""
    live = Live(settings, notes=settings.state / "notes")
    live.start()
    try:
        live.receive(live.read(json.dumps(payload("a", at=time.time(), service="gateway")).encode()))
        wait_for(lambda: live.service.notes.newest() and not live.service.outbox.waiting().count)
        wait_for(lambda: not live.service.rounds.unfinished())
    finally:
        live.stop(drain_s=5)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("lived") / "state"
    lived(settings_for(state))
    return state


@pytest.fixture
def state(lived_in: Path, tmp_path: Path) -> Iterator[Path]:
    """The state of that service with the value in every text that it kept."""
    import shutil

    state = tmp_path / "state"
    shutil.copytree(lived_in, state)
    plant_files(state)
    for name in ("live.sqlite", "dbos.sqlite"):
        engine = sa.create_engine(f"sqlite:///{state / name}")
        assert plant_rows(engine) > 3, name
        engine.dispose()
    yield state


def verified(settings: Settings) -> tuple[list[object], list[str]]:
    """The facts of the records of the purge, and the reasons why bodies are gone; of a log that verifies."""
    log = open_configured(settings, last_look=look_at_nothing, service="")
    try:
        assert log.verify().ok
        records = list(log.scan())
        facts = [r.facts for r in records if r.event is Event.CONFIG_CHANGE and r.resource == "purge"]
        bodies = [log.body(r, name) for r in records for name in r.bodies]
        assert not [b for b in bodies if isinstance(b, bytes) and value_of(PAN).in_bytes(b)]
        return facts, sorted(str(b.reason.value) for b in bodies if isinstance(b, Gone))
    finally:
        log.close()


def test_no_byte_of_it_is_left_and_the_log_verifies(state: Path) -> None:
    settings = settings_for(state)
    made = plant_log(settings)
    before = holding(state)
    assert {"live.sqlite", "dbos.sqlite", "runbooks/vectors.sqlite", "notes/inc-aaaaaa/0009.json"} <= set(before)

    dry = purge(settings, value_of(PAN), by="os:tester", dry_run=True)
    assert dry.held > 10 and holding(state) == before and not dry.records

    report = purge(settings, value_of("5555-3412-4444-1115"), by="os:tester")
    assert report.clean and not report.remaining, report
    assert holding(state) == []
    assert [(r.record, r.answer, r.ticket, r.provider) for r in report.requests] == [
        (made["leaked"], "chatcmpl-leaked", "req_leaked", "api.example")
    ]
    assert {m.outlet for m in report.messages} == {"file"}
    assert PAN not in json.dumps(report.as_json())

    facts, gone = verified(settings)
    assert [f["phase"] for f in facts] == ["begun", "done"]  # type: ignore[index]
    assert facts[1]["class"] == "PAN" and facts[1]["remaining"] == 0  # type: ignore[index]
    assert gone == ["purged", "purged"]
    text = (state / "exports").glob("purged-*.txt").__next__().read_text()
    assert text.startswith("kept\n") and text.endswith("kept too")


def test_the_next_serve_takes_back_what_was_shown_and_shows_it_clean(state: Path) -> None:
    settings = settings_for(state)
    shown = next(p for p in (state / "notes").glob("inc-*.json"))
    shown.write_text(shown.read_text().replace("{", '{"planted": "' + PAN + '",', 1))
    assert purge(settings, value_of(PAN), by="os:tester").clean
    live = Live(settings, notes=state / "notes")
    live.start()
    try:
        wait_for(lambda: not live.service.outbox.waiting().count)
    finally:
        live.stop(drain_s=5)
    assert "planted" in json.loads(shown.read_text())
    assert holding(state) == []


def test_the_command_takes_it_from_standard_input_and_never_shows_it(state: Path) -> None:
    command = [sys.executable, "-c", PAYOPS, "purge", "--state", str(state)]
    for more in (["--dry-run"], ["--json"], []):
        done = subprocess.run([*command, *more], input=PAN + "\n", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert PAN not in done.stdout + done.stderr
        assert "PAN" in done.stdout
    assert holding(state) == []
    short = subprocess.run(command, input="123\n", capture_output=True, text=True, check=False)
    assert (short.returncode, short.stderr.count("\n")) == (2, 1)


def test_a_log_that_cannot_be_opened_is_said_and_everything_else_is_purged(state: Path) -> None:
    settings = settings_for(state)
    plant_log(settings)
    (state / "keys" / "body.key").unlink()
    report = purge(settings, value_of(PAN), by="os:tester")
    assert not report.clean and report.trouble
    assert holding(state) == []


@pytest.mark.live
def test_no_table_or_page_of_postgresql_holds_it_afterwards(tmp_path: Path) -> None:
    with running() as server:
        url = server.create_database("purged")
        state = tmp_path / "state"
        settings = settings_for(state, url)
        lived(settings)
        plant_files(state)
        made = plant_log(settings)
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        assert plant_rows(engine) > 10
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("CHECKPOINT")
        assert holding(server.folder / "data" / "base")
        report = purge(settings, value_of(PAN), by="os:tester")
        assert report.clean, report
        assert [r.record for r in report.requests] == [made["leaked"]]
        dump = subprocess.run(
            [str(server._bin / "pg_dump"), "--dbname", url], capture_output=True, text=True, check=True
        ).stdout
        assert not value_of(PAN).inside(dump)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.exec_driver_sql("CHECKPOINT")
        assert holding(server.folder / "data" / "base") == []
        assert holding(state) == []
        facts, gone = verified(settings)
        assert len(facts) == 2 and gone == ["purged", "purged"]
        engine.dispose()
