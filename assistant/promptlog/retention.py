"""How long things are kept (PCI DSS 10.5.1: twelve months, three at hand), and how they go.

- **Bodies** expire when every record that names them is older than the limit and none is on hold; they can be purged
  (a leaked value) or erased (a person) at once. The row goes with its salt; a `body.expire` record says which, why
  and by whom.
- **Leaves** older than the hot months move to segment files in cold storage. Their hashes stay, so every root, proof
  and checkpoint still verifies, and a segment that is brought back is checked against them leaf by leaf.
- **Hold** stops expiry for the records of an incident. A purge goes through a hold: a card number must not be kept
  for a case.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from assistant.errors import LogUnavailable, UsageError
from assistant.promptlog.log import Log
from assistant.promptlog.record import Address, Entry, Event, Gone, GoneReason, Value, canonical, format_time, slug
from assistant.promptlog.store import Filter, Taken, Transaction

MONTH = timedelta(days=31)
SEGMENT_RECORDS = 100_000
_CHUNK = 5_000


# -- hold


def hold(log: Log, case: str, *, identity: str, reason: str, lift: bool = False) -> None:
    """Set or lift a hold on an incident's records. UsageError without a reason, or to lift one that is not set."""
    if not reason.strip():
        raise UsageError("a hold needs a reason", mend="give --reason TEXT")
    if lift and case not in holds(log):
        raise UsageError("there is no hold on that case", mend="`payops log hold` lists them")
    log.append(
        Entry(
            event=Event.HOLD_SET,
            identity=identity,
            origin="cli",
            resource=slug(f"case:{case}"),
            incident=case,
            facts={"case": case, "state": "lifted" if lift else "set"},
            bodies={"reason": reason.encode()},
        )
    )


def holds(log: Log) -> frozenset[str]:
    """The incidents on hold."""
    held: dict[str, bool] = {}
    for record in log.search(Filter(events=(Event.HOLD_SET.value,))):
        held[str(record.facts["case"])] = record.facts["state"] == "set"
    return frozenset(case for case, on in held.items() if on)


# -- bodies


def expire_bodies(log: Log, *, before: datetime, actor: str = "schedule") -> int:
    """Take out bodies that only records before this time name, holds excepted; how many."""
    held = holds(log)
    limit = format_time(before)

    def over(address: Address) -> bool:
        return _is_over(log, address, limit, held)

    expired = [a for a in log.store.blob_addresses() if over(a)]
    chunks = (expired[at : at + _CHUNK] for at in range(0, len(expired), _CHUNK))
    return sum(take_out(log, chunk, GoneReason.EXPIRED, actor=actor, still=over) for chunk in chunks)


def _is_over(log: Log, address: Address, limit: str, held: frozenset[str]) -> bool:
    for index in log.store.uses(address):
        row = log.store.row(index)
        if row is None or row.time >= limit or row.incident in held:
            return False
    return True


def _anything(address: Address) -> bool:
    return True


def take_out(
    log: Log,
    addresses: Sequence[Address],
    reason: GoneReason,
    *,
    actor: str = "",
    identity: str | None = None,
    still: Callable[[Address], bool] = _anything,
) -> int:
    """Delete these bodies for ever; how many. First the record that says so, then the rows, then what the disk still
    holds of them. `still` is asked again under the write lock: a new record may have come to name the same content.
    """
    there = [a for a in addresses if log.store.blob(a) is not None]
    if not there:
        return 0
    receipt = log.append(
        Entry(
            event=Event.BODY_EXPIRE,
            actor=actor,
            identity=identity,
            resource="bodies",
            facts={"reason": reason.value, "count": len(there)},
            bodies={"addresses.json": canonical(sorted(there))},
        )
    )
    now = format_time(log.clock())

    def take(tx: Transaction) -> int:
        taken = [Taken(address, reason.value, receipt.id, now) for address in there if still(address)]
        tx.take(taken)
        return len(taken)

    count = log.perform(take)
    log.store.scrub()
    return count


