"""`MemoryLog`: the prompt log without a disk. It is the real log over an in-memory store: it passes the same
contract test.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from assistant.errors import LogUnavailable
from assistant.promptlog.bodies import BodyKey
from assistant.promptlog.keys import Keys, new_signing_key, parse_signing_key
from assistant.promptlog.log import LastLook, Log, utc_now
from assistant.promptlog.record import Entry, Receipt, Record
from assistant.promptlog.sqlite import SqliteStore

ORIGIN = "payops.example/test-log"


def fresh_keys(origin: str = ORIGIN) -> Keys:
    """A signing and a body key of this moment."""
    return Keys(signer=parse_signing_key(new_signing_key(origin)), bodies=(BodyKey(secrets.token_bytes(32)),))


def look_at_nothing(content: bytes) -> None:
    """A last look that lets everything pass; give the real one where a test is about it."""


class MemoryLog(Log):
    """`records()` is what was appended; `break_down()` makes it refuse from now on, as a full disk does."""

    def __init__(
        self,
        *,
        keys: Keys | None = None,
        last_look: LastLook = look_at_nothing,
        origin: str = ORIGIN,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._broken = False
        super().__init__(
            SqliteStore(None), keys=keys or fresh_keys(origin), last_look=last_look, origin=origin, clock=clock
        )

    def append(self, entry: Entry) -> Receipt:
        if self._broken:
            raise LogUnavailable("the prompt log was broken by a test")
        return super().append(entry)

    def break_down(self) -> None:
        self._broken = True

    def records(self) -> tuple[Record, ...]:
        return tuple(self.scan())
