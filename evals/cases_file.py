"""The cases file of a run: one JSON line a finished world, written as it is finished, so that nothing is done twice.

The first line says what was measured with (`Head`): a file of another release, solver or lab is refused, never mixed.
A line counts when its line break is on the disk. What a killed process left behind it is cut off before anything is
written, for a half line would spoil the one that follows. One run writes a file at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from io import BufferedRandom
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from evals.head import Head

Case = Mapping[str, Any]
WAIT_S = 10.0  # workers of a run that was killed let go of its file within a second or two


class CasesFile:
    """`done` holds the cases that stand in the file, by name. Made by `cases_file`."""

    def __init__(self, file: BufferedRandom, done: dict[str, Case]) -> None:
        self._file = file
        self.done = done

    def add(self, case: Case) -> None:
        """Durable when this returns."""
        self._file.write(json.dumps(case, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done[str(case["name"])] = case


@contextmanager
def cases_file(path: Path, head: Head) -> Iterator[CasesFile]:
    """The file, opened to go on. UsageError for another run's file, or one that another run writes now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", mend="give another --out") from None
    with os.fdopen(descriptor, "r+b") as file:
        _lock(file, path)
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if text and not whole and not _cut_head(text):
            raise UsageError(f"{path}: not a run of this program", mend="give another --out")
        done = _cases(whole, head, path)
        file.truncate(len(whole))
        file.seek(len(whole))
        if not whole:
            file.write(json.dumps({"head": asdict(head)}).encode() + b"\n")
            file.flush()
        yield CasesFile(file, done)


def read_cases(path: Path, head: Head) -> dict[str, Case]:
    """The finished cases in `path` by name; none where there is no file. UsageError if it is another run's."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", mend="give another --out") from None
    if text and b"\n" not in text and not _cut_head(text):
        raise UsageError(f"{path}: not a run of this program", mend="give another --out")
    return _cases(text[: text.rfind(b"\n") + 1], head, path)


def _cut_head(text: bytes) -> bool:
    """Was this process killed while it wrote the first line of a new file?"""
    return b'{"head": '.startswith(text[:9])


def _cases(whole: bytes, head: Head, path: Path) -> dict[str, Case]:
    lines = whole.splitlines()
    if not lines:
        return {}
    try:
        first = json.loads(lines[0])["head"]
        before = {**asdict(Head(0, "", "line")), **first}
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: not a run of this program", mend="give another --out") from None
    if before != asdict(head):
        changed = ", ".join(f"{k} {before.get(k)!s}, now {v!s}" for k, v in asdict(head).items() if before.get(k) != v)
        raise UsageError(f"{path}: measured with another {changed}", mend="give another --out, or remove the file")
    return {str(case["name"]): case for case in _read(lines[1:], path)}


def _read(lines: list[bytes], path: Path) -> Iterator[Case]:
    for number, line in enumerate(lines, 2):
        try:
            case = json.loads(line)
            case["name"]
        except (ValueError, KeyError, TypeError):
            mend = "remove that line: its world is done again"
            raise UsageError(f"{path}:{number}: not a case", mend=mend) from None
        yield case


def _lock(file: BufferedRandom, path: Path) -> None:
    until = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise UsageError(f"{path}: another run writes it", mend="wait for it, or give another --out") from None
            time.sleep(0.2)
