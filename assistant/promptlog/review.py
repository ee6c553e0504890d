"""The daily review (PCI DSS 10.4.1): rules screen every record, people take the exceptions.

A screening covers the records since the last one, without a gap, and is itself a record (`audit.review`, kind
`screening`) whose body lists the exceptions. Taking, accepting and flagging an exception are records too, each naming
the record it is about, so that what is still to do follows from the log alone and two reviewers never do the same
work unseen. Who may not take or settle an exception is what `duties.Hands` says (`alone` is its).
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from assistant.errors import UsageError
from assistant.promptlog.duties import Hands
from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Gone, Outcome, Record, RecordId, canonical
from assistant.promptlog.search import redacted
from assistant.promptlog.store import Filter

MANY_VALUES = 50
_STATES = {"take": "taken", "accept": "accepted", "flag": "flagged"}


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
    start = _screened(log)
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


@dataclass(frozen=True, slots=True)
class Stand:
    """How the review stands: every exception of every screening, oldest first, and the counts."""

    tasks: tuple[Task, ...]
    progress: Progress


class Queue:
    """How the review stands, kept up to date: a look reads the review's records since the look before, no others.
    Thread-safe. One log, one queue: `look` begins anew for another."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._forget(None)

    def _forget(self, log: Log | None) -> None:
        self._log, self._seen, self._screened = log, 0, 0
        self._last: datetime | None = None
        self._caught: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._steps: dict[str, tuple[str, str]] = {}
        self._tasks: tuple[Task, ...] = ()

    def look(self, log: Log) -> Stand:
        with self._guard:
            if log is not self._log:
                self._forget(log)
            size = log.size()
            new = list(log.search(Filter(start=self._seen, stop=size, events=(Event.AUDIT_REVIEW.value,))))
            for record in new:
                self._take_up(log, record)
            self._seen = size
            if new:
                self._tasks = self._made()
            return Stand(self._tasks, self._progress(size))

    def _take_up(self, log: Log, record: Record) -> None:
        kind = str(record.facts.get("kind"))
        if kind == "screening":
            screening = _screening(log, record)
            self._screened = max(self._screened, screening.stop)
            self._last = record.time if self._last is None else max(self._last, record.time)
            self._caught |= {name: (index, rules) for index, name, rules in screening.exceptions}
        elif kind in _STATES:
            self._steps[str(record.facts.get("record"))] = (_STATES[kind], record.actor)

    def _made(self) -> tuple[Task, ...]:
        return tuple(
            Task(index, name, rules, *self._steps.get(name, ("open", None)))
            for name, (index, rules) in sorted(self._caught.items(), key=lambda item: item[1][0])
        )

    def _progress(self, size: int) -> Progress:
        states = Counter(task.state for task in self._tasks)
        counts = {name: states[name] for name in ("open", "taken", "accepted", "flagged")}
        return Progress(size=size, screened=self._screened, last=self._last, **counts)


def tasks(log: Log) -> tuple[Task, ...]:
    """Every exception of every screening with its state, oldest first."""
    return Queue().look(log).tasks


def progress(log: Log) -> Progress:
    return Queue().look(log).progress


def take_next(log: Log, *, identity: str, origin: str = "cli", alone: bool = False) -> Task | None:
    """The oldest open exception that this person may settle, now assigned to them; None if there is none. Two who ask
    at once get two."""
    hands = Hands(log, identity, alone=alone)
    for task in tasks(log):
        if task.state != "open" or hands.bar(log.get(task.index)):
            continue
        if _is_mine(log, _record(log, "take", task, identity, "", origin), identity):
            return task
    return None


def take(log: Log, which: int | str, *, identity: str, origin: str = "cli", alone: bool = False) -> Task:
    """This exception, now assigned to this person, also where somebody else had taken it: who is away holds nobody up.
    UsageError if it is none, settled, or not theirs to settle."""
    task = _theirs(log, which, identity, alone=alone)
    again = task.state == "taken"
    if not _is_mine(log, _record(log, "take", task, identity, "", origin, again=again), identity):
        raise UsageError("somebody else took that exception just now", mend="take the next")
    return task


def accept(log: Log, which: int | str, *, identity: str, origin: str = "cli", alone: bool = False) -> Task:
    """Sign off an exception. UsageError if it is none, settled, or not theirs to settle."""
    return _settle(log, "accept", _theirs(log, which, identity, alone=alone), identity, "", origin)


def flag(log: Log, which: int | str, *, identity: str, reason: str, origin: str = "cli", alone: bool = False) -> Task:
    """Mark an exception as something to follow up. UsageError as for `accept`, and without a reason."""
    if not reason.strip():
        raise UsageError("a flag needs a reason", mend="give --reason TEXT")
    return _settle(log, "flag", _theirs(log, which, identity, alone=alone), identity, reason, origin)


def _settle(log: Log, kind: str, task: Task, identity: str, reason: str, origin: str) -> Task:
    if task.state == "taken" and task.by not in log.pseudonyms_of(identity):
        raise UsageError("somebody else has taken that exception", mend="leave it to them, or take it over first")
    settled = _record(log, kind, task, identity, reason, origin)
    if not _is_mine(log, settled, identity) or settled.facts.get("kind") != kind:
        raise UsageError("that exception was settled just now by somebody else")
    return task


def _theirs(log: Log, which: int | str, identity: str, *, alone: bool) -> Task:
    """The exception that is still to be settled, and by this person."""
    record = log.get(which)
    task = next((t for t in tasks(log) if t.id == record.id), None)
    if task is None:
        raise UsageError("that record is no exception", mend="`payops log review` lists them")
    if task.state in {"accepted", "flagged"}:
        raise UsageError(f"that exception is {task.state} already")
    why_not = Hands(log, identity, alone=alone).bar(record)
    if why_not:
        raise UsageError(why_not, mend="let somebody else review it")
    return task


def _is_mine(log: Log, step: Record, identity: str) -> bool:
    return step.actor in log.pseudonyms_of(identity)


def _record(log: Log, kind: str, task: Task, identity: str, reason: str, origin: str, *, again: bool = False) -> Record:
    """The record of this step, or the one that somebody else made of it a moment before: the first to take or to
    settle an exception is the only one, because the record's id says which step of which exception it is."""
    step = "take" if kind == "take" else "settle"
    receipt = log.append(
        Entry(
            event=Event.AUDIT_REVIEW,
            identity=identity,
            origin=origin,
            resource=f"record:{task.id}",
            facts={"kind": kind, "record": task.id, "rules": list(task.rules)},
            bodies={"reason": reason.encode()} if reason else {},
            id=None if again else RecordId(f"{step}_{task.id}"),
        )
    )
    return log.get(receipt.index)


def _screened(log: Log) -> int:
    """Where the last screening ended. Its bodies are not read."""
    found = log.search(Filter(events=(Event.AUDIT_REVIEW.value,)))
    return max((int(r.facts["stop"]) for r in found if r.facts.get("kind") == "screening"), default=0)


def _screening(log: Log, record: Record) -> Screening:
    body = log.body(record, "exceptions.json")
    listed = [] if isinstance(body, Gone) else json.loads(body)
    caught = tuple((int(i), str(record_id), tuple(rules)) for i, record_id, rules in listed)
    return Screening(int(record.facts["start"]), int(record.facts["stop"]), caught)
