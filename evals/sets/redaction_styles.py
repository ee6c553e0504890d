"""Lines as production writes them: loggers of five languages, proxies, Kafka, webhooks, ISO 8583, SQL, SOAP, forms.

Written before anything was mended for them, with published test numbers and made-up people. In the file each text is a
line; ⏎ stands for a line end, ⇥ for a tab, and «…» marks what has to go. Everything else has to stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redaction import Redactor

_FILE = Path(__file__).with_suffix(".txt")
_MARKED = re.compile("«([^»]*)»")


@dataclass(frozen=True, slots=True)
class Styled:
    """A text, and where what must go stands in it."""

    text: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Marked values of which a letter or digit is left, and letters and digits outside of marks that are gone."""

    left: tuple[str, ...]
    gone: str


def lines() -> Iterator[Styled]:
    for row in _FILE.read_text(encoding="utf-8").splitlines():
        yield _read(row.replace("⏎", "\n").replace("⇥", "\t"))


def _read(row: str) -> Styled:
    marks = [
        (match.start() - 2 * number, match.end() - 2 * number - 2) for number, match in enumerate(_MARKED.finditer(row))
    ]
    return Styled(_MARKED.sub(r"\1", row), tuple(marks))


def outcome(redactor: Redactor, styled: Styled) -> Outcome:
    """A line that is dropped whole is gone with everything in it, as policy wants, and counts as no harm."""
    redacted, text = redactor.redact(styled.text), styled.text
    covered = {at for span in redacted.spans for at in range(span.start, span.end)}
    marked = {at for start, end in styled.marks for at in range(start, end)}
    left = [
        text[start:end]
        for start, end in styled.marks
        if any(text[at].isalnum() and at not in covered for at in range(start, end))
    ]
    harmed = () if "LINE" in redacted.counts else sorted(covered - marked)
    return Outcome(tuple(left), "".join(text[at] for at in harmed if text[at].isalnum()))
