"""Text packed into other text: base64, base32 and gzip, a token each. A hit anywhere inside takes the whole token."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

from redaction.view import View

_MAX_INFLATED = 1 << 20
_MOST_WRAPS = 4

# Base64 of printable ASCII: each aligned four of characters has this form, whatever the text. Three digits that stand
# on a boundary always have the second, narrower one.
_TEXT64 = r"[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_\-]"
_DIGITS64 = r"[MNO][DTjz][AEIMQUYcgk][w-z0-5]"
_WIDE64 = r"[MNO][AQgw]A[w-z0-5]AD[AEIMQUYcgk]A"  # six bytes of UTF-16 digits, on whatever boundary
_ZLIB64 = r"e[AFJN][0-9A-Za-z+/_\-]{20}"
_FOURS64 = rf"(?:{_TEXT64}){{4}}|(?:{_DIGITS64}){{3}}|(?:{_WIDE64}){{2}}|H4sI"
BASE64_TRIGGER = rf"{_FOURS64}|[^0-9A-Za-z+/_\-]{_ZLIB64}|[A-Z2-7]{{24}}"
_BASE64 = re.compile(rf"(?P<at>{_FOURS64}|(?<![0-9A-Za-z+/_\-]){_ZLIB64})[A-Za-z0-9+/_\-]*={{0,2}}")
_BASE32 = re.compile(r"(?<![0-9A-Za-z])[A-Z2-7]{24,8192}(?:={1,6})?(?![0-9A-Za-z=])")
_NUMBER = re.compile(r"[0-9][0-9 .\-]{11,}")
_FOUR64 = re.compile(r"[A-Za-z0-9+/_\-]{4}")
_ALPHABET64 = re.compile(r"[A-Za-z0-9+/_\-]")
_WHOLE64 = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")


def base64_views(text: str) -> Iterator[View]:
    """One view a token, and one for each base64 that was all there was inside it."""
    for match in _BASE64.finditer(text):
        start = match.start()
        if _FOUR64.fullmatch(text, max(0, start - 4), start):
            start -= 4  # the first digits may share their four with something that is no text
        first = start
        while first > 0 and match.start() - first < 8192 and _ALPHABET64.match(text[first - 1]):
            first -= 1
        whole = _unbase64(text[first : match.end()]) if (start - first) % 4 == 0 else None
        if decoded := whole or _unbase64(text[start : match.end()]):
            for inside in _unwrapped(decoded):
                yield View(inside, [first] * len(inside), [match.end()] * len(inside), "base64")
    for match in _BASE32.finditer(text):
        if decoded := _unbase32(match[0]):
            yield View(decoded, [match.start()] * len(decoded), [match.end()] * len(decoded), "base32")


def _unwrapped(decoded: str) -> Iterator[str]:
    """The text, and what base64 of base64 holds: it counts as one decoder, however often it was done."""
    for _ in range(_MOST_WRAPS):
        yield decoded
        inner = _unbase64(decoded) if _WHOLE64.fullmatch(decoded) else None
        if not inner:
            return
        decoded = inner


def _unbase64(token: str) -> str | None:
    """The text inside a base64 token, standard or URL-safe, gzip and zlib undone; None if there is no text inside, and
    no long number among other bytes.
    """
    body = token.rstrip("=").replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1:
        body = body[:-1]
    try:
        data = base64.b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        return None
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"x" and int.from_bytes(data[:2], "big") % 31 == 0):
        data = inflate(data) or data
    if data.count(0) * 5 >= len(data) * 2:
        data = data.replace(b"\0", b"")  # UTF-16
    text = data.decode("utf-8", "replace")
    bad = sum(1 for c in text if c == "\ufffd" or (c < " " and c not in "\t\r\n"))
    return text if data and (bad * 20 <= len(text) or _NUMBER.search(text)) else None


def _unbase32(token: str) -> str | None:
    body = token.rstrip("=")
    try:
        text = base64.b32decode(body + "=" * (-len(body) % 8)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if text.isprintable() else None


def inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, _MAX_INFLATED)
    except zlib.error:
        return b""
