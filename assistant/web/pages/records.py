"""The records of the prompt log for auditors: list, one record, its proof, the export. Every read is a record first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, Response

from assistant.errors import LogKeyMissing, UsageError
from assistant.promptlog.audit import Auditor
from assistant.promptlog.checkpoint import open_checkpoint
from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Outcome, Record, format_time
from assistant.promptlog.replay import Replay, replay
from assistant.promptlog.search import Search, Story, redacted
from assistant.web.pages.download import download
from assistant.web.pages.record_view import Shown, answer_text, bodies_of, facts_of, line, messages_of, proof_of
from assistant.web.pages.render import Ask, page

PAGE = 50
FILTERS = ("since", "until", "incident", "actor", "event", "outcome", "model", "class", "release")
"""The fields of a search, as they stand in an address; `before` is the page."""
EVENTS = tuple(e.value for e in Event)
OUTCOMES = tuple(o.value for o in Outcome)
CLASSES = ("PAN", "SAD", "TRACK", "EMAIL", "PERSON", "IBAN", "PHONE", "IP", "SECRET", "LINE")


_MADE_OF = (Event.LLM_REQUEST, Event.NOTE_POST, Event.NOTE_UPDATE)
"""Records that are made of what was asked before them."""


def record_list(ask: Ask) -> Response:
    """Newest first, 50 a page; older pages begin below an index, so that new records move nothing."""
    search = search_of(ask.given)
    found = ask.desk.auditor(ask.person).search(search, limit=PAGE)
    return page(
        ask, "records.html", records=[line(r) for r in found.records], older=found.older, search=search,
        said=search.in_words(ask.desk.log().size()), events=EVENTS, outcomes=OUTCOMES, classes=CLASSES,
        size=ask.desk.log().size(), take=urlencode({k: v for k, v in ask.given.items() if k in FILTERS and v}),
    )  # fmt: skip


def search_of(given: Mapping[str, str]) -> Search:
    """The filters of a page. UsageError names the one that cannot be read."""

    def word(name: str) -> str | None:
        return given.get(name, "").strip()[:300] or None

    event, outcome, stop = word("event"), word("outcome"), word("before")
    if outcome and outcome not in OUTCOMES:
        raise UsageError("that is no outcome of the log", mend=f"there are: {', '.join(OUTCOMES)}")
    if event and event not in EVENTS:
        raise UsageError("that is no event of the log", mend=f"there are: {', '.join(EVENTS)}")
    if stop and not (stop.isascii() and stop.isdecimal() and len(stop) < 12):
        raise UsageError("a page begins below an index, a whole number", mend="take the link at the end of the list")
    return Search(
        stop=int(stop) if stop else None,
        since=_time(word("since"), "since"),
        until=_time(word("until"), "until"),
        events=(event,) if event else (),
        actor=word("actor"),
        outcome=outcome,
        incident=word("incident"),
        model=word("model"),
        redacted=word("class"),
        release=word("release"),
    )


def _time(text: str | None, name: str) -> str | None:
    """A time of a form, in UTC where it says no zone, as the log writes it."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return format_time(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UsageError(f"{name} is not a time", mend="write 2026-11-23T17:48 (UTC)") from None


def record_page(ask: Ask) -> Response:
    """One record: what it says, its prompt and answer, what it was made from and became, its replay and its proof."""
    log, auditor = ask.desk.log(), ask.desk.auditor(ask.person)
    told = auditor.show(ask.path("which"))
    record = told.record
    replayed = replay(log, record) if record.event is Event.LLM_REQUEST else None
    return page(
        ask, "record.html", record=record, row=line(record), counts=sorted(redacted(record).items()),
        facts=facts_of(record), bodies=bodies_of(told.bodies, {n: r.size for n, r in record.bodies.items()}),
        messages=messages_of(told.bodies["request"]) if "request" in told.bodies else [],
        answers=_answers(log, told),
        queries=[(line(q), _query(log, q)) for q in told.queries if record.event in _MADE_OF],
        notes=[line(n) for n in told.notes], reviews=[(line(r), r.facts.get("kind", "")) for r in told.reviews],
        replay=replayed, replayed=_replay_words(replayed), **_proven(log, record),
        newer=record.index + 1 if record.index + 1 < log.size() else None, older=record.index - 1,
    )  # fmt: skip


def _answers(log: Log, told: Story) -> list[dict[str, Any]]:
    """Answers with their text: the model's words, never the whole answer of an API."""
    found = []
    for answer in told.answers:
        name = next((n for n in ("response", "answer") if n in answer.bodies), None)
        text = answer_text(log.body(answer, name)) if name else ""
        found.append({"row": line(answer), "text": text, "facts": facts_of(answer)})
    return found


def _query(log: Log, record: Record) -> str:
    body = log.body(record, "query") if "query" in record.bodies else b""
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else f"[{body.reason.value}]"


def _replay_words(done: Replay | None) -> str:
    if done is None:
        return ""
    if done.identical:
        return f"byte-identical: {done.size} bytes rebuilt from {len(done.parts)} parts"
    at = "" if done.differs_at is None else f", first at byte {done.differs_at}"
    return f"not shown to be identical: {done.reason}{at}"


def _proven(log: Log, record: Record) -> dict[str, Any]:
    """The inclusion proof under the newest checkpoint that covers the record, and whether its signature holds."""
    try:
        last = log.store.last_signed()
        note = last.note if last is not None and last.size > record.index else log.checkpoint()
    except LogKeyMissing as error:
        return {"proof": None, "proof_missing": str(error), "signed": ""}
    size = int(note.split("\n")[1])
    proof: Shown = proof_of(record, log.inclusion(record.index, size), note)
    witnessed = open_checkpoint(note, origin=log.origin, trusted=log.keys.verifiers())
    signed = ", ".join(str(v.name) for v in witnessed.signers)
    return {"proof": proof, "proof_missing": "", "signed": signed}


def record_proof(ask: Ask) -> Response:
    """The proof as one file (C2SP tlog-proof)."""
    auditor = ask.desk.auditor(ask.person)
    record = ask.desk.log().get(ask.path("which"))
    proof = auditor.prove(record.index)
    file = f'attachment; filename="record-{record.index}.tlog-proof"'
    return PlainTextResponse(proof, headers={"content-disposition": file})


def export_form(ask: Ask) -> Response:
    """What can be taken away, and why it is asked for."""
    return page(ask, "export.html", events=EVENTS, outcomes=OUTCOMES, classes=CLASSES, size=ask.desk.log().size())


def export_file(ask: Ask) -> Response:
    """The bundle as a ZIP, complete in itself, or the list of records as a table; the reason is a record, and a
    reviewer's exception."""
    auditor: Auditor = ask.desk.auditor(ask.person)
    bodies, identities = "bodies" in ask.given, "identities" in ask.given
    plain = search_of({k: v for k, v in ask.given.items() if k != "before"})
    reason = ask.given.get("reason", "")[:2000]
    if ask.given.get("form") == "table":
        return download(auditor.tabling(selection=plain, reason=reason), name="payops-records.csv", kind="text/csv")
    search = plain if not identities else replace(plain, identities=True)
    make = auditor.exporting(selection=search, reason=reason, bodies=bodies)
    return download(make, name="payops-log.zip", kind="application/zip")
