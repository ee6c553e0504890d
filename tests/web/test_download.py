"""Downloads that are made while they are sent: whole or broken, never half; in a memory that does not grow."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

import pytest

from assistant.errors import LogUnavailable
from assistant.promptlog.audit import Auditor
from assistant.promptlog.record import Event
from assistant.promptlog.search import Search
from assistant.web.pages.download import CHUNK, WAITING, chunks
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry

ROOT = Path(__file__).resolve().parents[2]


def test_a_stream_is_the_same_bundle_as_a_file(tmp_path: Path) -> None:
    log = MemoryLog()
    for n in range(40):
        log.append(
            entry(n, event=Event.KEY_ROTATE if n % 9 == 0 else Event.SOURCE_QUERY, bodies={"q": b"%d" % (n // 2)})
        )
    auditor = Auditor(log, "os:a", origin="web")
    made = b"".join(chunks(auditor.exporting(selection=Search(events=("source.query",)), reason="a test")))
    auditor.export(tmp_path / "file.zip", selection=Search(events=("source.query",)), reason="a test")
    with zipfile.ZipFile(BytesIO(made)) as one, zipfile.ZipFile(tmp_path / "file.zip") as other:
        assert one.testzip() is None and len(one.namelist()) == len(set(one.namelist()))
        assert set(one.namelist()) - set(other.namelist()) == set()
        assert one.read("records.jsonl") == other.read("records.jsonl")
        assert json.loads(one.read("bundle.json"))["records"] == 40
    log.close()


def test_a_maker_that_fails_breaks_the_download() -> None:
    def make(stream: IO[bytes]) -> None:
        stream.write(b"x" * CHUNK * 2)
        raise LogUnavailable("the disk went away")

    read = chunks(make)
    assert len(next(read)) > 0
    with pytest.raises(LogUnavailable):
        list(read)


def test_who_goes_away_stops_the_maker() -> None:
    written, ended = [0], threading.Event()

    def make(stream: IO[bytes]) -> None:
        try:
            while True:
                written[0] += stream.write(b"x" * CHUNK)
        finally:
            ended.set()

    read: Iterator[bytes] = chunks(make)
    next(read)
    read.close()  # type: ignore[attr-defined]
    assert ended.wait(60)
    assert written[0] <= CHUNK * (WAITING + 4)


_MEASURE = """
import sys
from pathlib import Path
from assistant.bootstrap import prompt_log
from assistant.promptlog.audit import Auditor
from assistant.promptlog.record import Entry, Event
from assistant.promptlog.search import Search
from assistant.settings import Settings
from assistant.web.pages.download import chunks
from redaction import FinalScanner

count, state, each = int(sys.argv[1]), Path(sys.argv[2]), 4
log = prompt_log(Settings(state=state), FinalScanner())
if count:
    body = b"approvals fell in the east and nobody knew why. " * 40
    for at in range(0, count, 1000):
        log.append_all([
            Entry(event=Event.SOURCE_QUERY, actor="serve", facts={"n": n}, bodies={"q": body + b"%d" % (n // each)})
            for n in range(at, at + 1000)
        ])
else:
    size = sum(len(c) for c in chunks(Auditor(log, "os:a").exporting(selection=Search(), reason="measured")))
    # Not `ru_maxrss`: that begins with what the parent had when it forked.
    print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")), size)
log.close()
"""


def peak(count: int, state: Path) -> tuple[int, int]:
    """Peak memory (KiB) of a process that exports a log of so many records, and the size of the bundle in bytes."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process is read from /proc/self/status: run this on Linux")
    for number in (count, 0):
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, str(number), str(state)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    rss, size = done.stdout.split()
    return int(rss), int(size)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_an_export_of_100000_records_takes_the_memory_of_a_small_one(tmp_path: Path) -> None:
    small, of_small = peak(2_000, tmp_path / "small")
    large, of_large = peak(100_000, tmp_path / "large")
    print(f"2,000 records: {small} KiB for {of_small} bytes; 100,000: {large} KiB for {of_large} bytes")
    assert of_large > 10 * of_small
    assert large / small < 1.25


def test_an_export_of_ten_times_the_records_takes_the_same_memory(tmp_path: Path) -> None:
    small, of_small = peak(1_000, tmp_path / "small")
    large, of_large = peak(10_000, tmp_path / "large")
    assert of_large > 4 * of_small
    assert large / small < 1.25
