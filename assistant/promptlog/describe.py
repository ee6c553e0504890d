"""Records, stories and reports as text for people and as JSON for machines. Pure: values in, values out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from assistant.promptlog.record import Gone, Record, format_time
from assistant.promptlog.search import Story, redacted
from assistant.promptlog.verify import Report


def record_json(record: Record) -> dict[str, Any]:
    """The leaf as it is in the tree, with its hash."""
    leaf: dict[str, Any] = json.loads(record.leaf)
    return {**leaf, "leaf_hash": record.leaf_hash.hex()}


def record_line(record: Record) -> str:
    """One record on one line."""
    classes = " ".join(f"{name}:{count}" for name, count in sorted(redacted(record).items()) if count)
    parts = (
        f"{record.index:>8}",
        format_time(record.time)[:23] + "Z",
        f"{record.event.value:<20}",
        f"{record.outcome.value:<8}",
        f"{record.actor:<24}",
        record.incident or "-",
        record.id,
        classes,
    )
    return "  ".join(parts).rstrip()


def text_of(body: bytes | Gone) -> str:
    """A body as text, or why it cannot be shown."""
    if isinstance(body, Gone):
        by = f" by record {body.record}" if body.record else ""
        key = f" (key {body.detail})" if body.detail else ""
        return f"[{body.reason.value}{by}{key}]"
    return body.decode("utf-8", "replace")


def story_lines(told: Story) -> Iterator[str]:
    """One prompt for a reader: what was sent, what was redacted, what it was made from, what came back and became of
    it.
    """
    record = told.record
    yield f"record       {record.index}  {record.id}  {record.event.value}  {record.outcome.value}"
    yield f"time         {format_time(record.time)} ({record.clock} clock)"
    yield f"who          {record.actor} from {record.origin}, on {record.resource}"
    yield f"incident     {record.incident or '-'}  correlation {record.correlation or '-'}"
    counts = redacted(record)
    yield "redacted     " + (", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "nothing recorded")
    for name, value in sorted(record.facts.items()):
        if name != "redactions":
            yield f"fact         {name} = {json.dumps(value)}"
    for query in told.queries:
        yield f"evidence     {query.index}  {query.resource}  {query.outcome.value}  {query.id}"
    for name in sorted(told.bodies):
        yield f"--- {name}"
        yield text_of(told.bodies[name])
    for answer in told.answers:
        yield f"answer       {answer.index}  {answer.event.value}  {answer.outcome.value}  {answer.id}"
    for note in told.notes:
        yield f"became       {note.index}  {note.event.value}  revision {note.facts.get('revision', '-')}  {note.id}"
    for review in told.reviews:
        kind = review.facts.get("kind")
        yield f"review       {review.index}  {kind} by {review.actor} at {format_time(review.time)}"


def story_json(told: Story) -> dict[str, Any]:
    return {
        "record": record_json(told.record),
        "redactions": redacted(told.record),
        "bodies": {name: _body_json(body) for name, body in told.bodies.items()},
        "answers": [record_json(r) for r in told.answers],
        "queries": [record_json(r) for r in told.queries],
        "notes": [record_json(r) for r in told.notes],
        "reviews": [record_json(r) for r in told.reviews],
    }


def _body_json(body: bytes | Gone) -> dict[str, Any]:
    if isinstance(body, Gone):
        return {"gone": body.reason.value, "record": body.record, "detail": body.detail}
    return {"text": body.decode("utf-8", "replace")}


def report_lines(report: Report) -> Iterator[str]:
    yield f"records      {report.size}, root {report.root.hex()}"
    at = f", signed {format_time(report.covered_at)}" if report.covered_at else ""
    yield f"covered      {report.covered} by a checkpoint held elsewhere{at}"
    yield f"unprotected  the last {report.tail}"
    yield f"bodies       {report.bodies_read} read, {report.bodies_gone} expired or erased with a record that says so"
    yield from (f"note         {note}" for note in report.notes)
    yield from (f"DOUBT        {doubt.text}" for doubt in report.doubts)
    if report.ok:
        yield "verdict      verified, no doubt"
    else:
        where = "none" if report.first_bad is None else str(report.first_bad)
        yield f"verdict      {report.doubt_count} doubts; first record concerned: {where}"


def report_json(report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "size": report.size,
        "root": report.root.hex(),
        "covered": report.covered,
        "covered_at": format_time(report.covered_at) if report.covered_at else None,
        "unprotected": report.tail,
        "first_bad": report.first_bad,
        "doubts": [{"kind": d.kind, "index": d.index, "text": d.text} for d in report.doubts],
        "doubt_count": report.doubt_count,
        "notes": list(report.notes),
        "bodies_read": report.bodies_read,
        "bodies_gone": report.bodies_gone,
        "cold": report.cold,
        "requests_open": report.requests_open,
    }
