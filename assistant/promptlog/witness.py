"""Witnesses: others who look at every checkpoint and sign that it extends the last one they saw (C2SP tlog-witness).

    witness+https://witness.example/prefix#vkey=NAME+ID+KEY        the witness' key: type 0x04, tlog-cosignature v1

`add-checkpoint` is told the size that the witness saw last, a consistency proof, and the new checkpoint; it answers a
signature line with a time. A witness that knows another size says so (409), and is asked again with the proof from
there: nothing about it has to be kept here. A cosignature is verified before it is kept, with the checkpoint, as one
more signature line; whoever verifies an export names the witnesses that they trust.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import SplitResult

from assistant.errors import LogInconsistent, UsageError
from assistant.promptlog.checkpoint import (
    Verifier,
    cosigned_by,
    parse_checkpoint,
    parse_witness_key,
    with_signatures,
)
from assistant.promptlog.sending import Answer, Refused, ask


class Witnessing(Protocol):
    """What a witness needs of the log."""

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]: ...
    def keep_cosigned(self, note: str) -> None: ...


_PATIENCE = 3


@dataclass(slots=True)
class Witness:
    """`log` proves that it only grew, and keeps each note with the cosignature in it."""

    url: SplitResult
    key: Verifier
    log: Witnessing | None
    _seen: int = field(default=0)

    @property
    def name(self) -> str:
        return "witness+" + self.url._replace(fragment="").geturl()

    def put(self, note: str, *, now: datetime) -> None:
        """Refused if the witness does not cosign, or answers something that its key did not sign."""
        if self.log is None:
            raise Refused("a witness needs the open log")
        head = parse_checkpoint(note)
        for _ in range(_PATIENCE):
            answer = self._ask(self.log, note, head.size)
            if answer.status != 409:
                break
            self._seen = _size_in(answer, head.size)
        if answer.status != 200:
            raise Refused(f"the witness answered {answer.status}")
        try:
            whole = with_signatures(note, answer.body.decode("utf-8"))
            cosigned_by(whole, self.key)
        except (LogInconsistent, UnicodeDecodeError):
            raise Refused("the witness answered something that its key did not sign") from None
        self._seen = head.size
        self.log.keep_cosigned(whole)

    def _ask(self, log: Witnessing, note: str, size: int) -> Answer:
        proof = log.consistency(self._seen, size) if 0 < self._seen < size else ()
        lines = [f"old {self._seen}", *(base64.b64encode(h).decode() for h in proof)]
        body = "\n".join(lines) + "\n\n" + note
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return ask(self.url, "POST", self.url.path.rstrip("/") + "/add-checkpoint", body.encode(), headers)


def _size_in(answer: Answer, size: int) -> int:
    """What the witness saw last. Refused if that is more than we have: it saw another, or a longer, log."""
    text = answer.body.decode("ascii", "replace").strip()
    if not text.isdecimal() or int(text) > size:
        raise Refused("the witness saw a log that is longer than this one", mend="run `payops log verify`")
    return int(text)


def witness_of(url: SplitResult, *, log: Witnessing | None) -> Witness:
    """From its configured form without `witness+`. UsageError if the key is not that of a witness."""
    kind, _, vkey = url.fragment.partition("=")
    try:
        if kind != "vkey":
            raise LogInconsistent("no key")
        key = parse_witness_key(vkey)
    except LogInconsistent:
        mend = "witness+https://HOST/PREFIX#vkey=NAME+ID+KEY, a key of type 0x04 from the witness' own page"
        raise UsageError("a witness of [log] checkpoints cannot be used", mend=mend) from None
    return Witness(url._replace(fragment=""), key, log)
