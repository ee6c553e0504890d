"""Everything re-computed from the leaves, and compared with checkpoints held elsewhere.

What the database says of itself proves nothing against its owner: a log rewritten and rebuilt agrees with itself.
Therefore the report says which records a checkpoint held elsewhere covers, and calls the rest the unprotected tail.

A key is trusted if it was given to us, or if a `key.rotate` record names it and a checkpoint signed by a key trusted
already covers that record.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

from assistant.errors import LogInconsistent
from assistant.promptlog.checkpoint import (
    Verifier,
    Witnessed,
    open_checkpoint,
    parse_checkpoint,
    parse_vkey,
)
from assistant.promptlog.columns import columns_of, found_by
from assistant.promptlog.merkle import HASH_SIZE, Frontier, leaf_hash
from assistant.promptlog.record import (
    CLOSES_REQUEST,
    Address,
    Event,
    Gone,
    GoneReason,
    Record,
    parse_leaf,
    redactions_in,
)
from assistant.promptlog.store import Filter, Row, Store

MAX_DOUBTS = 100
_SPANS = frozenset({"rewritten", "shorter"})
"""Kinds of doubt whose index is the start of a span."""
CLOCK_STEP = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that is not as it must be. `index`: the record, or the first one that may be concerned; None if none
    is.
    """

    kind: str
    text: str
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found. `ok` is False on any doubt.

    `covered`: records [0, covered) are vouched for by a checkpoint held elsewhere, signed at `covered_at` (None: no
    signed time). `tail`: the records after that. `notes` are worth knowing and no doubts.
    """

    size: int
    root: bytes
    covered: int
    covered_at: datetime | None
    doubts: tuple[Doubt, ...]
    doubt_count: int
    notes: tuple[str, ...]
    bodies_read: int
    bodies_gone: int
    cold: int
    requests_open: int

    @property
    def ok(self) -> bool:
        return self.doubt_count == 0

    @property
    def tail(self) -> int:
        return self.size - self.covered

    @property
    def first_bad(self) -> int | None:
        """The first record that is itself seen to be wrong; else the first of the span in which one must be."""
        seen = [(d.kind in _SPANS, d.index) for d in self.doubts if d.index is not None]
        return min(seen, default=(False, None))[1]


@dataclass(frozen=True, slots=True)
class View:
    """What a verification reads."""

    store: Store
    origin: str
    trusted: tuple[Verifier, ...]
    leaf: Callable[[Row], bytes | None]
    """The leaf of a row, from the cold segment if it lies there; None if that is not at hand."""
    open_body: Callable[[Address], tuple[bytes, bytes] | Gone]


@dataclass(slots=True)
class _Walk:
    """What the pass over the records gathers."""

    frontier: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)
    rotations: list[tuple[int, str]] = field(default_factory=list)
    bodies: dict[Address, int] = field(default_factory=dict)
    expiries: set[str] = field(default_factory=set)
    requests: dict[str, int] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    doubt_count: int = 0
    notes: list[str] = field(default_factory=list)
    cold: int = 0
    last_time: datetime | None = None
    classes: dict[str, array[int]] = field(default_factory=dict)

    def doubt(self, kind: str, text: str, index: int | None = None) -> None:
        self.doubt_count += 1
        if len(self.doubts) < MAX_DOUBTS:
            self.doubts.append(Doubt(kind, text, index))


def verify_log(view: View, *, outside: Sequence[str] = (), bodies: bool = True) -> Report:
    """Walk every record, then hold the signed tree heads against it. `bodies=False` skips decrypting the bodies."""
    walk = _Walk()
    signed = [s.note for s in view.store.signed()]
    sizes = {size for note in (*signed, *outside) if (size := _claimed_size(note)) is not None}
    walk.roots = {0: walk.frontier.root()}
    _walk_records(view, walk, sizes)
    _check_classes(view, walk)
    trusted = _trusted(view, walk, (*outside, *signed))
    _hold_all(view, walk, signed, trusted, "a checkpoint of our own")
    best = _hold_all(view, walk, outside, trusted, "a checkpoint held elsewhere")
    read, gone = _check_bodies(view, walk) if bodies else (0, 0)
    covered = best.checkpoint.size if best else 0
    _closing_notes(walk, outside)
    return Report(
        size=walk.frontier.size,
        root=walk.frontier.root(),
        covered=covered,
        covered_at=datetime.fromtimestamp(best.time, UTC) if best and best.time is not None else None,
        doubts=tuple(walk.doubts),
        doubt_count=walk.doubt_count,
        notes=tuple(walk.notes),
        bodies_read=read,
        bodies_gone=gone,
        cold=walk.cold,
        requests_open=len(walk.requests),
    )


def _closing_notes(walk: _Walk, outside: Sequence[str]) -> None:
    if not outside:
        walk.notes.append(
            "no checkpoint held elsewhere was given: this shows nothing against whoever owns the log's file"
        )
    if walk.requests:
        walk.notes.append(
            f"{len(walk.requests)} requests have no answer yet, the first is record {min(walk.requests.values())}"
        )
    if walk.cold:
        walk.notes.append(f"{walk.cold} records lie in cold segments that are not at hand: held by their hashes only")


def _walk_records(view: View, walk: _Walk, sizes: set[int]) -> None:
    for row in view.store.rows(Filter()):
        at = walk.frontier.size
        if row.index != at:
            walk.doubt("missing", f"records {at} to {row.index - 1} are not there", at)
            return
        leaf = view.leaf(row)
        if leaf is None:
            walk.cold += 1
            hashed = row.hashes[:HASH_SIZE]
        else:
            hashed = leaf_hash(leaf)
            _check_leaf(walk, row, leaf, hashed)
        if walk.frontier.append(hashed) != row.hashes:
            walk.doubt("tree", f"the stored hashes of record {at} do not follow from the records", at)
        if walk.frontier.size in sizes:
            walk.roots[walk.frontier.size] = walk.frontier.root()


def _check_leaf(walk: _Walk, row: Row, leaf: bytes, hashed: bytes) -> None:
    at = row.index
    if hashed != row.hashes[:HASH_SIZE]:
        walk.doubt("changed", f"record {at} is not what was logged", at)
    try:
        record = parse_leaf(leaf)
    except LogInconsistent as fault:
        walk.doubt("malformed", f"record {at}: {fault.message}", at)
        return
    if record.index != at:
        walk.doubt("reordered", f"record {at} says that it is record {record.index}", at)
    if columns_of(record) != found_by(row, record):
        walk.doubt("columns", f"what record {at} is found by is not what its leaf says", at)
    if walk.last_time is not None and record.time < walk.last_time - CLOCK_STEP:
        walk.notes.append(
            f"the clock went back by {(walk.last_time - record.time).total_seconds():.0f} s at record {at}"
        )
    walk.last_time = record.time
    _gather(walk, record)


def _gather(walk: _Walk, record: Record) -> None:
    """What later checks need of this record."""
    for ref in record.bodies.values():
        walk.bodies.setdefault(ref.address, record.index)
    if record.identity is not None:
        walk.bodies.setdefault(record.identity, record.index)
    for name, count in redactions_in(record.facts).items():
        if count:
            walk.classes.setdefault(name, array("Q")).append(record.index)
    vkey = record.facts.get("vkey")
    if record.event is Event.KEY_ROTATE and isinstance(vkey, str):
        walk.rotations.append((record.index, vkey))
    if record.event is Event.BODY_EXPIRE:
        walk.expiries.add(record.id)
    if record.event is Event.LLM_REQUEST:
        walk.requests[record.id] = record.index
    if record.event in CLOSES_REQUEST and "request" in record.facts:
        walk.requests.pop(str(record.facts["request"]), None)


def _check_classes(view: View, walk: _Walk) -> None:
    """What records are found by their class of redaction is what their leaves say (cold leaves cannot be asked)."""
    said = ((name, index) for name in sorted(walk.classes) for index in walk.classes[name])
    if walk.cold:
        return
    for told, found in zip_longest(said, view.store.classes()):
        if told != found:
            index = min(pair for pair in (told, found) if pair)[1]
            walk.doubt("columns", f"record {index} is not found by the classes of redaction that it counts", index)
            return


def _claimed_size(note: str) -> int | None:
    try:
        return parse_checkpoint(note).size
    except LogInconsistent:
        return None


def _trusted(view: View, walk: _Walk, notes: Iterable[str]) -> tuple[Verifier, ...]:
    """The given keys, and those that the log itself introduced under a checkpoint of a trusted key."""
    trusted = list(view.trusted)
    waiting = list(notes)
    while True:
        before = len(trusted)
        for note in waiting:
            try:
                head = open_checkpoint(note, origin=view.origin, trusted=trusted).checkpoint
            except LogInconsistent:
                continue
            if walk.roots.get(head.size) == head.root:
                new = [_vkey(v) for index, v in walk.rotations if index < head.size]
                trusted += [v for v in new if v is not None and v not in trusted]
        if len(trusted) == before:
            return tuple(trusted)


def _vkey(text: str) -> Verifier | None:
    try:
        return parse_vkey(text)
    except LogInconsistent:
        return None


def _hold_all(
    view: View, walk: _Walk, notes: Sequence[str], trusted: tuple[Verifier, ...], what: str
) -> Witnessed | None:
    """Hold each note, smallest first, against the records; the one that covers most, latest, or None."""
    best: Witnessed | None = None
    for note in sorted(notes, key=lambda n: _claimed_size(n) or 0):
        try:
            witnessed = open_checkpoint(note, origin=view.origin, trusted=trusted)
        except LogInconsistent as fault:
            walk.doubt("checkpoint", f"{what} cannot be trusted: {fault.message}")
            continue
        head, held = witnessed.checkpoint, best.checkpoint.size if best else 0
        if head.size > walk.frontier.size:
            size = walk.frontier.size
            walk.doubt("shorter", f"{what} covers {head.size} records, the log holds {size}", size)
        elif walk.roots.get(head.size) != head.root:
            span = f"records {held} to {head.size - 1}"
            walk.doubt(
                "rewritten", f"{what} over {head.size} records has another root: something in {span} changed", held
            )
        elif best is None or (head.size, witnessed.time or 0) >= (best.checkpoint.size, best.time or 0):
            best = witnessed
    return best


def _check_bodies(view: View, walk: _Walk) -> tuple[int, int]:
    """Open every body that a record names: (read, gone for a recorded reason). Everything else is a doubt."""
    read = gone = 0
    lost: dict[str, int] = {}
    for address, index in walk.bodies.items():
        opened = view.open_body(address)
        if not isinstance(opened, Gone):
            read += 1
        elif opened.reason is GoneReason.KEY_MISSING:
            lost[opened.detail] = lost.get(opened.detail, 0) + 1
        elif opened.record is not None and opened.record in walk.expiries:
            gone += 1
        elif opened.reason is not GoneReason.COLD:
            walk.doubt("body", f"a body of record {index} is {opened.reason.value}, and no record says why", index)
    for key_id, count in lost.items():
        walk.doubt("key", f"body key {key_id} is lost: {count} bodies cannot be read (the records still stand)")
    strange = sum(1 for address in view.store.blob_addresses() if address not in walk.bodies)
    if strange and not walk.cold:
        walk.doubt("stray", f"{strange} bodies belong to no record")
    return read, gone
