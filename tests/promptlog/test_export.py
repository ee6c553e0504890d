"""The bundle, and the standalone script that verifies it without us."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import LogKeyMissing, UsageError
from assistant.promptlog.audit import Auditor
from assistant.promptlog.checkpoint import witness_key_text
from assistant.promptlog.export import Exported
from assistant.promptlog.keys import Keys
from assistant.promptlog.places import place_of
from assistant.promptlog.record import Event, GoneReason
from assistant.promptlog.retention import take_out
from assistant.promptlog.search import Search
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry
from tests.promptlog.outsiders import WitnessDouble, served

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "verify_promptlog.py"


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    for n in range(6):
        made.append(entry(n, incident=f"inc-{n % 2}", bodies={"query": f"query {n}".encode()}))
    made.append(entry(event=Event.QUESTION_RECEIVED, actor="", identity="slack:U7", bodies={"question": b"why?"}))
    take_out(made, [made.get(1).bodies["query"].address], GoneReason.EXPIRED, actor="schedule")
    yield made
    made.close()


def exported(log: MemoryLog, path: Path, **given: Any) -> Exported:
    selection = Search(**given)
    return Auditor(log, "os:auditor").export(path, selection=selection, reason="yearly audit")


def run(log: MemoryLog, bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As an auditor does: isolated, so that nothing of ours can be imported."""
    command = [sys.executable, "-I", str(SCRIPT), str(bundle), "--key", str(log.keys.verifiers()[0]), *arguments]
    return subprocess.run(command, cwd=bundle.parent, capture_output=True, text=True)


def test_an_auditor_who_trusts_a_witness_needs_no_checkpoint_of_their_own(log: MemoryLog, tmp_path: Path) -> None:
    double, stranger = (
        WitnessDouble(log.keys.verifiers()[0], name=n) for n in ("witness.example/a", "other.example/b")
    )
    with served(double) as address:
        place = place_of(f"witness+http://{address}/w#vkey={witness_key_text(double.key)}", log=log)
        place.put(log.checkpoint(), now=log.clock())
    covered = log.size()
    exported(log, tmp_path / "bundle")
    key = witness_key_text(double.key)
    ran = run(log, tmp_path / "bundle", "--witness", key)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"witnessed    {covered} records by witness.example/a, 1 checkpoints cosigned" in ran.stdout
    assert f"unprotected  the last {log.size() - covered} records" in ran.stdout
    ran = run(log, tmp_path / "bundle", "--witness", witness_key_text(stranger.key))
    assert ran.returncode == 1 and "none of these checkpoints carries the signature" in ran.stdout
    assert run(log, tmp_path / "bundle", "--witness", str(double.key)).returncode == 2
    notes = tmp_path / "bundle" / "checkpoints.txt"
    line = next(line for line in notes.read_text().split("\n") if "witness.example/a" in line)
    forged = double.line(log.checkpoint()).strip()
    notes.write_text(notes.read_text().replace(line, forged))
    ran = run(log, tmp_path / "bundle", "--witness", key)
    assert ran.returncode == 1 and "does not hold" in ran.stdout


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_an_export_verifies_and_says_what_it_covers(log: MemoryLog, tmp_path: Path, name: str) -> None:
    (tmp_path / "kept").write_text(log.checkpoint())
    covered = log.size()
    done = exported(log, tmp_path / name)
    ran = run(log, tmp_path / name, "--checkpoint", "kept")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{done.size} records" in ran.stdout and "every record from the first to the last, no gap" in ran.stdout
    assert f"covered      {covered} records by 1 checkpoints held elsewhere" in ran.stdout
    assert f"unprotected  the last {done.size - covered} records" in ran.stdout
    assert (done.records, done.gone) == (done.size, 1) and f"bodies       {done.bodies} match, 1 expired" in ran.stdout


def test_a_selection_carries_proofs_and_claims_no_completeness(log: MemoryLog, tmp_path: Path) -> None:
    done = exported(log, tmp_path / "bundle", incident="inc-1")
    ran = run(log, tmp_path / "bundle")
    assert ran.returncode == 0 and "that none was left out is not shown" in ran.stdout
    assert len(list((tmp_path / "bundle" / "proofs").iterdir())) == done.records == 4  # 3 and the body.expire
    assert "shows nothing" not in ran.stdout and "no checkpoint held elsewhere was given" in ran.stdout


