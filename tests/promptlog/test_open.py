"""Opening a log: keys, start checks, requests that a killed process left open."""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import LogInconsistent, LogKeyMissing, LogUnavailable, PromptLogError
from assistant.promptlog.checkpoint import open_checkpoint
from assistant.promptlog.keys import (
    Keys,
    add_key,
    load_keys,
    new_body_key,
    new_signing_key,
    parse_body_key,
    parse_signing_key,
)
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_configured, open_log
from assistant.promptlog.places import Drop
from assistant.promptlog.record import Event, Gone, GoneReason, Outcome, Record
from assistant.promptlog.rotate import rotate_body, rotate_signing
from assistant.settings import Log as LogTable
from assistant.settings import Settings
from tests.fakes.promptlog import ORIGIN, MemoryLog, fresh_keys, look_at_nothing
from tests.promptlog.conftest import entry


def configured(state: Path, *, service: str = "payops", **table: Any) -> Log:
    settings = Settings(state=state, log=LogTable(origin=ORIGIN, **table))
    return open_configured(settings, last_look=look_at_nothing, service=service)


# -- keys


def test_default_keys_are_made_once_private_and_warned_about(tmp_path: Path) -> None:
    keys = load_keys(origin=ORIGIN, state=tmp_path)
    for name in ("signing.key", "body.key"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert keys.made and "production" in keys.warnings[0]
    again = load_keys(origin=ORIGIN, state=tmp_path)
    assert again.verifiers() == keys.verifiers() and again.active_body.id == keys.active_body.id and not again.made


def test_keys_from_commands(tmp_path: Path) -> None:
    for name, line in (("s", new_signing_key(ORIGIN)), ("b", new_body_key())):
        (tmp_path / name).write_text(f"# from the vault\n{line}\n")
    keys = load_keys(
        origin=ORIGIN, state=tmp_path / "none", signing=f"command:cat {tmp_path}/s", body=f"command:cat {tmp_path}/b"
    )
    assert keys.signer is not None and keys.active_body and not keys.warnings
    assert not (tmp_path / "none").exists()


def test_a_signer_of_its_own_process_signs_and_the_key_never_enters_ours(tmp_path: Path) -> None:
    line = new_signing_key(ORIGIN)
    (tmp_path / "key").write_text(line)
    program = tmp_path / "sign.py"
    program.write_text(
        "import sys, base64\n"
        "from assistant.promptlog.keys import parse_signing_key\n"
        f"signer = parse_signing_key(open({str(tmp_path / 'key')!r}).read())\n"
        "sys.stdout.write(base64.b64encode(signer.sign(sys.stdin.buffer.read())).decode())\n"
    )
    vkey = str(parse_signing_key(line).key)
    (tmp_path / "b").write_text(new_body_key())
    place = f"signer:{vkey} {sys.executable} {program}"
    keys = load_keys(origin=ORIGIN, state=tmp_path, signing=place, body=f"file:{tmp_path}/b")
    log = MemoryLog(keys=keys)
    log.append(entry())
    assert open_checkpoint(log.checkpoint(), origin=ORIGIN, trusted=keys.verifiers()).checkpoint.size == 1
    log.close()
    program.write_text(f"print({base64.b64encode(bytes(64)).decode()!r})")
    with pytest.raises(LogKeyMissing, match="did not sign"):
        keys.signers()[0].sign(b"message")
    program.write_text("raise SystemExit(3)")
    with pytest.raises(LogKeyMissing, match="failed"):
        keys.signers()[0].sign(b"message")


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "PRIVATE+KEY+a+b+c", new_body_key()[:-4], new_signing_key("a")[:-2]],
    ids=["empty", "nonsense", "short", "cut body key", "cut signing key"],
)
def test_a_line_that_is_no_key_is_refused_without_quoting_it(line: str) -> None:
    for parse in (parse_signing_key, parse_body_key):
        with pytest.raises(LogKeyMissing) as caught:
            parse(line)
        assert not line or line not in str(caught.value)


