"""The port: `Log.append` returns when the record is durable, or raises and nothing may be sent.

What needs no lock happens here, in the caller's thread: the last look, the encryption, a trial leaf. What needs it is
the `writer`'s. A failed write or flush is fatal: the log refuses everything until it is opened again, because what a
failed fsync left on the disk is unknown.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

from assistant.errors import LogInconsistent, LogKeyMissing, PromptLogError, UsageError
from assistant.promptlog.checkpoint import (
    Checkpoint,
    Proof,
    format_proof,
    lines_of_others,
    parse_checkpoint,
    sign_checkpoint,
    with_signatures,
)
from assistant.promptlog.columns import Columns, columns_of_entry
from assistant.promptlog.keys import Keys
from assistant.promptlog.merkle import HASH_SIZE, consistency_proof, finishing_leaf, inclusion_proof, root_at
from assistant.promptlog.record import (
    Address,
    BodyRef,
    Entry,
    Gone,
    GoneReason,
    Receipt,
    Record,
    RecordId,
    Stamp,
    Value,
    format_leaf,
    format_time,
    parse_leaf,
)
from assistant.promptlog.store import Filter, Row, Signed, Store, Taken, Transaction
from assistant.promptlog.verify import Doubt, Report, View, verify_log
from assistant.promptlog.writer import Pending, Writer, hash_at

T = TypeVar("T")
LastLook = Callable[[bytes], None]
"""Reads bytes that are about to be stored; raises to block them."""
SegmentReader = Callable[[str, int], bytes | None]
"""(segment name, index) -> the leaf from cold storage, or None if the segment is not at hand."""

MAX_INDEX = 10**11
_HEX_TO_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")


def utc_now() -> datetime:
    return datetime.now(UTC)


def no_segments(name: str, index: int) -> bytes | None:
    return None


def _untold(entry: Entry) -> None:
    """Nobody counts."""


def new_id(prefix: str) -> RecordId:
    """72 random bits in letters only: no reader, person or scanner takes it for a number."""
    return RecordId(f"{prefix}_{secrets.token_bytes(9).hex().translate(_HEX_TO_LETTERS)}")


NO_STANDING: Mapping[str, Value] = MappingProxyType({})


def pseudonym(address: Address) -> str:
    """What stands for a person in a leaf: the address of the identity blob, in letters."""
    return "person-" + address[:16].translate(_HEX_TO_LETTERS)


class Log:
    """The prompt log over any `Store`. Thread-safe. See `open.open_log` for how one is made."""

    def __init__(
        self,
        store: Store,
        *,
        keys: Keys,
        last_look: LastLook,
        origin: str,
        clock: Callable[[], datetime] = utc_now,
        clock_source: str = "system",
        segments: SegmentReader = no_segments,
        standing: Mapping[str, Value] = NO_STANDING,
    ) -> None:
        """`standing` facts stand in every record that does not say them itself: the release, the redaction policy.
        `told`, set by whoever counts, is called with each entry once it is durable; it must not raise."""
        self.store, self.keys, self.origin = store, keys, origin
        self.clock = clock
        self.run = new_id("run")
        self._last_look = last_look
        self._clock_source = clock_source
        self._segments = segments
        self._standing = standing
        self.told: Callable[[Entry], None] = _untold
        self._closing: Entry | None = None
        self._closed = False
        store.claim_run(self.run)
        self._writer = Writer(store)

    # -- writing

    def append(self, entry: Entry) -> Receipt:
        """Make the record durable. Raises LogUnavailable (nothing may be sent), LogInconsistent, LogKeyMissing, or what
        the last look raises (nothing is stored then).
        """
        receipt = self._writer.submit(self._prepared(entry))
        self.told(entry)
        return receipt

    def append_all(self, entries: Iterable[Entry]) -> list[Receipt]:
        """Append many from one thread, in as few flushes as fit: for imports and measurements. All of them are
        durable when this returns; when it raises, some may be (give ids to find out).
        """
        return self._writer.submit_all([self._prepared(entry) for entry in entries])

    def announce(self, opened: Entry, *, closed: Entry) -> Receipt:
        """Append `log.open` now and `log.close` when closed (PCI DSS 10.2.1.6: starts and stops are records)."""
        receipt = self.append(opened)
        self._closing = closed
        return receipt

    def perform(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer's transaction (checkpoints, expiry, archive): durable when this returns."""
        return self._writer.perform(work)

    @property
    def failure(self) -> str:
        """Why the log refuses, or empty while it works. For /healthz and the metrics."""
        return self._writer.failure

    def _prepared(self, entry: Entry) -> Pending:
        if not self._standing.keys() <= entry.facts.keys():
            entry = replace(entry, facts={**self._standing, **entry.facts})
        key = self.keys.active_body
        contents = dict(entry.bodies)
        for content in contents.values():
            self._last_look(content)
        if entry.identity is not None:
            contents[""] = entry.identity.encode("utf-8")
        sealed = {name: key.seal(content) for name, content in contents.items()}
        twins = {blob.twin: tuple(k.twin(contents[name]) for k in self.keys.bodies) for name, blob in sealed.items()}
        record_id = entry.id or new_id("rec")

        def leaf(index: int, addresses: Mapping[str, Address]) -> tuple[bytes, Columns]:
            stamp = self._stamp(entry, record_id, index, addresses)
            return format_leaf(entry, stamp), columns_of_entry(entry, stamp)

        self._last_look(leaf(MAX_INDEX, {name: blob.address for name, blob in sealed.items()})[0])
        return Pending(entry, record_id, sealed, twins, leaf, sum(map(len, contents.values())))

    def _stamp(self, entry: Entry, record_id: RecordId, index: int, addresses: Mapping[str, Address]) -> Stamp:
        identity = addresses.get("")
        bodies = {name: BodyRef(addresses[name], len(content)) for name, content in entry.bodies.items()}
        actor = entry.actor or (pseudonym(identity) if identity else "")
        return Stamp(index, record_id, self.clock(), self._clock_source, self.run, actor, identity, bodies)

    # -- reading

    def size(self) -> int:
        return self.store.size()

    def get(self, which: int | str) -> Record:
        """A record by index or id. UsageError if there is none, LogInconsistent if its leaf is not what was logged."""
        row = self.store.row(int(which) if isinstance(which, str) and which.isdecimal() else which)
        if row is None:
            raise UsageError(
                "no such record in the prompt log", mend="give an index or an id that `payops log search` prints"
            )
        return self.record(row)

    def leaf(self, row: Row) -> bytes | None:
        """The leaf of a row, from its cold segment if it lies there; None if that is not at hand."""
        return row.leaf if row.leaf is not None else self._segments(row.segment or "", row.index)

    def record(self, row: Row) -> Record:
        leaf = self.leaf(row)
        if leaf is None:
            name = row.segment or "unknown"
            raise PromptLogError(f"record {row.index} lies in the cold segment {name}", mend="bring the segment back")
        record = parse_leaf(leaf)
        if record.leaf_hash != row.hashes[:HASH_SIZE] or record.index != row.index:
            raise LogInconsistent(f"record {row.index} is not what was logged", mend="run `payops log verify`")
        return record

    def scan(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Records [start, stop) in order."""
        return map(self.record, self.store.rows(Filter(start=start, stop=stop)))

    def search(self, wanted: Filter, *, newest_first: bool = False) -> Iterator[Record]:
        return map(self.record, self.store.rows(wanted, descending=newest_first))

    def body(self, record: Record, name: str) -> bytes | Gone:
        """The content of a body of this record, or why it cannot be given. UsageError if the record names no such
        body.
        """
        if name not in record.bodies:
            raise UsageError(
                "the record has no body of that name", mend=f"it has: {', '.join(record.bodies) or 'none'}"
            )
        opened = self.open_body(record.bodies[name].address)
        return opened if isinstance(opened, Gone) else opened[1]

    def identity(self, record: Record) -> str | Gone:
        """The real person behind the record's pseudonym, or why not."""
        if record.identity is None:
            return Gone(GoneReason.ABSENT)
        opened = self.open_body(record.identity)
        return opened if isinstance(opened, Gone) else opened[1].decode("utf-8", "replace")

    def open_body(self, address: Address) -> tuple[bytes, bytes] | Gone:
        """(salt, content) at this address, or why it cannot be given."""
        blob = self.store.blob(address)
        if blob is None:
            return _gone(self.store.taken(address))
        key = self.keys.body_key(blob.key_id)
        if key is None:
            return Gone(GoneReason.KEY_MISSING, detail=blob.key_id)
        return key.open(blob) or Gone(GoneReason.DAMAGED, detail=blob.key_id)

    def pseudonyms_of(self, identity: str) -> tuple[str, ...]:
        """The pseudonyms under which this person appears (none if erased or never seen)."""
        found = self.store.addresses([key.twin(identity.encode("utf-8")) for key in self.keys.bodies])
        return tuple(pseudonym(address) for address in found.values())

    # -- proofs

    def node(self, level: int, i: int) -> bytes:
        """`merkle.NodeReader` over the store. LogInconsistent if the row is not there."""
        leaf = finishing_leaf(level, i)
        return hash_at(self.store.hashes([leaf]), level, i)

    def root(self, size: int) -> bytes:
        return root_at(size, self.node)

    def checkpoint(self) -> str:
        """Sign the tree as it is now, keep the note, return it. LogKeyMissing without a signing key.

        Signed only after the records are durable, and only if it extends the last checkpoint that we signed.
        """
        if self.keys.signer is None:
            raise LogKeyMissing(self.keys.signing_gap or "no signing key", mend="see [log] signing_key")
        head = self.perform(self._head)
        now = self.clock()
        signers = [(s.key, s.sign) for s in self.keys.signers()]
        note = sign_checkpoint(head, signers, time=int(now.timestamp()))
        last = self.store.last_signed()
        if last is not None and parse_checkpoint(last.note) == head:
            note = with_signatures(note, lines_of_others(last.note, self.keys.verifiers()))
        signed = Signed(head.size, note, format_time(now), format_time(now))
        self.perform(lambda tx: tx.put_signed(signed))
        return note

    def keep_cosigned(self, note: str) -> None:
        """Keep what a witness added to a checkpoint of ours (verified by the caller)."""
        head = parse_checkpoint(note)
        now = format_time(self.clock())

        def merge(tx: Transaction) -> None:
            for signed in self.store.signed_at(head.size):
                if parse_checkpoint(signed.note) != head:
                    raise LogInconsistent("a witness signed a checkpoint that is not ours")
                others = lines_of_others(note, self.keys.verifiers())
                tx.put_signed(replace(signed, note=with_signatures(signed.note, others), last=now))

        self.perform(merge)

    def _head(self, tx: Transaction) -> Checkpoint:
        """The tree as committed now. The key works outside the lock: a slow signing program must not hold up
        appends.
        """
        frontier = self._writer.frontier
        last = self.store.last_signed()
        if last is not None and last.size > frontier.size:
            raise LogInconsistent("the prompt log is shorter than a checkpoint that it signed")
        return Checkpoint(self.origin, frontier.size, frontier.root())

    def prove(self, index: int) -> str:
        """A one-file offline proof (C2SP tlog-proof) of this record under a fresh checkpoint."""
        note = self.checkpoint()
        size = int(note.split("\n")[1])
        if not 0 <= index < size:
            raise UsageError(f"no record {index}", mend=f"the log holds {size} records, counted from 0")
        return format_proof(Proof(index, self.inclusion(index, size), note))

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        return inclusion_proof(index, size, self.node)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return consistency_proof(old, new, self.node)

    def verify(self, *, outside: Sequence[str] = (), bodies: bool = True) -> Report:
        """Re-compute everything and compare with these checkpoints held elsewhere (`bodies=False`: without
        decrypting).
        """
        view = View(self.store, self.origin, self.keys.verifiers(), self.leaf, self.open_body)
        report = verify_log(view, outside=outside, bodies=bodies)
        gaps = [Doubt("key", gap) for gap in (self.keys.signing_gap, self.keys.body_gap) if gap]
        return replace(report, doubts=(*gaps, *report.doubts), doubt_count=report.doubt_count + len(gaps))

    # -- ending

    def close(self) -> None:
        """Append `log.close` (if the log still works and said `log.open`), stop the writer, release the store."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._closing is not None and not self.failure:
                self.append(self._closing)
        finally:
            self._writer.stop()
            self.store.close()


def _gone(taken: Taken | None) -> Gone:
    if taken is None:
        return Gone(GoneReason.ABSENT)
    return Gone(GoneReason(taken.reason), record=taken.record)
