"""The value that has to go, and every form in which it may stand in a text.

Forms: as given; digits with spaces, dashes, dots, slashes or nothing between them; each character percent-encoded, as a
JSON or HTML escape, or as a full-width digit; the whole in hexadecimal, or in base64 at any of its three offsets. What
is compressed or encrypted by others is not found.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from assistant.errors import UsageError
from redaction import FinalScanner, LeakBlocked

GONE = "[purged]"
SHORTEST = 6
_BETWEEN = re.compile(r"[\s\-._/]")
_GAP = r"(?:[\s\-._/+\u00a0\u2007\u2009\u2011\u202f]|%20|%2[dDeEfF]|\\u0020|\\[tn]|&nbsp;|&#32;){0,3}"
_BASE64_FROM = 9
"""Shorter values have too few base64 characters of their own to be told from others."""


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """Made by `value_of`. Its text never shows in `repr`."""

    klass: str
    length: int
    _pattern: re.Pattern[str] = field(compare=False)
    _needles: tuple[bytes, ...] = field(compare=False)

    def __repr__(self) -> str:
        return f"Value({self.klass}, {self.length} characters)"

    def count(self, text: str) -> int:
        return sum(1 for _ in self._pattern.finditer(text))

    def inside(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def in_bytes(self, content: bytes) -> bool:
        """Whether UTF-8 text in `content` holds it (for pages and files of other formats: the plain forms)."""
        return any(n in content for n in self._needles) or self.inside(content.decode("utf-8", "surrogateescape"))

    def plain_in(self, content: bytes) -> bool:
        """The plain forms only: for large files of databases."""
        return any(n in content for n in self._needles)

    def cleaned(self, text: str) -> str:
        """The text without it. What was JSON is JSON again; a number that is the value becomes a text."""
        if not self.inside(text):
            return text
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return self._pattern.sub(GONE, text)
        clean = json.dumps(self._walked(document), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return clean if not self.inside(clean) else json.dumps(GONE)

    def _walked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._pattern.sub(GONE, value)
        if isinstance(value, list):
            return [self._walked(item) for item in value]
        if isinstance(value, dict):
            return {self._pattern.sub(GONE, k): self._walked(v) for k, v in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool) and self.inside(str(value)):
            return GONE
        return value


def value_of(secret: str) -> Value:
    """Raises UsageError for a value so short that much else would go with it; the message does not hold it."""
    secret = secret.strip()
    bare = _BETWEEN.sub("", secret)
    digits = bare.isdecimal() and bare.isascii()
    core = bare if digits else secret
    if len(core) < SHORTEST:
        raise UsageError(
            f"the value has fewer than {SHORTEST} characters", mend="give it with what stands around it, to be sure"
        )
    forms = [(_GAP if digits else "").join(map(_character, core))]
    whole = {core, secret}
    needles = {*whole, *(quote(w, safe="") for w in whole), *(w.encode().hex() for w in whole)}
    needles |= {w.encode().hex().upper() for w in whole}
    for text in whole:
        if len(text.encode()) >= _BASE64_FROM:
            needles |= set(_base64(text.encode()))
    forms += [re.escape(n) for n in needles if n not in whole]
    return Value(
        klass=_klass(secret),
        length=len(core),
        _pattern=re.compile("|".join(forms), re.IGNORECASE),
        _needles=tuple(sorted({n.encode() for n in needles} | {w.encode("utf-16-le") for w in whole})),
    )


def _character(c: str) -> str:
    """One character in every way it may be written."""
    ways = {re.escape(c), "".join(f"%{b:02x}" for b in c.encode()), f"&#{ord(c)};", f"&#x{ord(c):x};"}
    if ord(c) < 0x10000:
        ways.add(rf"\\u{ord(c):04x}")
    if c in '/"\\':
        ways.add(rf"\\{re.escape(c)}")
    if c.isdecimal() and c.isascii():
        ways.add(chr(0xFF10 + int(c)))
    return "(?:" + "|".join(sorted(ways)) + ")"


def _base64(content: bytes) -> list[str]:
    """What is certain of its base64 at each offset, in both alphabets."""
    found = []
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + content).decode().rstrip("=")
        first = (0, 2, 3)[offset]
        whole = (offset + len(content)) // 3 * 4
        found.append(text[first:whole])
    return [*found, *(t.replace("+", "-").replace("/", "_") for t in found)]


def _klass(secret: str) -> str:
    """What the last look calls it; `OTHER` for what it does not know."""
    try:
        FinalScanner().check(secret, sink="purge")
    except LeakBlocked as found:
        return found.classes[0]
    return "OTHER"
