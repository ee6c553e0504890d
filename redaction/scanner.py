"""The last look at final bytes: at the model's transport, the Slack client, the log append, the workflow serialiser.

It shares no code and no pattern with the detectors, so that one mistake cannot pass both: its own card ranges, its own
check digit, its own decoders (percent, entities, `\\u` and `\\x`, hex, base64, gzip, to depth 2). It looks for what may
never leave (PAN, track, authentication data, secrets, e-mail, IBAN), not for names. A hit, an error or a time-out
blocks, and says the class, never the value.
"""

from __future__ import annotations

import base64
import html
import re
import time
import unicodedata
import zlib
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

from redaction.errors import LeakBlocked
from redaction.text import RedactedText, seal

CLASSES = ("PAN", "TRACK", "SAD", "SECRET", "EMAIL", "IBAN")
_MAX_BYTES = 64 << 20
_INFLATE_BYTES = 4 << 20

# (first digits from, to, lengths): the ranges of ISO/IEC 7812 issuers that a check digit may confirm.
_ISSUED = (
    (400000, 499999, (13, 16, 18, 19)),
    (500000, 509999, (13, 14, 15, 16, 17, 18, 19)),
    (510000, 559999, (16,)),
    (560000, 599999, (13, 14, 15, 16, 17, 18, 19)),
    (220000, 229999, (16, 17, 18, 19)),
    (230000, 272099, (16,)),
    (340000, 349999, (15,)),
    (370000, 379999, (15,)),
    (300000, 305999, (14, 15, 16, 17, 18, 19)),
    (309500, 309599, (14, 15, 16, 17, 18, 19)),
    (360000, 369999, (14, 15, 16, 17, 18, 19)),
    (380000, 399999, (13, 14, 15, 16, 17, 18, 19)),
    (350000, 359999, (15, 16, 17, 18, 19)),
    (310000, 319999, (19,)),
    (100000, 199999, (15,)),
    (213100, 213199, (15,)),
    (600000, 699999, (13, 14, 15, 16, 17, 18, 19)),
    (810000, 829999, (16, 17, 18, 19)),
    (860000, 860099, (16,)),
    (869900, 869999, (15,)),
    (900000, 999999, (16, 19)),
)

_DIGITS = re.compile(r"[0-9]+")
_PRINTED = frozenset(
    {
        (4, 4, 4, 4),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 1),
        (4, 4, 4, 4, 2),
        (4, 6, 5),
        (4, 6, 4),
        (6, 10),
        (6, 13),
        (6, 6, 4),
        (8, 8),
        (4, 12),
        (12, 4),
    }
)
_HEX_CHARS = frozenset("0123456789abcdefABCDEF")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9]")
_EMV = re.compile(r"5[aA] ?0([789aA])[ :]?((?:[0-9]{2} ?){6,9}[0-9][0-9F]?)")
_MESSAGE = re.compile(r"0[1248][0-9]{2}[0-9A-F]{16}1[3-9]([0-9]{16})|57(?:0[a-fA-F]|1[0-3])[0-9]{13,19}[dD]")
_EXPONENT = re.compile(r"(?<![0-9.])([1-9])\.([0-9]{12,18})[eE]\+?(1[2-8])(?![0-9])")
_FRACTION = re.compile(r"(?<![0-9.])[0-9]{1,12}\.$")
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

