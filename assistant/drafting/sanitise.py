"""Text on its way into a prompt: nothing hidden in it, nothing that looks like our own fences. Pure.

Characters that people do not see but models read (controls, bidirectional overrides, zero-width and tag characters,
private use, ANSI sequences) are the cheapest way to plant an instruction; log lines lose nothing without them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from assistant.core.inert import visible

FENCE = "=" * 8
_FENCE_LIKE = re.compile(r"[=＝═⩵]{4,}")
_ROLE_TOKEN = re.compile(r"<\|[^|<>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>", re.IGNORECASE)
_BREAKS = re.compile(r"[ \t]*\n\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Sanitised:
    """`text` as it may go into a prompt; `hidden` and `lookalikes` count what was taken out."""

    text: str
    hidden: int
    lookalikes: int


def sanitise(text: str) -> Sanitised:
    """`text` without hidden characters, fence look-alikes and the control tokens of chat templates."""
    seen = visible(text.replace("\r\n", "\n").replace("\r", "\n"))
    plain, fences = _FENCE_LIKE.subn("===", seen)
    plain, roles = _ROLE_TOKEN.subn("", plain)
    return Sanitised(_BREAKS.sub("\n", plain).strip(), len(text) - len(seen), fences + roles)


def nonce(texts: Iterable[str]) -> str:
    """A word that stands in the fences of these texts and that nobody who wrote one of them could know: letters only,
    from the hash of all of them, so that the same prompt is built twice from the same evidence."""
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()
    return "".join(chr(ord("a") + b % 26) for b in digest[:10])


def fenced(label: str, text: str, mark: str) -> str:
    """`text` between fences that carry `label` and the nonce `mark`."""
    return f"{FENCE} {label} {mark} {FENCE}\n{text}\n{FENCE} end {label} {mark} {FENCE}"
