"""What a record is.

A record has two parts. The **leaf** goes into the tree and is kept for ever: canonical JSON (keys sorted, no spaces,
ASCII) of ids, enums, numbers and hashes, at most 65,535 bytes (C2SP tlog-tiles). It never holds free text, queries or
names of people, so that nothing in it ever has to be taken out. The **bodies** (prompt, answer, evidence, note, the
real person) lie beside it, encrypted, under a salted address that the leaf names; they may expire or be erased and
every proof stays valid.

Leaf keys: `schema index id time clock run event actor origin outcome resource`, and where there is one `incident
correlation identity bodies facts`. PCI DSS 10.2.2 asks of each record who (`actor`), what (`event`), when (`time`),
whether it worked (`outcome`), from where (`origin`) and on what (`resource`).

Names of facts that this room itself reads: `request` (in an answer: the id of the `llm.request` it closes), `model` and
`model_returned`, `redactions` ({class: count}), `grounding` and `sanitiser` (verdicts), `template`, `tokens_in`,
`tokens_out`, `cost_microusd`, `vkey` and `body_key` (in `key.rotate`). Any other name of the same form is welcome.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType, TypeAlias

from assistant.errors import LogInconsistent, PromptLogError
from assistant.promptlog.merkle import leaf_hash

SCHEMA = 1
MAX_LEAF = 65_535
MAX_BODY = 64 * 1024 * 1024

RecordId = NewType("RecordId", str)
Address = NewType("Address", str)
"""Salted SHA-256 of a body, 64 hex digits (see `bodies`)."""

Value: TypeAlias = "str | int | float | bool | tuple[Value, ...] | list[Value] | Mapping[str, Value] | None"

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+=#~,-]{0,255}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]{0,95}")
_NOT_WORD = re.compile(r"[^A-Za-z0-9._:/@+=#~,-]+")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class Event(StrEnum):
    """Everything that is recorded. There is no event for "other"."""

    ALERT_RECEIVED = "alert.received"
    QUESTION_RECEIVED = "question.received"
    SOURCE_QUERY = "source.query"
    AUTH_LOGIN = "auth.login"
    AUTH_DENIED = "auth.denied"
    ROLE_CHANGE = "role.change"
    KEY_ROTATE = "key.rotate"
    BODY_EXPIRE = "body.expire"
    SEGMENT_ARCHIVE = "segment.archive"
    HOLD_SET = "hold.set"
    LOG_OPEN = "log.open"
    LOG_CLOSE = "log.close"
    LLM_REQUEST = "llm.request"
    LLM_RESPONSE = "llm.response"
    LLM_BLOCKED = "llm.blocked"
    LLM_UNKNOWN_OUTCOME = "llm.unknown_outcome"
    NOTE_POST = "note.post"
    NOTE_UPDATE = "note.update"
    REDACTION_BLOCK = "redaction.block"
    CREDENTIALS_ATTEST = "credentials.attest"
    CONFIG_CHANGE = "config.change"
    RELEASE_PROMOTE = "release.promote"
    AUDIT_READ = "audit.read"
    AUDIT_REVIEW = "audit.review"
    FEEDBACK = "feedback"


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    BLOCKED = "blocked"
    DENIED = "denied"
    UNKNOWN = "unknown"


CLOSES_REQUEST = frozenset({Event.LLM_RESPONSE, Event.LLM_BLOCKED, Event.LLM_UNKNOWN_OUTCOME})
"""Events that end an `llm.request`, which they name in the fact `request`."""

STAYS_HOT = frozenset({Event.HOLD_SET, Event.AUDIT_REVIEW, Event.KEY_ROTATE, Event.BODY_EXPIRE, Event.SEGMENT_ARCHIVE})
"""Events whose leaves stay in the store when their segment moves to cold storage: the log itself acts on them."""


def slug(text: str) -> str:
    """An outside name in the form that a leaf takes: other characters become `_`, cut at 200. For names, never for
    prose.
    """
    return _NOT_WORD.sub("_", text).lstrip("._:/@+=#~,-")[:200] or "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a caller hands in. Raises PromptLogError at once, naming the field, if something cannot be in a leaf.

    `actor` is who did it: a service, "schedule", or left empty where `identity` names a real person: the log then
    writes a pseudonym that stands for this person as long as the identity blob exists. `id` makes the append
    idempotent: the same id a second time gives the first record's receipt. Bodies must be redacted already; the log's
    last look blocks otherwise.
    """

    event: Event
    actor: str = ""
    origin: str = "system"
    outcome: Outcome = Outcome.OK
    resource: str = "log"
    incident: str | None = None
    correlation: str | None = None
    facts: Mapping[str, Value] = field(default_factory=dict)
    bodies: Mapping[str, bytes] = field(default_factory=dict)
    identity: str | None = None
    id: RecordId | None = None

    def __post_init__(self) -> None:
        _set = object.__setattr__
        _set(self, "event", _member(Event, self.event, "event"))
        _set(self, "outcome", _member(Outcome, self.outcome, "outcome"))
        for name in ("origin", "resource"):
            _check_word(getattr(self, name), name)
        for name in ("incident", "correlation", "id"):
            if getattr(self, name) is not None:
                _check_word(getattr(self, name), name)
        if self.actor or not self.identity:
            _check_word(self.actor, "actor")
        _set(self, "facts", MappingProxyType({k: _plain(v, k) for k, v in self.facts.items()}))
        _set(self, "bodies", MappingProxyType(dict(self.bodies)))
        for name, content in self.bodies.items():
            _check_name(name, "body name")
            if not isinstance(content, bytes) or len(content) > MAX_BODY:
                raise PromptLogError(f"body {name} is not bytes of at most {MAX_BODY}")
        for name in self.facts:
            _check_name(name, "fact name")


