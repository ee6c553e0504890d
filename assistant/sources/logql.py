"""Log searches written out as LogQL, and the guard that no search passes without a matcher that selects.

Searches are built from fields and never from free text. https://grafana.com/docs/loki/latest/query/log_queries/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from assistant.core.query import Matcher
from assistant.errors import SourceMalformed, SourceTooLarge
from assistant.sources.promql import matchers, quote, re2_escape

MAX_WORDS = 64
MAX_WORD = 200
_ANYTHING = ("", "zq", "Zq-7_z.q", "0", "payments-api")


def require_selective(selector: Sequence[Matcher]) -> None:
    """At least one positive matcher that some ordinary value would fail. `{app=~".+"}` selects everything Loki has:
    that is what costs terabytes, so it raises SourceTooLarge before anything is asked."""
    if not any(_selects(m) for m in selector):
        raise SourceTooLarge("loki", "a log search needs a label held to a value", mend='such as service="checkout"')


def selector_text(selector: Sequence[Matcher]) -> str:
    """`{app="checkout"}`. Raises SourceMalformed for what is no label name."""
    return "{" + matchers(selector) + "}"


def search_text(selector: Sequence[Matcher], contains: Iterable[str]) -> str:
    """The search as people can paste it: `{app="checkout"} |~ "(?i)(?:error|timeout)"`. Raises SourceMalformed."""
    words = list(contains)
    if len(words) > MAX_WORDS or any(not w or len(w) > MAX_WORD for w in words):
        raise SourceMalformed(
            "loki", f"at most {MAX_WORDS} words of 1 to {MAX_WORD} characters", mend="search for fewer"
        )
    if not words:
        return selector_text(selector)
    return f"{selector_text(selector)} |~ {quote('(?i)(?:' + '|'.join(map(re2_escape, words)) + ')')}"


def _selects(matcher: Matcher) -> bool:
    if matcher.op == "=":
        return bool(matcher.value)
    if matcher.op != "=~":
        return False
    try:
        pattern = re.compile(matcher.value)
    except re.error:
        raise SourceMalformed("loki", "a matcher is not a regular expression", mend="change it") from None
    return not any(pattern.fullmatch(text) for text in _ANYTHING)
