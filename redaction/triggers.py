"""Which rules can possibly match a text: one pass over its bytes, before any rule runs.

A trigger is a regular expression that must match wherever its rule matches. All triggers of all rules are compiled
into one Hyperscan database (linear time, whatever the text); where Hyperscan is not installed, `re` looks for each in
turn. Both read the same UTF-8 bytes (with a space before and behind, so that a trigger may ask for a border) with the
same patterns, and a test holds them to the same answers.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from redaction import compiled


class Triggers:
    """`fired(text)` gives the numbers of the rules whose triggers match, in order.

    `engine` is "hyperscan" or "re"; None takes Hyperscan if it can be imported.
    """

    def __init__(self, rules: Sequence[Sequence[str]], *, engine: str | None = None) -> None:
        self._owner = [number for number, patterns in enumerate(rules) for _ in patterns]
        self._patterns = [pattern for patterns in rules for pattern in patterns]
        self._always = tuple(number for number, patterns in enumerate(rules) if not patterns)
        self.fired: Callable[[str], list[int]]
        database = None if engine == "re" else self._database(required=engine == "hyperscan")
        self.engine = "re" if database is None else "hyperscan"
        self.fired = self._by_re() if database is None else self._by_hyperscan(database)

    def _database(self, *, required: bool) -> Any:
        try:
            import hyperscan
        except ImportError:
            if required:
                raise
            return None
        flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
        return database_of(self._patterns, flags=flags)

    def _by_hyperscan(self, database: Any) -> Callable[[str], list[int]]:
        import hyperscan

        owner, always = self._owner, self._always
        local = threading.local()

        def fired(text: str) -> list[int]:
            scratch = getattr(local, "scratch", None)
            if scratch is None:
                scratch = local.scratch = hyperscan.Scratch(database)
            found = set(always)

            def note(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
                found.add(owner[number])

            database.scan(f" {text} ".encode("utf-8", "surrogatepass"), match_event_handler=note, scratch=scratch)
            return sorted(found)

        return fired

    def _by_re(self) -> Callable[[str], list[int]]:
        compiled = [re.compile(p.encode()) for p in self._patterns]
        owner, always = self._owner, self._always

        def fired(text: str) -> list[int]:
            data = f" {text} ".encode("utf-8", "surrogatepass")
            found = set(always)
            for number, pattern in enumerate(compiled):
                if owner[number] not in found and pattern.search(data):
                    found.add(owner[number])
            return sorted(found)

        return fired


def database_of(patterns: Sequence[str], *, flags: int) -> Any:
    """The Hyperscan database of `patterns`, numbered in their order: the kept one, or compiled and kept."""
    import hyperscan

    place = compiled.folder()
    name = compiled.name_of(patterns, flags=flags, engine=getattr(hyperscan, "__version__", ""))
    saved = compiled.kept(place, name)
    database = None if saved is None else _loaded(saved)
    if database is None:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        numbers = list(range(len(patterns)))
        database.compile(expressions=[p.encode() for p in patterns], ids=numbers, elements=len(numbers), flags=flags)
        made = database
        compiled.keep(place, name, lambda: hyperscan.dumpb(made))
    return database


def _loaded(saved: bytes) -> Any:
    """The kept database, or None if this engine on this processor does not take it."""
    import hyperscan

    try:
        database = hyperscan.loadb(saved, mode=hyperscan.HS_MODE_BLOCK)
        hyperscan.Scratch(database)
    except hyperscan.error:
        return None
    return database
