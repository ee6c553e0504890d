"""What this room raises. Messages name classes, places and line numbers; never the text that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


class RedactionError(Exception):
    """A policy that cannot be used, or a structure that cannot be walked (cyclic, too deep, not JSON-able).

    `mend` is one sentence saying what the reader can do, or empty.
    """

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}; {self.mend}" if self.mend else self.message


@dataclass(frozen=True, slots=True)
class Place:
    """Where the last look found something, without what it found: nothing of the value but its length.

    pattern: its name in the scanner. depth: 0 in the text itself, 1 or 2 behind that many encodings. offset and size:
    characters, of that layer. shape: what stands around, letters as a and digits as 9, with «length» for the value.
    """

    klass: str
    pattern: str
    depth: int
    offset: int
    size: int
    shape: str

    def __str__(self) -> str:
        layer = f", behind {self.depth} encodings" if self.depth else ""
        return f"{self.klass} by {self.pattern} at {self.offset} of {self.size}{layer}: {self.shape}"


class LeakBlocked(RedactionError):
    """The last look found a value that must not leave, or could not finish looking.

    `classes` holds what was found (`PAN`, `SAD`, `TRACK`, `SECRET`, `EMAIL`, `IBAN`, or `SCANNER_ERROR`,
    `SCANNER_TIMEOUT`), `sink` the place that was about to receive the bytes, `places` where in them the first of each
    class stood.
    """

    def __init__(self, classes: tuple[str, ...], sink: str, places: tuple[Place, ...] = ()) -> None:
        super().__init__(f"blocked before {sink}: {', '.join(classes)}")
        self.classes = classes
        self.sink = sink
        self.places = places

    @property
    def where(self) -> str:
        """The places in one line, for a log and a record; the classes where there is no place."""
        return "; ".join(map(str, self.places)) or ", ".join(self.classes)
