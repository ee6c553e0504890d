#!/usr/bin/env python3
"""Verify an export of the payops prompt log, on any laptop, without payops.

    python verify_promptlog.py BUNDLE --key VKEY [--checkpoint FILE]... [--witness VKEY]...

BUNDLE is the folder or .zip that `payops log export` wrote. VKEY is the log's public key, from whoever holds the keys
and not from the bundle. Each FILE holds checkpoints that somebody else kept: a signed note, a file of a drop, or
lines of a syslog. A witness is somebody who cosigned checkpoints as they were made (C2SP tlog-witness): give its key,
from the witness, and its signatures in the bundle count like checkpoints kept elsewhere. Needs Python 3.11 and the
`cryptography` package; reads nothing else and opens no connection.

What it does, in this order:
  1. leaf-hashes.bin      the hash of every record; from these the RFC 6962 tree is computed anew
  2. checkpoint.txt       must be signed by the key and carry the root of that tree
  3. --checkpoint FILEs   must be signed too, and be roots of the same tree at their own size
  4. records.jsonl        each record must hash to the value at its index; order, ids and form are checked; where the
                          bundle says "every one", every one must be there
  5. bodies/, proofs/     each body must match the salted hash in a record, each proof must lead to the root

Exit code 0: no doubt. 1: at least one doubt. 2: the bundle cannot be read.
What it cannot show: records that were never made, and the order of events after the last checkpoint held elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, Any

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ModuleNotFoundError:
    sys.stderr.write("cannot run: the cryptography package is not here; python3 -m pip install cryptography\n")
    sys.exit(2)

ED25519, COSIGNATURE = 1, 4
DECODE = json.JSONDecoder().decode
SPAN = re.compile(r"records (\d+) to (\d+), every one")
Key = tuple[str, bytes]


class Doubts:
    """Everything that is not as it must be, in the order found."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wrong: list[int] = []  # records seen to be wrong
        self.spans: list[int] = []  # where a span starts in which one must be

    def add(self, text: str, index: int | None = None) -> None:
        self.lines.append(text)
        self.wrong += [] if index is None else [index]

    def add_span(self, text: str, start: int) -> None:
        self.lines.append(text)
        self.spans.append(start)

    @property
    def first_bad(self) -> int | None:
        return min(self.wrong or self.spans, default=None)


class Bundle:
    """A folder or a .zip, read by name."""

    def __init__(self, path: Path) -> None:
        self.zip = None if path.is_dir() else zipfile.ZipFile(path)
        self.path = path

    def open(self, name: str) -> IO[bytes]:
        return self.zip.open(name) if self.zip else (self.path / name).open("rb")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def names(self, folder: str) -> list[str]:
        if self.zip:
            return sorted(n for n in self.zip.namelist() if n.startswith(folder + "/") and n != folder + "/")
        return sorted(f"{folder}/{p.name}" for p in (self.path / folder).glob("*"))


