"""Index tokens: the same value gives the same token within one incident, and nobody can go back.

PCI DSS 4.0.1, 3.5.1 allows index tokens and truncation; a hash beside a truncation of the same PAN needs extra
controls (3.5.1.1), so tokens are plain counters. The map goes from a keyed hash of the value (key random per process)
to the counter: it is never written anywhere, and dies with the process or at `Redactor.forget`.

Counters start again in every epoch (restart, fail-over, overflow); from the second on the epoch stands in the token,
`<PAN_2.1 visa 411111>`, because `_1` of one epoch and `_1` of the next are unrelated.
"""

from __future__ import annotations

import hashlib
import threading

CAPACITY = 1_000_000  # values of one scope before the next epoch begins: about 150 MB, the bound on memory


class Tokens:
    """Numbers the values of one scope (an incident, or a stream). Safe to share between threads."""

    def __init__(self, key: bytes, scope: str, *, epoch: int = 1, capacity: int = CAPACITY) -> None:
        self._key = hashlib.blake2b(scope.encode("utf-8", "surrogatepass"), key=key, digest_size=32).digest()
        self._capacity = capacity
        self._numbers: dict[bytes, int] = {}
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()
        self.epoch = epoch

    def name(self, klass: str, value: str) -> str:
        """`PAN_1`: the class, the epoch if it is not the first, and the number of this value in its class."""
        data = f"{klass}\0{value}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, key=self._key, digest_size=16).digest()
        with self._lock:
            number = self._numbers.get(digest)
            if number is None:
                number = self._number(klass, digest)
        return f"{klass}_{number}" if self.epoch == 1 else f"{klass}_{self.epoch}.{number}"

    def _number(self, klass: str, digest: bytes) -> int:
        if len(self._numbers) >= self._capacity:
            self._numbers.clear()
            self._next.clear()
            self.epoch += 1
        number = self._next.get(klass, 0) + 1
        self._next[klass] = number
        self._numbers[digest] = number
        return number
