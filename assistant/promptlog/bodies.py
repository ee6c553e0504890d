"""Bodies: content beside the leaf, under a salted address, encrypted at rest.

    address = SHA-256(0x02 || salt || content)       32 random bytes of salt, drawn once for each distinct content
    twin    = HMAC-SHA256(twin key, content)         finds the blob again when the same content comes a second time
    sealed  = nonce || AES-256-GCM(body key, salt || content, associated data = address)

The leaf names the address only. Without salt an address would let anyone try likely contents (a card number in a known
template, a user id) after the blob was erased; with it, deleting the row deletes salt, content and twin, and what
stays in the tree says nothing. The encryption and the twin key are derived from one body key by HKDF (RFC 5869).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from assistant.promptlog.record import Address

SALT = 32
_NONCE = 12


def address_of(salt: bytes, content: bytes) -> Address:
    return Address(hashlib.sha256(b"\x02" + salt + content).hexdigest())


@dataclass(frozen=True, slots=True)
class Blob:
    """A sealed body as stored."""

    address: Address
    twin: bytes
    key_id: str
    sealed: bytes


class BodyKey:
    """One 32-byte key with its id (first 8 hex digits of a hash of the key: not secret)."""

    __slots__ = ("_aead", "_twin", "id")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("a body key has 32 bytes")
        self.id = hashlib.sha256(b"payops body key id\x00" + secret).hexdigest()[:8]
        self._aead = AESGCM(_derive(secret, b"payops body encryption v1"))
        self._twin = _derive(secret, b"payops body twin v1")

    def twin(self, content: bytes) -> bytes:
        return hmac.digest(self._twin, content, "sha256")

    def seal(self, content: bytes) -> Blob:
        salt, nonce = secrets.token_bytes(SALT), secrets.token_bytes(_NONCE)
        address = address_of(salt, content)
        sealed = nonce + self._aead.encrypt(nonce, salt + content, address.encode())
        return Blob(address, self.twin(content), self.id, sealed)

    def open(self, blob: Blob) -> tuple[bytes, bytes] | None:
        """(salt, content), or None if it does not decrypt or is not what the address says."""
        try:
            plain = self._aead.decrypt(blob.sealed[:_NONCE], blob.sealed[_NONCE:], blob.address.encode())
        except (InvalidTag, ValueError):
            return None
        salt, content = plain[:SALT], plain[SALT:]
        return (salt, content) if address_of(salt, content) == blob.address else None


def _derive(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
