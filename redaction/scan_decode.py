"""What encodings hide from the last look: percent, entities, `\\u`, `\\x` and octal, quoted-printable, terminal
colours, lists of character codes, hex, EBCDIC, base64, gzip, digits of other scripts. Shared with nothing of the
detectors.
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
import zlib
from collections.abc import Container, Iterator
from functools import lru_cache
from urllib.parse import unquote

_INFLATE_BYTES = 4 << 20
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_STANDARD = str.maketrans("-_", "+/")
_B64 = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){12,}")
_COLOURS = re.compile(r"(?:\x1b|\^\[|\\e)\[[0-9;]*[A-Za-z]")
_CONTROLS = re.compile(r"#0[0-3][0-7]")
_PERCENTS = re.compile(r"%(?:25)+(?=[0-9a-fA-F]{2})")
_QUOTED_DIGIT = re.compile(r"(?<=[0-9])=(2[0DE]|3[0-9])(?=[0-9=])")
_OLD_PERCENT = re.compile(r"%u([0-9a-fA-F]{4})")
# Digits that stand apart: wide gaps, markup, quotes with something that joins them.
_APART = re.compile(r"(?<=[0-9])(?:[ \t\r\n]{4,}|[\"'] ?([,+.|&]{1,2}) ?[\"']|(?:<[/A-Za-z][^<>]{0,70}>)+)(?=[0-9])")
_LONG_NUMBER = re.compile(rb"[0-9][0-9 .\-]{11}")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_BRACED = re.compile(r"\\[ux]\{([0-9a-fA-F]{1,4})\}")
_OCTAL = re.compile(r"\\([01][0-7]{2})")
_QUOTED = re.compile(r"(?:=[2-7][0-9A-F]){3,}")
_CODES = re.compile(r"(?:(?:0[xX]|\\x)?(?:00)?([23][0-9a-fA-F])(?:00)?[ ,:;h]{0,2}){12,}")
_EBCDIC = re.compile(r"(?:[fF][0-9]){12,}")
_DECIMALS = re.compile(r"(?:(?:4[4-9]|5[0-7]|32),? ){11,}(?:4[4-9]|5[0-7])")
_SLASHES = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt])|([\"'/]))")


_LINE_ENDS = {"n": "\n", "r": "\r", "t": "\t"}


def as_text(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        data = zlib.decompressobj(31).decompress(data, _INFLATE_BYTES)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.replace(b"\0", b"").decode("utf-8", "replace")


def decodings(text: str, possible: Container[str]) -> Iterator[str]:
    """What each decoder makes of the text. `possible`: names of `scan_glance.MAY_MATCH` that are worth a try."""
    if not text.isascii():
        plain = _BEYOND_ASCII.sub(_plain_run, text)
        if plain != text:
            yield plain
    if "percent" in possible and "%" in text:
        yield unquote(_OLD_PERCENT.sub(lambda m: chr(int(m[1], 16)), _PERCENTS.sub("%", text)))
    if "&" in text:
        yield html.unescape(text)
    if "escape" in possible and "\\" in text:
        yield _paired(_SLASHES.sub(_unslash, text))
        yield _OCTAL.sub(lambda m: chr(int(m[1], 8)), text)
        yield _BRACED.sub(lambda m: chr(int(m[1], 16)), text)
    if "colour" in possible:
        yield _COLOURS.sub("", text)
    if "control" in possible:
        yield _CONTROLS.sub(" ", text)
    if "apart" in possible:
        yield _APART.sub(lambda m: f"{m[1].replace('+', '')} " if m[1] else " ", text)
    if "quoted" in possible:
        whole = text.replace("=\r\n", "").replace("=\n", "")
        yield _QUOTED.sub(lambda m: bytes.fromhex(m[0].replace("=", "")).decode("ascii"), whole)
        yield _QUOTED_DIGIT.sub(lambda m: chr(int(m[1], 16)), whole)
    yield from _listed_codes(text, possible)
    if "hex" in possible:
        for match in _HEX.finditer(text):
            yield from _shown(bytes.fromhex(match[0]))
    if "base64" in possible:
        for match in _B64.finditer(text):
            yield from _unbase64(match[0])


def _listed_codes(text: str, possible: Container[str]) -> Iterator[str]:
    """Character codes in a row: hex with or without zeros and separators, EBCDIC, decimal."""
    for match in _CODES.finditer(text) if "codes" in possible else ():
        plain = re.sub(r"0[xX]|\\x|[ ,:;h]", "", match[0])
        step = 4 if "00" in (plain[:2], plain[2:4]) else 2
        shift = 2 if plain[:2] == "00" else 0
        yield "".join(chr(int(plain[i + shift : i + shift + 2] or "20", 16)) for i in range(0, len(plain) - 1, step))
    if "ebcdic" in possible:
        yield from (match[0][1::2] for match in _EBCDIC.finditer(text))
    if "decimals" in possible:
        yield from ("".join(chr(int(n)) for n in re.findall("[0-9]+", match[0])) for match in _DECIMALS.finditer(text))


def _plain_run(match: re.Match[str]) -> str:
    return "".join(map(_plain, match[0]))


@lru_cache(maxsize=4096)
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
    return _LINE_ENDS[match[3]] if match[3] else match[4]


def _unbase64(token: str) -> Iterator[str]:
    body = token.rstrip("=").translate(_STANDARD)
    usable = body[: len(body) - 1] if len(body) % 4 == 1 else body
    yield from _shown(base64.b64decode(usable + "=" * (-len(usable) % 4)))


def _shown(hidden: bytes) -> Iterator[str]:
    """Bytes as text, if they are text, compressed text, UTF-16, or hold a long number."""
    if hidden[:2] == b"\x1f\x8b" or (hidden[:1] == b"x" and int.from_bytes(hidden[:2], "big") % 31 == 0):
        try:
            hidden = zlib.decompressobj(47).decompress(hidden, _INFLATE_BYTES)
        except zlib.error:
            return
    if hidden.count(0) * 5 >= len(hidden) * 2:
        hidden = hidden.replace(b"\0", b"")
    if _is_printable(hidden) or _LONG_NUMBER.search(hidden):
        yield hidden.decode("ascii", "replace")


def _paired(text: str) -> str:
    """Halves of UTF-16 pairs, as `\\ud835\\udfd2` gives them, as one character."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_printable(data: bytes) -> bool:
    return len(data) > 8 and len(data.translate(None, _PRINTABLE)) * 10 <= len(data)
