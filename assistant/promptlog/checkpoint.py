"""C2SP signed notes, tlog-checkpoint, timestamped cosignatures and tlog-proof: each a strict parser with its formatter.

A checkpoint is `origin, tree size, root hash`, signed. We sign twice with one key, as signed-note allows for different
signature types: type 0x01 over the text, and type 0x04 (tlog-cosignature v1) over `cosignature/v1`, `time N` and the
text. The second carries a signed time, so that two checkpoints of an idle hour differ and "nothing happened" can be
shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assistant.errors import LogInconsistent
from assistant.promptlog.merkle import HASH_SIZE

ED25519 = 0x01
COSIGNATURE = 0x04
MAX_SIGNATURES = 16
PROOF_HEADER = "c2sp.org/tlog-proof@v1"

Sign = Callable[[bytes], bytes]
"""Message -> 64 bytes of Ed25519 signature."""

_KEY_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name, as in a vkey `name+id+base64(0x01 || key)`."""

    name: str
    public: bytes

    def key_id(self, kind: int = ED25519) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([kind]) + self.public).digest()[:4]

    def check(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id().hex()}+{_b64(bytes([ED25519]) + self.public)}"


def parse_vkey(text: str) -> Verifier:
    """Strict: LogInconsistent unless it formats back to the same text (Ed25519 only: no other algorithm is
    accepted).
    """
    name, _, rest = text.partition("+")
    _, _, key = rest.partition("+")
    raw = _unb64(key)
    if len(raw) == 33 and raw[0] == ED25519 and _KEY_NAME.fullmatch(name):
        verifier = Verifier(name, raw[1:])
        if str(verifier) == text:
            return verifier
    raise LogInconsistent("not an Ed25519 verifier key", mend="it reads name+8 hex digits+base64")


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """`text` ends in a newline; `signatures` as they stand in the note, known or not."""

    text: str
    signatures: tuple[Signature, ...]


def format_note(note: SignedNote) -> str:
    return note.text + "\n" + "".join(f"— {s.name} {_b64(s.key_id + s.value)}\n" for s in note.signatures)


def parse_note(text: str) -> SignedNote:
    """Strict: LogInconsistent unless the note formats back to the same text."""
    body, blank, tail = text.rpartition("\n\n")
    signatures = tuple(_parse_signature(line) for line in tail.split("\n")[:-1])
    note = SignedNote(body + "\n", signatures)
    clean = all(c >= " " or c == "\n" for c in text)
    if not (blank and signatures and clean and len(signatures) <= MAX_SIGNATURES and format_note(note) == text):
        raise LogInconsistent("not a signed note")
    return note


def _parse_signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _KEY_NAME.fullmatch(parts[1]):
        raise LogInconsistent("not a signature line of a note")
    raw = _unb64(parts[2])
    if len(raw) < 5:
        raise LogInconsistent("a signature of a note is too short")
    return Signature(parts[1], raw[:4], raw[4:])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: `root` over the first `size` records of the log `origin`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


def parse_checkpoint(note_text: str) -> Checkpoint:
    """The tree head in a signed note. Reads only: `open_checkpoint` is what checks the signatures."""
    return parse_head(parse_note(note_text).text)


