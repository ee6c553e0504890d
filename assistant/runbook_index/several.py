"""Several runbooks in one file, as wikis export them and small teams keep them: one under each top heading.

A file with front matter is one runbook. Else it is cut at its first-level headings where it has two or more and none is
the name of a part ("Impact", "Steps"), or at its second-level ones where at least half of them are alert names. Each
part is named `FILE#heading`, as an alert's `runbook_url` names it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from assistant.runbook_index.document import FRONT_MATTER, top_headings
from assistant.runbook_index.folders import RawFile

_LIKELY = re.compile(r"^#{1,2} |^(?:=+|-+)[ \t]*$", re.MULTILINE)
_ALERT = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+")
FEWEST, MOST = 2, 500
# Headings of the parts of one runbook: where one stands at the first level, the others there are parts as well.
_PARTS = """
meaning impact diagnosis mitigation escalation description summary overview symptoms symptom steps step resolution cause
causes background troubleshooting investigation investigate remediation verification references links contacts contact
prerequisites introduction procedure rollback recovery notes severity context actions action
"""
PARTS = frozenset(_PARTS.split())


def several(file: RawFile) -> tuple[RawFile, ...]:
    """The runbooks of a file, in order; the file itself where it is one."""
    if FRONT_MATTER.match(file.text) or len(_LIKELY.findall(file.text)) < FEWEST:
        return (file,)
    heads = top_headings(file.text)
    first = [(line, text) for line, level, text in heads if level == 1]
    second = [(line, text) for line, level, text in heads if level == 2]
    if max(len(first), len(second)) > MOST or any(text.strip(" :").lower() in PARTS for _, text in first):
        return (file,)
    if len(first) >= FEWEST:
        return tuple(_parts(file, first))
    names = [text for _, text in second if _ALERT.fullmatch(text)]
    if len(second) >= FEWEST and 2 * len(names) >= len(second):
        return tuple(_parts(file, second))
    return (file,)


def slug(heading: str) -> str:
    """A heading as the fragment of an address, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _parts(file: RawFile, heads: list[tuple[int, str]]) -> Iterator[RawFile]:
    lines = file.text.splitlines(keepends=True)
    seen: dict[str, int] = {}
    for n, (line, heading) in enumerate(heads):
        end = heads[n + 1][0] if n + 1 < len(heads) else len(lines)
        text = "".join(lines[line:end])
        name = slug(heading) or "part"
        seen[name] = seen.get(name, -1) + 1
        path = f"{file.path}#{name}" + (f"-{seen[name]}" if seen[name] else "")
        yield RawFile(path, file.origin, text, hashlib.sha256(text.encode()).hexdigest())
