"""Who may accept a release: a file that a team keeps where changes to it are reviewed, owned by security.

::

    [[person]]
    id = "bea"                                             # a handle, never an address: it stands in the log
    key = "bea+1a2b3c4d+AZ…"                               # what `payops eval key` printed; without one: authors only
    git = ["bea@shop.example", "bea@home.example"]         # every address under which this person commits

One person is one entry: the same id, address or key twice is refused, so that nobody is two people by another spelling.
An address of an author that stands nowhere in the file is refused too, by whoever asks (`Person.of`).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import LogInconsistent, UsageError
from assistant.promptlog.checkpoint import Verifier, parse_vkey

HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    key: Verifier | None
    git: frozenset[str]


@dataclass(frozen=True, slots=True)
class People:
    """`sha256` is that of the file, so that an approval names the list it was given under. `approvers` is what the log
    keeps of it: handles and public keys, no address."""

    everyone: tuple[Person, ...]
    text: str

    @property
    def approvers(self) -> str:
        return "".join(f"{p.id} {p.key}\n" for p in self.everyone if p.key)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def by_id(self, name: str) -> Person | None:
        return next((p for p in self.everyone if p.id == same(name)), None)

    def of(self, addresses: Iterable[str]) -> tuple[Person, ...]:
        """The people behind addresses of commits. UsageError names an address that is nobody's."""
        found = {}
        for address in addresses:
            person = next((p for p in self.everyone if same(address) in p.git), None)
            if person is None:
                mend = "add the address to `git` of that person in the people file"
                raise UsageError(f"nobody in the people file commits as {address}", mend=mend)
            found[person.id] = person
        return tuple(found[name] for name in sorted(found))


def same(text: str) -> str:
    """One spelling of an id or address."""
    return text.strip().casefold()


def read_people(path: Path) -> People:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", mend="give the people file to --people") from None
    return parse_people(text, str(path))


def parse_people(text: str, where: str = "the people file") -> People:
    """UsageError for what does not read, and for one person in two entries."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not TOML: {error}", mend="mend that line") from None
    rows = raw.get("person")
    if set(raw) != {"person"} or not isinstance(rows, list):
        raise UsageError(f"{where}: wants [[person]] tables and nothing else", mend="see evals/people.py")
    everyone = tuple(_person(row, where) for row in rows)
    _apart(everyone, where)
    return People(everyone, text)


def _person(row: Mapping[str, Any], where: str) -> Person:
    name, git = row.get("id"), row.get("git", [])
    unknown = sorted(set(row) - {"id", "key", "git"})
    if unknown:
        raise UsageError(f'{where}: unknown key "{unknown[0]}"', mend="known: id, key, git")
    if not isinstance(name, str) or not HANDLE.fullmatch(name):
        raise UsageError(f"{where}: id {name!r} is no handle", mend="letters a-z, digits, dot and dash: bea.k")
    if not isinstance(git, list) or not all(isinstance(a, str) and _plain(a) for a in git):
        raise UsageError(f"{where}: git of {name} is not a list of plain addresses", mend='git = ["…", "…"]')
    return Person(same(name), _key(row, name, where), frozenset(same(a) for a in git))


def _key(row: Mapping[str, Any], name: str, where: str) -> Verifier | None:
    if "key" not in row:
        return None
    try:
        key = parse_vkey(str(row["key"]))
    except LogInconsistent as error:
        raise UsageError(f"{where}: key of {name}: {error.message}", mend="copy what payops eval key printed") from None
    if same(key.name) != same(name):
        raise UsageError(f"{where}: the key of {name} is {key.name}'s", mend="one key for one person")
    return key


def _plain(text: str) -> bool:
    """Letters that look like others (Cyrillic а) would make one person two."""
    return text.isascii() and text.isprintable() and " " not in text


def _apart(everyone: Iterable[Person], where: str) -> None:
    seen: dict[tuple[str, object], str] = {}
    for person in everyone:
        for mark in _marks(person):
            if mark in seen:
                raise UsageError(f"{where}: {seen[mark]} and {person.id} are one person", mend="make them one entry")
            seen[mark] = person.id


def _marks(person: Person) -> Iterator[tuple[str, object]]:
    yield "id", person.id
    yield from (("git", address) for address in person.git)
    if person.key:
        yield "key", person.key.public