def parse_head(text: str) -> Checkpoint:
    """The three lines under the signatures. Strict, and without extension lines: we write none and accept none."""
    lines = text.split("\n")
    if len(lines) == 4 and lines[0] and not lines[3] and _DECIMAL.fullmatch(lines[1]):
        checkpoint = Checkpoint(lines[0], int(lines[1]), _unb64(lines[2]))
        if len(checkpoint.root) == HASH_SIZE and checkpoint.text() == text:
            return checkpoint
    raise LogInconsistent("not a checkpoint")


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint whose signature holds: who signed, and the signed time (seconds since 1970) where there is one."""

    checkpoint: Checkpoint
    signers: tuple[Verifier, ...]
    time: int | None
    note: str


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[tuple[Verifier, Sign]], *, time: int) -> str:
    """The signed note: for each signer a plain and a timestamped signature."""
    text = checkpoint.text().encode()
    signatures = []
    for key, sign in signers:
        signatures.append(Signature(key.name, key.key_id(), sign(text)))
        stamped = time.to_bytes(8, "big") + sign(_cosigned(text, time))
        signatures.append(Signature(key.name, key.key_id(COSIGNATURE), stamped))
    return format_note(SignedNote(checkpoint.text(), tuple(signatures)))


def open_checkpoint(note_text: str, *, origin: str, trusted: Iterable[Verifier]) -> Witnessed:
    """Parse and verify. LogInconsistent for another origin, a bad signature of a known key, or no known key at all."""
    note = parse_note(note_text)
    checkpoint = parse_head(note.text)
    if checkpoint.origin != origin:
        raise LogInconsistent("a checkpoint is of another log (its origin differs)")
    known = {(v.name, v.key_id(kind)): (v, kind) for v in trusted for kind in (ED25519, COSIGNATURE)}
    signers: list[Verifier] = []
    times: list[int] = []
    for signature in note.signatures:
        found = known.get((signature.name, signature.key_id))
        if found is None:
            continue
        verifier, kind = found
        stamp = _check_signature(note.text.encode(), signature, verifier, kind)
        if kind == ED25519:
            signers.append(verifier)
        else:
            times.append(stamp)
    if not signers:
        raise LogInconsistent("a checkpoint carries no signature of a trusted key")
    return Witnessed(checkpoint, tuple(signers), max(times, default=None), note_text)


def _check_signature(text: bytes, signature: Signature, verifier: Verifier, kind: int) -> int:
    """The signed time, or 0 for a plain signature. LogInconsistent if the signature does not hold."""
    stamp, value, message = 0, signature.value, text
    if kind == COSIGNATURE:
        stamp, value = int.from_bytes(value[:8], "big"), value[8:]
        message = _cosigned(text, stamp)
    if not verifier.check(message, value):
        raise LogInconsistent("a signature of a trusted key does not hold")
    return stamp


def _cosigned(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + text


def parse_witness_key(text: str) -> Verifier:
    """A witness' vkey: `name+id+base64(0x04 || key)`. Strict, as `parse_vkey`."""
    name, _, rest = text.partition("+")
    key_id, _, packed = rest.partition("+")
    raw = _unb64(packed)
    if len(raw) == 33 and raw[0] == COSIGNATURE and _KEY_NAME.fullmatch(name):
        verifier = Verifier(name, raw[1:])
        if verifier.key_id(COSIGNATURE).hex() == key_id and witness_key_text(verifier) == text:
            return verifier
    raise LogInconsistent("not the key of a witness", mend="it reads name+8 hex digits+base64 of type 0x04")


def witness_key_text(key: Verifier) -> str:
    return f"{key.name}+{key.key_id(COSIGNATURE).hex()}+{_b64(bytes([COSIGNATURE]) + key.public)}"


def cosigned_by(note_text: str, witness: Verifier) -> int:
    """When this witness signed (seconds since 1970), the last time if more than once. LogInconsistent if it did not,
    or if a signature in its name does not hold.
    """
    note = parse_note(note_text)
    wanted = (witness.name, witness.key_id(COSIGNATURE))
    mine = [s for s in note.signatures if (s.name, s.key_id) == wanted]
    if not mine:
        raise LogInconsistent("a checkpoint does not carry this witness' signature")
    return max(_check_signature(note.text.encode(), signature, witness, COSIGNATURE) for signature in mine)


def with_signatures(note_text: str, lines: str) -> str:
    """The note with these signature lines among its own; a newer line of a key takes the place of the older."""
    note = parse_note(note_text)
    added = [_parse_signature(line) for line in lines.split("\n") if line]
    theirs = {(s.name, s.key_id) for s in added}
    kept = [s for s in note.signatures if (s.name, s.key_id) not in theirs]
    whole = format_note(SignedNote(note.text, (*kept, *added)))
    parse_note(whole)
    return whole


def lines_of_others(note_text: str, own: Iterable[Verifier]) -> str:
    """The signature lines by other names than these: cosignatures."""
    names = {key.name for key in own}
    others = tuple(s for s in parse_note(note_text).signatures if s.name not in names)
    return "".join(f"— {s.name} {_b64(s.key_id + s.value)}\n" for s in others)


@dataclass(frozen=True, slots=True)
class Proof:
    """One record, its path and the signed checkpoint over it, in one file (C2SP tlog-proof)."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_proof(proof: Proof) -> str:
    lines = [PROOF_HEADER]
    if proof.extra is not None:
        lines.append(f"extra {_b64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines += [_b64(h) for h in proof.path]
    return "\n".join(lines) + "\n\n" + proof.checkpoint


def parse_proof(text: str) -> Proof:
    """Strict: LogInconsistent unless the proof formats back to the same text."""
    head, _, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    extra = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _unb64(lines.pop(1)[6:])
    index = lines[1].removeprefix("index ") if len(lines) > 1 else ""
    if not _DECIMAL.fullmatch(index):
        raise LogInconsistent("not a proof: no index")
    proof = Proof(int(index), tuple(_unb64(line) for line in lines[2:]), checkpoint, extra)
    parse_note(checkpoint)
    if any(len(h) != HASH_SIZE for h in proof.path) or format_proof(proof) != text:
        raise LogInconsistent("not a proof in the form of c2sp.org/tlog-proof@v1")
    return proof


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise LogInconsistent("not base64") from None
