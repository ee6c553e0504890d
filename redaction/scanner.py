"""The last look at final bytes: at the model's transport, the Slack client, the log append, the workflow serialiser.

It shares no code and no pattern with the detectors, so that one mistake cannot pass both: its own card ranges and
check digit (`scan_cards`), its own patterns (`scan_patterns`), its own decoders to depth 2 (`scan_decode`), its own
glance that spares patterns which cannot match (`scan_glance`). It looks for what may never leave (PAN, track,
authentication data, secrets, e-mail, IBAN), not for names. A hit, an error or a time-out blocks. It says the class and
where: which pattern, at which offset of which layer, how long, and the shape of what stands around; never the value.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Container, Iterator

from redaction import scan_patterns
from redaction.errors import LeakBlocked, Place
from redaction.scan_cards import card_numbers, is_issued
from redaction.scan_decode import as_text, decodings
from redaction.scan_glance import SHARED, Glance
from redaction.text import RedactedText, seal

CLASSES = ("PAN", "TRACK", "SAD", "SECRET", "EMAIL", "IBAN")
_MAX_BYTES = 64 << 20
_AROUND = 16


class FinalScanner:
    """Looks at bytes or text that are about to leave. Stateless; safe to share between threads.

    classes: what to look for, all by default (a page that shows its own signed-in reader may leave out EMAIL).
    timeout_s: longer than that, and the bytes are blocked unseen. glance: what is asked first; it changes how long a
    look takes, never what is found.
    """

    def __init__(self, *, classes: tuple[str, ...] = CLASSES, timeout_s: float = 5.0, glance: Glance = SHARED) -> None:
        unknown = sorted(set(classes) - set(CLASSES))
        if unknown:
            raise ValueError(f"the final scanner knows no class {', '.join(unknown)}")
        self._classes = frozenset(classes)
        self._timeout = timeout_s
        self._glance = glance

    def check(self, data: bytes | str, *, sink: str) -> None:
        """Return if `data` may go to `sink`.

        Raises: LeakBlocked with the classes found, or SCANNER_ERROR, SCANNER_TIMEOUT, SCANNER_SIZE.
        """
        try:
            found = self._look(data)
        except (ValueError, TypeError, LookupError, RecursionError, MemoryError, ArithmeticError, OSError, zlib.error):
            raise LeakBlocked(("SCANNER_ERROR",), sink) from None
        if found:
            raise LeakBlocked(tuple(found), sink, tuple(place for place in found.values() if place))

    def restore(self, text: str) -> RedactedText:
        """Text from storage, or composed by our own code, as `RedactedText`.

        Raises: LeakBlocked if the scanner finds anything in it.
        """
        self.check(text, sink="restore")
        return seal(text)

    def _look(self, data: bytes | str) -> dict[str, Place | None]:
        """What was found, by class in the order of CLASSES, with the first place of each."""
        if len(data) > _MAX_BYTES:
            return {"SCANNER_SIZE": None}
        deadline = time.monotonic() + self._timeout
        found: dict[str, Place | None] = {}
        for text, possible, depth in self._layers(data):
            if time.monotonic() > deadline:
                return {"SCANNER_TIMEOUT": None}
            for klass, (pattern, start, end) in _found_in(text, possible):
                if klass in self._classes and klass not in found:
                    found[klass] = _place(text, klass, pattern, start, end, depth=depth)
        return {klass: found[klass] for klass in CLASSES if klass in found}

    def _layers(self, data: bytes | str) -> Iterator[tuple[str, Container[str], int]]:
        """The text itself, and what its encodings hide, twice over; each with what it may hold, and its depth."""
        start = as_text(data) if isinstance(data, bytes) else data
        seen: set[str] = set()
        waiting = [(start, 0)]
        while waiting:
            text, depth = waiting.pop()
            if text in seen:
                continue
            seen.add(text)
            possible = self._glance.possible(text)
            yield text, possible, depth
            if depth < 2:
                waiting.extend((hidden, depth + 1) for hidden in decodings(text, possible))


def _found_in(text: str, possible: Container[str]) -> Iterator[tuple[str, scan_patterns.Found]]:
    for digits, start, end in card_numbers(text, possible):
        if is_issued(digits):
            yield "PAN", ("card", start, end)
            break
    if "track" in possible:
        for track in scan_patterns.TRACK1.finditer(text):
            yield "TRACK", ("track1", *track.span())
        for track in scan_patterns.TRACK2.finditer(text):
            if is_issued(track[1]):
                yield "TRACK", ("track2", *track.span())
    if "sad" in possible:
        yield from (("SAD", found) for found in scan_patterns.authentication(text))
    if "secret" in possible:
        yield from (("SECRET", found) for found in scan_patterns.secrets(text))
    if "email" in possible:
        yield from (("EMAIL", found) for found in scan_patterns.mailboxes(text))
    if "iban" in possible:
        yield from (("IBAN", found) for found in scan_patterns.ibans(text))


def _place(text: str, klass: str, pattern: str, start: int, end: int, *, depth: int) -> Place:
    before, after = _shape(text[max(0, start - _AROUND) : start]), _shape(text[end : end + _AROUND])
    return Place(klass, pattern, depth, start, len(text), f"{before}«{end - start}»{after}")


def _shape(text: str) -> str:
    """Letters as a, digits as 9, other ASCII signs as they are: a neighbour may be the rest of the value."""
    masked = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text))
    return re.sub(r"[^ -~]", "?", masked)
