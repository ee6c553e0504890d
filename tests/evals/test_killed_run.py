"""A run that is killed (SIGKILL) goes on where it stopped, and leaves no worker and no folder behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.journey.planted import ROOT

PAYOPS = (sys.executable, "-c", "import sys; from assistant.cli import main; sys.exit(main())")
KINDS = ("bad-deploy", "healthy", "issuer-outage")


def command(out: Path, report: Path) -> list[str]:
    common = ["--kinds", ",".join(KINDS), "--seeds", "1-2", "--jobs", "2"]
    return [*PAYOPS, "eval", "run", "lab", *common, "--out", str(out), "--report", str(report), "--json"]


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True) if file.is_file() else []


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(entry.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(what: object, *, within: float = 120.0) -> None:
    end = time.monotonic() + within
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_run_goes_on_and_its_workers_end_with_it(tmp_path: Path) -> None:
    out, report = tmp_path / "cases.jsonl", tmp_path / "report.json"
    first = subprocess.Popen(command(out, report), stdout=subprocess.DEVNULL, cwd=ROOT)
    try:
        until(lambda: len(lines(out)) >= 3)
        workers = children(first.pid)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert workers
    until(lambda: not any(alive(w) for w in workers))
    before = lines(out)
    assert 3 <= len(before) < 7
    again = subprocess.run(command(out, report), capture_output=True, cwd=ROOT, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    after = lines(out)
    whole = [x for x in before if x.endswith(b"\n")]
    assert after[: len(whole)] == whole, "what was done is not done again"
    names = [json.loads(x)["name"] for x in after[1:]]
    assert sorted(names) == sorted(f"{k}/{s}" for k in KINDS for s in (1, 2))
    said = json.loads(report.read_text())
    assert (said["size"]["kinds"], said["size"]["seeds a kind"], said["size"]["healthy worlds"]) == (3, 2, 2)
    assert {c["name"] for c in said["cases"]} == set(names)
    assert all(len(c["world"]) == 16 for c in said["cases"])
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
