"""The tamper matrix: every attack, seen by verify, by the check at the start, and by the standalone script."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistant.errors import LogInconsistent, PromptLogError
from assistant.promptlog.audit import Auditor
from assistant.promptlog.keys import Keys
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.search import Search
from assistant.promptlog.sqlite import FILE
from assistant.promptlog.verify import Report
from tests.fakes.promptlog import ORIGIN, fresh_keys, look_at_nothing
from tests.promptlog.attacks import ON_RECORDS, ON_THE_REST, SELF_CONSISTENT, Attack, Owner, replace_key
from tests.promptlog.conftest import entry

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "verify_promptlog.py"


@dataclass(frozen=True, slots=True)
class Case:
    """A log of 20 records with its keys, and the checkpoints that somebody else kept: an early one and the last."""

    directory: Path
    keys: Keys
    early: str
    latest: str

    def attack(self, attack: Attack) -> None:
        db = sqlite3.connect(self.directory / FILE, isolation_level=None)
        attack(Owner(db, self.keys))
        db.close()

    def open(self, *, check: bool = False, outside: tuple[str, ...] = ()) -> Log:
        return open_log(
            self.directory, keys=self.keys, last_look=look_at_nothing, origin=ORIGIN, outside=outside, check=check
        )

    def verify(self, *outside: str) -> Report:
        log = self.open()
        try:
            return log.verify(outside=outside)
        finally:
            log.close()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    keys = fresh_keys()
    log = open_log(tmp_path / "log", keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    for n in range(10):
        log.append(entry(n, incident=f"inc-{n}", bodies={"query": f"query {n}".encode()}))
    early = log.checkpoint()
    for n in range(10, 20):
        log.append(entry(n, incident=f"inc-{n}", bodies={"query": f"query {n}".encode()}))
    latest = log.checkpoint()
    log.close()
    return Case(tmp_path / "log", keys, early, latest)


def test_an_honest_log_has_no_doubt(case: Case, tmp_path: Path) -> None:
    report = case.verify(case.early, case.latest)
    assert report.ok and report.covered == 20 and report.tail == 0
    case.open(check=True, outside=(case.early, case.latest)).close()
    assert standalone(case, tmp_path).returncode == 0


@pytest.mark.parametrize("attack", ON_RECORDS + ON_THE_REST, ids=lambda a: a.__name__)
def test_verify_catches_every_attack_with_the_latest_checkpoint(case: Case, attack: Attack) -> None:
    case.attack(attack)
    report = case.verify(case.latest)
    assert not report.ok and report.doubts


@pytest.mark.parametrize("attack", ON_RECORDS, ids=lambda a: a.__name__)
def test_the_first_bad_record_is_named_no_later_than_it_is(case: Case, attack: Attack) -> None:
    case.attack(attack)
    report = case.verify(case.early, case.latest)
    assert report.first_bad is not None and report.first_bad <= 20


@pytest.mark.parametrize("attack", (*SELF_CONSISTENT, replace_key), ids=lambda a: a.__name__)
def test_the_start_refuses_a_log_that_was_rebuilt(case: Case, attack: Attack) -> None:
    case.attack(attack)
    with pytest.raises(LogInconsistent, match="do not go on"):
        case.open(check=True, outside=(case.latest,))


@pytest.mark.parametrize("attack", SELF_CONSISTENT, ids=lambda a: a.__name__)
def test_without_a_checkpoint_held_elsewhere_a_rebuilt_log_agrees_with_itself(case: Case, attack: Attack) -> None:
    """Why the promise is worded around checkpoints held elsewhere, and why verify says so when it was given none."""
    case.attack(attack)
    report = case.verify()
    assert report.ok and report.covered == 0 and any("no checkpoint held elsewhere" in note for note in report.notes)


def test_an_early_checkpoint_protects_what_it_covers_and_the_rest_is_called_unprotected(case: Case) -> None:
    report = case.verify(case.early)
    assert report.ok and (report.covered, report.tail) == (10, 10)


@pytest.mark.parametrize("attack", ON_RECORDS + ON_THE_REST, ids=lambda a: a.__name__)
def test_the_standalone_script_catches_every_attack_on_what_it_is_given(
    case: Case, attack: Attack, tmp_path: Path
) -> None:
    """An export of the attacked log, made by the attacker. Some attacks stop the export itself.

    What a bundle does not contain cannot be wrong in it: columns, and blobs that no record names.
    """
    case.attack(attack)
    if attack.__name__ in {"columns", "plant_a_body"}:
        assert standalone(case, tmp_path).returncode == 0
        return
    try:
        done = standalone(case, tmp_path)
    except PromptLogError:
        return
    assert done.returncode == 1, done.stdout
    assert "DOUBT" in done.stdout


def standalone(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    """Export everything, then verify as an auditor does: the script alone, none of our packages in reach."""
    log = case.open()
    try:
        Auditor(log, "os:attacker").export(folder / "bundle", selection=Search(), reason="to see")
    finally:
        log.close()
    (folder / "kept.txt").write_text(case.latest)
    key = str(case.keys.verifiers()[0])
    command = [sys.executable, "-I", str(SCRIPT), "bundle", "--key", key, "--checkpoint", "kept.txt"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_damaged_wal_opens_shorter_and_is_refused(tmp_path: Path) -> None:
    """SQLite drops everything from the damaged frame on without a word."""
    keys = fresh_keys()
    log = open_log(tmp_path / "log", keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    for n in range(30):
        log.append(entry(n))
    kept = log.checkpoint()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (FILE, FILE + "-wal"):
        (copy / name).write_bytes((tmp_path / "log" / name).read_bytes())
    log.close()
    wal = bytearray((copy / (FILE + "-wal")).read_bytes())
    at = len(wal) // 2
    wal[at] ^= 0xFF
    (copy / (FILE + "-wal")).write_bytes(wal)
    with pytest.raises(LogInconsistent, match=r"holds \d+ records, a checkpoint covers 30"):
        open_log(copy, keys=keys, last_look=look_at_nothing, origin=ORIGIN, outside=[kept])
    shorter = open_log(copy, keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    assert 0 < shorter.size() < 30 and shorter.verify().ok
    shorter.close()


def test_a_log_that_is_changed_while_it_is_open_stops(case: Case) -> None:
    log = case.open()
    log.append(entry(20))
    case.attack(lambda owner: owner.rebuild(owner.change(20)) and None)
    with pytest.raises(LogInconsistent):
        log.append(entry(21))
    with pytest.raises(PromptLogError):
        log.append(entry(22))
    log.close()


def test_a_changed_leaf_is_not_shown(case: Case) -> None:
    case.attack(ON_RECORDS[1])
    log = case.open()
    with pytest.raises(LogInconsistent, match="not what was logged"):
        log.get(5)
    log.close()
