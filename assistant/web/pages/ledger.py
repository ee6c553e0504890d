"""How the log stands: coverage, checkpoints, verification; attestations of our credentials; releases."""

from __future__ import annotations

import itertools
import json
from functools import partial
from typing import Any

from starlette.responses import Response

from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.describe import report_json
from assistant.promptlog.log import Log
from assistant.promptlog.publish import Health
from assistant.promptlog.record import Event, Record
from assistant.promptlog.store import Filter
from assistant.web.pages.record_view import root_text
from assistant.web.pages.release_view import changes, promotions
from assistant.web.pages.render import Ask, page

SHOWN = 50


def ledger(ask: Ask) -> Response:
    return _ledger(ask, None)


def verify_now(ask: Ask) -> Response:
    """Re-compute everything, hold it against what is held elsewhere; the verification is a record."""
    report = ask.desk.auditor(ask.person).verify(outside=ask.desk.outside())
    return _ledger(ask, report_json(report))


def _ledger(ask: Ask, report: dict[str, Any] | None) -> Response:
    log, stands = ask.desk.log(), ask.desk.covered()
    before = ask.whole("before", 10**12, most=10**12)
    signed = log.store.signed()
    older = [s for s in signed if s.size < before]
    shown = older[-SHOWN:][::-1]
    checkpoints = [
        {
            "size": s.size,
            "first": s.first,
            "last": s.last,
            "root": root_text(parse_checkpoint(s.note).root),
            "note": s.note,
        }
        for s in shown
    ]
    last = log.store.last_signed()
    verified = ask.desk.verified.newest(log)
    return page(
        ask, "ledger.html", stands=stands, checkpoints=checkpoints, total=len(signed), report=report,
        last=last, verified=verified,
        tail_s=_tail(log, stands), share=100 * stands.covered / stands.size if stands.size else 0.0,
        older=shown[-1].size if len(older) > SHOWN else None,
        origin=log.origin, keys=[str(v) for v in log.keys.verifiers()],
    )  # fmt: skip


def _tail(log: Log, stands: Health) -> float | None:
    """Seconds for which the oldest record of the tail has been under no checkpoint held elsewhere; None without one."""
    if stands.covered >= stands.size:
        return None
    return max(0.0, (log.clock() - log.get(stands.covered).time).total_seconds())


def attestations(ask: Ask) -> Response:
    """What was proved of our credentials, when, with the answers that carry it."""
    log = ask.desk.log()
    found = log.search(Filter(events=(Event.CREDENTIALS_ATTEST.value,)), newest_first=True)
    shown = [{"record": r, "found": _attestation(log, r)} for r in itertools.islice(found, SHOWN)]
    return page(ask, "attestations.html", shown=shown)


def _attestation(log: Any, record: Record) -> dict[str, Any] | None:
    body = log.body(record, "attestation") if "attestation" in record.bodies else None
    if not isinstance(body, bytes):
        return None
    found: dict[str, Any] = json.loads(body)
    return found


def releases(ask: Ask) -> Response:
    """What wrote the log: each start names its release; promotions and changes of configuration are records."""
    log = ask.desk.log()
    events = (Event.LOG_OPEN.value, Event.RELEASE_PROMOTE.value, Event.CONFIG_CHANGE.value)
    found = [*itertools.islice(log.search(Filter(events=events), newest_first=True), 4 * SHOWN)]
    promoted = promotions(found, body=partial(_text, log), who=partial(_who, log))
    return page(
        ask, "releases.html", spans=_spans(found), changes=changes(found), promoted=promoted,
        accepted={p["release"] for p in promoted if p["approver"]},
    )  # fmt: skip


def _text(log: Log, record: Record, name: str) -> str:
    body = log.body(record, name) if name in record.bodies else b""
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else f"[{body.reason.value}]"


def _who(log: Log, record: Record) -> str:
    """The person, as the approval's own signature names them too; the pseudonym where they were erased."""
    found = log.identity(record)
    return found if isinstance(found, str) else f"{record.actor} [{found.reason.value}]"


def _spans(newest_first: list[Record]) -> list[dict[str, Any]]:
    """Starts in a row under one release, as one line."""
    spans: list[dict[str, Any]] = []
    for record in newest_first:
        if record.event is not Event.LOG_OPEN:
            continue
        release, policy = str(record.facts.get("release", "–")), str(record.facts.get("policy", "–"))
        if spans and spans[-1]["release"] == release and spans[-1]["policy"] == policy:
            spans[-1] |= {"first": record, "starts": spans[-1]["starts"] + 1}
        else:
            spans.append({"release": release, "policy": policy, "first": record, "last": record, "starts": 1})
    return spans
