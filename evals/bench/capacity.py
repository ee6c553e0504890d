"""What one replica on this machine takes: incidents, alerts, questions, memory, and what a year leaves on the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evals.bench.figure import Figure
from evals.bench.live import storm
from evals.bench.soak import lines_of

A_DAY = 50
"""Incidents a day for the growth of a year: a busy payments team."""


def figures() -> Iterable[Figure]:
    cores = f"{os.cpu_count()} cores, shared"
    with tempfile.TemporaryDirectory(prefix="payops-capacity-") as folder:
        for line in lines_of("capacity", Path(folder) / "state"):
            yield from _said(line, cores)
    yield from _alerts()


def _said(line: dict[str, Any], cores: str) -> Iterator[Figure]:
    if line["what"] == "incidents":
        rate = line["count"] / line["seconds"] * 60
        yield Figure("incidents a minute, with a model", f"{rate:.0f}", "", beside=cores)
        memory = f"{line['idle_mib']:.0f} → {line['peak_mib']:.0f}"
        yield Figure("memory after one incident → after 40 at once", memory, "MiB")
    elif line["what"] == "growth":
        year = line["log_kib"] * A_DAY * 365 / 2**20
        said = f"{line['log_kib']:.0f} KiB and {line['records']:.0f} records an incident"
        yield Figure(f"prompt log a year at {A_DAY} incidents a day", f"{year:.1f}", "GiB", beside=said)
        notebook = line["notebook_kib"] * A_DAY * 365 / 2**20
        yield Figure(f"notebook a year at {A_DAY} incidents a day", f"{notebook:.1f}", "GiB")
    else:
        rate = line["count"] / line["seconds"] * 60
        beside = f"median {line['median']:.1f} s, worst {line['worst']:.1f} s"
        yield Figure(f"questions a minute, {line['at_once']} at once", f"{rate:.0f}", "", beside=beside)


def _alerts() -> Iterator[Figure]:
    seconds, kept, incidents = storm()
    yield Figure(
        "alerts a minute over HTTP, durably", f"{kept / seconds * 60:,.0f}", "", beside=f"{incidents:.0f} incidents"
    )
