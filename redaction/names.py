"""Names of people in free text: a word passes only if it is common.

NER on log lines misses a third of the names. The gate turns the question round: a capitalised word in prose passes if
it stands in the vocabulary (the default one, and what `payops redact learn` counted in a team's own logs), else it is
taken for a name. Code-shaped words pass (dotted, `CamelCase`, `*Error`, CONSTANTS, anything with a digit, an underscore
or a hyphen to something), because a new error class is exactly what an incident brings. Small-letter words go only if
they are a listed given name. The key of the value decides how strict the gate is: in messages full, under keys of
things (issuer, service, host, region, …) not at all, elsewhere by the list of names only.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from redaction.cards import Hit

# A word of letters that stands free: nothing code-like before or behind it.
_BEFORE = r"(?<![\w.\-/\\@#$%&+~<])"
_AFTER = r"(?![\w\-/\\@#$%&+=~(>]|[.:](?=[\w/\\])|['’]?\s?=)"
_TITLE = re.compile(
    rf"{_BEFORE}[A-Z\u00c0-\u00de\u0100-\u017f\u0391-\u042f][^\W\d_]*[^\W\d_A-Z](?:['’][^\W\d_]+)?"
    rf"(?:-[A-Z][^\W\d_]*[^\W\d_A-Z])?{_AFTER}"
)
_ANY = re.compile(rf"{_BEFORE}[^\W\d_]+(?:['’][^\W\d_]+)?{_AFTER}")
# Code and abbreviations: `auditLog`, `APIServer`, `HSMs`. `McDonald` and `O'Brien` are no code, "don't" is no name.
_CODE = re.compile(r"[a-z][A-Z]|[A-Z]{2}")
_NAMED = re.compile(r"(?:Ma?c|De|Di|Du|La|Le|Fitz|O['’])[A-Z][a-z]{2,}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CONTRACTED = re.compile(r"(?i)[a-z]+(?:n['’]t|['’](?:ll|re|ve|d|m))")
# `tunde.adebayo`, as logins are made of names.
_LOGIN = re.compile(r"(?<![\w.\-/\\@#$%&+~<])([A-Za-z]{3,})[._]([A-Za-z]{3,})(?![\w\-/\\@(=]|[.:](?=[\w/\\]))")
# `holder=Edda+Grunwald`, as forms are posted.
_POSTED = re.compile(r"=(?P<name>[A-Z][a-z]{1,24}(?:\+[A-Z][a-z]{1,24}){1,4})(?=[&\s\"'<]|$)")
_KEY_BEFORE = re.compile(r"[\w.\-]{1,64}$")
_JOIN = re.compile(
    r"(?:[ \t]|\. ?|, |-| (?:de|da|dos|del|della|di|la|le|van|von|der|den|ter|bin|ibn|al|el|ben|y|e|of) (?:la |der |den )?| [A-Z]\.? )"  # noqa: E501
)
_PARTICLE = frozenset("de da dos del della di la le van von der den ter bin ibn al el ben".split())  # noqa: SIM905
_VALUE = re.compile(
    r"(?<![\w.])(?P<key>[A-Za-z_@][\w.\-]{0,64})[\"']?[ \t]{0,4}[:=][ \t]{0,4}"
    r"(?:\"(?P<quoted>(?:[^\"\\\n]|\\.){0,8192})\"|'(?P<single>[^'\n]{0,4096})'|(?P<bare>[^\s,;{}\[\]\"']{1,4096}))"
)
TITLE_TRIGGERS = (r"[A-Z][a-z']", r"[\x80-\xff]")
# Endings of words about things and acts, which no name that is not listed has: a new kind of failure is such a word.
_MADE_OF = re.compile(
    r"[a-z]{2,}(?:tions?|sions?|[^l]ments?|nesses|ness|ables?|ibles?|at(?:ed|ing|or|ors)|i[sz](?:ed|ing|er|ers|ations?)|ifi(?:ed|er|ers|cations?)"
    r"|abilit(?:y|ies)|ibilit(?:y|ies)|olog(?:y|ies)|wares?|writing|routines?|ively|ously|ically)"
    r"|[a-z]{4,}(?:ous|ful|less|isms?|ances?|ences?|ancy|ency|ity|ities|ives?|ships?|ically|graphs?|ledges?)|[a-z]{3,}(?:i[sz]e[sd]?|i[sz]ations?|works|scopes?)"
    r"|[a-z]{2,}(?:pay|bank(?:en|a)?|coins?|soft|docs?|meters?|link|base|stack|hub|flow|cloud|tech|labs|scale|money|chain|data|ify|wave)"
)
# What says that a name follows: `Mrs. Baker`, `her maiden name is nyberg`.
_HONORED = re.compile(
    r"(?<![\w.])(?:(?:Mrs?|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Herr|Frau|Mme|Mlle|Se\u00f1ora?|Sra?|Signora?)\.?[ \t]{1,2}"
    r"(?=[^\W\da-z_])|(?i:mrs?|ms|dr|prof)\.[ \t]{1,2}"
    r"|(?i:(?:maiden|full|first|last|middle|family|her|his|my|whose) name(?: is|'s| was)|call(?:s|ed)? me|my name's)"
    r"[ \t]{1,2})"
    r"(?P<name>[^\W\d_]{2,}(?:[ \t]{1,2}[^\W\da-z_](?:[^\W\d_]{1,24}|\.)){0,3})"
)
_OF_PEOPLE = frozenset({"maide", "first", "last ", "full ", "famil"})
HONORED_TRIGGERS = (
    r"(?i)(?:mrs?|ms|dr|prof)\.[ \t]",
    r"(?:Mrs?|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Herr|Frau|Mme|Mlle|Sra?|Signora?|[\x80-\xff]ora?)\.?[ \t]",
    r"(?i)name(?: is|'s| was)[ \t]|calls? me|called me",
)
# Words of a key that do not say what it is about: `owner_name`, `user_id`.
_OF_A_KEY = frozenset({"name", "id", "label", "alias", "title", "display", "value", "code", "key", "ref"})
_CODE_ENDS = ("Error", "Exception", "Timeout", "Failure", "Handler", "Service", "Client", "Controller")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`common`: words that pass. `given`, `family`: names, some of which are common words too."""

    common: frozenset[str]
    given: frozenset[str]
    family: frozenset[str]

    def is_name(self, word: str) -> bool:
        """Surely a name: listed, and not also a common word."""
        if "-" in word:
            first, _, second = word.partition("-")
            return self.is_name(first) or self.is_name(second)
        low = _owner(word)
        return low not in self.common and (low in self.given or low in self.family)

    def is_unknown(self, word: str) -> bool:
        if "-" in word:
            first, _, second = word.partition("-")
            return self.is_unknown(first) and self.is_unknown(second)
        low = word.lower()
        if low in self.common:
            return False
        for end in ("'s", "’s", "s", "ed", "ing", "ly", "es", "d", "er"):
            if low.endswith(end) and low[: -len(end)] in self.common and not self.is_name(word):
                return False
        return _MADE_OF.fullmatch(low) is None or self.is_name(word)


