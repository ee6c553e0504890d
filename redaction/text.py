"""Values that this room gives out: text that has been redacted, and what was done to it.

`RedactedText` is sealed: only a `Redactor`, or `FinalScanner.restore`, makes one. The seal stops accidents (a
constructor call, `copy`, `pickle`, `dataclasses.replace`, `object.__setattr__`); whoever imports this module's
private names means to break it, and the scanner at every sink is there for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn, SupportsIndex, final

_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stood: `[start, end)` in characters of the original text, and what stands there now.

    `kind` is `test` for a published test PAN, `range` for a PAN-shaped token of a configured range, else empty.
    """

    klass: str
    start: int
    end: int
    replacement: str
    kind: str = ""


class _Content(tuple[str, tuple[Span, ...], Mapping[str, int]]):
    """The sealed content. A tuple, so that nothing can be set on it; private, so that only `seal` makes one."""

    __slots__ = ()


@final
class RedactedText:
    """Text that holds no card data, authentication data, personal data or secret that the policy names.

    Equality and hash are by text. `str(x)` and `x.text` give the text.
    """

    __slots__ = ("_content",)
    _content: _Content

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("RedactedText is made by a Redactor, or by FinalScanner.restore; not by its constructor")

    @property
    def _sealed(self) -> _Content:
        content = self._content
        if type(content) is not _Content:
            raise TypeError("this RedactedText was not made by a Redactor")
        return content

    @property
    def text(self) -> str:
        return self._sealed[0]

    @property
    def spans(self) -> tuple[Span, ...]:
        """What was replaced, in order of place; empty for restored and joined texts."""
        return self._sealed[1]

    @property
    def counts(self) -> Mapping[str, int]:
        """Values removed, by class."""
        return self._sealed[2]

    @staticmethod
    def join(separator: str, parts: Iterable[RedactedText]) -> RedactedText:
        """One text of many. The separator is our own and may hold no letter and no digit.

        Raises: TypeError for a part that is not RedactedText; ValueError for a separator with letters or digits.
        """
        if any(c.isalnum() for c in separator):
            raise ValueError("a separator of redacted texts holds no letter and no digit")
        contents = [part._sealed for part in parts]
        counts: Counter[str] = Counter()
        for _, _, more in contents:
            counts.update(more)
        return seal(separator.join(text for text, _, _ in contents), counts=counts)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"RedactedText({self.text!r})"

    def __len__(self) -> int:
        return len(self.text)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, RedactedText) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("RedactedText cannot be changed")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __copy__(self) -> RedactedText:
        return self

    def __deepcopy__(self, memo: object) -> RedactedText:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("RedactedText is not pickled; store its text and take it back with FinalScanner().restore")

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("RedactedText has no subclasses")


_set_content = RedactedText.__dict__["_content"].__set__
_new = object.__new__


def seal(text: str, *, spans: tuple[Span, ...] = (), counts: Mapping[str, int] = _NOTHING) -> RedactedText:
    """For the redactor and the scanner of this room only."""
    made = _new(RedactedText)
    _set_content(made, _Content((text, spans, MappingProxyType(dict(counts)) if counts else _NOTHING)))
    return made


@dataclass(frozen=True, slots=True)
class RedactedValue:
    """A JSON-able structure after redaction (mappings, lists, strings, numbers, booleans, None), and the counts."""

    value: Any
    counts: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
