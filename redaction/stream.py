"""A stream of lines, redacted as it comes: constant memory, and no line waits for the next.

Lines longer than `CHUNK` are redacted in pieces that overlap, so that no value is cut in two. What follows the first
line of a private key is dropped until its last line. Bytes that are not UTF-8 pass as they are where nothing is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from redaction.redactor import Redactor
from redaction.text import RedactedText, Span

CHUNK = 1 << 20  # bytes of a line that are looked at together
OVERLAP = 1 << 14  # characters before and behind a cut that are looked at twice: longer than any value but a key block
_KEY_LINES = 400  # a private key of 16,384 bits has some 200


@dataclass(frozen=True, slots=True)
class Piece:
    """Redacted bytes of one line, or of a piece of a long one, and the spans in the original's characters."""

    line: int
    data: bytes
    spans: tuple[Span, ...]


class Stream:
    """Feed bytes, get pieces; `close` gives what is left. One stream is one scope of tokens."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._waiting = b""
        self._context = ""
        self._line = 1
        self._key_lines = 0
        self._passed = 0

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Every line that `data` completes, and the safe part of a line that grows too long."""
        lines = (self._waiting + data).split(b"\n")
        self._waiting = lines.pop()
        for line in lines:
            yield self._whole(line, b"\n")
        while len(self._waiting) > 2 * CHUNK:
            yield self._part(CHUNK)

    def close(self) -> Iterator[Piece]:
        if self._waiting or self._context:
            yield self._whole(self._waiting, b"")
            self._waiting = b""

    def _whole(self, line: bytes, end: bytes) -> Piece:
        text = self._context + line.decode("utf-8", "surrogateescape")
        shown, spans = self._cut(text, len(self._context), len(text))
        piece = Piece(self._line, shown + end, spans)
        self._line += 1
        self._context, self._passed = "", 0
        return self._without_key(piece, line)

    def _part(self, size: int) -> Piece:
        """The first piece of a long line, up to a place that no value crosses."""
        raw = self._waiting[: size + OVERLAP]
        text = self._context + raw.decode("utf-8", "surrogateescape")
        start = len(self._context)
        redacted = self._redactor.redact(text)
        end = len(text) - OVERLAP // 2
        for span in redacted.spans:
            if span.start < end < span.end:
                end = max(start + 1, span.start)
        shown, spans = self._shown(text, redacted, start, end)
        self._waiting = text[end:].encode("utf-8", "surrogateescape") + self._waiting[size + OVERLAP :]
        self._context = text[max(0, end - OVERLAP // 2) : end]
        self._passed += end - start
        return Piece(self._line, shown, spans)

    def _cut(self, text: str, start: int, end: int) -> tuple[bytes, tuple[Span, ...]]:
        return self._shown(text, self._redactor.redact(text), start, end)

    def _shown(self, text: str, redacted: RedactedText, start: int, end: int) -> tuple[bytes, tuple[Span, ...]]:
        """The redacted form of `text[start:end]`; a span that began before `start` has been shown already."""
        pieces: list[str] = []
        spans: list[Span] = []
        at = start
        for span in redacted.spans:
            if span.end <= start or span.start >= end:
                continue
            pieces.append(text[at : max(at, span.start)])
            if span.start >= start:
                pieces.append(span.replacement)
                shift = self._passed - start
                spans.append(Span(span.klass, span.start + shift, span.end + shift, span.replacement, span.kind))
            at = min(max(at, span.end), end)
        pieces.append(text[at:end])
        return "".join(pieces).encode("utf-8", "surrogateescape"), tuple(spans)

    def _without_key(self, piece: Piece, line: bytes) -> Piece:
        """Inside a private key nothing passes."""
        if self._key_lines:
            ended = b"-----END" in line
            self._key_lines = 0 if ended or self._key_lines > _KEY_LINES else self._key_lines + 1
            return Piece(piece.line, b"\n", piece.spans)
        if b"PRIVATE KEY" in line and b"-----BEGIN" in line and b"-----END" not in line:
            self._key_lines = 1
        return piece


def redact_stream(redactor: Redactor, chunks: Iterable[bytes]) -> Iterator[Piece]:
    """All pieces of a source of byte chunks, in order."""
    stream = Stream(redactor)
    for chunk in chunks:
        yield from stream.feed(chunk)
    yield from stream.close()
