"""The daily review (PCI DSS 10.4.1): rules screen every record, people take the exceptions.

A screening covers the records since the last one, without a gap, and is itself a record (`audit.review`, kind
`screening`) whose body lists the exceptions. Taking, accepting and flagging an exception are records too, each naming
the record it is about, so that what is still to do follows from the log alone and two reviewers never do the same
work unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from assistant.errors import UsageError
from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Gone, Outcome, Record, canonical
from assistant.promptlog.search import redacted
from assistant.promptlog.store import Filter

MANY_VALUES = 50


@dataclass(frozen=True, slots=True)
class Rule:
    """`catches` says yes to records that a person should see; `why` is what that person reads."""

    name: str
    why: str
    catches: Callable[[Record], bool]


def _events(*events: Event) -> Callable[[Record], bool]:
    return lambda record: record.event in events


def _fact(name: str, *values: object) -> Callable[[Record], bool]:
    return lambda record: record.facts.get(name) in values


RULES: tuple[Rule, ...] = (
    Rule(
        "blocked",
        "the last look stopped a value that must not leave",
        _events(Event.LLM_BLOCKED, Event.REDACTION_BLOCK),
    ),
    Rule("unknown-outcome", "a prompt may have left without an answer", _events(Event.LLM_UNKNOWN_OUTCOME)),
    Rule("denied", "somebody was refused", lambda r: r.event is Event.AUTH_DENIED or r.outcome is Outcome.DENIED),
    Rule("roles", "rights were changed", _events(Event.ROLE_CHANGE)),
    Rule("keys", "a key was replaced", _events(Event.KEY_ROTATE)),
    Rule("configuration", "what runs was changed", _events(Event.CONFIG_CHANGE, Event.RELEASE_PROMOTE)),
    Rule("hold", "a hold was set or lifted", _events(Event.HOLD_SET)),
    Rule("erased", "a body was taken out before its time", lambda r: _fact("reason", "purged", "erased")(r)),
    Rule(
        "export", "records were taken away", lambda r: r.event is Event.AUDIT_READ and r.facts.get("action") == "export"
    ),
    Rule(
        "verify", "a verification found doubts", lambda r: r.event is Event.AUDIT_READ and bool(r.facts.get("doubts"))
    ),
    Rule(
        "writable",
        "a credential could write",
        lambda r: r.event is Event.CREDENTIALS_ATTEST and r.outcome is not Outcome.OK,
    ),
    Rule(
        "model-failed",
        "the model's answer was not usable",
        lambda r: r.event is Event.LLM_RESPONSE and r.outcome is Outcome.FAILED,
    ),
    Rule("struck", "claims of the model were struck out", lambda r: bool(r.facts.get("struck"))),
    Rule(
        "many-values",
        f"more than {MANY_VALUES} values were redacted",
        lambda r: sum(redacted(r).values()) > MANY_VALUES,
    ),
)


@dataclass(frozen=True, slots=True)
class Screening:
    """Records [start, stop) were screened; `exceptions` are (index, id, names of rules)."""

    start: int
    stop: int
    exceptions: tuple[tuple[int, str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """An exception and how it stands: open, taken, accepted or flagged. `by` is the pseudonym of who did the last
    step.
    """

    index: int
    id: str
    rules: tuple[str, ...]
    state: str = "open"
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """`screened` records of `size`; tasks by state; when the last screening was."""

    size: int
    screened: int
    open: int
    taken: int
    accepted: int
    flagged: int
    last: datetime | None


def screen(log: Log, *, actor: str = "schedule", identity: str | None = None, origin: str = "cli") -> Screening:
    """Screen what came since the last screening, and record it. Reviews themselves are not screened again."""
    start = max((s.stop for s, _ in _screenings(log)), default=0)
    stop = log.size()
    caught = tuple(_caught(log, start, stop))
    listed = canonical([[index, record_id, list(rules)] for index, record_id, rules in caught])
    log.append(
        Entry(
            event=Event.AUDIT_REVIEW,
            actor="" if identity else actor,
            identity=identity,
            origin=origin if identity else "schedule",
            facts={"kind": "screening", "start": start, "stop": stop, "exceptions": len(caught), "rules": len(RULES)},
            bodies={"exceptions.json": listed},
        )
    )
    return Screening(start, stop, caught)


def _caught(log: Log, start: int, stop: int) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for record in log.scan(start, stop):
        if record.event is Event.AUDIT_REVIEW:
            continue
        names = tuple(rule.name for rule in RULES if rule.catches(record))
        if names:
            yield record.index, record.id, names


def tasks(log: Log) -> tuple[Task, ...]:
    """Every exception of every screening with its state, oldest first."""
    found = {e[1]: Task(*e) for s, _ in _screenings(log) for e in s.exceptions}
    for record in log.search(Filter(events=(Event.AUDIT_REVIEW.value,))):
        task = found.get(str(record.facts.get("record")))
        state = {"take": "taken", "accept": "accepted", "flag": "flagged"}.get(str(record.facts.get("kind")))
        if task is not None and state is not None:
            found[task.id] = Task(task.index, task.id, task.rules, state, record.actor)
    return tuple(sorted(found.values(), key=lambda task: task.index))


def progress(log: Log) -> Progress:
    done = list(_screenings(log))
    states = [task.state for task in tasks(log)]
    return Progress(
        size=log.size(),
        screened=max((s.stop for s, _ in done), default=0),
        open=states.count("open"),
        taken=states.count("taken"),
        accepted=states.count("accepted"),
        flagged=states.count("flagged"),
        last=max((record.time for _, record in done), default=None),
    )


def take_next(log: Log, *, identity: str, origin: str = "cli") -> Task | None:
    """The oldest open exception, now assigned to this person; None if there is none."""
    task = next((t for t in tasks(log) if t.state == "open"), None)
    if task is not None:
        _record(log, "take", task, identity, "", origin)
    return task


def accept(log: Log, which: int | str, *, identity: str, origin: str = "cli") -> Task:
    """Sign off an exception. UsageError if it is none, is settled, or is this person's own act."""
    return _settle(log, "accept", which, identity, "", origin)


