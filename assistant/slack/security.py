"""What a person types, at the door: redacted before anything else sees it, and card data becomes a case."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from assistant.core.inert import visible
from assistant.slack.blocks import Message, short_message
from redaction import RedactedText, Redactor

_MENTION = re.compile(r"<[@!#][^>\n]{0,80}>")
_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_LINK = re.compile(r"<((?:https?|mailto|tel):[^>|\s]{1,2000})(?:\|([^>\n]{0,2000}))?>")
_CARD = frozenset({"PAN", "SAD", "TRACK"})
LONGEST = 2_000
"""Characters of a question that are kept; a longer one is cut after it was redacted whole."""


@dataclass(frozen=True, slots=True)
class Typed:
    """`text` is redacted and without Slack's markup. `card` are the classes of card data that it held, published test
    numbers apart; `cut` says that it was too long."""

    text: str
    card: frozenset[str]
    redacted: int
    cut: bool = False

    @property
    def empty(self) -> bool:
        """Nothing to ask: no letter and no digit."""
        return not any(c.isalnum() for c in _without_emoji(self.text))


def typed(raw: str, redactor: Redactor) -> Typed:
    """Slack's own markup goes first (a number between `<tel:…>` is a number), then everything is redacted."""
    plain = _LINK.sub(lambda m: f" {m[2] or m[1]} ", _MENTION.sub(" ", raw))
    for escape, char in _ESCAPES:
        plain = plain.replace(escape, char)
    redacted = redactor.redact(visible(plain).strip())
    return Typed(
        redacted.text[:LONGEST].strip(), card_classes(redacted), len(redacted.spans), len(redacted.text) > LONGEST
    )


def card_classes(text: RedactedText) -> frozenset[str]:
    return frozenset(s.klass for s in text.spans if s.klass in _CARD and s.kind not in ("test", "range"))


def private_word(stamp: str) -> Message:
    return short_message(
        "Your message held what looks like card data. I removed it before anything read it, and told the security "
        "people without the value. The message itself is still in Slack: please delete it.",
        stamp,
    )


def _without_emoji(text: str) -> str:
    return re.sub(r":[a-z0-9_+'-]{1,60}:", " ", text)


Case = Callable[[str, frozenset[str], str], None]
"""Told of card data that somebody typed: the question's id, the classes, the channel."""