_B64 = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){12,}")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OCTAL = re.compile(r"\\([01][0-7]{2})")
_QUOTED = re.compile(r"(?:=[2-7][0-9A-F]){3,}")
_CODES = re.compile(r"(?:(?:0x|\\x)?(?:00)?([23][0-9a-fA-F])(?:00)?[ ,:;]{0,2}){12,}")
_EBCDIC = re.compile(r"(?:[fF][0-9]){12,}")
_DECIMALS = re.compile(r"(?:(?:4[4-9]|5[0-7]|32),? ){11,}(?:4[4-9]|5[0-7])")
_SLASHES = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt])|([\"'/]))")


class FinalScanner:
    """Looks at bytes or text that are about to leave. Stateless; safe to share between threads.

    classes: what to look for, all by default (a page that shows its own signed-in reader may leave out EMAIL).
    timeout_s: longer than that, and the bytes are blocked unseen.
    """

    def __init__(self, *, classes: tuple[str, ...] = CLASSES, timeout_s: float = 5.0) -> None:
        unknown = sorted(set(classes) - set(CLASSES))
        if unknown:
            raise ValueError(f"the final scanner knows no class {', '.join(unknown)}")
        self._classes = frozenset(classes)
        self._timeout = timeout_s

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
        for layer in _layers(data):
            if time.monotonic() > deadline:
                return ("SCANNER_TIMEOUT",)
            found.update(klass for klass in _classes_in(layer) if klass in self._classes)
        return tuple(klass for klass in CLASSES if klass in found)


def _layers(data: bytes | str) -> Iterator[str]:
    """The text itself, and what its encodings hide, twice over."""
    start = _as_text(data) if isinstance(data, bytes) else data
    seen: set[str] = set()
    waiting = [(start, 0)]
    while waiting:
        text, depth = waiting.pop()
        if text in seen:
            continue
        seen.add(text)
        yield text
        if depth < 2:
            waiting.extend((hidden, depth + 1) for hidden in _decodings(text))


def _as_text(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        data = zlib.decompressobj(31).decompress(data, _INFLATE_BYTES)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.replace(b"\0", b"").decode("utf-8", "replace")


def _decodings(text: str) -> Iterator[str]:
    if not text.isascii():
        plain = "".join(_plain(c) for c in text)
        if plain != text:
            yield plain
    if "%" in text:
        yield unquote(text)
    if "&" in text:
        yield html.unescape(text)
    if "\\" in text:
        yield _SLASHES.sub(_unslash, text)
        yield _OCTAL.sub(lambda m: chr(int(m[1], 8)), text)
        yield re.sub(r"\\[ux]\{([0-9a-fA-F]{1,4})\}", lambda m: chr(int(m[1], 16)), text)
    if "\x1b" in text:
        yield _ANSI.sub("", text)
    if "=3" in text or "=\n" in text:
        yield _QUOTED.sub(
            lambda m: bytes.fromhex(m[0].replace("=", "")).decode("ascii"), text.replace("=\r\n", "").replace("=\n", "")
        )
    yield from _listed_codes(text)
    for match in _HEX.finditer(text):
        hidden = bytes.fromhex(match[0])
        if _is_printable(hidden):
            yield hidden.decode("ascii", "replace")
    for match in _B64.finditer(text):
        yield from _unbase64(match[0])


def _listed_codes(text: str) -> Iterator[str]:
    """Character codes in a row: hex with or without zeros and separators, EBCDIC, decimal."""
    for match in _CODES.finditer(text):
        plain = re.sub(r"0x|\\x|[ ,:;]", "", match[0])
        step = 4 if "00" in (plain[:2], plain[2:4]) else 2
        shift = 2 if plain[:2] == "00" else 0
        yield "".join(chr(int(plain[i + shift : i + shift + 2] or "20", 16)) for i in range(0, len(plain) - 1, step))
    yield from (match[0][1::2] for match in _EBCDIC.finditer(text))
    yield from ("".join(chr(int(n)) for n in re.findall("[0-9]+", match[0])) for match in _DECIMALS.finditer(text))


def _plain(char: str) -> str:
    """A character as ASCII where it stands for some: digits of every script; nothing for the invisible."""
    if char < "\x80":
        return char
    category = unicodedata.category(char)
    if category in {"Cf", "Mn", "Me"}:
        return ""
    if category[0] == "N":
        value = unicodedata.numeric(char, -1.0)
        return str(int(value)) if value in range(10) else char
    if category[0] == "Z" or category == "Pd":
        return " "
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) < 4 else ""


def _unslash(match: re.Match[str]) -> str:
    if match[1] or match[2]:
        return chr(int(match[1] or match[2], 16))
    return " " if match[3] else match[4]


def _unbase64(token: str) -> Iterator[str]:
    body = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    usable = body[: len(body) - 1] if len(body) % 4 == 1 else body
    hidden = base64.b64decode(usable + "=" * (-len(usable) % 4))
    if hidden[:2] == b"\x1f\x8b":
        try:
            hidden = zlib.decompressobj(31).decompress(hidden, _INFLATE_BYTES)
        except zlib.error:
            return
    if _is_printable(hidden):
        yield hidden.decode("ascii", "replace")


def _is_printable(data: bytes) -> bool:
    return len(data) > 8 and sum(32 <= b < 127 or b in (9, 10, 13) for b in data) * 10 >= len(data) * 9


def _classes_in(text: str) -> Iterator[str]:
    if any(_is_issued(pan) for pan in _card_numbers(text)):
        yield "PAN"
    if _TRACKS[0].search(text) or any(_is_issued(m[1]) for m in _TRACKS[1].finditer(text)):
        yield "TRACK"
    if any(pattern.search(text) for pattern in _SAD):
        yield "SAD"
    if any(pattern.search(text) for pattern in _SECRETS):
        yield "SECRET"
    if any(not _NOT_MAILBOXES.search(m[0]) for m in _EMAIL.finditer(text)):
        yield "EMAIL"
    if any(_is_iban(m[0].replace(" ", "")) for m in _IBAN.finditer(text)):
        yield "IBAN"


def _card_numbers(text: str) -> Iterator[str]:
    """What could be a PAN: rows of digits that belong to no larger number or id, and printed groups."""
    row: list[re.Match[str]] = []
    for group in _DIGITS.finditer(text):
        if row and (group.start() - row[-1].end() > 3 or _has_letters(text, row[-1].end(), group.start())):
            yield from _of_row(text, row)
            row = []
        row.append(group)
    yield from _of_row(text, row)
    for match in _EMV.finditer(text):
        yield re.sub(r"[^0-9]", "", match[2])[: int(match[1], 16) * 2]
    yield from (match[1] or re.split("[dD]", match[0][4:])[0] for match in _MESSAGE.finditer(text))
    for match in _EXPONENT.finditer(text):
        yield (match[1] + match[2]).ljust(int(match[3]) + 1, "0")


def _has_letters(text: str, start: int, end: int) -> bool:
    return any(c.isalnum() for c in text[start:end])


def _of_row(text: str, row: list[re.Match[str]]) -> Iterator[str]:
    """Candidates in neighbouring groups of digits: each alone, printed groupings, and an even row as a whole."""
    for group in row:
        yield from _alone(text, group)
    if len(row) < 2:
        return
    gaps = [text[a.end() : b.start()] for a, b in pairwise(row)]
    widths = [len(group[0]) for group in row]
    for first in range(len(row) - 1):
        for count in (2, 3, 4, 5):
            window = tuple(widths[first : first + count])
            if len(window) == count and window in _PRINTED and not _is_list(gaps, first, count):
                yield _joined(text, row[first : first + count])
    if (
        len(set(gaps)) == 1
        and len(row) > 2
        and len(set(widths[1:-1])) == 1
        and ", " not in gaps[0]
        and gaps[0] not in ":;"
    ):
        yield _joined(text, row)


def _is_list(gaps: list[str], first: int, count: int) -> bool:
    """Numbers in a list, or a decimal fraction: `1234, 5678, …`, `12345678.12345678`."""
    inside = gaps[first : first + count - 1]
    around = gaps[max(0, first - 1) : first + count]
    if count == 2 and inside[0] == ".":
        return True
    return any(c in inside[0] for c in ",;:") and (count == 2 or len(around) > len(inside))


def _joined(text: str, groups: list[re.Match[str]]) -> str:
    """The digits of a window, or nothing if it is cut out of an id."""
    start, end = groups[0].start(), groups[-1].end()
    near = text[max(0, start - 56) : end + 56]
    inside = any(text[start:end] in m[0] for m in _UUID.finditer(near))
    after_dot = text[groups[-1].start() - 1] == "."
    if (
        inside
        or _belongs_to_more(text, *groups[0].span())
        or (not after_dot and _belongs_to_more(text, *groups[-1].span()))
    ):
        return ""
    return "".join(group[0] for group in groups)


def _alone(text: str, group: re.Match[str]) -> Iterator[str]:
    digits = group[0]
    if not 13 <= len(digits) <= 30 or _belongs_to_more(text, group.start(), group.end()):
        return
    yield digits
    yield digits.lstrip("0")
    if digits[:2] in {"13", "15", "16", "18", "19"} and len(digits) == int(digits[:2]) + 2:
        yield digits[2:]
    if len(digits) == 20 and "01" <= digits[16:18] <= "12" and digits[18] in "234":
        yield digits[:16]


def _belongs_to_more(text: str, start: int, end: int) -> bool:
    """A fraction, or a piece of a UUID or of a hex id."""
    if start > 1 and text[start - 1] == "." and text[start - 2].isdigit():
        return _FRACTION.search(text, max(0, start - 24), start) is not None
    first, last = start, end
    while first > 0 and start - first < 140 and text[first - 1] in _HEX_CHARS:
        first -= 1
    while last < len(text) and last - end < 140 and text[last] in _HEX_CHARS:
        last += 1
    whole = text[first:last]
    bounded = not (text[first - 1 : first].isalnum() and first) and not text[last : last + 1].isalnum()
    if (
        bounded
        and len(whole) > end - start
        and (len(whole) == 16 or len(whole) >= 20)
        and whole.rstrip("Ff") != text[start:end]
    ):
        return True
    if text[first - 1 : first] != "-" and text[last : last + 1] != "-":
        return False
    return any(whole in m[0] for m in _UUID.finditer(text[max(0, first - 56) : last + 56]))


def _is_issued(digits: str) -> bool:
    if not (digits.isascii() and digits.isdigit() and 13 <= len(digits) <= 19):
        return False
    head = int(digits[:6])
    if not any(low <= head <= high and len(digits) in lengths for low, high, lengths in _ISSUED):
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char)
        if place % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0 and digits.strip(digits[0]) != ""


def _is_iban(value: str) -> bool:
    if value[:2] not in _IBAN_WIDTHS or len(value) != _IBAN_WIDTHS[value[:2]]:
        return False
    number = "".join(str(ord(c) - 55) if c.isalpha() else c for c in value[4:] + value[:4])
    return int(number) % 97 == 1
