"""Changes told by log lines: a configured Loki selector whose every line is one change event."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from assistant.core.evidence import Change, LogLine
from assistant.core.query import Matcher, Op
from assistant.core.time import Instant
from assistant.errors import SettingsError

_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|\Z)')
_KINDS = (
    ("flag", r"feature.?flag|toggle|launchdarkly|unleash"),
    ("certificate", r"certificat|\bcert\b|\btls\b|keystore"),
    ("maintenance", r"maintenance|change.?window|freeze"),
    ("config", r"\bconfig|configmap|setting|parameter|rule.?set"),
    ("deploy", r"deploy|rollout|rollback|release|upgrade|image|version"),
)
_ID = re.compile(r"\b(?:[0-9a-f]{7,40}|v?\d+\.\d+(?:\.\d+)*(?:[-+][\w.]+)?|[A-Z]{2,8}-\d+)\b")


def selector_of(text: str) -> tuple[Matcher, ...]:
    """`{app="deployer", env=~"prod|live"}`: matchers only, no pipeline. Raises SettingsError."""
    body = text.strip()
    if not (body.startswith("{") and body.endswith("}")):
        raise SettingsError(f"[changes] loki: {text!r} is not a selector", mend='write {app="deployer"}')
    rest, found = body[1:-1], []
    while rest.strip():
        match = _MATCHER.match(rest)
        if match is None:
            raise SettingsError(f"[changes] loki: {text!r} is not a selector", mend='write {app="deployer"}')
        value = re.sub(r"\\(.)", r"\1", match[3])
        found.append(Matcher(match[1], cast("Op", match[2]), value))
        rest = rest[match.end() :]
    return tuple(found)


def changes_of_lines(lines: Sequence[LogLine]) -> tuple[Change, ...]:
    """One change a line. JSON lines may say kind, service, id, title, diff; else the text tells."""
    return tuple(_change(line) for line in lines)


def _change(line: LogLine) -> Change:
    told = _told(line.text)
    title = told.get("title") or told.get("message") or told.get("msg") or line.text
    ident = told.get("id") or told.get("sha") or told.get("commit") or told.get("version")
    found = _ID.search(title)
    return Change(
        t=Instant(line.t),
        kind=told.get("kind") or _kind(line.text),
        service=told.get("service") or line.labels.get("service", ""),
        id=ident or (found[0] if found else f"{line.t:.0f}"),
        title=title[:300],
        diff=told.get("diff", ""),
    )


def _told(text: str) -> Mapping[str, str]:
    if not text.startswith("{"):
        return {}
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {k: str(v) for k, v in document.items() if isinstance(v, str | int)} if isinstance(document, dict) else {}


def _kind(text: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.search(pattern, text, re.IGNORECASE)), "change")