@dataclass(frozen=True, slots=True)
class BodyRef:
    """Where a body is and how long it is (bytes of content, without the salt)."""

    address: Address
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as stored. `leaf` are the exact bytes in the tree; everything else is read from them."""

    index: int
    id: RecordId
    time: datetime
    clock: str
    run: str
    event: Event
    actor: str
    origin: str
    outcome: Outcome
    resource: str
    incident: str | None
    correlation: str | None
    identity: Address | None
    bodies: Mapping[str, BodyRef]
    facts: Mapping[str, Any]
    leaf: bytes
    leaf_hash: bytes


class GoneReason(StrEnum):
    EXPIRED = "expired"
    PURGED = "purged"
    ERASED = "erased"
    KEY_MISSING = "key-missing"
    DAMAGED = "damaged"
    ABSENT = "absent"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Gone:
    """A body that cannot be given, and why. `record` is the id of the `body.expire` record that took it, if one did.

    `key-missing` (detail: the key's id), `damaged` (it does not decrypt or does not match its address), `absent`
    (neither there nor taken by a record: a doubt) and `cold` (in a segment that is not at hand) are for people to
    look into.
    """

    reason: GoneReason
    record: RecordId | None = None
    detail: str = ""

    def __bool__(self) -> bool:
        return False


_SEAL = object()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof for our own code that a record is durable: only `PromptLog.append` makes one, after the commit.

    The model transport asks for it before it opens a socket. The seal stops accidents, not malice: journey tests look
    at the bytes.
    """

    index: int
    id: RecordId
    leaf_hash: bytes
    tree_size: int
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("a Receipt is made by PromptLog.append only")

    def __reduce__(self) -> str:
        raise TypeError("a Receipt is not stored or sent; keep its index and id")


def issue_receipt(index: int, record_id: RecordId, *, leaf: bytes, tree_size: int) -> Receipt:
    """For `log.Log` alone, after the commit (a house test holds this)."""
    return Receipt(index, record_id, leaf, tree_size, _SEAL)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the log adds to an entry."""

    index: int
    id: RecordId
    time: datetime
    clock: str
    run: str
    actor: str
    identity: Address | None
    bodies: Mapping[str, BodyRef]


def format_leaf(entry: Entry, stamp: Stamp) -> bytes:
    """The canonical leaf. Raises PromptLogError if it would be over 65,535 bytes."""
    leaf: dict[str, Any] = {
        "schema": SCHEMA,
        "index": stamp.index,
        "id": stamp.id,
        "time": format_time(stamp.time),
        "clock": stamp.clock,
        "run": stamp.run,
        "event": entry.event.value,
        "actor": stamp.actor,
        "origin": entry.origin,
        "outcome": entry.outcome.value,
        "resource": entry.resource,
    }
    optional = {"incident": entry.incident, "correlation": entry.correlation, "identity": stamp.identity}
    leaf.update({k: v for k, v in optional.items() if v is not None})
    if stamp.bodies:
        leaf["bodies"] = {name: [ref.address, ref.size] for name, ref in stamp.bodies.items()}
    if entry.facts:
        leaf["facts"] = dict(entry.facts)
    formatted = canonical(leaf)
    if len(formatted) > MAX_LEAF:
        raise PromptLogError(f"a leaf of {len(formatted)} bytes is over {MAX_LEAF}", mend="put long lists into a body")
    return formatted


def parse_leaf(leaf: bytes) -> Record:
    """Strict inverse of `format_leaf`: anything that would not format to the same bytes raises LogInconsistent (a key
    that appears twice, too: it is lost in parsing).
    """
    try:
        raw = json.loads(leaf)
        if canonical(raw) != leaf or raw["schema"] != SCHEMA:
            raise LogInconsistent("a leaf is not canonical")
        bodies = {name: BodyRef(_address(a), size) for name, (a, size) in raw.get("bodies", {}).items()}
        identity = raw.get("identity")
        return Record(
            index=_whole(raw["index"]),
            id=RecordId(raw["id"]),
            time=parse_time(raw["time"]),
            clock=raw["clock"],
            run=raw["run"],
            event=Event(raw["event"]),
            actor=raw["actor"],
            origin=raw["origin"],
            outcome=Outcome(raw["outcome"]),
            resource=raw["resource"],
            incident=raw.get("incident"),
            correlation=raw.get("correlation"),
            identity=None if identity is None else _address(identity),
            bodies=MappingProxyType(bodies),
            facts=MappingProxyType(raw.get("facts", {})),
            leaf=leaf,
            leaf_hash=leaf_hash(leaf),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise LogInconsistent(f"a leaf cannot be read ({type(fault).__name__})") from None


def redactions_in(facts: Mapping[str, Any]) -> dict[str, int]:
    """How many values of each class the fact `redactions` counts, classes in capitals; {} where it says nothing."""
    counts = facts.get("redactions")
    if not isinstance(counts, Mapping):
        return {}
    return {str(k).upper(): v for k, v in counts.items() if isinstance(v, int) and not isinstance(v, bool)}


def canonical(value: object) -> bytes:
    """Canonical JSON: keys sorted, no spaces, ASCII, no NaN. One value has one form."""
    return _ENCODER.encode(value).encode("ascii")


def format_time(moment: datetime) -> str:
    """UTC with microseconds, always 27 characters, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> datetime:
    """Strict inverse of `format_time`. ValueError for any other way of writing it."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or format_time(moment) != text:
        raise ValueError("not a time in the form of the log")
    return moment


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not an index")
    return value


def _address(value: object) -> Address:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError("not an address")
    return Address(value)


def _member(kind: Any, value: object, name: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise PromptLogError(f"{name} is not one of those listed in assistant/promptlog/record.py") from None


def _check_word(value: object, name: str) -> None:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise PromptLogError(f"{name} is not an id (no spaces, no free text)", mend="use slug() or put it into a body")


def _check_name(value: object, name: str) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise PromptLogError(f"a {name} is not of letters, digits and ._/@+-")


def _plain(value: object, name: str) -> Value:
    """The fact as JSON knows it, or PromptLogError: words, numbers, yes/no, none, and lists and maps of these."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise PromptLogError(f"fact {name} is not a finite number")
        return value
    if isinstance(value, str):
        _check_word(value, f"fact {name}")
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(v, name) for v in value]
    if isinstance(value, Mapping):
        for key in value:
            _check_name(key, f"key of fact {name}")
        return {str(k): _plain(v, name) for k, v in value.items()}
    raise PromptLogError(f"fact {name} is not an id, number, list or map")
