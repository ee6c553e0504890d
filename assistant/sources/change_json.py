"""Change events from JSON: one list of objects, the same in a world, a file and behind a URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.core.evidence import Change
from assistant.core.time import Instant, Window
from assistant.errors import SourceMalformed
from assistant.sources.door import Door

MAX_CHANGES = 5000
MAX_TEXT = 2000
MAX_DIFF = 20_000


def changes_of(document: Any, door: Door) -> tuple[Change, ...]:
    """`[{ts, kind, service, id, title, diff?}, …]`, or `{"changes": [...]}`; `ts` Unix seconds. In time order.
    Raises SourceMalformed naming the entry."""
    items = document.get("changes") if isinstance(document, Mapping) else document
    if not isinstance(items, list):
        raise SourceMalformed(door.source, "changes: not a list of objects", mend="give a JSON list")
    if len(items) > MAX_CHANGES:
        raise SourceMalformed(door.source, f"changes: more than {MAX_CHANGES}", mend="keep the recent ones")
    raw = [_texts(item, i + 1, door.source) for i, item in enumerate(items)]
    titles = door.texts([title for _, title, _ in raw])
    diffs = door.texts([diff for _, _, diff in raw])
    changes = [
        Change(
            t=_ts(item, i + 1, door.source),
            kind=door.value("kind", str(item.get("kind", "change"))[:64]),
            service=door.value("service", str(item.get("service", ""))[:200]),
            id=ident,
            title=title.text,
            diff=diff.text,
        )
        for i, (item, ident, title, diff) in enumerate(zip(items, _ids(raw, door), titles, diffs, strict=True))
    ]
    return tuple(sorted(changes, key=lambda c: c.t))


def within(changes: Sequence[Change], window: Window) -> tuple[Change, ...]:
    """Those inside the window, its end included: a change at the very moment of looking has happened."""
    return tuple(c for c in changes if window.start <= c.t <= window.end)


def _ids(raw: Sequence[tuple[str, str, str]], door: Door) -> list[str]:
    return [item.text for item in door.texts([ident for ident, _, _ in raw])]


def _texts(item: Any, number: int, source: str) -> tuple[str, str, str]:
    if not isinstance(item, Mapping):
        raise SourceMalformed(source, f"change {number}: not an object")
    found = [item.get(key, "") for key in ("id", "title", "diff")]
    texts = [str(x) if isinstance(x, str | int) and not isinstance(x, bool) else None for x in found]
    if None in texts:
        raise SourceMalformed(source, f"change {number}: id, title and diff must be text")
    ident, title, diff = (x or "" for x in texts)
    return ident[:MAX_TEXT], title[:MAX_TEXT], diff[:MAX_DIFF]


def _ts(item: Mapping[str, Any], number: int, source: str) -> Instant:
    ts = item.get("ts")
    if isinstance(ts, bool) or not isinstance(ts, int | float) or not 0 < ts < 1e11:
        raise SourceMalformed(source, f"change {number}: ts is not Unix seconds")
    return Instant(float(ts))