def test_an_existing_log_never_gets_new_keys(tmp_path: Path) -> None:
    configured(tmp_path).close()
    (tmp_path / "keys" / "body.key").unlink()
    with pytest.raises(LogKeyMissing, match=r"body\.key"):
        configured(tmp_path)
    assert not (tmp_path / "keys" / "body.key").exists()


def test_a_lost_body_key_is_named_by_verify_and_the_records_still_stand(tmp_path: Path) -> None:
    old, new = fresh_keys(), fresh_keys()
    log = open_log(tmp_path, keys=old, last_look=look_at_nothing, origin=ORIGIN)
    log.append(entry(bodies={"a": b"x"}))
    kept = log.checkpoint()
    log.close()
    log = open_log(tmp_path, keys=Keys(old.signer, bodies=new.bodies), last_look=look_at_nothing, origin=ORIGIN)
    assert log.body(log.get(0), "a") == Gone(GoneReason.KEY_MISSING, detail=old.active_body.id)
    report = log.verify(outside=[kept])
    assert [d.kind for d in report.doubts] == ["key"] and old.active_body.id in report.doubts[0].text
    assert report.covered == 1
    log.close()


def test_a_lost_signing_key_is_named_and_appends_go_on(tmp_path: Path) -> None:
    configured(tmp_path).close()
    (tmp_path / "keys" / "signing.key").unlink()
    log = configured(tmp_path)
    assert log.append(entry()).index == 3
    with pytest.raises(LogKeyMissing, match=r"signing\.key"):
        log.checkpoint()
    assert not log.failure and "signing.key" in log.verify().doubts[0].text
    log.close()


def test_rotation_is_recorded_and_who_trusts_the_old_key_can_follow(tmp_path: Path) -> None:
    log = configured(tmp_path)
    old = log.keys.verifiers()
    log.append(entry(1, bodies={"a": b"under the old key"}))
    vkey = rotate_signing(log, tmp_path / "keys" / "signing.key", identity="os:security")
    body_key = rotate_body(log, tmp_path / "keys" / "body.key", identity="os:security")
    log.close()
    log = configured(tmp_path)
    log.append(entry(2, bodies={"a": b"under the new key"}))
    note = log.checkpoint()
    assert str(log.keys.signer.key) == vkey and log.keys.active_body.id == body_key
    assert len(open_checkpoint(note, origin=ORIGIN, trusted=log.keys.verifiers()).signers) == 2
    only_new = Keys(log.keys.signer, bodies=log.keys.bodies)
    log.close()
    # the old line was taken out of the file: the log verifies for somebody who knows the old key only
    log = open_log(tmp_path, keys=only_new, last_look=look_at_nothing, origin=ORIGIN)
    latest = log.checkpoint()
    log.keys = Keys(None, retired=(), bodies=only_new.bodies)
    from assistant.promptlog.verify import View, verify_log

    view = View(log.store, ORIGIN, old, log.leaf, log.open_body)
    report = verify_log(view, outside=[note, latest])
    assert report.ok and report.covered == log.size(), report.doubts
    assert not verify_log(view, outside=[latest]).doubts  # the log's own earlier note leads there as well
    log.close()
    rotations = [r for r in log_records(tmp_path, only_new) if r.event is Event.KEY_ROTATE]
    assert [r.facts.get("vkey") or r.facts.get("body_key") for r in rotations] == [vkey, body_key]