def _owner(word: str) -> str:
    """`Amanda's` is Amanda."""
    low = word.lower()
    return low[:-2] if low[-2:] in {"'s", "’s"} else low


def read_words(text: str) -> frozenset[str]:
    """Words of a vocabulary file: separated by white space; lines that begin with # are comments."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word.lower() for line in lines for word in line.split())


@lru_cache(maxsize=1)
def default_vocabulary() -> Vocabulary:
    """The one shipped beside this module."""
    folder = files("redaction") / "vocabulary"
    words, given, family = (
        read_words((folder / name).read_text(encoding="utf-8")) for name in ("words.txt", "given.txt", "family.txt")
    )
    return Vocabulary(words, given, family)


class Gate:
    """The vocabulary gate as two rules: capitalised words, and listed names in any letters."""

    def __init__(self, vocabulary: Vocabulary, *, keys: KeyWords, prose: frozenset[str]) -> None:
        self._words = vocabulary
        self._keys = keys
        self._prose = prose
        names = {n for n in vocabulary.given if len(n) > 2} | {n for n in vocabulary.family if len(n) > 4}
        self._listed = frozenset(n for n in names if n not in vocabulary.common)

    def listed_triggers(self) -> tuple[str, ...]:
        """Given names in any letters; also what starts the search for a pair of names that are common words."""
        ascii_names = sorted(name for name in self._listed if name.isascii())
        return (r"[\x80-\xff]", *(rf"(?i)[^0-9a-z]{re.escape(name)}[^0-9a-z]" for name in ascii_names))

    def titled(self, text: str) -> Iterator[Hit]:
        """Capitalised words that are not common, with the names beside them."""
        yield from self._posted(text)
        words = [m for m in _TITLE.finditer(text) if not _is_code(m[0])]
        if not any(self._suspect(m[0]) for m in words):
            return
        regions = Regions(text)
        for group in _neighbours(text, words):
            yield from self._judge(text, group, regions)

    def _posted(self, text: str) -> Iterator[Hit]:
        for match in _POSTED.finditer(text):
            words, key = match["name"].split("+"), _KEY_BEFORE.search(text, max(0, match.start() - 64), match.start())
            somebody = any(map(self._words.is_name, words)) or all(map(self._words.is_unknown, words))
            if somebody and not (key and self._keys.is_thing(key[0])):
                yield Hit(*match.span("name"), "PERSON", match["name"].casefold())

    def _suspect(self, word: str) -> bool:
        low = word.lower()
        return low in self._words.given or self._words.is_unknown(word)

    def _judge(self, text: str, group: list[re.Match[str]], regions: Regions) -> Iterator[Hit]:
        """One row of neighbouring capitalised words."""
        strict = self._strictness(regions, group[0].start())
        if strict == "none":
            return
        flags = [self._flag(m[0], strict) for m in group]
        if strict == "listed":
            unknown = [self._words.is_unknown(m[0]) and not m[0].endswith(_CODE_ENDS) for m in group]
            for i in range(len(group) - 1):  # two unknown words under `name`, `user`, `author` are somebody
                if unknown[i] and unknown[i + 1] and text[group[i].end() : group[i + 1].start()] != "-":
                    flags[i] = flags[i + 1] = True
        for i in range(len(group) - 1):
            given, family = group[i][0].lower(), group[i + 1][0].lower()
            if given in self._words.given and (
                family in self._words.family or flags[i + 1] or family not in self._words.common
            ):
                flags[i] = flags[i + 1] = True
        for i, match in enumerate(group):  # an unknown word beside a name is the rest of it, under any key
            beside = (i > 0 and flags[i - 1]) or (i + 1 < len(group) and flags[i + 1])
            flags[i] = flags[i] or (beside and self._words.is_unknown(match[0]))
        yield from _rows(text, group, flags)

    def _flag(self, word: str, strict: str) -> bool:
        if word.endswith(_CODE_ENDS) and word not in _CODE_ENDS:
            return False
        return self._words.is_name(word) or (strict == "full" and self._words.is_unknown(word))

    def honored(self, text: str) -> Iterator[Hit]:
        """Whoever comes behind `Mrs.` or `her name is`, listed or not; `name is required` is nobody."""
        for match in _HONORED.finditer(text):
            surely = match["name"][0].isupper() and (match[0][0].isupper() or match[0][:5].lower() in _OF_PEOPLE)
            if surely or match["name"].split()[0].lower() not in self._words.common:
                yield Hit(*match.span("name"), "PERSON", match["name"].casefold())

    def listed(self, text: str) -> Iterator[Hit]:
        """Listed names in small or capital letters, with the given name before and the family name behind."""
        words = list(_ANY.finditer(text))
        regions = Regions(text)
        for at, match in enumerate(words):
            if _owner(match[0]) not in self._listed or self._strictness(regions, match.start()) == "none":
                continue
            start, end = match.span()
            if at and text[words[at - 1].end() : start] == " " and words[at - 1][0].lower() in self._words.given:
                start = words[at - 1].start()
            if at + 1 < len(words) and text[end : words[at + 1].start()] == " " and self._follows(match, words[at + 1]):
                end = words[at + 1].end()
            yield Hit(start, end, "PERSON", text[start:end].casefold())
        for match in _LOGIN.finditer(text):
            if self._is_login(*match.groups()) and self._strictness(regions, match.start()) != "none":
                yield Hit(*match.span(), "PERSON", match[0].casefold())

    def _is_login(self, given: str, family: str) -> bool:
        """Two listed names, neither of them a common word too: `mark.page` is a property."""
        return (
            given.lower() in self._words.given
            and given.lower() in self._listed
            and family.lower() in self._words.family
            and self._words.is_name(family)
        )

    def _follows(self, name: re.Match[str], word: re.Match[str]) -> bool:
        """A family name; or, behind a name in capitals, any word in capitals that is not common."""
        if word[0].lower() in self._words.family:
            return True
        return name[0][0].isupper() and word[0][0].isupper() and self._words.is_unknown(word[0])

    def _strictness(self, regions: Regions, at: int) -> str:
        """full in prose; none under a key of a thing; listed elsewhere."""
        key = regions.key_at(at)
        if not key:
            return "full"
        if _last(key) in self._prose:
            return "full"
        return "none" if self._keys.is_thing(key) else "listed"


@dataclass(frozen=True, slots=True)
class KeyWords:
    """Words of keys: `things` name what is no person (issuer, service), `people` who is one (user, owner)."""

    things: frozenset[str]
    people: frozenset[str]

    def is_thing(self, key: str) -> bool:
        """Whether a key's last part is a thing's, or holds a word of one and does not end in a person's:
        `payment.acquiring_bank` is a bank, `app_user` is a user.
        """
        last = _last(key)
        if last in self.things:
            return True
        return not self.things.isdisjoint(last.split("_")) and not self._ends_in_person(last)

    def is_person(self, key: str) -> bool:
        """Whether a label of this name may name somebody. `name` alone does; `lane_name` is the name of a lane."""
        last = _last(key)
        return self._ends_in_person(last) or not self.people.isdisjoint(last.split("_")[:-1])

    def _ends_in_person(self, last: str) -> bool:
        words = last.split("_")
        while len(words) > 1 and words[-1] in _OF_A_KEY:
            words.pop()
        return words[-1] in self.people


def is_bare(text: str) -> bool:
    """Whether a value is words alone: no keys of its own in it, and nobody addressed."""
    return len(text) <= 128 and not {"=", ":", "\n"}.intersection(text) and _HONORED.search(text) is None


def _last(key: str) -> str:
    """The last part, in words: `payment.ownerName` -> owner_name."""
    return _HUMP.sub("_", key.rpartition(".")[2]).lower().replace("-", "_")


class Regions:
    """Which key's value each place of a text belongs to; read once, when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] | None = None
        self._ends: list[int] = []
        self._keys: list[str] = []

    def key_at(self, at: int) -> str:
        """The key, or "" in prose."""
        if self._starts is None:
            self._starts = []
            for match in _VALUE.finditer(self._text):
                start, end = match.span(match.lastgroup or "bare")
                self._starts.append(start)
                self._ends.append(end)
                self._keys.append(match["key"])
        nearest = bisect_right(self._starts, at) - 1
        return self._keys[nearest] if nearest >= 0 and at < self._ends[nearest] else ""


def _is_code(word: str) -> bool:
    if _CONTRACTED.fullmatch(word):
        return True
    return _CODE.search(word) is not None and _NAMED.fullmatch(word) is None


def _neighbours(text: str, words: list[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    group: list[re.Match[str]] = []
    for word in words:
        if group and _JOIN.fullmatch(text, group[-1].end(), word.start()) is None:
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _rows(text: str, group: list[re.Match[str]], flags: list[bool]) -> Iterator[Hit]:
    """Flagged words that stand beside each other are one name."""
    start = end = -1
    for word, flagged in zip(group, flags, strict=True):
        if flagged and start < 0:
            start = word.start()
        if flagged:
            end = word.end()
        elif start >= 0:
            yield Hit(start, end, "PERSON", text[start:end].casefold())
            start = -1
    if start >= 0:
        yield Hit(start, end, "PERSON", text[start:end].casefold())
