"""State that is damaged, newer than we are, or not there: one line with the mend, and nothing made worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import WorkflowError
from assistant.notebook import database as db
from assistant.notebook.database import Away, Damaged, open_database
from assistant.workflow.engine import dbos_url
from assistant.workflow.service import ALL_TABLES
from tests.doubles.postgres import free_port


def prepared(state: Path) -> None:
    database = open_database("", state=state)
    database.prepare(*ALL_TABLES)
    database.close()


@pytest.mark.parametrize("wreck", ["text", "middle", "empty-page"])
def test_a_damaged_file_is_named_with_the_command_that_mends_it(tmp_path: Path, wreck: str) -> None:
    prepared(tmp_path)
    path = tmp_path / "live.sqlite"
    for tail in ("-wal", "-shm"):
        (tmp_path / f"live.sqlite{tail}").unlink(missing_ok=True)
    content = bytearray(path.read_bytes())
    if wreck == "text":
        content = bytearray(b"this is not a database\n" * 400)
    elif wreck == "middle":
        content[4096:12288] = b"\xa5" * 8192
    else:
        content[4096:8192] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(Damaged) as error:
        open_database("", state=tmp_path).prepare(*ALL_TABLES)
    assert f"mv {path} {path}.damaged" in str(error.value)
    assert path.read_bytes() == bytes(content)


def test_a_newer_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "SCHEMA", 7)
    prepared(tmp_path)
    monkeypatch.undo()
    with pytest.raises(Damaged, match="newer payops"):
        prepared(tmp_path)


def test_a_damaged_workflow_file_is_put_aside_because_it_can_be_begun_again(tmp_path: Path) -> None:
    (tmp_path / "dbos.sqlite").write_bytes(b"not a database at all" * 300)
    database = open_database("", state=tmp_path)
    assert dbos_url(database, tmp_path).endswith("dbos.sqlite")
    assert not (tmp_path / "dbos.sqlite").exists()
    assert len(list(tmp_path.glob("dbos.sqlite.damaged-*"))) == 1


def test_a_state_directory_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(WorkflowError, match="--state"):
        open_database("", state=tmp_path / "state")


def test_a_url_of_another_database_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="postgresql://"):
        open_database("mysql://x", state=tmp_path)


def test_a_server_that_is_not_there_is_away(tmp_path: Path) -> None:
    database = open_database(f"postgresql://u@127.0.0.1:{free_port()}/x", state=tmp_path)
    with pytest.raises(Away, match="check that the database is up"):
        database.prepare(*ALL_TABLES)
