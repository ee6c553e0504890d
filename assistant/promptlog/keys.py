"""Keys of the log: where they come from, and what happens when one is replaced or lost.

A place is `file:PATH`, or `command:PROGRAM ARGS` whose output is the key text (a secrets manager). For signing there
is also `signer:VKEY PROGRAM ARGS`: the key stays in another process, which gets the message on stdin and answers 64
bytes of Ed25519 signature in base64.

Key text has one key a line; the last is the active one, earlier ones still read and are still known to verify:

    PRIVATE+KEY+<name>+<id>+<base64(0x01 || 32-byte seed)>      signing (C2SP / Go note form; name = origin of the log)
    payops-body-key+<id>+<base64 32 bytes>                      bodies

Rotation adds a line (`add_signing_key`, `add_body_key`); the log records `key.rotate`. Security, not operators, holds
the keys.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assistant.errors import LogKeyMissing
from assistant.promptlog.bodies import BodyKey
from assistant.promptlog.checkpoint import ED25519, Sign, Verifier, parse_vkey

COMMAND_SECONDS = 20
_SIGNING = "PRIVATE+KEY+"
_BODY = "payops-body-key+"


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that can sign: its public half and a function."""

    key: Verifier
    sign: Sign = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The active signer (None with the reason in `signing_gap` when it cannot be had), older public keys, body keys.

    `warnings` are lines for people, such as the one that says default key files are not for production; `made` says
    that they were made just now.
    """

    signer: Signer | None
    retired: tuple[Signer, ...] = ()
    bodies: tuple[BodyKey, ...] = ()
    signing_gap: str = ""
    body_gap: str = ""
    warnings: tuple[str, ...] = ()
    made: bool = False

    @property
    def active_body(self) -> BodyKey:
        """LogKeyMissing if there is none: nothing can be written without it."""
        if not self.bodies:
            raise LogKeyMissing(self.body_gap or "no body key", mend="restore the body key, see [log] body_key")
        return self.bodies[-1]

    def body_key(self, key_id: str) -> BodyKey | None:
        return next((k for k in self.bodies if k.id == key_id), None)

    def signers(self) -> tuple[Signer, ...]:
        """All keys that sign a checkpoint, newest first: while an old line is kept, who trusts the old key can
        follow.
        """
        return ((self.signer,) if self.signer else ()) + self.retired

    def verifiers(self) -> tuple[Verifier, ...]:
        return tuple(s.key for s in self.signers())


def new_signing_key(origin: str) -> str:
    """A fresh line of key text."""
    return signing_line(origin, secrets.token_bytes(32))


def signing_line(name: str, seed: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key_id = Verifier(name, public).key_id().hex()
    return f"{_SIGNING}{name}+{key_id}+{base64.b64encode(bytes([ED25519]) + seed).decode()}"


def new_body_key() -> str:
    secret = secrets.token_bytes(32)
    return f"{_BODY}{BodyKey(secret).id}+{base64.b64encode(secret).decode()}"


def parse_signing_key(line: str) -> Signer:
    """Strict: LogKeyMissing (never quoting the line) unless it formats back to the same text."""
    parts = line.removeprefix(_SIGNING).split("+", 2)
    seed = _secret(parts[-1])[1:]
    if not line.startswith(_SIGNING) or len(parts) != 3 or len(seed) != 32 or signing_line(parts[0], seed) != line:
        raise LogKeyMissing("a line of the signing key is not a key", mend="it starts with PRIVATE+KEY+")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return Signer(Verifier(parts[0], private.public_key().public_bytes_raw()), private.sign)


def parse_body_key(line: str) -> BodyKey:
    parts = line.removeprefix(_BODY).split("+", 1)
    secret = _secret(parts[-1])
    if line.startswith(_BODY) and len(parts) == 2 and len(secret) == 32 and BodyKey(secret).id == parts[0]:
        return BodyKey(secret)
    raise LogKeyMissing("a line of the body key is not a key", mend=f"it starts with {_BODY}")


def load_keys(*, origin: str, state: Path, signing: str = "", body: str = "", create: bool = True) -> Keys:
    """Read both keys. An empty place means the default file under `state`, made on first use (0600) with a warning.

    A key that cannot be read is not an error here: the gap names it, reading and verifying go on, and what needs the
    key raises LogKeyMissing. `create=False` never makes a file (a log that exists must not quietly get new keys).
    """
    warnings: list[str] = []
    defaults = [state / "keys" / name for place, name in ((signing, "signing.key"), (body, "body.key")) if not place]
    made = create and not all(path.exists() for path in defaults)
    sign_lines, signing_gap = _lines(signing, state / "keys" / "signing.key", lambda: new_signing_key(origin), create)
    body_lines, body_gap = _lines(body, state / "keys" / "body.key", new_body_key, create)
    if not signing or not body:
        warnings.append(
            f"the prompt log's keys are the default files in {state / 'keys'}: in production give [log]"
            " signing_key_* and body_key_* a place that the operators of this process cannot read"
        )
    signers, bad_signing = _parsed(sign_lines, _any_signer)
    bodies, bad_body = _parsed(body_lines, parse_body_key)
    return Keys(
        signer=signers[-1] if signers else None,
        retired=tuple(signers[:-1]),
        bodies=tuple(bodies),
        signing_gap=signing_gap or bad_signing,
        body_gap=body_gap or bad_body,
        warnings=tuple(warnings),
        made=made,
    )


def add_key(path: Path, line: str) -> None:
    """Append a key line durably; the file keeps its 0600."""
    text = path.read_text("utf-8") if path.exists() else ""
    write_private(path, text + line + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically and durably, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _lines(place: str, default: Path, make: Callable[[], str], create: bool) -> tuple[list[str], str]:
    """Key lines, or none and the reason."""
    try:
        if place.startswith("signer:"):
            return [place], ""
        if place.startswith("command:"):
            return _split(_run(shlex.split(place.removeprefix("command:")), b"").decode("utf-8")), ""
        path = Path(place.removeprefix("file:")).expanduser() if place else default
        if not place and create and not path.exists():
            write_private(path, make() + "\n")
        return _split(path.read_text("utf-8")), ""
    except (OSError, UnicodeDecodeError, LogKeyMissing) as fault:
        return [], f"the key at {place.split(' ')[0] or default} cannot be read ({type(fault).__name__})"


def _split(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _parsed(lines: list[str], parse: Callable[[str], object]) -> tuple[list, str]:  # type: ignore[type-arg]
    try:
        return [parse(line) for line in lines], ""
    except LogKeyMissing as fault:
        return [], fault.message


def _any_signer(line: str) -> Signer:
    if not line.startswith("signer:"):
        return parse_signing_key(line)
    vkey, *argv = shlex.split(line.removeprefix("signer:"))
    key = parse_vkey(vkey)

    def sign(message: bytes) -> bytes:
        signature = _secret(_run(argv, message).decode("ascii", "replace").strip())
        if not key.check(message, signature):
            raise LogKeyMissing("the signing program answered something that its key did not sign")
        return signature

    return Signer(key, sign)


def _run(argv: list[str], message: bytes) -> bytes:
    try:
        return subprocess.run(argv, input=message, capture_output=True, timeout=COMMAND_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError) as fault:
        raise LogKeyMissing(f"a key program failed ({type(fault).__name__})", mend="run it by hand") from None


def _secret(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
