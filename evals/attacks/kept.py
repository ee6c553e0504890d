"""Contexts of lab worlds as they were found, kept as JSON, so that what a model says of them stays true of them.

The analyst goes on changing and would number evidence anew; a statement that was right about `M4` must stay right.
`python -m evals.attacks.kept WORLD FILE` keeps one. Charts are left out: nobody speaks of them.
"""

from __future__ import annotations

import gzip
import json
import sys
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from assistant.core.prompt import Context
from redaction import FinalScanner, RedactedText

FOLDER = Path(__file__).with_name("worlds")


def context_to_json(context: Context) -> Any:
    """The context as JSON; `context_from_json` gives an equal one."""
    return _plain(replace(context, findings=replace(context.findings, charts=())))


def context_from_json(value: Any) -> Context:
    """Every text passes a final scanner on the way back. LeakBlocked where it finds something."""
    made = _made(value, Context, FinalScanner())
    assert isinstance(made, Context)
    return made


def kept() -> dict[str, Context]:
    """Every kept context, by name."""
    return {
        path.name.removesuffix(".json.gz"): context_from_json(json.loads(gzip.decompress(path.read_bytes())))
        for path in sorted(FOLDER.glob("*.json.gz"))
    }


def _plain(value: Any) -> Any:
    if isinstance(value, RedactedText):
        return value.text
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, str | bool | int) else float(value)


def _made(value: Any, kind: Any, scanner: FinalScanner) -> Any:
    """`value` as an instance of the type `kind`, following the type hints of the dataclasses in `assistant.core`."""
    if value is None or kind is Any or isinstance(kind, NewType) or get_origin(kind) is Literal:
        return value
    if kind is RedactedText:
        return scanner.restore(value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _made(v, hints[name], scanner) for name, v in value.items()})
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _made(value, next(a for a in args if a is not type(None)), scanner)
    if origin is tuple:
        return tuple(_made(v, args[0], scanner) for v in value)
    if origin is not None and issubclass(origin, Mapping):
        return {k: _made(v, args[1], scanner) for k, v in value.items()}
    return value


def _keep(world: Path, file: Path) -> None:
    import tempfile

    from assistant.bootstrap import open_world
    from assistant.incidents import incident_of, together
    from assistant.investigate import examine
    from assistant.settings import Settings

    with tempfile.TemporaryDirectory() as state:
        house, source = open_world(world, Settings(state=Path(state)))
        rules = source.rules()
        incident = incident_of(together(source.alerts(), rules), rules, now=house.clock.now())
        case = examine(incident, house)
        house.promptlog.close()
    text = json.dumps(context_to_json(case.context), ensure_ascii=False, sort_keys=True).encode()
    file.write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), Path(sys.argv[2]))
