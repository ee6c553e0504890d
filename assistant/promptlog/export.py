"""A bundle that an auditor verifies without us: `deploy/verify_promptlog.py` reads it, and lies in it.

bundle.json         what it is: origin, number of records, selection in words, the record of this export
leaf-hashes.bin     32 bytes for every record of the log, so that the tree can be computed anew
checkpoint.txt      signed over exactly these; checkpoints.txt: earlier ones (every size that was signed)
records.jsonl       the selected leaves, byte for byte, one a line; `key.rotate` and `body.expire` always included
bodies/ADDRESS      salt and content of each body, readable; gone.jsonl: bodies no longer there, and why
proofs/N.tlog-proof one-file proofs (C2SP), when at most 1,000 records are selected
key.vkey, README.txt, verify_promptlog.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import IO, Protocol

from assistant.errors import LogKeyMissing, LogUnavailable, UsageError
from assistant.promptlog.checkpoint import Proof, format_proof, parse_checkpoint
from assistant.promptlog.log import Log
from assistant.promptlog.merkle import HASH_SIZE, inclusion_proof
from assistant.promptlog.record import Address, Event, Gone, Record, canonical
from assistant.promptlog.search import Search, matching
from assistant.promptlog.store import Filter

MAX_PROOFS = 1_000
VERIFIER = Path(__file__).resolve().parent.parent.parent / "deploy" / "verify_promptlog.py"
_ALWAYS = (Event.KEY_ROTATE.value, Event.BODY_EXPIRE.value)
_README = """An export of the payops prompt log.

    python verify_promptlog.py . --key VKEY --checkpoint FILE

VKEY is the log's public key: get it from whoever holds the keys, as `payops log checkpoint` names it (key.vkey here is
a copy, for comparison). FILE is a checkpoint that you or somebody else kept. The script needs Python 3.11 and the
cryptography package (python3 -m pip install cryptography), and reads in ten minutes.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `statement` says in words what the bundle is complete for."""

    path: Path
    size: int
    records: int
    bodies: int
    gone: int
    statement: str


class _Out(Protocol):
    def file(self, name: str) -> AbstractContextManager[IO[bytes]]: ...
    def has(self, name: str) -> bool: ...


def export(log: Log, path: Path, *, selection: Search, reading: Record, bodies: bool = True) -> Exported:
    """Write the bundle to a new folder, or a file if `path` ends in .zip. `reading`: the `audit.read` record of this.

    UsageError if the path exists; LogKeyMissing without a signing key; LogUnavailable if it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists already", mend="give a new name")
    note = _signed(log)
    try:
        with _opened(path) as out:
            return _write(log, out, path, note, selection, reading, bodies)
    except OSError as fault:
        raise LogUnavailable(f"the export cannot be written ({fault.strerror})", mend="see the disk") from None


def streaming(log: Log, *, selection: Search, reading: Record, bodies: bool = True) -> Callable[[IO[bytes]], Exported]:
    """What writes the bundle as a ZIP to a stream that may not be able to seek, member by member, in a memory that
    does not grow with the log but by the ZIP's own table of names. Signed now, written later. LogKeyMissing; what it
    returns raises PromptLogError, and what the stream raises."""
    note = _signed(log)

    def write(stream: IO[bytes]) -> Exported:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            return _write(log, _Zip(archive), Path(), note, selection, reading, bodies)

    return write


def _signed(log: Log) -> str:
    if log.keys.signer is None:
        raise LogKeyMissing(log.keys.signing_gap or "no signing key", mend="see [log] signing_key_file")
    return log.checkpoint()