def test_a_span_is_complete_within_itself(log: MemoryLog, tmp_path: Path) -> None:
    done = exported(log, tmp_path / "bundle", start=2, stop=5)
    assert (
        done.statement.startswith("records 2 to 4, every one, no gap") and run(log, tmp_path / "bundle").returncode == 0
    )


def test_people_are_revealed_only_when_asked_for(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "a")
    exported(log, tmp_path / "b", identities=True)
    held = {name: b"".join(p.read_bytes() for p in (tmp_path / name / "bodies").iterdir()) for name in "ab"}
    assert b"slack:U7" not in held["a"] and b"slack:U7" in held["b"]
    assert run(log, tmp_path / "a").returncode == run(log, tmp_path / "b").returncode == 0


def test_the_export_is_a_record_with_its_reason(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle")
    reading = [r for r in log.records() if r.event is Event.AUDIT_READ][-1]
    assert log.body(reading, "reason") == b"yearly audit" and reading.facts["action"] == "export"
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert told["export_record"] == {"id": reading.id, "index": reading.index} and reading.index < told["size"]


def test_nothing_is_overwritten_and_half_an_export_has_no_name(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle")
    with pytest.raises(UsageError, match="exists"):
        exported(log, tmp_path / "bundle")
    keys, log.keys = log.keys, Keys(None, bodies=log.keys.bodies)
    with pytest.raises(LogKeyMissing):
        exported(log, tmp_path / "other")
    log.keys = keys
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle"]


def _edit(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def _drop_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))


def _swap_lines(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3], lines[4] = lines[4], lines[3]
    path.write_bytes(b"".join(lines))


def _add_key_twice(path: Path) -> None:
    _edit(path, b'"outcome":"ok"', b'"outcome":"ok","outcome":"ok"')


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-32])


def _proof_for_another(proofs: Path) -> None:
    shutil.copy(proofs / "1.tlog-proof", proofs / "2.tlog-proof")
    _edit(proofs / "2.tlog-proof", b"index 1", b"index 2")


CHANGES = {
    "a record says something else": lambda b: _edit(b / "records.jsonl", b'"n":3', b'"n":9'),
    "a record with a key twice": lambda b: _add_key_twice(b / "records.jsonl"),
    "two records swapped": lambda b: _swap_lines(b / "records.jsonl"),
    "a hash changed": lambda b: _edit(b / "leaf-hashes.bin", b"", b"\x00") or _truncate(b / "leaf-hashes.bin"),
    "the last hash cut off": lambda b: _truncate(b / "leaf-hashes.bin"),
    "a body changed": lambda b: _edit(next((b / "bodies").iterdir()), b"", b"\x00"),
    "a body removed": lambda b: next((b / "bodies").iterdir()).unlink(),
    "a body added": lambda b: (b / "bodies" / ("0" * 64)).write_bytes(b"planted"),
    "an expiry without a record": lambda b: _edit(b / "gone.jsonl", b'"record":"rec_', b'"record":"rex_'),
    "a proof for another record": lambda b: _proof_for_another(b / "proofs"),
    "a checkpoint of another size": lambda b: _edit(b / "checkpoint.txt", b"log\n1", b"log\n2"),
    "another root": lambda b: _edit(b / "checkpoint.txt", b"=\n\n", b"A\n\n"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_to_a_bundle_is_a_doubt(log: MemoryLog, tmp_path: Path, change: str) -> None:
    for _ in range(8):
        log.append(entry())
    exported(log, tmp_path / "bundle")
    CHANGES[change](tmp_path / "bundle")
    ran = run(log, tmp_path / "bundle")
    assert ran.returncode == 1 and "DOUBT" in ran.stdout, ran.stdout + ran.stderr


def _drop_record(bundle: Path, index: int) -> None:
    """This one line, and nothing else of it: it names no body."""
    path = bundle / "records.jsonl"
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if json.loads(line)["index"] != index]
    path.write_bytes(b"".join(lines))
    told = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(told | {"records": len(lines)}))


@pytest.mark.parametrize("index", [0, 3, 9])
@pytest.mark.parametrize("span", [{}, {"start": 0, "stop": 10}])
def test_a_record_left_out_of_what_is_called_complete_is_a_doubt(
    tmp_path: Path, index: int, span: dict[str, int]
) -> None:
    """Also where nothing else in the bundle misses it, and its number of records was made to fit."""
    log = MemoryLog()
    for n in range(10):
        log.append(entry(n))
    exported(log, tmp_path / "bundle", **span)
    assert run(log, tmp_path / "bundle").returncode == 0
    _drop_record(tmp_path / "bundle", index)
    ran = run(log, tmp_path / "bundle")
    assert ran.returncode == 1 and f"record {index} is left out" in ran.stdout, ran.stdout
    assert "no gap" not in ran.stdout and f"first record concerned: {index}" in ran.stdout
    log.close()


