"""Faults of the disk: at every system call of SQLite (strace), when it is full, when it is read-only.

After each: no acknowledged record is lost, nothing was acknowledged after the first refusal, everything verifies.
"""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.errors import LogUnavailable, PromptLogError
from assistant.promptlog.keys import load_keys
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.sqlite import FILE, SqliteStore
from tests.fakes.promptlog import ORIGIN, fresh_keys, look_at_nothing
from tests.promptlog.conftest import Server, entry
from tests.promptlog.crashes import acknowledged, check, child

NO_STRACE = "strace is not installed or may not trace here: apt-get install strace"
CALLS = ("openat", "pread64", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink")
FAULTS = {
    "openat": ("error=EIO", "error=ENOSPC"),
    "pread64": ("error=EIO",),
    "pwrite64": ("error=EIO", "error=ENOSPC", "signal=SIGKILL"),
    "fsync": ("error=EIO", "error=ENOSPC", "signal=SIGKILL"),
    "fdatasync": ("error=EIO", "error=ENOSPC", "signal=SIGKILL"),
    "ftruncate": ("error=EIO", "error=ENOSPC", "signal=SIGKILL"),
    "unlink": ("error=EIO", "signal=SIGKILL"),
}
RECORDS = 6
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None or subprocess.run([found, "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip(NO_STRACE)
    return found


def traced(strace: str, directory: Path, sent: Path, out: Path, *inject: str) -> None:
    """Run the writer with only SQLite's files traced."""
    files = [part for name in ("", "-wal", "-shm", "-journal") for part in ("-P", str(directory / (FILE + name)))]
    before = [strace, "-f", "-o", str(out), *files, "-P", str(directory), "-e", "trace=" + ",".join(CALLS), *inject]
    child(directory, sent, producers=1, records=RECORDS, before=before).wait(timeout=120)


def sites(strace: str, folder: Path) -> list[tuple[str, int]]:
    """Every (call, n): the n-th time one thread makes this call, on a fresh log. strace counts by thread."""
    prepared(folder / "log")
    traced(strace, folder / "log", folder / "sent", folder / "trace")
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for line in (folder / "trace").read_text().splitlines():
        thread, _, rest = line.partition(" ")
        call = rest.strip().partition("(")[0]
        if call in CALLS:
            counts[thread, call] += 1
    most = {call: max((n for (_, c), n in counts.items() if c == call), default=0) for call in CALLS}
    assert most["pwrite64"] > 10 and most["fdatasync"] > 3, "the trace shows no writes"
    return [(call, n) for call in CALLS for n in range(1, most[call] + 1)]


def prepared(directory: Path) -> None:
    """A folder with keys (they are files of ours, not SQLite's)."""
    directory.mkdir(parents=True)
    load_keys(origin=ORIGIN, state=directory)


def inject(strace: str, folder: Path, call: str, n: int, fault: str) -> bool:
    """Run with one fault; check the log. Whether the fault was met at all."""
    folder.mkdir()
    prepared(folder / "log")
    out = folder / "trace"
    traced(strace, folder / "log", folder / "sent", out, "-e", f"inject={call}:{fault}:when={n}")
    met = "(INJECTED)" in out.read_text() or "killed by SIGKILL" in out.read_text()
    check(folder / "log", folder / "sent")
    shutil.rmtree(folder)
    return met


@pytest.mark.live
def test_a_fault_at_some_system_calls(strace: str, tmp_path: Path) -> None:
    places = [(call, n, fault) for call, n in sites(strace, tmp_path / "first") for fault in FAULTS[call]]
    chosen = places[:: max(1, len(places) // 14)]
    met = [inject(strace, tmp_path / f"{i}", *place) for i, place in enumerate(chosen)]
    assert sum(met) >= len(met) * 0.8


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_fault_at_every_system_call(strace: str, tmp_path: Path) -> None:
    places = [(call, n, fault) for call, n in sites(strace, tmp_path / "first") for fault in FAULTS[call]]
    met = [inject(strace, tmp_path / f"{i}", *place) for i, place in enumerate(places)]
    assert sum(met) >= len(met) * 0.9 and len(met) > 170


# -- a full disk


def test_a_full_disk_ends_the_log_and_loses_nothing(tmp_path: Path) -> None:
    """By RLIMIT_FSIZE, which needs no rights: Python ignores SIGXFSZ, so a write beyond the limit fails."""
    directory, sent = tmp_path / "log", tmp_path / "sent"
    prepared(directory)
    limited = [sys.executable, "-c", LIMITED]
    assert child(directory, sent, producers=4, records=400, before=limited).wait(timeout=120) == 0
    assert 0 < len(acknowledged(sent)) < 1600 and "refused StoreFault" in sent.read_text()
    check(directory, sent)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine does not allow mounting")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.live
def test_a_file_system_without_room_ends_the_log_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    directory = small_disk / "log"
    prepared(directory)
    sent = tmp_path / "sent"
    child(directory, sent, producers=4, records=400).wait(timeout=120)
    assert 0 < len(acknowledged(sent)) < 1600 and "refused" in sent.read_text()
    _remount(small_disk, "size=4m")
    check(directory, sent)


@pytest.mark.live
def test_a_file_system_that_turns_read_only_ends_the_log_and_loses_nothing(strace: str, tmp_path: Path) -> None:
    """As ext4 does after an error: from some write on, every write and every creation of a file is refused."""
    directory, sent = tmp_path / "log", tmp_path / "sent"
    child(directory, tmp_path / "before", producers=1, records=1).wait(timeout=60)
    inject = [part for call in ("pwrite64", "openat") for part in ("-e", f"inject={call}:error=EROFS:when=40+")]
    traced(strace, directory, sent, tmp_path / "trace", *inject)
    assert acknowledged(sent) and "refused StoreFault" in sent.read_text()
    check(directory, sent)


def _remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], capture_output=True)


@pytest.mark.live
def test_a_read_only_folder_is_one_line(small_disk: Path) -> None:
    _remount(small_disk, "ro")
    with pytest.raises(LogUnavailable, match="cannot be written"):
        open_log(small_disk / "log", keys=fresh_keys(), last_look=look_at_nothing, origin=ORIGIN)
    _remount(small_disk, "rw")


# -- in process: what the caller of append sees


class Breaking(SqliteStore):
    """A store whose commits fail from a moment on, as a disk that went away does."""

    broken = False

    def transaction(self):
        if self.broken:
            self._path = Path("/nonexistent/nowhere")
            self._writer.close()
        return super().transaction()


def test_after_a_fault_everything_is_refused_until_it_is_opened_again(tmp_path: Path) -> None:
    keys = fresh_keys()
    store = Breaking(tmp_path)
    log = Log(store, keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    log.append(entry(1))
    store.broken = True
    for _ in range(3):
        with pytest.raises(LogUnavailable):
            log.append(entry(2))
    assert "failed" in log.failure
    store.broken = False
    with pytest.raises(LogUnavailable):
        log.append(entry(3))
    with pytest.raises(PromptLogError):
        log.checkpoint()


@pytest.mark.live
def test_a_server_that_stops_ends_the_log_and_loses_nothing(postgres: Server) -> None:
    keys = fresh_keys()
    from assistant.promptlog.postgres import PostgresStore

    def opened() -> Log:
        store = PostgresStore(postgres.url, schema="stopping")
        return Log(store, keys=keys, last_look=look_at_nothing, origin=ORIGIN)

    log = opened()
    receipts = [log.append(entry(n)) for n in range(5)]
    postgres.stop()
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            log.append(entry(9))
    postgres.start()
    with pytest.raises(LogUnavailable):
        log.append(entry(9))
    log.close()
    again = opened()
    assert [r.id for r in again.scan()] == [r.id for r in receipts] and again.verify().ok
    assert again.append(entry(10)).index == 5
    again.close()
