"""The one writer of a log: group commit, and the end of the log when the disk says no.

The thread takes whatever has gathered while the last batch was being flushed and commits it as one transaction. Under
the store's write lock it reads the size of the tree (never a sequence), gives out indexes and times, grows the tree,
and writes leaves, hashes and bodies together.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from assistant.errors import LogInconsistent, LogUnavailable, PayopsError
from assistant.promptlog.bodies import Blob
from assistant.promptlog.columns import Columns
from assistant.promptlog.merkle import HASH_SIZE, Frontier, finishing_leaf, leaf_hash, peak_places
from assistant.promptlog.record import Address, Entry, Receipt, RecordId, issue_receipt, redactions_in
from assistant.promptlog.store import Row, Store, StoreBusy, StoreFault, Transaction

T = TypeVar("T")
MAX_BATCH = 512
MAX_BATCH_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Pending:
    """One append on its way. `sealed`: name -> sealed body, "" for the identity; `twins`: how to find each again.

    `leaf` makes the leaf, and the columns that repeat it, from the index and the final address of each body.
    """

    entry: Entry
    id: RecordId
    sealed: Mapping[str, Blob]
    twins: Mapping[bytes, tuple[bytes, ...]]
    leaf: Callable[[int, Mapping[str, Address]], tuple[bytes, Columns]]
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


@dataclass(slots=True)
class _Batch:
    """What one transaction is about to write."""

    known: dict[RecordId, Row]
    addresses: dict[bytes, Address]
    rows: list[Row] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    uses: list[tuple[Address, int]] = field(default_factory=list)
    classes: list[tuple[str, int]] = field(default_factory=list)
    placed: list[tuple[Pending, Row]] = field(default_factory=list)


class Writer:
    """`submit` and `perform` return when what they brought is durable, or raise. Safe from any thread."""

    def __init__(self, store: Store) -> None:
        self.failure = ""
        self.frontier = Frontier()
        self._store = store
        self._last_hashes = b""
        self._queue: queue.SimpleQueue[Pending | _Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="promptlog-writer", daemon=True)
        self._thread.start()

    def submit(self, pending: Pending) -> Receipt:
        """Raises LogUnavailable or LogInconsistent; after either (a busy store excepted) nothing is taken any more."""
        return self.submit_all([pending])[0]

    def submit_all(self, batch: Sequence[Pending]) -> list[Receipt]:
        """The same for several at once; the receipts in the same order."""
        for pending in batch:
            self._put(pending)
        receipts = []
        for pending in batch:
            self._wait_for(pending)
            if pending.receipt is None:
                raise LogUnavailable("the prompt log gave no receipt")
            receipts.append(pending.receipt)
        return receipts

    def perform(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction of its own. What it raises undoes it and comes out here."""
        task = _Task(work)
        self._put(task)
        self._wait_for(task)
        return task.result  # type: ignore[return-value]

    def stop(self) -> None:
        """Write what waits, then end the thread. What is submitted afterwards is refused."""
        self._queue.put(None)
        self._thread.join()

    def _put(self, job: Pending | _Task) -> None:
        if self.failure:
            raise LogUnavailable(self.failure, mend="see to the cause, then start again")
        self._queue.put(job)

    def _wait_for(self, job: Pending | _Task) -> None:
        while not job.done.wait(1.0):
            if not self._thread.is_alive() and not job.done.is_set():
                raise LogUnavailable(self.failure or "the prompt log is closed")
        if job.fault is not None:
            raise job.fault

    # -- on the writer's thread

    def _run(self) -> None:
        batch: list[Pending | _Task] = []
        ending = False
        try:
            while not ending:
                batch, ending = self._gather()
                self._write(batch)
        except BaseException as fault:
            self.failure = self.failure or f"the prompt log's writer stopped ({type(fault).__name__})"
            raise
        finally:
            self.failure = self.failure or "the prompt log is closed"
            _refuse(batch, LogUnavailable(self.failure))
            self._drain()

    def _gather(self) -> tuple[list[Pending | _Task], bool]:
        """The jobs that wait now, up to the limits of a batch (at least one); and whether the end was asked for."""
        batch: list[Pending | _Task] = []
        held = 0
        while len(batch) < MAX_BATCH and held < MAX_BATCH_BYTES:
            try:
                job = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
            held += job.size if isinstance(job, Pending) else 0
        return batch, False

    def _write(self, batch: Sequence[Pending | _Task]) -> None:
        appends = [job for job in batch if isinstance(job, Pending)]
        if appends:
            self._guarded(appends, lambda: self._commit(appends))
        for task in batch:
            if isinstance(task, _Task):
                self._guarded([task], lambda task=task: self._perform(task))  # type: ignore[misc]

    def _guarded(self, jobs: Sequence[Pending | _Task], commit: Callable[[], None]) -> None:
        """Run the commit. A fault of the disk or of the log itself is the end: what a failed flush left is unknown."""
        if self.failure:
            _refuse(jobs, LogUnavailable(self.failure))
            return
        try:
            commit()
        except StoreBusy as busy:
            _refuse(jobs, busy)
        except (StoreFault, LogInconsistent) as fault:
            self.failure = fault.message
            _refuse(jobs, fault)
        except PayopsError as refused:
            _refuse(jobs, refused)

    def _perform(self, task: _Task) -> None:
        with self._store.transaction() as tx:
            self._current(tx)
            task.result = task.work(tx)
        task.done.set()

    def _commit(self, appends: Sequence[Pending]) -> None:
        with self._store.transaction() as tx:
            frontier = self._current(tx)
            batch = _Batch(
                known=tx.known([p.entry.id for p in appends if p.entry.id is not None]),
                addresses=tx.addresses([t for p in appends for twins in p.twins.values() for t in twins]),
            )
            for pending in appends:
                _place(pending, frontier, batch)
            if batch.rows:
                tx.insert(batch.rows, batch.blobs, batch.uses, batch.classes)
        self.frontier = frontier
        if batch.rows:
            self._last_hashes = batch.rows[-1].hashes
        for pending, row in batch.placed:
            leaf = row.hashes[:HASH_SIZE]
            pending.receipt = issue_receipt(row.index, row.id, leaf=leaf, tree_size=frontier.size)
            pending.done.set()

    def _current(self, tx: Transaction) -> Frontier:
        """The right edge of the tree as it is under the lock; another process may have written since."""
        size, last = tx.tip()
        if size < self.frontier.size:
            raise LogInconsistent("the prompt log became shorter while it was open")
        if size == self.frontier.size and last != self._last_hashes:
            raise LogInconsistent("the last record of the prompt log changed while it was open")
        if size > self.frontier.size:
            places = peak_places(0, size)
            rows = tx.hashes([finishing_leaf(level, i) for level, i in places])
            self.frontier = Frontier(size, [hash_at(rows, level, i) for level, i in places])
            self._last_hashes = last
        return self.frontier.copy()

    def _drain(self) -> None:
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                _refuse([job], LogUnavailable(self.failure))