def _write(log: Log, out: _Out, path: Path, note: str, selection: Search, reading: Record, bodies: bool) -> Exported:
    size = parse_checkpoint(note).size
    statement = selection.in_words(size)
    with out.file("leaf-hashes.bin") as file:
        for row in log.store.rows(Filter(stop=size)):
            file.write(row.hashes[:HASH_SIZE])
    count, first = 0, []
    with out.file("records.jsonl") as file:
        for record in _selected(log, selection, size):
            file.write(record.leaf + b"\n")
            count += 1
            first += [record.index] if count <= MAX_PROOFS + 1 else []
    there, gone = _write_bodies(log, out, _addresses(log, selection, size) if bodies else iter(()))
    if count <= MAX_PROOFS:
        _write_proofs(log, out, note, size, first)
    told = {
        "format": 1,
        "origin": log.origin,
        "size": size,
        "records": count,
        "selection": statement,
        "with_bodies": bodies,
        "with_identities": selection.identities,
        "export_record": {"id": reading.id, "index": reading.index},
    }
    _write_rest(log, out, note, told)
    return Exported(path, size, count, there, gone, statement)


def _selected(log: Log, selection: Search, size: int) -> Iterator[Record]:
    """The matching records, and those without which the rest cannot be judged, in order."""
    return log.scan(0, size) if selection.is_everything else _merged(log, selection, size)


def _merged(log: Log, selection: Search, size: int) -> Iterator[Record]:
    wanted = (record for record in matching(log, selection) if record.index < size)
    always = log.search(Filter(stop=size, events=_ALWAYS))
    both = groupby(merge(wanted, always, key=lambda record: record.index), key=lambda record: record.index)
    return (next(same) for _, same in both)


def _addresses(log: Log, selection: Search, size: int) -> Iterator[Address]:
    """The bodies that selected records name, some of them more than once. Read anew: a log is longer than a memory."""
    for record in _selected(log, selection, size):
        yield from (ref.address for ref in record.bodies.values())
        if record.identity is not None and selection.identities:
            yield record.identity


def _write_bodies(log: Log, out: _Out, addresses: Iterator[Address]) -> tuple[int, int]:
    """How many were written, and how many are gone. What is gone waits in a file: a ZIP takes one member at a time."""
    there, gone = 0, set[bytes]()
    with tempfile.TemporaryFile() as lines:
        for address in addresses:
            if out.has(f"bodies/{address}") or bytes.fromhex(address) in gone:
                continue
            opened = log.open_body(address)
            if isinstance(opened, Gone):
                told = {"address": address, "reason": opened.reason.value, "record": opened.record}
                lines.write(canonical(told) + b"\n")
                gone.add(bytes.fromhex(address))
                continue
            with out.file(f"bodies/{address}") as file:
                file.write(opened[0] + opened[1])
            there += 1
        lines.seek(0)
        with out.file("gone.jsonl") as file:
            shutil.copyfileobj(lines, file)
    return there, len(gone)


def _write_proofs(log: Log, out: _Out, note: str, size: int, indexes: list[int]) -> None:
    for index in indexes:
        proof = format_proof(Proof(index, inclusion_proof(index, size, log.node), note))
        with out.file(f"proofs/{index}.tlog-proof") as file:
            file.write(proof.encode())


def _write_rest(log: Log, out: _Out, note: str, told: dict[str, object]) -> None:
    history = [s.note for s in log.store.signed() if s.size <= parse_checkpoint(note).size]
    texts = {
        "checkpoint.txt": note,
        "checkpoints.txt": "".join(n + "\n" for n in history),
        "key.vkey": "\n".join(str(v) for v in log.keys.verifiers()[:1]) + "\n",
        "README.txt": _README,
        "bundle.json": json.dumps(told, indent=2) + "\n",
    }
    for name, text in texts.items():
        with out.file(name) as file:
            file.write(text.encode())
    if VERIFIER.is_file():
        with out.file(VERIFIER.name) as file:
            file.write(VERIFIER.read_bytes())


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        return (self._path / name).exists()

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        target = self._path / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("wb") as file:
            yield file


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def has(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        with self._archive.open(name, "w", force_zip64=True) as file:
            yield file


@contextmanager
def _opened(path: Path) -> Iterator[_Out]:
    """Written under another name and renamed when whole: half an export never has the name that was asked for."""
    fresh = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                yield _Zip(archive)
        else:
            fresh.mkdir(mode=0o700, parents=True)
            yield _Folder(fresh)
        fresh.rename(path)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True) if fresh.is_dir() else fresh.unlink(missing_ok=True)
        raise
