"""The port: `Log.append` returns when the record is durable, or raises and nothing may be sent.

One writer thread takes whatever has gathered while the last batch was being flushed and commits it as one transaction
(group commit). Under the store's write lock it reads the size of the tree, never a sequence, gives out indexes and
times, grows the tree, and writes leaves, hashes and bodies together. A failed write or flush is fatal: the log
refuses everything until it is opened again, because what a failed fsync left on the disk is unknown.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from assistant.errors import LogInconsistent, LogKeyMissing, LogUnavailable, PayopsError, PromptLogError, UsageError
from assistant.promptlog.bodies import Blob
from assistant.promptlog.checkpoint import Checkpoint, Proof, format_proof, sign_checkpoint
from assistant.promptlog.keys import Keys
from assistant.promptlog.merkle import (
    HASH_SIZE,
    Frontier,
    consistency_proof,
    finishing_leaf,
    inclusion_proof,
    leaf_hash,
    peak_places,
    root_at,
)
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
    format_leaf,
    format_time,
    issue_receipt,
    parse_leaf,
)
from assistant.promptlog.store import Filter, Row, Signed, Store, StoreBusy, StoreFault, Taken, Transaction
from assistant.promptlog.verify import Report, View, columns_of, verify_log

T = TypeVar("T")
LastLook = Callable[[bytes], None]
"""Reads bytes that are about to be stored; raises to block them."""
Segments = Callable[[str, int], bytes | None]
"""(segment name, index) -> the leaf from cold storage, or None if the segment is not at hand."""

MAX_BATCH = 512
MAX_BATCH_BYTES = 32 * 1024 * 1024
_ID_LETTERS = "abcdefghjkmnpqrstvwxyz"
_HEX_TO_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")


def utc_now() -> datetime:
    return datetime.now(UTC)


def no_segments(name: str, index: int) -> bytes | None:
    return None


def new_id(prefix: str) -> RecordId:
    """73 random bits in letters only: no reader, person or scanner takes it for a number."""
    return RecordId(prefix + "_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(17)))


def pseudonym(address: Address) -> str:
    """What stands for a person in a leaf: the address of the identity blob, in letters."""
    return "person-" + address[:16].translate(_HEX_TO_LETTERS)


@dataclass(slots=True)
class _Pending:
    """One append on its way through the writer."""

    entry: Entry
    id: RecordId
    sealed: Mapping[str, Blob]
    identity: Blob | None
    twins: Mapping[bytes, tuple[bytes, ...]]
    size: int
    done: threading.Event = field(default_factory=threading.Event)
    receipt: Receipt | None = None
    fault: BaseException | None = None


@dataclass(slots=True)
class _Task:
    """Something else that needs the write lock."""

    work: Callable[[Transaction], object]
    done: threading.Event = field(default_factory=threading.Event)
    result: object = None
    fault: BaseException | None = None


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
        segments: Segments = no_segments,
    ) -> None:
        self.store, self.keys, self.origin = store, keys, origin
        self.clock = clock
        self.run = new_id("run")
        self._last_look = last_look
        self._clock_source = clock_source
        self._segments = segments
        self._frontier = Frontier()
        self._last_hashes = b""
        self._failure = ""
        self._closed = False
        self._announced: Entry | None = None
        self._queue: queue.SimpleQueue[_Pending | _Task | None] = queue.SimpleQueue()
        store.claim_run(self.run)
        self._writer = threading.Thread(target=self._write_batches, name="promptlog-writer", daemon=True)
        self._writer.start()

    # -- writing

    def append(self, entry: Entry) -> Receipt:
        """Make the record durable. Raises LogUnavailable (nothing may be sent), LogKeyMissing, or whatever the last
        look raises.
        """
        pending = self._prepare(entry)
        self._submit(pending)
        if pending.fault is not None:
            raise pending.fault
        if pending.receipt is None:
            raise LogUnavailable("the prompt log gave no receipt")
        return pending.receipt

    def announce(self, opened: Entry, *, closed: Entry) -> Receipt:
        """Append `log.open` now and `log.close` when the log is closed (PCI DSS 10.2.1.6: starts and stops are
        records).
        """
        receipt = self.append(opened)
        self._announced = closed
        return receipt

    def perform(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the writer's transaction (checkpoints, expiry, archive): durable when this returns."""
        task = _Task(work)
        self._submit(task)
        if task.fault is not None:
            raise task.fault
        return task.result  # type: ignore[return-value]

    @property
    def failure(self) -> str:
        """Why the log refuses, or empty while it works. For /healthz and the metrics."""
        return self._failure or ("the prompt log is closed" if self._closed else "")

    def _prepare(self, entry: Entry) -> _Pending:
        """Everything that can be done outside the lock: last look, encryption, a trial leaf for its size."""
        key = self.keys.active_body
        contents = dict(entry.bodies)
        for content in contents.values():
            self._last_look(content)
        identity = None
        if entry.identity is not None:
            identity = key.seal(entry.identity.encode("utf-8"))
        sealed = {name: key.seal(content) for name, content in contents.items()}
        twins = {s.twin: tuple(k.twin(contents[n]) for k in self.keys.bodies) for n, s in sealed.items()}
        if identity is not None and entry.identity is not None:
            twins[identity.twin] = tuple(k.twin(entry.identity.encode("utf-8")) for k in self.keys.bodies)
        record_id = entry.id or new_id("rec")
        pending = _Pending(entry, record_id, sealed, identity, twins, sum(map(len, contents.values())))
        self._last_look(format_leaf(entry, self._stamp(pending, 10**11, {})))
        return pending

    def _submit(self, job: _Pending | _Task) -> None:
        if self.failure:
            raise LogUnavailable(self.failure)
        self._queue.put(job)
        while not job.done.wait(1.0):
            if not self._writer.is_alive() and not job.done.is_set():
                raise LogUnavailable(self.failure or "the prompt log's writer is gone")

    # -- the writer thread

    def _write_batches(self) -> None:
        job: _Pending | _Task | None = None
        batch: list[_Pending | _Task] = []
        try:
            while (job := self._queue.get()) is not None:
                batch, ending = self._gather(job)
                self._write(batch)
                if ending:
                    return
        except BaseException as fault:
            self._failure = self._failure or f"the prompt log's writer stopped ({type(fault).__name__})"
            self._refuse(batch, LogUnavailable(self._failure))
            raise
        finally:
            self._drain()

    def _gather(self, first: _Pending | _Task) -> tuple[list[_Pending | _Task], bool]:
        """The jobs that wait now, up to the limits of a batch; and whether the end was asked for."""
        batch, held = [first], 0
        while len(batch) < MAX_BATCH and held < MAX_BATCH_BYTES:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
            held += job.size if isinstance(job, _Pending) else 0
        return batch, False

    def _write(self, batch: Sequence[_Pending | _Task]) -> None:
        """Commit the appends together, then each task by itself; after a fault refuse everything."""
        appends = [job for job in batch if isinstance(job, _Pending)]
        groups: list[list[_Pending] | _Task] = [appends] if appends else []
        groups += [job for job in batch if isinstance(job, _Task)]
        for group in groups:
            members: Sequence[_Pending | _Task] = group if isinstance(group, list) else [group]
            if self._failure:
                self._refuse(members, LogUnavailable(self._failure))
                continue
            try:
                self._commit(group) if isinstance(group, list) else self._run_task(group)
            except StoreBusy as busy:
                self._refuse(members, busy)
            except (StoreFault, LogInconsistent) as fault:
                self._failure = fault.message
                self._refuse(members, fault)
            except PayopsError as refused:
                self._refuse(members, refused)

    def _refuse(self, jobs: Sequence[_Pending | _Task], fault: BaseException) -> None:
        for job in jobs:
            if not job.done.is_set():
                job.fault = fault
                job.done.set()

    def _drain(self) -> None:
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                self._refuse([job], LogUnavailable(self.failure or "the prompt log is closed"))

    def _run_task(self, task: _Task) -> None:
        with self.store.transaction() as tx:
            self._current(tx)
            task.result = task.work(tx)
        task.done.set()

    def _commit(self, batch: Sequence[_Pending]) -> None:
        with self.store.transaction() as tx:
            frontier = self._current(tx)
            written = _Batch(
                known=tx.known([p.entry.id for p in batch if p.entry.id is not None]),
                addresses=tx.addresses([t for p in batch for twins in p.twins.values() for t in twins]),
            )
            for pending in batch:
                self._place(pending, frontier, written)
            if written.rows:
                tx.insert(written.rows, written.blobs, written.uses)
        self._frontier = frontier
        if written.rows:
            self._last_hashes = written.rows[-1].hashes
        for pending, row in written.placed:
            pending.receipt = issue_receipt(row.index, row.id, leaf=row.hashes[:HASH_SIZE], tree_size=frontier.size)
            pending.done.set()

    def _current(self, tx: Transaction) -> Frontier:
        """The right edge of the tree as it is under the lock; another process may have written since."""
        size, last = tx.tip()
        known = self._frontier
        if size < known.size:
            raise LogInconsistent("the prompt log became shorter while it was open")
        if size == known.size:
            if last != self._last_hashes:
                raise LogInconsistent("the last record of the prompt log changed while it was open")
            return known.copy()
        places = peak_places(0, size)
        rows = tx.hashes([finishing_leaf(level, i) for level, i in places])
        frontier = Frontier(size, [_nth(rows, level, i) for level, i in places])
        self._frontier, self._last_hashes = frontier, last
        return frontier.copy()

    def _place(self, pending: _Pending, frontier: Frontier, batch: _Batch) -> None:
        """Give the entry its index, time and final body addresses; a refused entry does not spoil the batch."""
        earlier = batch.known.get(pending.id)
        if earlier is not None:
            self._settle_repeat(pending, earlier, batch)
            return
        addresses = {}
        for name, blob in (*pending.sealed.items(), ("", pending.identity)):
            if blob is not None:
                addresses[name] = self._address(blob, pending.twins[blob.twin], batch)
        leaf = format_leaf(pending.entry, self._stamp(pending, frontier.size, addresses))
        index = frontier.size
        row = row_of(parse_leaf(leaf), frontier.append(leaf_hash(leaf)))
        batch.rows.append(row)
        batch.known[pending.id] = row
        batch.uses.extend((address, index) for address in dict.fromkeys(addresses.values()))
        batch.placed.append((pending, row))

    def _settle_repeat(self, pending: _Pending, earlier: Row, batch: _Batch) -> None:
        entry = pending.entry
        if (earlier.event, earlier.incident, earlier.correlation) != (entry.event, entry.incident, entry.correlation):
            self._refuse([pending], LogInconsistent("an id was used for two different records"))
            return
        batch.placed.append((pending, earlier))

    def _address(self, blob: Blob, twins: tuple[bytes, ...], batch: _Batch) -> Address:
        """The address under which this content is already kept, else that of the new blob, which is then kept."""
        for twin in twins:
            if twin in batch.addresses:
                return batch.addresses[twin]
        batch.blobs.append(blob)
        batch.addresses[blob.twin] = blob.address
        return blob.address

    def _stamp(self, pending: _Pending, index: int, addresses: Mapping[str, Address]) -> Stamp:
        entry = pending.entry
        blob = pending.identity
        identity = None if blob is None else addresses.get("", blob.address)
        bodies = {n: BodyRef(addresses.get(n, b.address), len(entry.bodies[n])) for n, b in pending.sealed.items()}
        actor = entry.actor or (pseudonym(identity) if identity else "")
        return Stamp(index, pending.id, self.clock(), self._clock_source, self.run, actor, identity, bodies)

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
        return _nth(self.store.hashes([leaf]), level, i)

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
        signed = Signed(head.size, note, format_time(now), format_time(now))
        self.perform(lambda tx: tx.put_signed(signed))
        return note

    def _head(self, tx: Transaction) -> Checkpoint:
        """The tree as committed now. The key works outside the lock: a slow signing program must not hold up
        appends.
        """
        frontier = self._frontier
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
        return format_proof(Proof(index, inclusion_proof(index, size, self.node), note))

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return consistency_proof(old, new, self.node)

    def verify(self, *, outside: Sequence[str] = (), bodies: bool = True) -> Report:
        """Re-compute everything and compare with these checkpoints held elsewhere (`bodies=False`: without
        decrypting).
        """
        view = View(self.store, self.origin, self.keys.verifiers(), self.leaf, self.open_body)
        return verify_log(view, outside=outside, bodies=bodies)

    # -- ending

    def close(self) -> None:
        """Append `log.close` (if the log still works and said `log.open`), stop the writer, release the store."""
        if self._closed:
            return
        if self._announced is not None and not self._failure:
            self.append(self._announced)
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self.store.close()


@dataclass(slots=True)
class _Batch:
    """What one transaction is about to write."""

    known: dict[RecordId, Row]
    addresses: dict[bytes, Address]
    rows: list[Row] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    uses: list[tuple[Address, int]] = field(default_factory=list)
    placed: list[tuple[_Pending, Row]] = field(default_factory=list)


def row_of(record: Record, hashes: bytes, *, segment: str | None = None) -> Row:
    """The row that stands for this record: the columns repeat the leaf."""
    return Row(record.index, *columns_of(record), record.leaf, hashes, segment)


def _nth(rows: Mapping[int, bytes], level: int, i: int) -> bytes:
    found = rows.get(finishing_leaf(level, i), b"")[level * HASH_SIZE : (level + 1) * HASH_SIZE]
    if len(found) != HASH_SIZE:
        raise LogInconsistent(
            f"a hash of the prompt log's tree is not there (level {level})", mend="run `payops log verify`"
        )
    return found


def _gone(taken: Taken | None) -> Gone:
    if taken is None:
        return Gone(GoneReason.ABSENT)
    return Gone(GoneReason(taken.reason), record=taken.record)