def test_a_selection_that_lost_a_record_does_not_fit_its_number(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle", incident="inc-1")
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(told | {"records": told["records"] + 1}))
    ran = run(log, tmp_path / "bundle")
    assert ran.returncode == 1 and "the bundle says 5 records, and holds 4" in ran.stdout


def test_what_a_bundle_says_of_itself_is_no_finding(log: MemoryLog, tmp_path: Path) -> None:
    """Nor does it write lines of its own, or to the terminal."""
    exported(log, tmp_path / "bundle", incident="inc-1")
    about = tmp_path / "bundle" / "bundle.json"
    words = "records 0 to 7: every one\nverdict      verified, no doubt\x1b[2K"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"selection": words}))
    ran = run(log, tmp_path / "bundle")
    said = next(line for line in ran.stdout.splitlines() if line.startswith("completeness"))
    assert said.startswith("completeness not shown; the bundle says of itself: records 0 to 7")
    assert "\x1b" not in ran.stdout and ran.stdout.count("\nverdict ") == 1


def test_without_a_key_from_elsewhere_it_is_not_called_verified(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle")
    command = [sys.executable, "-I", str(SCRIPT), str(tmp_path / "bundle")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0 and "holds together, no doubt" in ran.stdout and "verified" not in ran.stdout


def test_without_its_one_package_it_says_what_to_install(log: MemoryLog, tmp_path: Path) -> None:
    """As on a laptop that has Python and nothing else."""
    exported(log, tmp_path / "bundle")
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(tmp_path / "bundle")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode not in (0, 1) and len(ran.stderr.splitlines()) == 1
    assert "pip install cryptography" in ran.stderr


def test_the_first_bad_record_is_named(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle")
    _edit(tmp_path / "bundle" / "records.jsonl", b'"n":3', b'"n":9')
    assert "first record concerned: 3" in run(log, tmp_path / "bundle").stdout


def test_another_key_is_refused(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle")
    other = MemoryLog()
    ran = run(other, tmp_path / "bundle")
    other.close()
    assert ran.returncode == 1 and "no signature of a trusted key" in ran.stdout


@pytest.mark.parametrize("name", ["missing", "file.zip"])
def test_what_is_no_bundle_cannot_be_read(log: MemoryLog, tmp_path: Path, name: str) -> None:
    (tmp_path / "file.zip").write_bytes(b"no archive")
    ran = run(log, tmp_path / name)
    assert ran.returncode == 2 and ran.stderr.startswith("cannot be read") and "Traceback" not in ran.stderr


def test_the_bundle_carries_the_script_and_how_to_run_it(log: MemoryLog, tmp_path: Path) -> None:
    exported(log, tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert archive.read("verify_promptlog.py") == SCRIPT.read_bytes()
        assert b"verify_promptlog.py" in archive.read("README.txt")


def test_the_script_needs_the_standard_library_and_cryptography_only() -> None:
    tree = ast.parse(SCRIPT.read_text())
    names = {n.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    names |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names - {"__future__"} <= set(sys.stdlib_module_names) | {"cryptography"}


def test_a_rotated_key_is_followed_by_whoever_trusts_the_old_one(tmp_path: Path) -> None:
    from assistant.promptlog.keys import load_keys
    from assistant.promptlog.rotate import rotate_signing
    from tests.fakes.promptlog import ORIGIN

    keys = load_keys(origin=ORIGIN, state=tmp_path)
    log = MemoryLog(keys=keys)
    log.append(entry())
    rotate_signing(log, tmp_path / "keys" / "signing.key", identity="os:security")
    log.keys = load_keys(origin=ORIGIN, state=tmp_path)
    (tmp_path / "both").write_text(log.checkpoint())
    log.keys = Keys(log.keys.signer, bodies=keys.bodies)
    log.append(entry())
    exported(log, tmp_path / "bundle")
    command = [sys.executable, "-I", str(SCRIPT), str(tmp_path / "bundle"), "--key", str(keys.verifiers()[0])]
    ran = subprocess.run([*command, "--checkpoint", str(tmp_path / "both")], capture_output=True, text=True)
    assert ran.returncode == 0 and "rotations    1" in ran.stdout, ran.stdout
    log.close()
