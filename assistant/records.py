"""What an investigation writes into the prompt log beside the prompts: what woke it, what it read, what it said.

People without a model leave a trail too: every query is a record, every note is a record with its text as a body. When
the log cannot take the note, the note goes out all the same and says so.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from assistant.core.alert import Alert, Rule
from assistant.core.draft import ModelUse
from assistant.core.evidence import Change, LogEvidence, MetricInfo, Series, Topology
from assistant.core.incident import Incident
from assistant.core.note import Note, RecordRef
from assistant.core.note_json import note_to_json
from assistant.core.query import Matcher, Query
from assistant.core.time import Window
from assistant.errors import PromptLogError, SourceError, SourceNotAsked
from assistant.house import House, Sources
from assistant.ports import AlertSource, ChangeSource, LogSource, MetricSource, PromptLog
from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.record import Entry, Event, Outcome, Value, slug
from redaction import LeakBlocked

T = TypeVar("T")


def received(incident: Incident, house: House) -> None:
    """The alerts (or the question) that woke us, as records. PromptLogError is the caller's to judge."""
    if incident.question is not None:
        asker = incident.question.asker
        person = asker if ":" in asker else None
        house.promptlog.append(
            Entry(
                event=Event.QUESTION_RECEIVED,
                actor="" if person else asker,
                identity=person,
                resource="question",
                incident=incident.id,
                bodies={"question": incident.question.text.text.encode()},
            )
        )
    for alert in incident.alerts:
        house.promptlog.append(
            Entry(
                event=Event.ALERT_RECEIVED,
                actor=house.actor,
                resource="alert",
                incident=incident.id,
                facts={"fingerprint": alert.fingerprint, "starts_at": int(alert.starts_at), "status": alert.status},
                bodies={"alert": _json(dict(alert.labels))},
            )
        )


def recorded(note: Note, house: House) -> Note:
    """The note with a reference to its record, or with the reason why there is none."""
    body = _json(note_to_json(note))
    event = Event.NOTE_POST if note.revision == 1 else Event.NOTE_UPDATE
    facts: dict[str, object] = {
        "revision": note.revision,
        "status": note.status.replace(" ", "_"),
        "severity": note.severity,
        "redactions": dict(note.redactions),
        "struck": len(note.struck),
        "struck_by_rule": dict(Counter(slug(s.rule) for s in note.struck)),
        "gaps": len(note.gaps),
        "verdict": note.hypotheses[0].verdict if note.hypotheses else "none",
        **spent_facts(note.spent),
    }
    entry = Entry(
        event=event,
        actor=house.actor,
        resource="note",
        incident=note.incident_id,
        facts=facts,  # type: ignore[arg-type]
        bodies={"note": body},
    )
    try:
        receipt = house.promptlog.append(entry)
        text = house.promptlog.checkpoint()
        checkpoint = parse_checkpoint(text)
    except (PromptLogError, LeakBlocked) as error:
        return replace(note, record_missing=str(error))
    return replace(
        note,
        record=RecordRef(
            index=receipt.index,
            id=receipt.id,
            tree_size=checkpoint.size,
            root=checkpoint.root.hex(),
            checkpoint=text,
        ),
    )


def spent_facts(spent: ModelUse | None) -> dict[str, Value]:
    """What asking a model took, for a record: whether its words were used or not."""
    if spent is None:
        return {"requests": []}
    return {
        "requests": list(spent.records),
        "tokens_in": spent.tokens_in,
        "tokens_out": spent.tokens_out,
        "cost_microusd": round(spent.cost * 1e6),
    }


def recording(sources: Sources, incident: Incident, house: House) -> Sources:
    """The same sources, each query leaving a record. A failing log does not stop the looking: only prompts need it."""
    trail = _Trail(house.promptlog, house.actor, incident.id)
    return Sources(
        alerts=_Alerts(sources.alerts, trail),
        metrics=_Metrics(sources.metrics, trail),
        logs=_Logs(sources.logs, trail),
        changes=_Changes(sources.changes, trail),
        notices=sources.notices,
        findings=sources.findings,
    )


@dataclass(frozen=True, slots=True)
class _Trail:
    log: PromptLog
    actor: str
    incident: str

    def query(
        self, source: str, query: str, window: Window | None, work: Callable[[], T], size: Callable[[T], int]
    ) -> T:
        began = time.monotonic()
        try:
            answer = work()
        except SourceNotAsked:
            raise  # no request was made, so no record says that one was
        except SourceError:
            self._append(source, query, window, Outcome.FAILED, 0, time.monotonic() - began)
            raise
        self._append(source, query, window, Outcome.OK, size(answer), time.monotonic() - began)
        return answer

    def _append(
        self, source: str, query: str, window: Window | None, outcome: Outcome, found: int, seconds: float
    ) -> None:
        facts: dict[str, object] = {
            "query_sha256": hashlib.sha256(query.encode()).hexdigest(),
            "found": found,
            "milliseconds": round(seconds * 1000),
        }
        if window is not None:
            facts |= {"start": int(window.start), "end": int(window.end)}
        entry = Entry(
            event=Event.SOURCE_QUERY,
            actor=self.actor,
            outcome=outcome,
            resource=source,
            incident=self.incident,
            facts=facts,  # type: ignore[arg-type]
            bodies={"query": query.encode()},
        )
        try:
            self.log.append(entry)
        except (PromptLogError, LeakBlocked):
            # Reading goes on without its record: the note will say that the log is missing, and no prompt leaves.
            return


@dataclass(frozen=True, slots=True)
class _Alerts:
    inner: AlertSource
    trail: _Trail

    def alerts(self) -> tuple[Alert, ...]:
        return self.trail.query("alertmanager", "alerts", None, self.inner.alerts, len)

    def rules(self) -> tuple[Rule, ...]:
        return self.trail.query("prometheus", "rules", None, self.inner.rules, len)


@dataclass(frozen=True, slots=True)
class _Metrics:
    inner: MetricSource
    trail: _Trail

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        return self.trail.query("prometheus", "catalogue", window, lambda: self.inner.catalogue(window), len)

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        work = lambda: self.inner.range(query, window=window, step=step)  # noqa: E731
        return self.trail.query("prometheus", self.inner.promql(query), window, work, lambda a: len(a[0]))

    def promql(self, query: Query) -> str:
        return self.inner.promql(query)


@dataclass(frozen=True, slots=True)
class _Logs:
    inner: LogSource
    trail: _Trail

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        return self.trail.query("loki", "labels", window, lambda: self.inner.labels(window), len)

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        words = ",".join(f'{m.label}{m.op}"{m.value}"' for m in selector) + " contains " + "|".join(contains)
        work = lambda: self.inner.search(  # noqa: E731
            selector=selector, window=window, contains=contains, limit=limit, about=about
        )
        return self.trail.query("loki", words, window, work, lambda found: len(found.lines))


@dataclass(frozen=True, slots=True)
class _Changes:
    inner: ChangeSource
    trail: _Trail

    def changes(self, window: Window) -> tuple[Change, ...]:
        return self.trail.query("changes", "changes", window, lambda: self.inner.changes(window), len)

    def topology(self) -> Topology:
        return self.inner.topology()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str).encode()
