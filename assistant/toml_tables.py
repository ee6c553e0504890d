"""Tables of TOML to frozen dataclasses: names of fields are the keys, hints the types; every error names its line."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from assistant.errors import SettingsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Where:
    """The file at hand, and what is wrong in it: all of it is found, not only the first."""

    file: str
    text: str
    errors: list[SettingsError] = field(default_factory=list)

    def line(self, path: tuple[str, ...]) -> str:
        """`file:line` of the key, as well as text can tell: its table's header first, then the key below it."""
        lines, start = self.text.splitlines(), 0
        for i, line in enumerate(lines):
            head = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
            if head and tuple(p.strip(" \"'") for p in head[1].split(".")) == path[:-1]:
                start = i
        for i in range(start, len(lines)):
            if re.match(rf"\s*[\[\"']*{re.escape(path[-1])}[\"'\]]*\s*(=|\.|$|\])", lines[i]):
                return f"{self.file}:{i + 1}"
        for i, line in enumerate(lines):
            if path[-1] in line:
                return f"{self.file}:{i + 1}"
        return self.file


def build(
    kind: type[T],
    table: Mapping[str, Any],
    *,
    where: Where,
    prefix: tuple[str, ...] = (),
    internal: frozenset[str] = frozenset(),
) -> T:
    """The table as a value of this dataclass, its tables as those of its fields; `internal` fields are no keys. What is
    wrong goes to `where.errors`, and the defaults stand in its place."""
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind) if f.name not in internal}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        path = (*prefix, key)
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            mend = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(sorted(known))}"
            where.errors.append(SettingsError(f'{where.line(path)}: unknown key "{".".join(path)}"', mend=mend))
            continue
        try:
            values[key] = _coerce(hints[key], value, where=where, path=path)
        except SettingsError as error:
            where.errors.append(error)
    return kind(**values)


def _coerce(hint: Any, value: Any, *, where: Where, path: tuple[str, ...]) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return build(hint, value, where=where, prefix=path)
    if origin in (types.UnionType, typing.Union):
        inner = next(a for a in args if a is not type(None))
        return _coerce(inner, value, where=where, path=path)
    if origin is tuple and isinstance(value, list):
        return tuple(_coerce(args[0], item, where=where, path=path) for item in value)
    if origin is Mapping and isinstance(value, dict):
        return {k: _coerce(args[1], v, where=where, path=(*path, k)) for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise SettingsError(
        f'{where.line(path)}: "{".".join(path)}" wants {_words(hint)}, not {type(value).__name__}',
        mend="change the value",
    )


def _words(hint: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    if hint in names:
        return names[hint]
    if get_origin(hint) is tuple:
        return "a list"
    return "a table" if get_origin(hint) is Mapping or is_dataclass(hint) else "a value"
