"""A state directory as a busy team would have it after a year: 5,000 incidents with notes, 100,000 records.

Records go through the log's own writer (a valid tree, encrypted bodies, a screening), notes through the notebook's;
incidents and alerts are rows inserted in bulk. One note in ten is as large as the recorded world's, the others carry no
evidence and no charts. Nothing here is a measurement.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.core.alert import Alert, frozen
from assistant.core.incident import IncidentId, Severity
from assistant.core.note import Note
from assistant.core.time import Instant
from assistant.errors import PromptLogError
from assistant.identity import SEVERITIES, Head
from assistant.notebook.canonical import dump
from assistant.notebook.database import open_database
from assistant.notebook.notes import NoteBook
from assistant.promptlog.log import new_id
from assistant.promptlog.record import Entry, Event, Outcome, Value
from assistant.promptlog.review import screen
from assistant.settings import Settings
from assistant.workflow.codec import alert_to_json, head_to_json
from assistant.workflow.incidents import alerts, incidents
from assistant.workflow.service import ALL_TABLES

NOTE_EVERY = 10
"""One note in so many is as large as a real one."""
_LETTERS = "bcdfghjkmnpqrstvwxz"
_CHUNK = 500


def fill(settings: Settings, *, records: int, count: int, end: float) -> tuple[list[str], list[str]]:
    """Fill the state of `settings`. Ids of incidents with large notes, and of records that are prompts."""
    note = _note(settings)
    names = [incident_name(i) for i in range(count)]
    _fill_incidents(settings, names, note, end)
    prompts = _fill_log(settings, names, records, note)
    return names[::NOTE_EVERY], prompts


def incident_name(i: int) -> str:
    digits = []
    for _ in range(6):
        i, rest = divmod(i, len(_LETTERS))
        digits.append(_LETTERS[rest])
    return "inc-" + "".join(digits)


def _note(settings: Settings) -> Note:
    """The note of the recorded world."""
    from assistant.bootstrap import open_world
    from assistant.incidents import incident_of, together
    from assistant.investigate import investigate

    world_state = replace(settings, state=settings.state / "world")
    house, world = open_world(Path(__file__).parents[1] / "worlds" / "first", world_state)
    try:
        incident = incident_of(together(world.alerts(), world.rules()), world.rules(), now=house.clock.now())
        return investigate(incident, house)
    finally:
        house.promptlog.close()


def _fill_incidents(settings: Settings, names: list[str], note: Note, end: float) -> None:
    from redaction import FinalScanner

    database = open_database(settings.workflow.database(), state=settings.state)
    database.prepare(*ALL_TABLES)
    book, rng = NoteBook(database, scanner=FinalScanner()), random.Random(7)
    small = replace(note, evidence=(), charts=(), timeline=(), hypotheses=note.hypotheses[:1])
    step = 365 * 86_400.0 / max(1, len(names))
    for start in range(0, len(names), _CHUNK):
        with database.write() as c:
            for i, name in list(enumerate(names))[start : start + _CHUNK]:
                at, severity = end - (len(names) - i) * step, SEVERITIES[rng.randrange(4)]
                c.execute(incidents.insert().values(_head(name, at, severity)))
                c.execute(alerts.insert().values(_alert(name, at, {"service": f"service-{i % 40}"})))
                kept = replace(
                    note if i % NOTE_EVERY == 0 else small,
                    incident_id=IncidentId(name),
                    written_at=at,
                    since=Instant(at),
                    status="resolved",
                    severity=severity,
                    title=f"Service service-{i % 40}: bad deploy",
                )
                book.keep(c, kept, key="1.note")
    database.close()


def _head(name: str, at: float, severity: Severity) -> dict[str, Any]:
    """An incident that opened and ended, and wants no round."""
    ended = at + 1800.0
    head = Head(IncidentId(name), at, at, (at, at), severity, resolved_at=ended)
    told = dump(head_to_json(head))
    return {"id": name, "opened_at": at, "resolved_at": ended, "storm": False, "wants": 0, "head": told}


def _alert(name: str, at: float, labels: Mapping[str, str]) -> dict[str, Any]:
    ended = at + 1800.0
    alert = Alert(name, frozen({"alertname": "ApprovalRateLow", **labels}), {}, Instant(at), "resolved", Instant(ended))
    return {
        "incident": name,
        "fingerprint": name,
        "starts_at": at,
        "ends_at": ended,
        "status": "resolved",
        "received_at": at,
        "deliveries": 2,
        "body": dump(alert_to_json(alert)),
    }


def _fill_log(settings: Settings, names: list[str], records: int, note: Note) -> list[str]:
    """The records of a year, through the log's own writer; then the daily screening over all of them."""
    from assistant.bootstrap import prompt_log
    from redaction import FinalScanner

    log: Any = prompt_log(settings, FinalScanner())
    prompts: list[str] = []
    try:
        entries = _entries(names, {"note": dump({"title": note.title, "status": note.status}).encode()})
        left = records - log.size() - 2
        while left > 0:
            part = list(itertools.islice(entries, min(2000, left)))
            receipts = log.append_all(part)
            prompts += [r.id for r, e in zip(receipts, part, strict=True) if e.event is Event.LLM_REQUEST]
            left -= len(part)
        screen(log)
        log.checkpoint()
    except PromptLogError:
        log.close()
        raise
    log.close()
    return prompts


