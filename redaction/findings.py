"""The finding of its own when card data turns up in telemetry: "cardholder data in logs of X since T, N lines".

PCI DSS 12.10.7 wants an incident procedure when a PAN is found where it should not be. A finding says where, since
when, how many lines, which class, never a value and never a place in a text. Published test PANs and tokens of the
team's own ranges stand apart: nobody has to be called for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redaction.text import RedactedText

_CARD_DATA = ("PAN", "SAD", "TRACK")


@dataclass(frozen=True, slots=True)
class CardholderFinding:
    """`klass` is PAN, SAD, TRACK, or TOKEN for PAN-shaped values of a configured token range.

    first_seen: the time of the first line, None if no line carried one. lines: how many held the class.
    test_pan: every one of them was a published or configured test number.
    """

    source: str
    klass: str
    first_seen: datetime | None
    lines: int
    test_pan: bool

    def __str__(self) -> str:
        since = f" since {self.first_seen.isoformat()}" if self.first_seen else ""
        count = f"{self.lines} line{'s' if self.lines != 1 else ''}"
        test = ", test numbers only" if self.test_pan else ""
        return f"cardholder data in logs of {self.source}{since}, {count}, class {self.klass}{test}, no value kept"


def findings_in(source: str, seen: Iterable[tuple[datetime | None, RedactedText]]) -> tuple[CardholderFinding, ...]:
    """One finding for each class and kind, in the order PAN, SAD, TRACK, TOKEN, test numbers last."""
    lines: dict[tuple[str, bool], int] = {}
    first: dict[tuple[str, bool], datetime | None] = {}
    for when, redacted in seen:
        for key in {_kind(span.klass, span.kind) for span in redacted.spans if span.klass in _CARD_DATA}:
            lines[key] = lines.get(key, 0) + 1
            before = first.get(key)
            first[key] = when if before is None else before if when is None else min(before, when)
    order = {klass: rank for rank, klass in enumerate((*_CARD_DATA, "TOKEN"))}
    keys = sorted(lines, key=lambda key: (key[1], order[key[0]]))
    return tuple(CardholderFinding(source, k, first[k, test], lines[k, test], test) for k, test in keys)


def _kind(klass: str, kind: str) -> tuple[str, bool]:
    return ("TOKEN", False) if kind == "range" else (klass, kind == "test")
