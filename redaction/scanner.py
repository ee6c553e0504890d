"""The last look at final bytes: at the model's transport, the Slack client, the log append, the workflow serialiser.

It shares no code and no pattern with the detectors, so that one mistake cannot pass both: its own card ranges and
check digit (`scan_cards`), its own decoders to depth 2 (`scan_decode`), its own glance that spares patterns which
cannot match (`scan_glance`). It looks for what may never leave (PAN, track, authentication data, secrets, e-mail,
IBAN), not for names. A hit, an error or a time-out blocks, and says the class, never the value.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Container, Iterator

from redaction.errors import LeakBlocked
from redaction.scan_cards import card_numbers, is_issued
from redaction.scan_decode import as_text, decodings
from redaction.scan_glance import SHARED, Glance
from redaction.text import RedactedText, seal

CLASSES = ("PAN", "TRACK", "SAD", "SECRET", "EMAIL", "IBAN")
_MAX_BYTES = 64 << 20

_TRACKS = (
    re.compile(r"[A-Z]\d{13,19}\^[^^\n]{2,26}\^\d{4}"),
    re.compile(r"(?<!\d)(\d{13,19})[=D]\d{7}"),
)
_SAD = (
    re.compile(
        r"(?i)(?<![a-z])(?:cvv2?|cvc2?|cvn|csc|cav2|card[ _]?security[ _]?code)[\"'\s:=#>]{1,6}(?:is\s)?[\"']?\d{3,4}(?![\w.%])"  # noqa: E501
    ),
    re.compile(r"(?i)pin[ _-]?block[\"'\s:=>]{1,6}[0-9a-f]{16}(?![0-9a-f])"),
    re.compile(r"(?i)(?<![a-z_])pin[\"']?\s?[:=]\s?[\"']?\d{4,6}(?![\w.%])"),
)
_SECRETS = (
    re.compile(r"A(?:KIA|SIA)[0-9A-Z]{16}"),
    re.compile(r"gh[a-z]_\w{36}|github_pat_\w{22}|glpat-[\w\-]{20}"),
    re.compile(r"xox[a-z]-[\w\-]{10}|xapp-\d-\w{8}|hooks\.slack\.com/services/T\w+/B\w+/\w{8}"),
    re.compile(r"[a-z]k_(?:live|test)_\w{10}|whsec_\w{16}|(?<![\w\-])sk-[\w\-]{24}"),
    re.compile(r"AIza[\w\-]{35}|ya29\.[\w\-]{20}|SG\.[\w\-]{16,}\.[\w\-]{16}|npm_\w{36}|hv[sb]\.\w{20}|glsa_\w{32}"),
    re.compile(r"-----BEGIN[A-Z ]*PRIVATE KEY"),
    re.compile(r"(?<![A-Za-z0-9\-])eyJ[\w\-]{10,1024}\.eyJ[\w\-]{6,4096}\.[\w\-]{6}"),
    re.compile(r"(?i)(?<!\w)bearer\s+(?=[\w.~+/\-]*\d)[\w.~+/\-]{20}"),
    re.compile(r"[a-z]{3,12}://[^\s/@:\"'<>]{0,64}:(?![*x<]{3})[^\s/@\"'<>]{3,64}@"),
    re.compile(
        r"(?i)(?:password|passwd|api_?key|client_secret)[\"']?\s?[:=]\s?[\"']?(?=[^\s\"'<]{0,63}\d)(?=[^\s\"'<]{0,63}[a-z])[^\s\"'<>${}*()\[\]|,;]{8}"
    ),
    re.compile(r"AccountKey=[\w+/]{20}"),
)
_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_%\-]{0,63}@(?:[A-Za-z0-9\-]{1,63}\.){1,5}[A-Za-z]{2,18}(?![\w@])")
_NOT_MAILBOXES = re.compile(
    r"(?i)^(?:git|noreply|no-reply|donotreply)@|\.(?:service|timer|socket|svc|local|target|slice|mount|path|js|py)$"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")

# ISO 13616: country codes by the length of their IBANs.
_IBAN_WIDTHS = {
    country: int(width)
    for width, countries in (
        ("15", "NO"), ("16", "BE"), ("18", "DK FI FO GL NL SD FK"), ("19", "MK SI"), ("20", "AT BA EE KZ LT LU MN XK"),
        ("21", "CH HR LI LV"), ("22", "BG BH CR DE GB GE IE ME RS VA"), ("23", "AE GI IL IQ OM SO TL"), ("24", "AD CZ ES MD PK RO SA SE SK TN VG"),  # noqa: E501
        ("25", "LY PT ST"), ("26", "IS TR"), ("27", "BI DJ FR GR IT MC MR SM"), ("28", "AL AZ BY CY DO GT HN HU LB NI PL SV"),  # noqa: E501
        ("29", "BR EG PS QA UA"), ("30", "JO KW MU YE"), ("31", "MT SC"), ("32", "LC"), ("33", "RU"),
    )
    for country in countries.split()
}  # fmt: skip


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
            raise LeakBlocked(found, sink)

    def restore(self, text: str) -> RedactedText:
        """Text from storage, or composed by our own code, as `RedactedText`.

        Raises: LeakBlocked if the scanner finds anything in it.
        """
        self.check(text, sink="restore")
        return seal(text)

    def _look(self, data: bytes | str) -> tuple[str, ...]:
        if len(data) > _MAX_BYTES:
            return ("SCANNER_SIZE",)
        deadline = time.monotonic() + self._timeout
        found: set[str] = set()
        for text, possible in self._layers(data):
            if time.monotonic() > deadline:
                return ("SCANNER_TIMEOUT",)
            found.update(klass for klass in _classes_in(text, possible) if klass in self._classes)
        return tuple(klass for klass in CLASSES if klass in found)

    def _layers(self, data: bytes | str) -> Iterator[tuple[str, Container[str]]]:
        """The text itself, and what its encodings hide, twice over; each with what may be found in it."""
        start = as_text(data) if isinstance(data, bytes) else data
        seen: set[str] = set()
        waiting = [(start, 0)]
        while waiting:
            text, depth = waiting.pop()
            if text in seen:
                continue
            seen.add(text)
            possible = self._glance.possible(text)
            yield text, possible
            if depth < 2:
                waiting.extend((hidden, depth + 1) for hidden in decodings(text, possible))


def _classes_in(text: str, possible: Container[str]) -> Iterator[str]:
    if any(is_issued(pan) for pan in card_numbers(text, possible)):
        yield "PAN"
    if "track" in possible and (_TRACKS[0].search(text) or any(is_issued(m[1]) for m in _TRACKS[1].finditer(text))):
        yield "TRACK"
    if "sad" in possible and any(pattern.search(text) for pattern in _SAD):
        yield "SAD"
    if "secret" in possible and any(pattern.search(text) for pattern in _SECRETS):
        yield "SECRET"
    if "email" in possible and any(not _NOT_MAILBOXES.search(m[0]) for m in _EMAIL.finditer(text)):
        yield "EMAIL"
    if "iban" in possible and any(_is_iban(m[0].replace(" ", "")) for m in _IBAN.finditer(text)):
        yield "IBAN"


def _is_iban(value: str) -> bool:
    if value[:2] not in _IBAN_WIDTHS or len(value) != _IBAN_WIDTHS[value[:2]]:
        return False
    number = "".join(str(ord(c) - 55) if c.isalpha() else c for c in value[4:] + value[:4])
    return int(number) % 97 == 1
