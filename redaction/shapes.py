"""Lines that are dropped whole, because fields inside them cannot be judged one by one.

A hexdump splits a PAN over rows; packed BCD and an unparsed ISO 8583 message hold PAN, track, PIN block and EMV data
at places that only the bitmap tells. What cannot be judged is removed and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redaction.cards import Hit

_HEXDUMP = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:0x)?[0-9A-Fa-f]{4,16}:? {1,3})?(?:(?:0x)?[0-9A-Fa-f]{2}[ ,]{1,2}){11,}(?:0x)?[0-9A-Fa-f]{2}(?![0-9A-Za-z])"  # noqa: E501
    r"|(?<![0-9A-Za-z])[0-9A-Fa-f]{4,16}:? {1,3}(?:[0-9A-Fa-f]{4} ){5,}[0-9A-Fa-f]{4}"
)
# Certificate and key fingerprints are printed with colons too: those widths in bytes stay.
_COLONS = re.compile(r"(?<![0-9A-Za-z:])[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){11,}(?![0-9A-Za-z:])")
_FINGERPRINT_BYTES = {16, 20, 32, 48, 64}
HEXDUMP_TRIGGERS = (
    r"(?:[0-9A-Fa-f]{2}[ ,]{1,2}(?:0x)?){11}[0-9A-Fa-f]{2}",
    r"(?:[0-9A-Fa-f]{4} ){5}[0-9A-Fa-f]{4}",
    r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){11}",
)
_BCD = re.compile(r"[0-9]{32,}|(?<![0-9A-Za-z])[0-9]{20,}[A-F][0-9]{12,}[0-9A-F]*(?![0-9A-Za-z])")
_FRACTION = re.compile(r"[0-9]\.$")
BCD_TRIGGERS = (r"[0-9]{32}", r"[0-9]{20}[A-F][0-9]{12}")
# Message type indicator (version, class, function, origin), primary bitmap, perhaps a secondary one, then data.
_ISO8583 = re.compile(
    r"(?<![0-9A-Za-z])(?:ISO[0-9]{9}|[0-9A-Fa-f]{4})?[0189][1-8][0-9][0-5][ ]?[0-9A-Fa-f]{16}[ ]?(?:[0-9A-Fa-f]{16})?[ ]?[0-9]{16}[0-9A-Za-z ]*"  # noqa: E501
)
_DIGEST = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_DIGEST_WIDTHS = {40, 56, 64, 96, 128}
ISO8583_TRIGGERS = (r"[0189][1-8][0-9][0-5][ ]?[0-9A-Fa-f]{16}[ ]?(?:[0-9A-Fa-f]{16})?[ ]?[0-9]{16}",)


def _line(text: str, start: int, end: int, note: str) -> Hit:
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return Hit(first, len(text) if last < 0 else last, "LINE", "", note)


def hexdump(text: str) -> Iterator[Hit]:
    for match in _HEXDUMP.finditer(text):
        if re.search(r"[A-Fa-f0-9]", match[0]) and not _is_decimal_list(match[0]):
            yield _line(text, match.start(), match.end(), "hexdump")
    for match in _COLONS.finditer(text):
        if match[0].count(":") + 1 not in _FINGERPRINT_BYTES:
            yield _line(text, match.start(), match.end(), "hexdump")


def _is_decimal_list(found: str) -> bool:
    """`12, 15, 11, …`: a list of two-digit numbers with commas is a metric, not a dump."""
    return ", " in found and found.replace(",", "").replace(" ", "").isdigit()


def packed_bcd(text: str) -> Iterator[Hit]:
    for match in _BCD.finditer(text):
        if not _FRACTION.search(text, max(0, match.start() - 2), match.start()):
            yield _line(text, match.start(), match.end(), "bcd")


def iso8583(text: str) -> Iterator[Hit]:
    for match in _ISO8583.finditer(text):
        if len(match[0]) in _DIGEST_WIDTHS and _DIGEST.fullmatch(match[0]):
            continue
        head = match[0].partition(" ")[0]
        if len(head) in _DIGEST_WIDTHS and _DIGEST.fullmatch(head) and sum(map(str.isalpha, head[20:])) >= 4:
            continue  # a digest, and the words behind it
        yield _line(text, match.start(), match.end(), "iso8583")
