"""What lists and plots need of each kept note, beside it: so that nobody reads 100 kB to show one line.

A line is made from the note's JSON when the note is kept, in the same transaction. `digest` says that the last look
passed exactly these bytes: a reader who finds the same digest need not scan 100 kB again. It is of the bytes and of the
scanner's own files, so a body that changed, or a scanner that learned something, is looked at once more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import redaction

TABLES = sa.MetaData()

lines = sa.Table(
    "payops_note_line",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("written_at", sa.Float(53), nullable=False),
    sa.Column("since", sa.Float(53)),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("lost", sa.Integer),
    sa.Column("amounts", sa.Text, nullable=False),
    sa.Column("redactions", sa.Text, nullable=False),
    sa.Column("struck", sa.Integer, nullable=False),
    sa.Column("gaps", sa.Text, nullable=False),
    sa.Column("score", sa.Float(53), nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False),
    sa.Column("cost", sa.Float(53), nullable=False),
    sa.Column("seconds", sa.Float(53), nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Index("payops_note_line_written", "written_at"),
)


def line_of(note: Mapping[str, Any], *, digest: str) -> dict[str, Any]:
    """The row of a note as JSON (`note_to_json`), of any version: what it does not say stays empty."""
    leading = (note.get("hypotheses") or [{}])[0]
    impact, model = note.get("impact") or {}, note.get("model") or {}
    runbooks = note.get("runbooks") or [{}]
    return {
        "incident": note["incident_id"],
        "revision": note["revision"],
        "written_at": seconds_of(note.get("written_at")) or 0.0,
        "since": seconds_of(note.get("since")),
        "verdict": str(leading.get("class", "none")),
        "cause": str(leading.get("cause", "")),
        "entity": str(leading.get("entity", "")),
        "lost": impact.get("lost"),
        "amounts": json.dumps(impact.get("amounts") or {}, sort_keys=True),
        "redactions": json.dumps(note.get("redactions") or {}, sort_keys=True),
        "struck": len(note.get("struck") or ()),
        "gaps": json.dumps([str(g.get("source", "")) for g in note.get("gaps") or ()]),
        "score": float(runbooks[0].get("score", 0.0)),
        "tokens": int(model.get("tokens_in", 0)) + int(model.get("tokens_out", 0)),
        "cost": float(model.get("cost", 0.0)),
        "seconds": float(model.get("seconds", 0.0)),
        "model": str(model.get("name", "")),
        "digest": digest,
    }


def seconds_of(text: object) -> float | None:
    """RFC 3339 to Unix seconds; None for None and for what is no time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None


def digest_of(body: str) -> str:
    """Of a body that the last look passed, by the scanner as it is now."""
    return hashlib.sha256(_scanner().encode() + b"\0" + body.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=1)
def _scanner() -> str:
    """A hash over the scanner's own files."""
    whole = hashlib.sha256()
    for path in sorted(Path(redaction.__file__).parent.glob("scan*.py")):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()
