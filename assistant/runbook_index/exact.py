"""Exact matches: an alert's `runbook_url` as text, then its name. A URL is compared, never requested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, urlsplit

from assistant.core.alert import Alert
from assistant.runbook_index.document import FOLDER_PAGES, Runbook

BY_URL, BY_NAME = "runbook_url", "alert name"
URGENT = frozenset({"critical", "page", "emergency", "p1", "sev1"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{5,}")


def named_in(runbooks: Sequence[Runbook], text: str) -> Iterator[tuple[int, str]]:
    """Runbooks whose alert name a person wrote out in `text`, a team's own before the shipped."""
    said = set(_NAME.findall(text))
    found = [n for n, runbook in enumerate(runbooks) if not said.isdisjoint(runbook.alertnames)]
    for n in sorted(found, key=lambda n: runbooks[n].generic):
        yield n, BY_NAME


def exact_matches(runbooks: Sequence[Runbook], alerts: Sequence[Alert]) -> Iterator[tuple[int, str]]:
    """Numbers of matching runbooks and what matched: those of alerts that wake people before the others', then by URL
    before by name, a team's own before the shipped, no repeats."""
    seen: set[int] = set()
    urgent = [a for a in alerts if a.severity.lower() in URGENT]
    others = [a for a in alerts if a.severity.lower() not in URGENT]
    for some in (urgent, others):
        for how in (BY_URL, BY_NAME):
            found = [n for a in some for n, runbook in enumerate(runbooks) if _matches(runbook, a, how)]
            for n in sorted(dict.fromkeys(found), key=lambda n: runbooks[n].generic):
                if n not in seen:
                    seen.add(n)
                    yield n, how


def _matches(runbook: Runbook, alert: Alert, how: str) -> bool:
    if how == BY_NAME:
        return alert.name in runbook.alertnames
    return bool(alert.runbook_url) and url_names(alert.runbook_url, runbook.path)


def url_names(url: str, path: str) -> bool:
    """Whether `url` ends in the runbook's path, with or without `.md`, compared part by part from the end.

    A URL with one part ("IssuerUnavailable") names a runbook by its file name; with more, every part of the runbook's
    path must stand at the URL's end, so that two teams' `README`-like names are not taken for each other. Hosts that
    show files at `/blob/main/...` work, and so do sites that serve lower-case paths. One of several runbooks in a file
    (`books.md#issuer-down`) is named by the fragment as well.
    """
    at, (file, _, part) = urlsplit(url), path.partition("#")
    wanted, have = _parts(at.path or url), _parts(file)
    if not wanted or not have or (part and unquote(at.fragment).lower() != part):
        return False
    n = min(len(wanted), len(have))
    return wanted[-n:] == have[-n:]


def _parts(path: str) -> list[str]:
    parts = [unquote(part).lower() for part in path.split("/") if part and part != "."]
    if not parts:
        return []
    last = parts[-1].removesuffix(".md").removesuffix(".markdown").removesuffix(".html")
    return parts[:-1] if parts[:-1] and last in FOLDER_PAGES else [*parts[:-1], last]
