"""An outside time stamp over a checkpoint (RFC 3161): somebody else's clock says that it existed by then.

    tsa+https://tsa.example/tsr#keep=/folder        the checkpoint and the answer go to that folder, side by side

The request is a dozen bytes of DER around a SHA-256 and a nonce. The answer is not trusted here beyond "granted, over
this hash, with this nonce": whoever audits holds it against the authority's certificate with a tool of their own,

    openssl ts -verify -data checkpoint-N.txt -in checkpoint-N.tsr -CAfile tsa-ca.pem
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import SplitResult

from assistant.errors import UsageError
from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.sending import Refused, ask, naming_faults

_EVERY = timedelta(hours=1)
_SEQUENCE, _INTEGER, _OCTETS, _BOOLEAN = 0x30, 0x02, 0x04, 0x01
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
"""AlgorithmIdentifier of SHA-256 (RFC 5754)."""
_GRANTED = {0, 1}
"""PKIStatus: granted, grantedWithMods."""


def der(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def request(digest: bytes, nonce: int) -> bytes:
    """A TimeStampReq (RFC 3161, 2.4.1): version 1, the imprint, the nonce, with the authority's certificate."""
    imprint = der(_SEQUENCE, _SHA256 + der(_OCTETS, digest))
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")
    return der(_SEQUENCE, der(_INTEGER, b"\x01") + imprint + der(_INTEGER, number) + der(_BOOLEAN, b"\xff"))


def check_answer(answer: bytes, digest: bytes, nonce: int) -> None:
    """Refused unless a TimeStampResp (2.4.2) grants a token that repeats our hash and our nonce."""
    _, whole, rest = _read(answer)
    _, status, token = _read(whole)
    _, code, _ = _read(status)
    if rest or int.from_bytes(code, "big") not in _GRANTED:
        raise Refused("the time stamp was not granted")
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")
    if der(_OCTETS, digest) not in token or der(_INTEGER, number) not in token:
        raise Refused("the time stamp is over something else")


def _read(data: bytes) -> tuple[int, bytes, bytes]:
    """(tag, content, what follows) of the first DER value."""
    if len(data) < 2:
        raise Refused("the time stamp cannot be read")
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    if len(data) < at + size:
        raise Refused("the time stamp is cut short")
    return data[0], data[at : at + size], data[at + size :]


@dataclass(slots=True)
class Authority:
    """A time-stamping authority, and the folder where its answers are kept. It is asked once an hour: authorities are
    not made for one a minute, and a later stamp covers what an earlier one would have.
    """

    url: SplitResult
    folder: Path
    _last: datetime | None = field(default=None)

    @property
    def name(self) -> str:
        return "tsa+" + self.url._replace(fragment="").geturl()

    def put(self, note: str, *, now: datetime) -> None:
        if self._last is not None and now - self._last < _EVERY:
            return
        digest, nonce = hashlib.sha256(note.encode()).digest(), secrets.randbits(63) | 1 << 62
        path = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        answer = ask(self.url, "POST", path, request(digest, nonce), {"Content-Type": "application/timestamp-query"})
        if answer.status != 200:
            raise Refused(f"answered {answer.status}")
        check_answer(answer.body, digest, nonce)
        stem = f"checkpoint-{parse_checkpoint(note).size:012d}-{int(now.timestamp())}"
        with naming_faults():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _keep(self.folder / f"{stem}.txt", note.encode())
            _keep(self.folder / f"{stem}.tsr", answer.body)
        self._last = now


def _keep(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def authority_of(url: SplitResult) -> Authority:
    """From its configured form without `tsa+`. UsageError without a folder."""
    kind, _, folder = url.fragment.partition("=")
    if kind != "keep" or not folder:
        raise UsageError(
            "a time-stamping authority of [log] checkpoints needs a folder", mend="tsa+https://HOST/PATH#keep=FOLDER"
        )
    return Authority(url._replace(fragment=""), Path(folder))
