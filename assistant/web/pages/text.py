"""Text for pages: what cannot be seen is shown as what it is, placeholders get the colour of their class, and times and
amounts have one form.

Escaping is Jinja's; what is unseen is spelled out (`core.unseen`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from markupsafe import Markup, escape

from assistant.core.hypothesis import Verdict
from assistant.core.unseen import spelled
from assistant.render.words import verdict_words

_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9]*(?:_[A-Z]+)*)(?:_\d+)?(?:\.\d+)?(?: [^<>\n]{1,40})?>")
GROUPS: Mapping[str, frozenset[str]] = {
    "card": frozenset({"PAN", "TRACK", "SAD", "CVV", "PIN", "PINBLOCK", "EXPIRY", "IIN", "BIN"}),
    "secret": frozenset({"SECRET", "TOKEN", "KEY", "PASSWORD", "JWT", "CREDENTIAL"}),
}
"""Colours of redactions: card data, secrets, and (everything else) personal data."""


def visible(value: Any) -> Any:
    """For Jinja's `finalize`: strings with everything unseen made visible; anything else, and markup of ours, as it
    is."""
    if value is None:
        return ""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return spelled(value)


def group_of(klass: str) -> str:
    """card, secret or personal."""
    return next((name for name, classes in GROUPS.items() if klass.upper() in classes), "personal")


def sure(verdict: str) -> str:
    """A verdict as people read it (see `render.words`); any other word as it is."""
    return verdict_words(verdict) if verdict in get_args(Verdict) else verdict  # type: ignore[arg-type]


def coloured(text: str) -> Markup:
    """Text with each placeholder of a redaction marked by its class."""
    parts: list[Markup] = []
    at = 0
    for hit in _PLACEHOLDER.finditer(text):
        parts.append(escape(visible(text[at : hit.start()])))
        klass = hit[1]
        parts.append(
            Markup('<mark class="redacted {}" title="{} was removed here">{}</mark>').format(
                group_of(klass), klass, visible(hit[0])
            )
        )
        at = hit.end()
    parts.append(escape(visible(text[at:])))
    return Markup("").join(parts)


def moment(value: object) -> datetime | None:
    """A time given as Unix seconds, RFC 3339 or datetime; None where it is none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        return datetime.fromisoformat(str(value)).astimezone(UTC) if value else None
    except (ValueError, OverflowError, OSError):
        return None


def clock(value: object) -> Markup:
    """`23 Nov 17:48:02Z` as a `<time>` element; a dash where there is none."""
    return _time(value, "%-d %b %H:%M:%SZ")


def dated(value: object) -> Markup:
    """`2026-11-23 17:48:02Z`: with the year, for what is kept longer than one."""
    return _time(value, "%Y-%m-%d %H:%M:%SZ")


def _time(value: object, form: str) -> Markup:
    at = moment(value)
    if at is None:
        return Markup("–")
    iso = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, iso, at.strftime(form))


def coded(text: str) -> Markup:
    """A sentence of ours with what stands between `backticks` as code, as a terminal shows it too."""
    parts = [escape(visible(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:  # one without its other half
        return Markup("`").join(parts)
    return Markup("").join(p if i % 2 == 0 else Markup("<code>{}</code>").format(p) for i, p in enumerate(parts))


def begun(text: str) -> str:
    """As a sentence begins."""
    return text[:1].upper() + text[1:]


def span(seconds: object) -> str:
    """`42 s`, `7 min`, `3 h`, `2 d`; "never" for None."""
    if not isinstance(seconds, int | float):
        return "never"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def number(value: object, digits: int = 0) -> str:
    """With a thin space between thousands."""
    if not isinstance(value, int | float):
        return "–"
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def percent(value: object) -> str:
    return f"{value * 100:.1f}\u00a0%" if isinstance(value, int | float) else "–"


def money(amounts: Mapping[str, float]) -> str:
    """Currencies are never added."""
    return ", ".join(f"{code} {number(value)}" for code, value in sorted(amounts.items())) or "–"


def quantity(value: float | None, unit: str) -> str:
    """A value of a chart in its unit."""
    if value is None:
        return "no sample"
    if unit == "ratio":
        return f"{value * 100:.1f} %"
    if unit == "s":
        return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.2f} s"
    short = f"{value:,.0f}".replace(",", "\u202f") if abs(value) >= 100 else f"{value:.3g}"
    return f"{short} {unit}".strip()
