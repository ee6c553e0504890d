"""Nested structures and bytes: every leaf is judged under its own key, and every key is judged too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from redaction.cards import Hit
from redaction.errors import RedactionError
from redaction.keys import keyed

if TYPE_CHECKING:
    from redaction.redactor import Redactor

MAX_DEPTH = 200
_GENERIC = frozenset({"value", "val", "raw", "data", "content", "text", "clear", "plain", "#text", "$"})


def decoded(data: bytes) -> str:
    """Bytes as text. What is not valid shows as U+FFFD; zeros between letters mean UTF-16."""
    head = data[:4096]
    plain = sum(32 <= byte < 127 for byte in head)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and plain * 4 < len(head) * 3:
        return data.decode("utf-16", "replace")
    if head.count(0) * 5 >= len(head) * 2 and len(head) > 3:
        return data.decode("utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be", "replace")
    return data.decode("utf-8", "replace")


class Walk:
    """One walk over one structure. Counts go to `counts`. `labels`: its keys are names of labels."""

    def __init__(self, redactor: Redactor, counts: Counter[str], *, labels: bool = False) -> None:
        self._redactor = redactor
        self._labels = labels
        self._counts = counts
        self._open: set[int] = set()

    def value(self, obj: Any, key: str = "", depth: int = 0) -> Any:
        if obj is None or isinstance(obj, bool):
            return obj
        if isinstance(obj, str):
            return self._text(obj, key)
        if isinstance(obj, (int, float)):
            return self._number(obj, key)
        if isinstance(obj, (bytes, bytearray)):
            return self._text(decoded(bytes(obj)), key)
        if isinstance(obj, (Mapping, list, tuple)):
            return self._nested(obj, key, depth)
        raise RedactionError(f"a {type(obj).__name__} is not JSON", mend="give mappings, lists, texts and numbers")

    def _nested(self, obj: Any, key: str, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            raise RedactionError(f"a structure is deeper than {MAX_DEPTH}", mend="flatten it, or redact its text")
        if id(obj) in self._open:
            raise RedactionError("a structure contains itself", mend="give a tree")
        self._open.add(id(obj))
        try:
            if isinstance(obj, Mapping):
                return self._mapping(obj, key, depth)
            return [self.value(item, key, depth + 1) for item in obj]
        finally:
            self._open.discard(id(obj))

    def _mapping(self, obj: Mapping[Any, Any], key: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, item in obj.items():
            raw = name if isinstance(name, str) else str(name)
            clean = self._count(self._redactor.redact(raw))
            free, number = clean, 2
            while free in made:
                free, number = f"{clean} ({number})", number + 1
            made[free] = self.value(item, f"{key}.{raw}" if key else raw, depth + 1)
        return made

    def _number(self, number: int | float, key: str) -> Any:
        if isinstance(number, float) and not math.isfinite(number):
            return str(number)
        whole = isinstance(number, float) and number.is_integer() and 1e11 <= number < 1e19
        text = str(int(number)) if whole else _digits(number)
        made = self._text(text, key)
        return number if made == text else made

    def _text(self, text: str, key: str) -> str:
        """A leaf: the class of its key decides first, then its own content."""
        klass = self._redactor.class_of_key(_owner(key)) if key else ""
        found = keyed(klass, text) if klass else None
        if found is None:
            return self._count(
                self._redactor.redact_named(text, _owner(key), label=self._labels)
                if key
                else self._redactor.redact(text)
            )
        start, end, canonical = found
        hit = Hit(start, end, klass.removesuffix("_CODE"), canonical)
        return self._count(self._redactor.redact_known(text, hit))

    def _count(self, redacted: Any) -> str:
        self._counts.update(redacted.counts)
        return str(redacted.text)


def _owner(key: str) -> str:
    """The key that says what a value is: of `{"cvv": {"value": "917"}}` that is cvv."""
    owner, dot, last = key.rpartition(".")
    return owner if dot and last.lower() in _GENERIC else key


def _digits(number: int | float) -> str:
    try:
        return str(number)
    except ValueError:  # an int beyond sys.get_int_max_str_digits()
        raise RedactionError("a number has thousands of digits", mend="give it as text") from None
