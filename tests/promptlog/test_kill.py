"""kill -9 at any moment: nothing acknowledged is lost, and what was under way is closed as unknown outcome."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.promptlog.crashes import acknowledged, check, child


def cycles(tmp_path: Path, count: int) -> int:
    """Kill `count` writers of one log, each at a random moment while it acknowledges; how many records they had."""
    directory, outside, total = tmp_path / "log", (), 0
    chance = random.Random(20261123)
    for n in range(count):
        sent = tmp_path / f"sent-{n}"
        process = child(directory, sent, producers=8, records=100_000)
        _wait_for_first(sent, process)
        time.sleep(chance.random() * 0.15)
        process.kill()
        process.wait()
        total += len(acknowledged(sent))
        outside = (check(directory, sent, outside),)
    return total


def _wait_for_first(sent: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not (sent.exists() and sent.stat().st_size):
        assert process.poll() is None and time.monotonic() < deadline, "the writer ended before its first record"
        time.sleep(0.005)


def test_a_few_kills(tmp_path: Path) -> None:
    assert cycles(tmp_path, 5) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_kills(tmp_path: Path) -> None:
    """In twenty logs, so that reading everything back stays short."""
    acknowledged_in_all = 0
    for n in range(20):
        folder = tmp_path / str(n)
        folder.mkdir()
        acknowledged_in_all += cycles(folder, 50)
    assert acknowledged_in_all > 1000
