"""The runbooks of all folders as redacted values, with a version, and what was left out and why.

Redaction happens here, before anything is ranked or stored: what later code holds of a runbook's prose has crossed the
redactor. Alert names, services and paths stay as written, because they are matched, and are redacted when shown; but
one that holds a card number is redacted too, and a file named with one is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from assistant.errors import RunbookIndexError
from assistant.runbook_index.cache import Cache, key, pack, unpack
from assistant.runbook_index.document import Runbook, Section, parse_runbook
from assistant.runbook_index.folders import RawFile, Skipped, read_folder, read_git
from assistant.runbook_index.several import several
from redaction import Policy, RedactedText, RedactionError

LEAD_HEADINGS = frozenset({"meaning", "description", "summary", "overview"})
PAN_DIGITS = 12  # the shortest card number, ISO/IEC 7812-1
OURS = LEAD_HEADINGS | {"impact", "diagnosis", "mitigation", "escalation", "whose fault is it"}  # words of the form


class Redacts(Protocol):
    """What this room needs of `redaction.Redactor`."""

    @property
    def policy(self) -> Policy: ...

    def redact(self, text: str) -> RedactedText: ...


@dataclass(frozen=True, slots=True)
class Library:
    """`version` is the SHA-256 over paths and file hashes in order: the same files, the same version."""

    runbooks: tuple[Runbook, ...]
    skipped: tuple[Skipped, ...]
    version: str


def read_files(dirs: Sequence[Path], git: Sequence[str] = ()) -> Iterator[RawFile | Skipped]:
    """Runbooks of every directory, then of every Git spec. Raises RunbookIndexError for a folder that is not there."""
    for file in chain(*map(read_folder, dirs), *map(read_git, git)):
        yield from several(file) if isinstance(file, RawFile) else (file,)


def load(files: Iterable[RawFile | Skipped], redactor: Redacts, cache: Cache, *, policy: str) -> Library:
    """Parse and redact what the cache does not hold. A file that cannot be parsed or redacted is skipped with the
    reason; the same bytes at the same path twice (a directory and its Git repository) count once."""
    found = [_named(file, redactor) for file in files]
    skipped = [file for file in found if isinstance(file, Skipped)]
    raw = list({(file.path, file.digest): file for file in reversed(found) if isinstance(file, RawFile)}.values())[::-1]
    keys = [key(policy, file.path, file.digest) for file in raw]
    kept = cache.get(keys)
    runbooks: list[Runbook] = []
    fresh: dict[str, bytes] = {}
    for k, file in zip(keys, raw, strict=True):
        runbook = _kept(kept.get(k), file) or _made(file, redactor)
        if isinstance(runbook, Skipped):
            skipped.append(runbook)
            continue
        runbooks.append(runbook)
        if k not in kept:
            fresh[k] = pack(runbook)
    cache.put(fresh)
    return Library(tuple(runbooks), tuple(skipped), _version(runbooks))


def _kept(data: bytes | None, file: RawFile) -> Runbook | None:
    try:
        return unpack(data, origin=file.origin) if data else None
    except (ValueError, KeyError, TypeError):
        return None


def _named(file: RawFile | Skipped, redactor: Redacts) -> RawFile | Skipped:
    """The file, or, where its path holds a card number, that it is left out: the path is kept and shown."""
    try:
        shown = _name(file.path, redactor)
    except RedactionError:
        return Skipped("(a file)", "its name could not be redacted")
    return file if shown == file.path else Skipped(shown, "a card number in its name; rename it")


def _name(text: str, redactor: Redacts) -> str:
    """A name as written unless it may hold a card number: shorter runs of digits are names of hosts and versions."""
    return redactor.redact(text).text if sum(map(str.isdigit, text)) >= PAN_DIGITS else text


def _made(file: RawFile, redactor: Redacts) -> Runbook | Skipped:
    try:
        return redacted(parse_runbook(file.text, path=file.path, digest=file.digest, origin=file.origin), redactor)
    except RunbookIndexError as error:
        return Skipped(file.path, error.message)
    except RedactionError:
        return Skipped(file.path, "could not be redacted")


def redacted(runbook: Runbook, redactor: Redacts) -> Runbook:
    """The same runbook with every text redacted; fences go with their section's text. Raises RedactionError."""

    def clean(text: str) -> str:
        return redactor.redact(text).text if text else ""

    def heading(text: str) -> str:
        return text if text.strip().lower() in OURS else clean(text)

    def section(s: Section) -> Section:
        steps = tuple(replace(step, text=clean(step.text)) for step in s.steps)
        return replace(s, trail=tuple(heading(h) for h in s.trail), text=clean(s.text), steps=steps, fences=())

    def names(found: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_name(n, redactor) for n in found)

    return replace(
        runbook,
        title=clean(runbook.title),
        sections=tuple(section(s) for s in runbook.sections),
        alertnames=names(runbook.alertnames),
        services=names(runbook.services),
        kinds=names(runbook.kinds),
        symptoms=tuple(map(clean, runbook.symptoms)),
        related=names(runbook.related),
        reviewed=_name(runbook.reviewed, redactor),
        severity=_name(runbook.severity, redactor),
        owner="",
        extra={},
    )


def lead(runbook: Runbook) -> str:
    """The text of the section that says what the alert is: "Meaning" or the like, else the first with any text."""
    written = [s for s in runbook.sections if s.text]
    named = [s for s in written if s.heading.strip().lower() in LEAD_HEADINGS]
    return next((s.text for s in named or written), "")


def whole(runbook: Runbook) -> str:
    """Everything that is ranked: title, names as words, symptoms, headings and text."""
    names = " ".join((*runbook.alertnames, *runbook.services))
    sections = (f"{s.heading}\n{s.text}" for s in runbook.sections)
    return "\n".join((runbook.title, names, *runbook.symptoms, *sections))


def _version(runbooks: Iterable[Runbook]) -> str:
    return hashlib.sha256("\n".join(f"{r.path}\0{r.hash}" for r in runbooks).encode()).hexdigest()