def log_records(directory: Path, keys: Keys) -> list[Record]:
    log = open_log(directory, keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    try:
        return list(log.scan())
    finally:
        log.close()


def test_add_key_keeps_the_file_private(tmp_path: Path) -> None:
    path = tmp_path / "k"
    add_key(path, "one")
    add_key(path, "two")
    assert path.read_text() == "one\ntwo\n" and stat.S_IMODE(path.stat().st_mode) == 0o600


# -- start


def test_starts_and_stops_are_records(tmp_path: Path) -> None:
    for _ in range(2):
        configured(tmp_path).close()
    log = configured(tmp_path, service="")
    assert [r.event for r in log.scan()] == [Event.LOG_OPEN, Event.LOG_CLOSE] * 2
    log.close()


def test_a_request_of_a_dead_process_is_closed_and_one_of_a_living_process_is_not(tmp_path: Path) -> None:
    living = configured(tmp_path)
    pending = living.append(entry(event=Event.LLM_REQUEST))
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.promptlog.test_open import configured\n"
        "from tests.promptlog.conftest import entry\n"
        "from assistant.promptlog.record import Event\n"
        "log = configured(Path(sys.argv[1]))\n"
        "print(log.append(entry(event=Event.LLM_REQUEST, incident='inc-9')).id, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).resolve().parents[2]
    dead = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, capture_output=True, text=True)
    assert dead.returncode == -9, dead.stderr
    log = configured(tmp_path)
    closed = [r for r in log.scan() if r.event is Event.LLM_UNKNOWN_OUTCOME]
    assert [(r.facts["request"], r.incident, r.outcome) for r in closed] == [
        (dead.stdout.strip(), "inc-9", Outcome.UNKNOWN)
    ]
    assert [row.id for row in log.store.open_requests()] == [pending.id]
    log.close()
    living.close()


def test_lock_files_of_dead_runs_are_forgotten(tmp_path: Path) -> None:
    living = configured(tmp_path)
    (tmp_path / "runs" / "run_dead.lock").write_bytes(b"")
    configured(tmp_path).close()
    assert [path.stem for path in (tmp_path / "runs").iterdir()] == [living.run]
    living.close()


def test_a_tool_closes_nobody_and_announces_nothing(tmp_path: Path) -> None:
    log = configured(tmp_path)
    log.append(entry(event=Event.LLM_REQUEST))
    log.close()
    tool = configured(tmp_path, service="")
    assert tool.size() == 3
    tool.close()


def test_the_configured_outside_checkpoint_is_held_against_the_log(tmp_path: Path) -> None:
    log = configured(tmp_path / "a")
    note = log.checkpoint()
    log.close()
    (tmp_path / "kept").write_text(note)
    configured(tmp_path / "a", outside_checkpoint=str(tmp_path / "kept")).close()
    with pytest.raises(LogInconsistent):
        configured(tmp_path / "b", outside_checkpoint=str(tmp_path / "kept"))
    with pytest.raises(PromptLogError, match="cannot be read"):
        configured(tmp_path / "a", outside_checkpoint=str(tmp_path / "missing"))


def test_a_drop_that_can_be_read_is_held_against_the_log_too(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    places = (str(drop), str(tmp_path / "unreadable"), "syslog://127.0.0.1:9")
    log = configured(tmp_path / "a", checkpoints=places)
    Drop(drop).put(log.checkpoint(), now=log.clock())
    other = MemoryLog(origin="payops.example/other")
    Drop(drop).put(other.checkpoint(), now=other.clock())
    other.close()
    log.close()
    configured(tmp_path / "a", checkpoints=places).close()
    shutil.copytree(tmp_path / "a" / "keys", tmp_path / "b" / "keys")
    with pytest.raises(LogInconsistent, match="holds 0 records, a checkpoint covers 1"):
        configured(tmp_path / "b", checkpoints=places)
    (drop / "checkpoints-9999-01-01.txt").write_text("torn")
    with pytest.raises(LogInconsistent, match="damaged checkpoint"):
        configured(tmp_path / "a", checkpoints=places)


def test_a_file_that_is_no_log_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "promptlog.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(LogInconsistent, match="damaged"):
        open_log(tmp_path, keys=fresh_keys(), last_look=look_at_nothing, origin=ORIGIN)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogUnavailable, match="cannot be written"):
        open_log(tmp_path / "file" / "log", keys=fresh_keys(), last_look=look_at_nothing, origin=ORIGIN)


def test_a_failed_open_leaves_nothing_open(tmp_path: Path) -> None:
    keys = fresh_keys()
    log = open_log(tmp_path, keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    kept = log.checkpoint()
    log.close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(LogInconsistent):
            open_log(tmp_path, keys=fresh_keys(), last_look=look_at_nothing, origin=ORIGIN, outside=[kept])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_file_is_private(tmp_path: Path) -> None:
    configured(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "promptlog.sqlite").stat().st_mode) == 0o600
