"""What people say about a note: stored with its record, exported as cases of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from assistant.drafting.gate import Appender
from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Receipt, Record
from redaction import RedactedText

Judgement = Literal["useful", "not_useful", "wrong", "confidently_wrong"]


def give(
    log: Appender,
    *,
    judgement: Judgement,
    incident: str,
    record: str,
    person: str,
    words: RedactedText | None = None,
    right_cause: RedactedText | None = None,
    reason: str = "",
    resource: str = "note",
) -> Receipt:
    """Store what a person says about the note (or answer: `resource`) of `record` (its id). The person stands behind a
    pseudonym; their words are a body that can expire; `reason` is one of a few words ("stale"). Raises LogUnavailable.
    """
    bodies = {"words": words, "right_cause": right_cause}
    return log.append(
        Entry(
            event=Event.FEEDBACK,
            identity=person,
            resource=resource,
            incident=incident,
            correlation=record,
            facts={"judgement": judgement, **({"reason": reason} if reason else {})},
            bodies={name: text.text.encode("utf-8") for name, text in bodies.items() if text},
        )
    )


def export(log: Log) -> Iterator[dict[str, Any]]:
    """One case for each piece of feedback: the note as it was shown, the prompt's evidence, and what the person said.

    Bodies that are gone are None: the case is kept, so that the count stays true.
    """
    for record in log.scan():
        if record.event is not Event.FEEDBACK:
            continue
        judged = log.get(record.correlation) if record.correlation else None
        yield {
            "case": record.id,
            "incident": record.incident,
            "judgement": record.facts["judgement"],
            "words": _text(log, record, "words"),
            "right_cause": _text(log, record, "right_cause"),
            "note": _note(log, judged) if judged else None,
            "requests": _requests(log, judged) if judged else [],
        }


def write_set(cases: Iterable[Mapping[str, Any]], write: Callable[[str], object]) -> int:
    """Cases as JSON, one a line; how many there were."""
    count = 0
    for case in cases:
        write(json.dumps(case, ensure_ascii=False, sort_keys=True) + "\n")
        count += 1
    return count


def _text(log: Log, record: Record, name: str) -> str | None:
    body = log.body(record, name) if name in record.bodies else None
    return body.decode("utf-8") if isinstance(body, bytes) else None


def _note(log: Log, record: Record) -> Any:
    text = _text(log, record, "note")
    return json.loads(text) if text else None


def _requests(log: Log, record: Record) -> list[str]:
    """Ids of the requests that the note was drafted with."""
    wanted = {int(i) for i in record.facts.get("requests", [])}
    return [str(log.get(i).id) for i in sorted(wanted)]