def _place(pending: Pending, frontier: Frontier, batch: _Batch) -> None:
    """Give the entry its index, its time and the final addresses of its bodies."""
    earlier = batch.known.get(pending.id)
    if earlier is not None:
        _settle_repeat(pending, earlier, batch)
        return
    addresses = {name: _address(blob, pending.twins[blob.twin], batch) for name, blob in pending.sealed.items()}
    index = frontier.size
    leaf, columns = pending.leaf(index, addresses)
    row = Row(index, *columns, leaf, frontier.append(leaf_hash(leaf)))
    batch.rows.append(row)
    batch.known[pending.id] = row
    batch.uses.extend((address, row.index) for address in dict.fromkeys(addresses.values()))
    counted = redactions_in(pending.entry.facts)
    batch.classes.extend((name, row.index) for name, count in counted.items() if count)
    batch.placed.append((pending, row))


def _settle_repeat(pending: Pending, earlier: Row, batch: _Batch) -> None:
    """The same id again is the same append again: its receipt is that of the first. Another record's id is refused."""
    entry = pending.entry
    if (earlier.event, earlier.incident, earlier.correlation) == (entry.event, entry.incident, entry.correlation):
        batch.placed.append((pending, earlier))
    else:
        _refuse([pending], LogInconsistent("an id was used for two different records"))


def _address(blob: Blob, twins: tuple[bytes, ...], batch: _Batch) -> Address:
    """The address under which this content is already kept, else that of the new blob, which is then kept."""
    for twin in twins:
        if twin in batch.addresses:
            return batch.addresses[twin]
    batch.blobs.append(blob)
    batch.addresses[blob.twin] = blob.address
    return blob.address


def _refuse(jobs: Sequence[Pending | _Task], fault: BaseException) -> None:
    for job in jobs:
        if not job.done.is_set():
            job.fault = fault
            job.done.set()


def hash_at(rows: Mapping[int, bytes], level: int, i: int) -> bytes:
    """The hash of the complete subtree (level, i), from the row of the leaf that finished it."""
    found = rows.get(finishing_leaf(level, i), b"")[level * HASH_SIZE : (level + 1) * HASH_SIZE]
    if len(found) != HASH_SIZE:
        raise LogInconsistent("a hash of the prompt log's tree is not there", mend="run `payops log verify`")
    return found
