"""Names in prose: services, issuers, hashes, tokens, quoted strings, anything that points at one thing in the world.

A word is a name where its form says so (an identifier, a capital inside a sentence, quotes, a script that is not ours)
or where the incident knows it as an entity. Ordinary openers of a sentence are in `words.txt`; a word that is missing
there costs a claim, never lets one through.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from assistant.core.inert import PLACEHOLDER
from assistant.drafting.lexicon import ordinary, plain, stem, terms

_QUOTED = re.compile(r"[`\"“«]([^`\"”»]{2,120})[`\"”»]|(?<![A-Za-z])'([^']{2,120})'(?![A-Za-z])")
_TOKEN = re.compile(r"[^\W_][\w'’]*(?:[-_./:@+#=][\w'’]+)*", re.UNICODE)
_ENGLISH_HEAD = """
    anti co cross end ex first follow half high in last late long low mid multi no non off on one own part post pre
    re read real second self semi short single so sub third three time two under up well wide write
    """
_ENGLISH_TAIL = """
    affected backed based by caused coded down driven facing free heavy in initiated level like minute hour day off
    only out over present range related served side sided specific style term through to up way week wide second
    fold month point
    """
_COMPOUNDS = "card-not-present card-present stand-in back-end front-end e-commerce 3-d rolled-back"
_MAX_WORD = 24


@cache
def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def names(text: str) -> tuple[str, ...]:
    """What `text` names, in order, by form alone."""
    found = [m[0] for m in PLACEHOLDER.finditer(text)]
    text = unicodedata.normalize("NFKC", PLACEHOLDER.sub(" ", text))
    found += [(m[1] or m[2]).strip() for m in _QUOTED.finditer(text)]
    for match in _TOKEN.finditer(text):
        token = match[0].rstrip("'’")
        token = re.sub(r"['’]s$", "", token)
        if _is_name(token) and not (_opens(text, match.start()) and _is_word(token)):
            found.append(token)
    return tuple(dict.fromkeys(found))


def _is_word(token: str) -> bool:
    return token[1:].islower() and (stem(token) in plain() or stem(token) in terms())


def _opens(text: str, at: int) -> bool:
    """Whether a sentence begins at `at`: its capital says nothing."""
    return not text[:at].strip() or re.search(r"[.!?:;]\s+$", text[:at]) is not None


def occurs(name: str, text: str) -> bool:
    """Whether `name` stands in `text` as a whole word, case and spacing aside; a hash may be cut to 7 or more."""
    squeeze = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    tail = "" if re.fullmatch(r"(?=[0-9a-f]*\d)[0-9a-f]{7,39}", squeeze) else r"(?![\w])"
    return re.search(rf"(?<![\w]){re.escape(squeeze)}{tail}", text) is not None


def mentioned(text: str, entities: Iterable[str]) -> tuple[str, ...]:
    """The entities that `text` names, longest first, so that `gateway-eu` is not also `gateway`."""
    found, rest = [], text
    for entity in sorted({e for e in entities if len(e) >= 2}, key=lambda e: (-len(e), e)):
        if occurs(entity, rest):
            found.append(entity)
            rest = re.sub(re.escape(entity), " ", rest, flags=re.IGNORECASE)
    return tuple(found)


_NUMBER = re.compile(r"[\d,]+(?:\.\d+)?(?:ns|us|ms|s|m|h|d|k|M|x|bn|mn|[kMG]i?B|th|st|nd|rd|Z|pp)?")


def _is_name(token: str) -> bool:
    low = token.casefold()
    if low in ordinary() or low in _set(_COMPOUNDS) or _NUMBER.fullmatch(token):
        return False
    if not token.isascii() or len(token) > _MAX_WORD:
        return True
    if re.search(r"[-_./:@+#=]", token):
        return not _compound(low)
    if any(c.isdigit() for c in token) or any(c.isupper() for c in token[1:]):
        return True
    return token[0].isupper()


def _compound(token: str) -> bool:
    """Ordinary English in hyphens or a slash: `read-only`, `issuer-side`, `approved/declined`, `10-minute`, `09:41`.

    Two ordinary words in a hyphen are none: `payment-gateway` is a service.
    """
    if re.fullmatch(r"[\d:.,/-]+(?:z|s|ms|h|m|d|%)?", token):
        return not re.fullmatch(r"\d+(?:\.\d+){2,}", token)
    if re.fullmatch(r"[a-z]+(?:/[a-z]+)+", token):
        return all(p in ordinary() for p in token.split("/"))
    parts = token.split("-")
    if any(re.search(r"[^a-z0-9]", p) for p in parts):
        return False
    if re.fullmatch(r"\d+(?:\.\d+)?", parts[0]) and len(parts) == 2:
        return parts[1] in _set(_ENGLISH_TAIL)
    return parts[0] in _set(_ENGLISH_HEAD) or parts[-1] in _set(_ENGLISH_TAIL)
