"""The table of records: what a spreadsheet opens, whatever was written into it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import pytest

from assistant.errors import UsageError
from assistant.promptlog.audit import Auditor
from assistant.promptlog.record import Event
from assistant.promptlog.search import Search
from assistant.promptlog.table import COLUMNS, cell, write_table
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    made.append(entry(incident="inc-1", facts={"redactions": {"PAN": 2, "EMAIL": 1}}))
    made.append(entry(1))
    yield made
    made.close()


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def test_a_line_a_record_with_the_hash_of_its_leaf(log: MemoryLog) -> None:
    out = io.BytesIO()
    assert write_table(out, log.records()) == 2
    first, _ = read(out.getvalue())
    assert tuple(first) == COLUMNS and first["incident"] == "inc-1" and first["redacted"] == "EMAIL 1; PAN 2"
    assert first["leaf_hash"] == log.get(0).leaf_hash.hex() and first["time_utc"].endswith("Z")
    assert not out.closed


def test_nothing_in_a_record_runs_in_a_spreadsheet(log: MemoryLog) -> None:
    """A leaf holds no such word (`record` refuses it); a log that somebody else wrote might."""
    hostile = replace(log.get(1), actor="-cmd|calc", resource="=1+1", incident="@SUM(A1)")
    out = io.BytesIO()
    write_table(out, [hostile])
    (row,) = read(out.getvalue())
    assert (row["who"], row["on"], row["incident"]) == ("'-cmd|calc", "'=1+1", "'@SUM(A1)")


RUNS = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"),
)


@pytest.mark.parametrize("text", RUNS)
def test_what_runs_is_shown_as_text(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "1", "inc-1", "a=b", "2026-11-23T17:48:02Z", "'x", "EMAIL 1; PAN 2"])
def test_what_does_not_run_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


def test_a_cell_cannot_begin_another(log: MemoryLog) -> None:
    """Whatever separator the spreadsheet goes by: every cell is quoted, quotes within are doubled."""
    log.append(entry(facts={"said": ["a,=1", "b,=2"]}))
    out = io.BytesIO()
    write_table(out, log.records())
    lines = out.getvalue().decode().splitlines()
    assert all(line[0] == line[-1] == '"' for line in lines)
    for row in csv.reader(lines):
        assert len(row) == len(COLUMNS)
    assert "a,=1" in read(out.getvalue())[2]["facts"]


def test_taking_the_list_away_is_an_export_with_a_reason(log: MemoryLog) -> None:
    auditor = Auditor(log, "oidc:ada", origin="web")
    with pytest.raises(UsageError, match="reason"):
        auditor.tabling(selection=Search(), reason=" ")
    make = auditor.tabling(selection=Search(incident="inc-1"), reason="yearly audit")
    log.append(entry(incident="inc-1"))
    out = io.BytesIO()
    assert make(out) == 1, "what came after the export's own record is not in it"
    reading = log.get(2)
    assert (reading.event, reading.facts["action"], reading.facts["form"]) == (Event.AUDIT_READ, "export", "table")
    assert log.body(reading, "reason") == b"yearly audit"
