"""A day of `serve` in minutes: memory, threads, open files hour by hour, and the count of everything at the end."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evals.bench.figure import Figure

SETTLED = 4
"""Hours after which a process has loaded what it loads; growth is judged from there."""
FLAT = 1.10


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory(prefix="payops-soak-") as folder:
        hours: list[dict[str, Any]] = []
        judged: dict[str, Any] = {}
        for line in lines_of("soak", Path(folder) / "state"):
            if "hour" in line:
                hours.append(line)
            else:
                judged = line
    for line in hours:
        if line["hour"] in {1, 2, 4, 8, 12, 16, 20, 24}:
            beside = f"{line['threads']} threads, {line['files']} files, log {line['log_mib']:.1f} MiB"
            yield Figure(f"resident memory after hour {line['hour']}", f"{line['rss_mib']:.0f}", "MiB", beside=beside)
    growth = hours[-1]["rss_mib"] / hours[SETTLED - 1]["rss_mib"]
    yield Figure(f"hour 24 over hour {SETTLED}", f"{growth:.3f}", "", f"at most {FLAT}", growth <= FLAT)
    threads, files = (max(h[k] for h in hours) - hours[SETTLED - 1][k] for k in ("threads", "files"))
    yield Figure(
        "threads and open files gained", f"{threads}, {files}", "", "at most 2, 5", threads <= 2 and files <= 5
    )
    same = judged["incidents"] == judged["wanted"] and judged["revisions"] == judged["revisions_wanted"]
    value = f"{judged['incidents']} incidents, {judged['revisions']} revisions"
    wanted = f"{judged['wanted']}, {judged['revisions_wanted']}"
    yield Figure("notes of the day", value, "", wanted, same and judged["files"] == judged["revisions"])
    twice = f"{judged['records']} records, {judged['twice']} twice"
    yield Figure("records of the day, log verified", twice, "", "0 twice", judged["verified"] and not judged["twice"])
    yield Figure("incidents left open", str(judged["open"]), "", "0", judged["open"] == 0)


def lines_of(load: str, state: Path) -> Iterator[dict[str, Any]]:
    """What the child says, as it says it. RuntimeError if it fails."""
    command = [sys.executable, "-m", "evals.load.child", load, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            yield json.loads(line)
    if child.returncode:
        raise RuntimeError(f"the load ended with {child.returncode}")