def _entries(names: list[str], bodies: Mapping[str, bytes]) -> Iterator[Entry]:
    """Twenty records an incident, over and over: what woke us, what was read, prompt and answer, note, reads."""
    rng = random.Random(11)
    prompt = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Approvals fell. " * 200}]}).encode()
    query = {"query": b"sum(rate(authorisations_total[5m])) by (scheme)"}

    def entry(event: Event, incident: str, resource: str, facts: Mapping[str, Value], **given: Any) -> Entry:
        actor = "" if "identity" in given else "serve"
        return Entry(event=event, actor=actor, incident=incident, resource=resource, facts=facts, **given)

    for round_ in itertools.count():
        for name in names:
            person, asked = f"slack:U{rng.randrange(40)}", new_id("rec")
            counts: dict[str, Value] = {"PAN": rng.randrange(9), "EMAIL": rng.randrange(4)}
            failed = Outcome.FAILED if rng.random() < 0.02 else Outcome.OK
            yield entry(Event.ALERT_RECEIVED, name, "alert", {})
            for _ in range(12):
                source = ("prometheus", "loki")[rng.randrange(2)]
                yield entry(Event.SOURCE_QUERY, name, source, {"found": rng.randrange(500)}, bodies=query)
            facts: dict[str, Value] = {"model": f"m-{rng.randrange(3)}", "redactions": counts, "template": "note"}
            yield entry(Event.LLM_REQUEST, name, "m", facts, bodies={"request": prompt}, id=asked)
            told: dict[str, Value] = {"request": asked, "tokens_in": 900, "tokens_out": 200, "latency_ms": 900}
            yield entry(Event.LLM_RESPONSE, name, "m", told, outcome=failed)
            said: dict[str, Value] = {"verdict": "likely", "struck": rng.randrange(2), "redactions": counts}
            yield entry(Event.NOTE_POST, name, "note", {**said, "revision": round_ + 1}, bodies=bodies)
            yield entry(Event.QUESTION_RECEIVED, name, "question", {}, identity=person, origin="slack")
            yield entry(Event.FEEDBACK, name, "note", {"judgement": "useful"}, identity=person)
            yield entry(Event.AUDIT_READ, name, "log", {"action": "show"}, identity="oidc:a@idp", origin="web")
            yield entry(Event.AUTH_LOGIN, name, "console", {"how": "oidc"}, identity=person, origin="web")
