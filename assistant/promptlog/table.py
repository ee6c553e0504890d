"""Records as a table that a spreadsheet opens (RFC 4180, UTF-8): what they say, never what their bodies hold.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@`, also in their full-width forms and behind white space
(OWASP, "CSV Injection"): such a cell gets an apostrophe before it, which shows it as text. Every cell is quoted, so
that a comma or a semicolon in one begins no other.

A table proves nothing: that is what `export` is for. Each line carries the hash of its leaf, by which a record is found
there again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import IO

from assistant.promptlog.record import Record, format_time
from assistant.promptlog.search import redacted

COLUMNS = (
    "record", "id", "time_utc", "event", "outcome", "who", "from", "on", "incident", "correlation", "redacted", "facts",
    "leaf_hash",
)  # fmt: skip
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_table(stream: IO[bytes], records: Iterable[Record]) -> int:
    """The table, a heading and a line a record, as they come; how many records. Raises what the stream raises."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    lines = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    count = 0
    for record in records:
        lines.writerow(map(cell, line(record)))
        count += 1
    text.detach()  # the stream is its owner's to close
    return count


def line(record: Record) -> tuple[str, ...]:
    """One record, in the order of COLUMNS."""
    counts = "; ".join(f"{name} {count}" for name, count in sorted(redacted(record).items()) if count)
    facts = {name: value for name, value in sorted(record.facts.items()) if name != "redactions"}
    return (
        str(record.index),
        record.id,
        format_time(record.time),
        record.event.value,
        record.outcome.value,
        record.actor,
        record.origin,
        record.resource,
        record.incident or "",
        record.correlation or "",
        counts,
        json.dumps(facts, ensure_ascii=False) if facts else "",
        record.leaf_hash.hex(),
    )


def cell(text: str) -> str:
    """The text as a spreadsheet shows it instead of running it."""
    return f"'{text}" if text.lstrip(" \u00a0\u3000").startswith(_RUNS) else text