def flag(log: Log, which: int | str, *, identity: str, reason: str, origin: str = "cli") -> Task:
    """Mark an exception as something to follow up. UsageError without a reason."""
    if not reason.strip():
        raise UsageError("a flag needs a reason", mend="give --reason TEXT")
    return _settle(log, "flag", which, identity, reason, origin)


def _settle(log: Log, kind: str, which: int | str, identity: str, reason: str, origin: str) -> Task:
    record = log.get(which)
    task = next((t for t in tasks(log) if t.id == record.id), None)
    if task is None:
        raise UsageError("that record is no exception", mend="`payops log review` lists them")
    if task.state in {"accepted", "flagged"}:
        raise UsageError(f"that exception is {task.state} already")
    if record.actor in log.pseudonyms_of(identity):
        raise UsageError("nobody signs off their own act", mend="let somebody else review it")
    _record(log, kind, task, identity, reason, origin)
    return task


def _record(log: Log, kind: str, task: Task, identity: str, reason: str, origin: str) -> None:
    log.append(
        Entry(
            event=Event.AUDIT_REVIEW,
            identity=identity,
            origin=origin,
            resource=f"record:{task.id}",
            facts={"kind": kind, "record": task.id, "rules": list(task.rules)},
            bodies={"reason": reason.encode()} if reason else {},
        )
    )


def _screenings(log: Log) -> Iterator[tuple[Screening, Record]]:
    for record in log.search(Filter(events=(Event.AUDIT_REVIEW.value,))):
        if record.facts.get("kind") != "screening":
            continue
        body = log.body(record, "exceptions.json")
        listed = [] if isinstance(body, Gone) else json.loads(body)
        caught = tuple((int(i), str(record_id), tuple(rules)) for i, record_id, rules in listed)
        yield Screening(int(record.facts["start"]), int(record.facts["stop"]), caught), record
