"""What this room raises. Messages name classes, places and line numbers; never the text that was looked at."""

from __future__ import annotations


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


class LeakBlocked(RedactionError):
    """The last look found a value that must not leave, or could not finish looking.

    `classes` holds what was found (`PAN`, `SAD`, `TRACK`, `SECRET`, `EMAIL`, `IBAN`, or `SCANNER_ERROR`,
    `SCANNER_TIMEOUT`), `sink` the place that was about to receive the bytes.
    """

    def __init__(self, classes: tuple[str, ...], sink: str) -> None:
        super().__init__(f"blocked before {sink}: {', '.join(classes)}")
        self.classes = classes
        self.sink = sink
