"""The rows of a log, and what a store must promise. It knows nothing of JSON, keys or trees.

Contract (tests/promptlog/test_contract.py runs it on every store):

- `transaction()` takes the log's one write lock first, and only then reads; leaving it normally means the rows are
  durable (fsynced) before the call returns; leaving it by an exception leaves nothing.
- StoreBusy: the lock was not to be had in time and nothing was touched; the caller may try again.
- StoreFault: the disk or the server said no. Whether the rows are there is unknown: never retried, the log is over
  until it is opened again.
- reads see only committed rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from assistant.errors import LogUnavailable
from assistant.promptlog.bodies import Blob
from assistant.promptlog.record import Address, RecordId


class StoreBusy(LogUnavailable):
    """The write lock was not free in time; nothing was written."""


class StoreFault(LogUnavailable):
    """The store failed; what was being written may or may not be there."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record. All columns but `hashes` and `segment` repeat the leaf so that it can be found; verify compares them.

    `hashes`: the joined hashes of the complete subtrees that this leaf finishes (`merkle.Frontier.append`).
    `about`: the record that this one is about (a request for an answer, a record for its review). `leaf` is None once
    the record lies in the cold `segment`.
    """

    index: int
    id: RecordId
    time: str
    event: str
    actor: str
    outcome: str
    incident: str | None
    correlation: str | None
    about: str | None
    model: str | None
    run: str
    release: str | None
    leaf: bytes | None
    hashes: bytes
    segment: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows; None means any. Times as `record.format_time` writes them, `since` included, `until` not."""

    start: int = 0
    stop: int | None = None
    since: str | None = None
    until: str | None = None
    events: tuple[str, ...] = ()
    actor: str | None = None
    outcome: str | None = None
    incident: str | None = None
    correlation: str | None = None
    about: str | None = None
    model: str | None = None
    release: str | None = None
    redacted: str | None = None
    """A class of redaction, in capitals: records that count at least one value of it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A body that was taken out: why, by which record, when."""

    address: Address
    reason: str
    record: RecordId
    time: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that we signed: the newest note for this size, and when the size was first and last signed."""

    size: int
    note: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """How publishing to one place stands."""

    place: str
    delivered_size: int | None
    delivered_time: str | None
    failures: int
    failing_since: str | None
    reason: str


class Transaction(Protocol):
    """Inside the write lock."""

    def tip(self) -> tuple[int, bytes]:
        """(number of records, `hashes` of the last one or empty)."""

    def hashes(self, indexes: Sequence[int]) -> dict[int, bytes]: ...
    def known(self, ids: Sequence[RecordId]) -> dict[RecordId, Row]: ...
    def addresses(self, twins: Sequence[bytes]) -> dict[bytes, Address]: ...
    def insert(
        self,
        rows: Sequence[Row],
        blobs: Sequence[Blob],
        uses: Sequence[tuple[Address, int]],
        classes: Sequence[tuple[str, int]],
    ) -> None:
        """`uses`: which record names which body. `classes`: (class of redaction, index), for searching."""

    def take(self, taken: Sequence[Taken]) -> None:
        """Delete these blobs (content, salt and twin) and remember why."""

    def archive(self, segment: str, start: int, stop: int) -> None:
        """Forget the leaves in [start, stop) (but those that stay hot): they lie in this segment now. Hashes stay."""

    def find_by(self, releases: Sequence[tuple[str, int]], classes: Sequence[tuple[str, int]]) -> None:
        """(release, index) and (class of redaction, index) of records that were not found by them before. What is
        known already stays."""

    def put_signed(self, signed: Signed) -> None: ...
    def put_delivery(self, delivery: Delivery) -> None: ...


class Store(Protocol):
    def transaction(self) -> AbstractContextManager[Transaction]: ...
    def size(self) -> int: ...
    def row(self, which: int | str) -> Row | None: ...
    def rows(self, wanted: Filter, *, descending: bool = False) -> Iterator[Row]:
        """In index order, read in pages: memory stays small however long the log is."""

    def classes(self) -> Iterator[tuple[str, int]]:
        """(class of redaction, index) of every record that counts one, in this order."""

    def hashes(self, indexes: Sequence[int]) -> dict[int, bytes]: ...
    def open_requests(self) -> list[Row]:
        """`llm.request` rows that no closing row is about."""

    def blob(self, address: Address) -> Blob | None: ...
    def addresses(self, twins: Sequence[bytes]) -> dict[bytes, Address]: ...
    def blob_addresses(self) -> Iterator[Address]: ...
    def uses(self, address: Address) -> list[int]:
        """Indexes of the records that name this body."""

    def taken(self, address: Address) -> Taken | None: ...
    def all_taken(self) -> Iterator[Taken]: ...
    def signed(self) -> list[Signed]:
        """Every size we signed, oldest first."""

    def signed_at(self, size: int) -> list[Signed]:
        """What we signed for this size (one, or none)."""

    def last_signed(self) -> Signed | None: ...
    def deliveries(self) -> list[Delivery]: ...
    def claim_run(self, run: str) -> None:
        """Hold a lock that the operating system or server drops when this process dies."""

    def run_alive(self, run: str) -> bool: ...
    def scrub(self) -> None:
        """After `take`: no deleted page or journal frame keeps the bytes."""

    def close(self) -> None: ...