def purge(log: Log, leaks: Callable[[bytes], bool], *, identity: str) -> int:
    """Take out every body in which `leaks` finds the value; how many. Reads every body once."""
    found = []
    for address in log.store.blob_addresses():
        opened = log.open_body(address)
        if not isinstance(opened, Gone) and leaks(opened[1]):
            found.append(address)
    return take_out(log, found, GoneReason.PURGED, identity=identity)


def erase_person(log: Log, person: str, *, identity: str) -> int:
    """Take out who a pseudonym is. The records stay, and nothing in them leads back to the person. Holds prevent it."""
    twins = [key.twin(person.encode("utf-8")) for key in log.keys.bodies]
    addresses = list(log.store.addresses(twins).values())
    held = holds(log)
    for address in addresses:
        rows = (log.store.row(index) for index in log.store.uses(address))
        if any(row is not None and row.incident in held for row in rows):
            raise UsageError("that person appears in a case on hold", mend="lift the hold first")
    return take_out(log, addresses, GoneReason.ERASED, identity=identity)


# -- segments


@dataclass(slots=True)
class Segments:
    """Leaves in cold storage: one file of leaves, one a line, for each segment. Callable as `log.SegmentReader`."""

    directory: Path
    _offsets: dict[str, array[int]] = field(default_factory=dict)

    def __call__(self, name: str, index: int) -> bytes | None:
        path = self.directory / f"{name}.jsonl"
        try:
            if name not in self._offsets:
                self._offsets[name] = _line_starts(path)
            starts, at = self._offsets[name], index - first_of(name)
            if not 0 <= at < len(starts) - 1:
                return None
            with path.open("rb") as file:
                file.seek(starts[at])
                return file.read(starts[at + 1] - starts[at] - 1)
        except OSError:  # not at hand: the caller says so, with the segment's name
            return None


def first_of(name: str) -> int:
    """The index of the first record of a segment, from its name `segment-<first>-<stop>`."""
    return int(name.split("-")[1])


def _line_starts(path: Path) -> array[int]:
    starts = array("Q", [0])
    with path.open("rb") as file:
        for line in file:
            starts.append(starts[-1] + len(line))
    return starts


def archive(log: Log, *, before: datetime, directory: Path, actor: str = "schedule") -> tuple[str, ...]:
    """Move the leaves of all records before this time to segment files; the names of the new segments.

    The file is durable, and its record in the log, before a leaf is forgotten. A run of records is moved from the
    oldest on, in order, so that a segment has no gap.
    """
    made = []
    for start, stop in _to_move(log, format_time(before)):
        name = f"segment-{start:012d}-{stop:012d}"
        _write_segment(log, directory / f"{name}.jsonl", start, stop)
        facts: dict[str, Value] = {"segment": name, "start": start, "stop": stop}
        log.append(Entry(event=Event.SEGMENT_ARCHIVE, actor=actor, resource=name, facts=facts))
        log.perform(lambda tx, name=name, start=start, stop=stop: tx.archive(name, start, stop))  # type: ignore[misc]
        made.append(name)
    return tuple(made)


def _to_move(log: Log, limit: str) -> Iterator[tuple[int, int]]:
    """Runs of at most SEGMENT_RECORDS records, oldest first, that are before the limit and still in the store."""
    stop = start = _first_hot(log)
    for row in log.store.rows(Filter(start=start)):
        if row.time >= limit:
            break
        stop = row.index + 1
    yield from ((at, min(at + SEGMENT_RECORDS, stop)) for at in range(start, stop, SEGMENT_RECORDS))


def _first_hot(log: Log) -> int:
    """The first record whose leaf is still in the store: after the last segment."""
    for moved in log.search(Filter(events=(Event.SEGMENT_ARCHIVE.value,)), newest_first=True):
        row = log.store.row(int(moved.facts["start"]))
        if row is not None and row.segment == moved.facts["segment"]:
            return int(moved.facts["stop"])
    return 0


def _write_segment(log: Log, path: Path, start: int, stop: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".part")
        with fresh.open("wb") as file:
            for record in log.scan(start, stop):
                file.write(record.leaf + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        fd = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as fault:
        raise LogUnavailable(f"the segment cannot be written ({fault.strerror})", mend="see the cold storage") from None