# --- the tree (RFC 6962, section 2.1)


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots_at(leaves: bytes, sizes: set[int]) -> dict[int, bytes]:
    """The tree head after each of these numbers of leaves (32 bytes each); peaks are complete subtrees, largest
    first.
    """
    sha256 = hashlib.sha256
    peaks: list[bytes] = []
    roots = {0: sha256(b"").digest()}
    for index in range(len(leaves) // 32):
        current, rest = leaves[32 * index : 32 * index + 32], index
        while rest & 1:
            current, rest = sha256(b"\x01" + peaks.pop() + current).digest(), rest >> 1
        peaks.append(current)
        if index + 1 in sizes:
            root = peaks[-1]
            for left in reversed(peaks[:-1]):
                root = node_hash(left, root)
            roots[index + 1] = root
    return roots


def inclusion_root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """Where the path leads from this leaf (RFC 9162, section 2.1.3.2); None if its length is wrong."""
    fn, sn, current = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            current = node_hash(sibling, current)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            current = node_hash(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    return current if sn == 0 and 0 <= index < size else None


# --- signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature)


def parse_key(text: str, kind: int = ED25519) -> Key:
    """`name+id+base64(kind || key)` -> (name, key). ValueError for anything else, another algorithm included."""
    name, _, rest = text.strip().partition("+")
    key_id, _, packed = rest.partition("+")
    raw = base64.b64decode(packed, validate=True)
    if len(raw) != 33 or raw[0] != kind or id_of((name, raw[1:]), kind).hex() != key_id:
        raise ValueError("not an Ed25519 key of the form name+id+base64")
    return name, raw[1:]


def id_of(key: Key, kind: int) -> bytes:
    return hashlib.sha256(key[0].encode() + b"\n" + bytes([kind]) + key[1]).digest()[:4]


def open_checkpoint(note: str, keys: list[Key], origin: str) -> tuple[int, bytes, int | None]:
    """(size, root, signed time or None). ValueError unless a known key signed it and no known key's signature is
    bad.
    """
    text, _, tail = note.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if len(lines) != 4 or lines[0] != origin or not re.fullmatch("0|[1-9][0-9]*", lines[1]):
        raise ValueError("not a checkpoint of this log")
    root = base64.b64decode(lines[2], validate=True)
    signed, times = False, []
    for line in tail.strip("\n").split("\n"):
        dash, name, packed = line.split(" ")
        raw = base64.b64decode(packed, validate=True)
        for key in keys:
            if dash != "—" or name != key[0]:
                continue
            if raw[:4] == id_of(key, ED25519):
                check_signature(key, text.encode(), raw[4:])
                signed = True
            elif raw[:4] == id_of(key, COSIGNATURE):
                times.append(int.from_bytes(raw[4:12], "big"))
                message = b"cosignature/v1\ntime %d\n" % times[-1] + text.encode()
                check_signature(key, message, raw[12:])
    if not signed or len(root) != 32:
        raise ValueError("no signature of a trusted key")
    return int(lines[1]), root, max(times, default=None)


def cosigned_at(note: str, witness: Key) -> int | None:
    """When this witness signed the note, or None. ValueError if a signature in its name does not hold."""
    text, _, tail = note.rpartition("\n\n")
    times = []
    for line in tail.strip("\n").split("\n"):
        _, name, packed = line.split(" ")
        raw = base64.b64decode(packed, validate=True)
        if name == witness[0] and raw[:4] == id_of(witness, COSIGNATURE):
            times.append(int.from_bytes(raw[4:12], "big"))
            check_signature(witness, b"cosignature/v1\ntime %d\n" % times[-1] + text.encode() + b"\n", raw[12:])
    return max(times, default=None)


def check_signature(key: Key, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key[1]).verify(signature, message)
    except InvalidSignature:
        raise ValueError("a signature of the trusted key does not hold") from None


def notes_in(text: str) -> list[str]:
    """Signed notes from a note, a drop's file (several, a blank line between), or syslog lines."""
    packed = re.findall(r"payops-checkpoint \S+ note=([A-Za-z0-9+/=]+)", text)
    if packed:
        return [base64.b64decode(p, validate=True).decode("utf-8") for p in packed]
    pieces = text.rstrip("\n").split("\n\n")
    return [f"{a}\n\n{b}\n" for a, b in zip(pieces[::2], pieces[1::2], strict=False)]


def size_of(note: str) -> int:
    line = [*note.split("\n"), ""][1]
    return int(line) if line.isdecimal() else 0


# --- the checks


def check_witness(
    witness: Key, notes: list[str], keys: list[Key], roots: dict[int, bytes], origin: str, doubts: Doubts
) -> list[tuple[int, int | None]]:
    """(size, time) of each checkpoint over this very tree that the witness cosigned; none at all is a doubt."""
    found: list[tuple[int, int | None]] = []
    for note in notes:
        try:
            signed = cosigned_at(note, witness)
            size, root, _ = open_checkpoint(note, keys, origin)
        except (ValueError, binascii.Error) as fault:
            doubts.add(f"a checkpoint that should carry the signature of {witness[0]}: {fault}")
            continue
        if signed is not None and roots.get(size) == root:
            found.append((size, signed))
    if not found:
        doubts.add(f"none of these checkpoints carries the signature of the witness {witness[0]}")
    return found


def check_records(bundle: Bundle, leaves: bytes, doubts: Doubts) -> Records:
    """Each line of records.jsonl is the exact leaf of one record; the line's bytes are what is hashed."""
    found = Records()
    sha256, last = hashlib.sha256, -1
    with bundle.open("records.jsonl") as lines:
        for line in lines:
            leaf = line[:-1] if line.endswith(b"\n") else line
            record = parse_leaf(leaf)
            if record is None:
                doubts.add(f"the record after {last} has more than one reading", last + 1)
                continue
            index = record["index"]
            if index <= last:
                doubts.add(f"record {index} stands after record {last}", index)
            if sha256(b"\x00" + leaf).digest() != leaves[32 * index : 32 * index + 32]:
                doubts.add(f"record {index} is not what was logged", index)
            last = index
            found.add(record)
    return found


def parse_leaf(leaf: bytes) -> dict[str, Any] | None:
    """The record, or None unless the bytes have one reading only: JSON in ASCII without spaces, escapes or a key twice.

    No string in a leaf holds a quote, so `":` stands once for every key, and a key that was lost in parsing shows.
    """
    try:
        record = DECODE(leaf.decode("ascii"))
        plain = b" " not in leaf and b"\\" not in leaf and leaf.count(b'":') == keys_in(record)
        return record if plain and type(record["index"]) is int and record["schema"] == 1 else None
    except (ValueError, KeyError, TypeError):
        return None


def keys_in(value: dict[str, Any] | list[Any]) -> int:
    """How many keys there are, at every depth."""
    found = len(value) if type(value) is dict else 0
    for inner in value.values() if isinstance(value, dict) else value:
        if type(inner) is dict or type(inner) is list:
            found += keys_in(inner)
    return found


class Records:
    """What the later checks and the closing statement need of the records."""

    def __init__(self) -> None:
        self.count = 0
        self.indexes: list[tuple[int, int]] = []  # runs without a gap: [first, last]
        self.times: tuple[str, str] | None = None
        self.bodies: dict[str, int] = {}
        self.identities: dict[str, int] = {}
        self.expiries: set[str] = set()
        self.new_keys: list[tuple[int, str]] = []
        self.open: dict[str, int] = {}

    def add(self, record: dict[str, Any]) -> None:
        index, event, facts = record["index"], record["event"], record.get("facts", {})
        self.count += 1
        if self.indexes and self.indexes[-1][1] == index - 1:
            self.indexes[-1] = (self.indexes[-1][0], index)
        else:
            self.indexes.append((index, index))
        self.times = (self.times[0] if self.times else record["time"], record["time"])
        for address, _size in record.get("bodies", {}).values():
            self.bodies.setdefault(address, index)
        if "identity" in record:
            self.identities.setdefault(record["identity"], index)
        if event == "body.expire":
            self.expiries.add(record["id"])
        elif event == "key.rotate" and "vkey" in facts:
            self.new_keys.append((index, facts["vkey"]))
        elif event == "llm.request":
            self.open[record["id"]] = index
        elif event in ("llm.response", "llm.blocked", "llm.unknown_outcome"):
            self.open.pop(facts.get("request"), None)


def check_complete(told: dict[str, Any], records: Records, doubts: Doubts) -> None:
    """What the bundle says that it holds must be there. A selection claims nothing beyond its number of records."""
    if told["records"] != records.count:
        doubts.add(f"the bundle says {told['records']} records, and holds {records.count}")
    claimed = SPAN.match(told["selection"])
    if not claimed:
        return
    at, last = int(claimed[1]), int(claimed[2])
    for first, end in [*records.indexes, (last + 1, last + 1)]:
        stop = min(first, last + 1)
        if at < stop:
            there = f"record {at} is" if stop == at + 1 else f"records {at} to {stop - 1} are"
            doubts.add(f"{there} left out, and the bundle says that every one is here", at)
        at = max(at, end + 1)


def complete(told: dict[str, Any], doubts: Doubts) -> str:
    """What was shown of a bundle that does not hold the whole log. Its own words prove nothing and stand as such."""
    if doubts.lines:
        return "not shown, see below"
    claimed = SPAN.match(told["selection"])
    if claimed:
        return f"records {claimed[1]} to {claimed[2]}, every one, no gap; of others those that were chosen"
    return f"not shown; the bundle says of itself: {told['selection']}"


def check_bodies(bundle: Bundle, records: Records, told: dict[str, Any], doubts: Doubts) -> tuple[int, int]:
    """(bodies that match a record, bodies gone with a record that says so)."""
    there = 0
    waiting = records.identities | records.bodies
    for name in bundle.names("bodies"):
        address = hashlib.sha256(b"\x02" + bundle.read(name)).hexdigest()
        if waiting.pop(address, None) is None or name != f"bodies/{address}":
            doubts.add(f"{name} belongs to no record, or was changed")
        else:
            there += 1
    if not told["with_bodies"]:
        return there, 0
    gone = 0
    for line in bundle.read("gone.jsonl").splitlines():
        entry = json.loads(line)
        index = waiting.pop(entry["address"], None)
        if index is not None and entry["record"] in records.expiries:
            gone += 1
        elif index is not None:
            doubts.add(f"a body of record {index} is {entry['reason']}, and no record says why", index)
    for address, index in waiting.items():
        if address in records.bodies or told["with_identities"]:
            doubts.add(f"a body of record {index} is missing", index)
    return there, gone


def check_proofs(bundle: Bundle, leaves: bytes, keys: list[Key], origin: str, doubts: Doubts) -> int:
    """Each proofs/N.tlog-proof (C2SP tlog-proof) must lead from record N to a signed root."""
    names = bundle.names("proofs")
    for name in names:
        head, _, note = bundle.read(name).decode("utf-8").partition("\n\n")
        lines = head.split("\n")
        index = int(lines[1].removeprefix("index "))
        size, root, _ = open_checkpoint(note, keys, origin)
        path = [base64.b64decode(line, validate=True) for line in lines[2:]]
        leaf = leaves[32 * index : 32 * index + 32]
        if lines[0] != "c2sp.org/tlog-proof@v1" or inclusion_root(index, size, leaf, path) != root:
            doubts.add(f"{name} does not lead to its checkpoint", index)
    return len(names)


def follow_rotations(keys: list[Key], notes: list[str], records: Records, roots: dict[int, bytes], origin: str) -> None:
    """Trust a new key once a checkpoint of a key trusted already covers the `key.rotate` record that names it."""
    grown = True
    while grown:
        grown = False
        for note in notes:
            try:
                size, root, _ = open_checkpoint(note, keys, origin)
            except ValueError:
                continue
            for index, text in records.new_keys:
                if index < size and roots.get(size) == root and parse_key(text) not in keys:
                    keys.append(parse_key(text))
                    grown = True


def check_checkpoints(
    notes: list[str], what: str, keys: list[Key], roots: dict[int, bytes], total: int, origin: str, doubts: Doubts
) -> list[tuple[int, int | None]]:
    """(size, signed time) of each note that holds; the others are doubts. Smallest first, to narrow down where."""
    good: list[tuple[int, int | None]] = []
    for note in sorted(notes, key=size_of):
        try:
            size, root, time = open_checkpoint(note, keys, origin)
        except ValueError as fault:
            doubts.add(f"{what} cannot be trusted: {fault}")
            continue
        held = good[-1][0] if good else 0
        if size > total:
            doubts.add_span(f"{what} covers {size} records, the bundle holds the hashes of {total}", total)
        elif roots.get(size) != root:
            doubts.add_span(
                f"{what} over {size} records has another root: something in {held} to {size - 1} changed", held
            )
        else:
            good.append((size, time))
    return good


def verify(bundle: Bundle, key: str | None, checkpoint_files: list[Path], witness_keys: list[str]) -> Iterator[str]:
    """Lines to print; the last one is the verdict."""
    doubts = Doubts()
    witnesses = [parse_key(text, COSIGNATURE) for text in witness_keys]
    told = json.loads(bundle.read("bundle.json"))
    origin = told["origin"]
    keys = [parse_key(key or bundle.read("key.vkey").decode())]
    leaves = bundle.read("leaf-hashes.bin")
    total = len(leaves) // 32
    own = [bundle.read("checkpoint.txt").decode("utf-8")]
    history = notes_in(bundle.read("checkpoints.txt").decode("utf-8"))
    outside = [note for path in checkpoint_files for note in notes_in(path.read_text("utf-8"))]
    for path in checkpoint_files:
        if not notes_in(path.read_text("utf-8")):
            doubts.add(f"{path} holds no checkpoint")
    sizes = {size_of(note) for note in (*own, *history, *outside)}
    with ProcessPoolExecutor(1) as beside:  # the tree on a second core while the records are read here
        tree = beside.submit(roots_at, leaves, sizes)
        records = check_records(bundle, leaves, doubts)
        roots = tree.result()
    follow_rotations(keys, [*outside, *history, *own], records, roots, origin)
    head = check_checkpoints(own, "the bundle's checkpoint", keys, roots, total, origin, doubts)
    check_checkpoints(history, "an earlier checkpoint of the log", keys, roots, total, origin, doubts)
    held = check_checkpoints(outside, "a checkpoint held elsewhere", keys, roots, total, origin, doubts)
    if head and head[0][0] != total:
        doubts.add(f"the bundle's checkpoint covers {head[0][0]} records, the bundle holds {total} hashes")
    seen = {w[0]: check_witness(w, [*own, *history, *outside], keys, roots, origin, doubts) for w in witnesses}
    check_complete(told, records, doubts)
    there, gone = check_bodies(bundle, records, told, doubts)
    proofs = check_proofs(bundle, leaves, keys, origin, doubts) if not doubts.lines else 0

    yield f"log          {origin}, {total} records"
    yield f"key          {key or 'taken from the bundle itself: shows nothing about who made it; give --key'}"
    if len(keys) > 1:
        yield f"rotations    {len(keys) - 1}, each announced under a checkpoint of the key before"
    runs = ", ".join(f"{a} to {b}" for a, b in records.indexes[:8]) + (", …" if len(records.indexes) > 8 else "")
    yield f"records      {records.count} in full ({runs or 'none'}), {' to '.join(records.times or ('-',))}"
    whole = records.indexes == [(0, total - 1)]
    yield f"completeness {'every record from the first to the last, no gap' if whole else complete(told, doubts)}"
    yield f"bodies       {there} match, {gone} expired or erased with a record that says so"
    yield f"proofs       {proofs} lead to a signed root"
    yield f"unanswered   {len(records.open)} requests without an answer among these records"
    covered = max((size for size, _ in [*held, *chain(*seen.values())]), default=0)
    most = max((size for size, _ in held), default=0)
    yield f"covered      {most} records by {len(held)} checkpoints held elsewhere{spread(held)}"
    for name, cosigned in seen.items():
        most = max((size for size, _ in cosigned), default=0)
        yield f"witnessed    {most} records by {name}, {len(cosigned)} checkpoints cosigned{spread(cosigned)}"
    tail = "" if held or covered else ": no checkpoint held elsewhere was given"
    yield f"unprotected  the last {total - covered} records{tail}"
    if doubts.lines:
        yield from (f"DOUBT        {line}" for line in doubts.lines[:50])
        where = "none" if doubts.first_bad is None else str(doubts.first_bad)
        yield f"verdict      {len(doubts.lines)} doubts; first record concerned: {where}"
    elif key:
        yield "verdict      verified, no doubt"
    else:
        yield "verdict      it holds together, no doubt; that it is yours is shown by --key and --checkpoint only"


def spread(held: list[tuple[int, int | None]]) -> str:
    """From when to when the signed times reach, and the longest time without a checkpoint."""
    times = sorted(t for _, t in held if t is not None)
    if not times:
        return ""
    first, last = (datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for t in (times[0], times[-1]))
    gap = max((b - a for a, b in pairwise(times)), default=0)
    return f", {first} to {last}, longest time between two {gap} s"


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an export of the payops prompt log.")
    parser.add_argument("bundle", type=Path, help="the folder or .zip of `payops log export`")
    parser.add_argument("--key", help="the log's public key, name+id+base64, not from the bundle")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="checkpoints kept elsewhere")
    parser.add_argument(
        "--witness", action="append", default=[], help="a witness' key, name+id+base64, from the witness"
    )
    given = parser.parse_args()
    lines: list[str] = []
    try:
        for line in verify(Bundle(given.bundle), given.key, given.checkpoint, given.witness):
            lines.append(line)
            sys.stdout.write("".join(c if c.isprintable() else "?" for c in line) + "\n")
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, binascii.Error) as fault:
        sys.stderr.write(f"cannot be read: {type(fault).__name__}: {fault}\n")
        return 2
    return 0 if "no doubt" in lines[-1] else 1


if __name__ == "__main__":
    sys.exit(main())
