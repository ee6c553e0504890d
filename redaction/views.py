"""The same text as a reader would decode it, with a way back to the places in the original.

A `View` is text to search plus, for each of its characters, where it came from. The base view folds what is not ASCII
(NFKC, decimal digits of every script, dashes and spaces of every kind), and leaves out what is invisible (format
characters, combining marks, variation selectors) and terminal colours. Decoded views undo percent, HTML entity, `\\u`,
`\\x`, octal and quoted-printable escapes, character codes in hex, base64 and its kin, and gzip, to depth 2.

Hits are found in views and cut out of the original; text that holds no hit stays exactly as it was.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

from redaction import encodings
from redaction.packed import packed_views
from redaction.view import View, rewrite

DEPTH = 2  # a decoder on a decoder: double percent-encoding, base64 of escaped JSON

# ANSI escape sequences (ECMA-48 CSI and OSC), runs of anything not ASCII, and control characters inside.
_ANSI = r"\x1b\[[0-9;:?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|\x1b[@-Z\\-_]"
_FOLD = re.compile(rf"{_ANSI}|[^\x00-\x7f]|[\x00\x08\x0b\x0c\x0e-\x1f\x7f]")
_PLAIN = re.compile(r"[\t\n\r -~]*")

# Quoted-printable (RFC 2045): soft line breaks, rows of bytes, and single ones that stand for a digit or a gap beside
# digits. One that begins a number is read only where `=` cannot belong to a key.
_QUOTED_PRINTABLE = (
    r"=\r?\n|=(?<![0-9A-Za-z]=)[2-7][0-9A-F](?:=[2-7][0-9A-F])+|=[2-7][0-9A-F](?:=[2-7][0-9A-F]){2,}"
    r"|=(?<=[0-9]=)(?:(?:2[0DE]|3[0-9])(?=[0-9=])|3[0-9](?![0-9A-Za-z.])|(?:C2=A0|E2=80=[89A][0-9A-F])(?=[0-9]))"
    r"|=(?<=[\s>]=)3[0-9](?=[0-9])"
)
_QUOTED = re.compile(_QUOTED_PRINTABLE)
_ESCAPE = re.compile(
    r"(?:%(?:25)*[0-9A-Fa-f]{2})+|%u[0-9A-Fa-f]{4}"
    r"|&(?:#[xX][0-9A-Fa-f]{1,6};?|#[0-9]{1,7};?|[A-Za-z]{2,8};)"
    r"|(?<!\\)\\++(?P<pair>u[dD][89ABab][0-9A-Fa-f]{2}\\++u[dD][C-Fc-f][0-9A-Fa-f]{2})"
    r"|(?<!\\)\\++(?:u[0-9A-Fa-f]{4}|[ux]\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|0000[2-7][0-9A-Fa-f]|[0-3][0-7]{2}"
    r"|(?:6[0-7]|7[01])(?![0-9])|[nrtbf\"'/])"
    r"|U\+00[0-9A-Fa-f]{2}"
    rf"|{_QUOTED_PRINTABLE}"
    r"|\^\[\[[0-9;]{0,16}[A-Za-z]|\\e\[[0-9;]{0,16}[A-Za-z]|#0[0-3][0-7]"  # terminal colours, rsyslog's escapes
    r"|(?<=[0-9])(?:[ \t\r\n]{4,24}|[\"'] ?[,+.|&]{1,2} ?[\"']|(?:</?[A-Za-z][^<>]{0,64}>){1,4})(?=[0-9])"  # wide gaps
)
# Necessary for any of the above: what the fast path looks for before it decodes.
ESCAPE_TRIGGER = (
    r"%[0-9A-Fa-fu]{2}|&[#A-Za-z]|\\[uUxe0-367nrtbf\"'/]|U\+00|=[2-7][0-9A-F]=|[0-9]=(?:[23][0-9A-F]|C2=|E2=)|[\s>]=3[0-9]{2}|=\r?\n|\^\[\[|#0[0-3][0-7]"
    r"|[0-9][ \t\r\n]{4,24}[0-9]|[0-9][\"'] ?[,+.|&]{1,2} ?[\"'][0-9]|[0-9]</?[A-Za-z]"
)

# Digits as character codes: ASCII ("34 31"), UTF-16 ("0034", "3400") or EBCDIC ("F4F1"), glued or with separators.
_GAP = r"(?:[\s:;,.\-h]|0[xX]|\\x){0,4}"
_CODES_RUN = re.compile(
    rf"(?:(?:00)?3[0-9]{_GAP}(?:(?:00)?2[0dDeEfF]{_GAP})?){{12,20}}|(?:3[0-9]00){{12,20}}|(?:[Ff][0-9]{_GAP}){{12,20}}"
)
CODES_TRIGGER = (
    r"(?:(?:00)?3[0-9](?:00)?[\s:;,.xXh\\0\-]{0,4}(?:2[0dDeEfF][\s:;,.xXh\\0\-]{0,4})?){12}"
    r"|(?:[Ff][0-9][\s:;,.xXh\\0\-]{0,4}){12}|(?:[2-7][0-9A-Fa-f]){12}|(?:(?:4[89]|5[0-7])[\s,;]{1,3}){11}"
    r"|(?:0011[01]{4}[ ,_]?){12}|0o(?:6[0-7]|7[01])|(?:0x[0-9]{2}[,\s]{1,2}){5}0x[0-9]"
    r"|[cC][hH](?:[aA])?[rR]\((?:4[89]|5[0-7])\)|1[fF]8[bB]08"
)
_BCD_LIST = re.compile(r"(?:0x[0-9]{2}[,\s]{1,2}){5,9}0x[0-9][0-9Ff](?![0-9A-Za-z])")
_BITS = re.compile(r"(?<![01])(?:0011[01]{4}[ ,_]?){12,}")
_OCTAL_LIST = re.compile(r"(?:0o(?:6[0-7]|7[01])[\s,;]{0,3}){12,}")
_CHR = re.compile(r"(?:[cC][hH][aA]?[rR]\((?:4[89]|5[0-7])\)[\s,;|+.&]{0,4}){12,}")
_HEX_GZIP = re.compile(r"(?i)(?<![0-9a-f])1f8b08[0-9a-f]{30,}")

_HEX_TEXT = re.compile(r"(?<![0-9A-Za-z])(?:[2-7][0-9A-Fa-f]){12,}(?![0-9A-Za-z])")
_DECIMAL_CODES = re.compile(r"(?<!\d)(?:(?:4[89]|5[0-7])[\s,;]{1,3}){11,}(?:4[89]|5[0-7])(?!\d)")


@lru_cache(maxsize=4096)
def _fold(char: str) -> str:
    """One character, or one terminal sequence, as the detectors read it."""
    if len(char) > 1 or char < "\x80":
        return "" if len(char) > 1 else " "
    folded = []
    plain = unicodedata.normalize("NFKC", char)
    if len(plain) > 4:
        return "-"  # ligatures of whole phrases: no digits in them, and eighteen times the text
    for c in plain:
        category = unicodedata.category(c)
        if c < "\x80" or category[0] == "L":
            folded.append(c)
        elif category == "Nd":
            folded.append(str(unicodedata.decimal(c)))
        elif category[0] == "N":
            digit = unicodedata.digit(c, None)
            folded.append(c if digit is None else str(digit))
        elif category in {"Cf", "Mn", "Me", "Mc", "Cs"}:
            continue
        else:
            folded.append(" " if category[0] in "ZC" else "-")
    return "".join(folded)


def base_view(text: str) -> View:
    """What a person sees: folded to plain characters where `text` holds anything but printable ASCII."""
    if text.isascii() and (text.isprintable() or _PLAIN.fullmatch(text)):
        return View(text)
    return rewrite(text, _FOLD, lambda m: _fold(m[0]), "")


def _unescape(match: re.Match[str]) -> str | None:
    found = match[0]
    if found[0] == "%":
        return _unpercent(found)
    if found[0] == "&":
        decoded = html.unescape(found)
        return None if decoded == found else decoded
    if found[0] == "=":
        return "" if found[1] in "\r\n" else bytes.fromhex(found.replace("=", "")).decode("utf-8", "replace")
    if found[0] in " \t\r\n\"'<":
        return _between(match)
    if found[0] == "^" or found.startswith("\\e"):
        return ""
    return " " if found[0] == "#" else _unslash(match)


def _between(match: re.Match[str]) -> str:
    """What stands for a wide gap between digits: nothing where each digit has its own element."""
    found, text, (start, end) = match[0], match.string, match.span()
    if found[0] == "<" and text[start - 2 : start - 1] == ">" and text[end + 1 : end + 2] == "<":
        return ""
    return ", " if "<" in found or "," in found else " "


def _unpercent(found: str) -> str:
    """`%34`, `%2534` as often as it was encoded, and the `%u0034` of old scripts."""
    if found[1] == "u":
        return chr(int(found[2:], 16))
    plain = _PERCENTS.sub("%", found)
    return bytes.fromhex(plain.replace("%", "")).decode("utf-8", "replace")


_PERCENTS = re.compile(r"%(?:25)+(?=[0-9A-Fa-f]{2})")


def _unslash(match: re.Match[str]) -> str | None:
    found = match[0]
    if match["pair"]:
        high, low = (int(code[1:], 16) for code in match["pair"].replace("\\", " ").split())
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    code = found.lstrip("\\") if found[0] == "\\" else found[2:]
    if code[0] in "nrtbf":
        return " "
    if code[0] in "\"'/":
        return code[0]
    if code[0] in "uUx":
        number = int(code[1:].strip("{}"), 16)
    elif found[0] == "U" or len(code) == 6:
        number = int(code, 16)
    else:
        number = int(code, 8)
    return chr(number) if number < 0x110000 else None


def _codes(match: re.Match[str]) -> str | None:
    """Digits (and separators) written as character codes."""
    codes = re.sub(r"0[xX]|\\x|[^0-9A-Fa-f]", "", match[0])
    if codes[0] in "Ff":
        return codes[1::2]
    if codes.startswith("00"):
        codes = codes[2:4] + "".join(codes[i + 2 : i + 4] for i in range(4, len(codes), 4))
    elif codes[2:4] == "00":
        codes = "".join(codes[i : i + 2] for i in range(0, len(codes), 4))
    return bytes.fromhex(codes[: len(codes) & ~1]).decode("ascii", "replace")


def _hex_text(match: re.Match[str]) -> str | None:
    """A whole token of hex that is printable text."""
    found = match[0]
    if len(found) % 2:
        return None
    decoded = bytes.fromhex(found)
    return decoded.decode("ascii") if decoded.isascii() and decoded.decode("ascii").isprintable() else None


def _decimal_codes(match: re.Match[str]) -> str:
    return "".join(chr(int(code)) for code in re.findall(r"\d\d", match[0]))


def _bcd_list(match: re.Match[str]) -> str:
    """`0x49, 0x29, …`: two digits in each byte, perhaps filled up with F."""
    return "".join(re.findall("0x([0-9]{1,2})", match[0]))


def _bits(match: re.Match[str]) -> str:
    return "".join(chr(int(code, 2)) for code in re.findall("[01]{8}", match[0]))


def _octal_list(match: re.Match[str]) -> str:
    return "".join(chr(int(code, 8)) for code in re.findall("[67][0-7]", match[0]))


def _hex_gzip(match: re.Match[str]) -> str | None:
    return encodings.inflate(bytes.fromhex(match[0][: len(match[0]) & ~1])).decode("utf-8", "replace") or None


_CODE_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = (
    (_CODES_RUN, _codes),
    (_HEX_TEXT, _hex_text),
    (_DECIMAL_CODES, _decimal_codes),
    (_CHR, _decimal_codes),
    (_BITS, _bits),
    (_BCD_LIST, _bcd_list),
    (_OCTAL_LIST, _octal_list),
    (_HEX_GZIP, _hex_gzip),
)


def decoded_views(view: View, fired: Callable[[str], bool] = lambda _: True, *, depth: int = DEPTH) -> Iterator[View]:
    """Views behind every decoder that changes something, each of them decoded again to `depth`.

    `fired(name)` may say that a decoder ("escape", "codes", "base64", "packed") cannot apply to this text; it is asked
    for the first level only.
    """
    for made in _decode_once(view.text, fired):
        folded = base_view(made.text)
        whole = folded.onto(made) if folded.starts is not None else made
        whole = View(whole.text, whole.starts, whole.ends, made.note).onto(view)
        yield whole
        if depth > 1:
            yield from decoded_views(whole, depth=depth - 1)


def _decode_once(text: str, fired: Callable[[str], bool]) -> Iterator[View]:
    if fired("escape"):
        made = rewrite(text, _ESCAPE, _unescape, "escape")
        if made.starts is not None:
            yield made
            mail = rewrite(text, _QUOTED, _unescape, "escape") if "=" in text else made
            if mail.starts is not None and mail.text != made.text:  # as a mail reader has it, who knows no other escape
                yield mail
    if fired("codes"):
        for pattern, decode in _CODE_FORMS:
            made = rewrite(text, pattern, decode, "codes")
            if made.starts is not None:
                yield made
    if fired("base64"):
        yield from encodings.base64_views(text)
    if fired("packed"):
        yield from packed_views(text)
