"""Log templates: lines that say the same thing with other values, found without knowing the program.

Three passes, each linear in what it reads. (1) Every line is cut into words and each word is masked by a cached rule
(digits, ids, hosts, paths, `key=value`, JSON fields): most lines collapse here. (2) Among distinct masks of one length,
positions that hold many different words become variable, found by partitioning as IPLoM does (Makanju et al., KDD
2009): the split goes where words vary least, so that "session opened" and "session closed" stay two. (3) Masks that
differ in one position only and have many siblings there are joined, as Drain does (He et al., ICWS 2017) but never at
a position with a handful of words, which is a choice and not a value.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

WILD = "<*>"
MANY = 5
"""A position with at least this many different words among its siblings is a value."""

_HOLDER = re.compile(r"<[A-Z][A-Za-z_]*_?\d*(?: [^<>]{0,40})?>")
_DIGIT = re.compile(r"\d")
_HEX = re.compile(r"^[0-9a-fA-F]{8,}$")
_EDGE = "()[]{}'\",;:."
_PROSE_KEYS = frozenset(
    {"msg", "message", "event", "error", "err", "reason", "level", "severity", "lvl", "exception", "log"}
)
_VALUE_KEYS = frozenset(
    {"user", "from", "host", "rhost", "ruser", "name", "path", "file", "uri", "url", "id", "key", "to", "for", "order"}
)


class Miner:
    """Cuts lines into masks. Keeps a cache of words, so one miner serves many lines of one incident."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: dict[str, str] = {}

    def mask(self, line: str) -> tuple[str, ...]:
        """The masked words of one line; JSON lines give their message and their keys."""
        if line[:1] == "{" and (found := self._json(line)) is not None:
            return found
        end = line.find("\n")
        if end >= 0:
            line = _first_and_cause(line)
        if "<" in line:
            line = _HOLDER.sub(WILD, line)
        known = self._words
        out = []
        for word in line.split():
            masked = known.get(word)
            if masked is None:
                masked = _mask_word(word)
                if len(known) < 200_000:
                    known[word] = masked
            out.append(masked)
        return _joined(out)

    def _json(self, line: str) -> tuple[str, ...] | None:
        try:
            record = json.loads(line)
        except ValueError:
            return None
        if not isinstance(record, dict):
            return None
        told = next(
            (str(record[k]) for k in ("msg", "message", "event", "log", "error") if isinstance(record.get(k), str)), ""
        )
        level = str(record.get("level") or record.get("severity") or "")
        return (level, *self.mask(told[:2000].lstrip("{"))) if told else tuple(sorted(map(str, record)))


def _first_and_cause(text: str) -> str:
    """A multi-line entry by its first line and its last `Caused by:`."""
    lines = text.split("\n")
    cause = next((x.strip() for x in reversed(lines) if x.startswith("Caused by")), "")
    return f"{lines[0]} {cause}" if cause else lines[0]


def _mask_word(word: str) -> str:
    key, eq, value = word.partition("=")
    if eq and key and key.lstrip(_EDGE).isidentifier():
        plain = key.lstrip(_EDGE).lower()
        if plain in _PROSE_KEYS:
            return f"{key}={_mask_word(value)}" if value else word
        return f"{key}={WILD}"
    if _DIGIT.search(word):
        return (
            WILD
            if not word[:1].isalpha() or len(_DIGIT.findall(word)) * 3 >= len(word) or _has_path(word)
            else _DIGITS.sub(WILD, word)
        )
    if _has_path(word) or _HEX.match(word):
        return WILD
    return word


_DIGITS = re.compile(r"[0-9][0-9A-Za-z_.:-]*")


def _has_path(word: str) -> bool:
    return word.startswith(("/", "http://", "https://")) or "@" in word or word.count("/") > 1 or word.count(".") > 2


def _joined(masks: list[str]) -> tuple[str, ...]:
    """Neighbouring wild words become one: lists and dates of any length are one value."""
    out: list[str] = []
    for m in masks:
        if not (m == WILD and out and out[-1] == WILD):
            out.append(m)
    return tuple(out)


def mine(lines: Sequence[str], miner: Miner | None = None) -> tuple[list[str], list[int]]:
    """(templates, template index of each line). Linear in lines; the later passes see distinct masks only."""
    miner = miner or Miner()
    by_line: dict[str, tuple[str, ...]] = {}
    masks: list[tuple[str, ...]] = []
    for line in lines:
        found = by_line.get(line)
        if found is None:
            found = by_line[line] = miner.mask(line)
        masks.append(found)
    final = _generalise(dict.fromkeys(masks))
    names: dict[tuple[str, ...], int] = {}
    index = [names.setdefault(final[m], len(names)) for m in masks]
    return [" ".join(n) for n in names], index


def _generalise(masks: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Each distinct mask to its template."""
    groups: dict[tuple[int, str], list[tuple[str, ...]]] = defaultdict(list)
    for m in masks:
        groups[(len(m), m[0] if m else "")].append(m)
    loose: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    out: dict[tuple[str, ...], tuple[str, ...]] = {}
    for (size, _), members in groups.items():
        if len(members) == 1:
            loose[size].append(members[0])
        else:
            out.update(_partition(members, 0))
    for size, members in loose.items():
        # First words that occur once each may be values themselves (a user name that starts the line).
        out.update(_partition(members, 0) if size > 2 and len(members) >= MANY else {m: m for m in members})
    return out


def _partition(members: list[tuple[str, ...]], depth: int) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Split on the position with the fewest different words (at least two), until only values vary."""
    size = len(members[0])
    if len(members) == 1 or size == 0:
        return {m: m for m in members}
    kinds = [len({m[i] for m in members}) for i in range(size)]
    varying = [i for i in range(size) if kinds[i] > 1]
    constant = size - len(varying)
    if not varying:
        return {m: m for m in members}
    # One template: everything that varies takes many words, and enough of the line stays.
    if all(_is_value(members, i, kinds[i]) for i in varying) and (constant >= max(1, size // 3)):
        merged = tuple(WILD if i in varying else members[0][i] for i in range(size))
        return dict.fromkeys(members, merged)
    choice = min(varying, key=lambda i: (_is_value(members, i, kinds[i]), kinds[i], i))
    if depth > 12 or (kinds[choice] == len(members) > MANY and constant < max(1, size // 3)):
        return {m: m for m in members}
    parts: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for m in members:
        parts[m[choice]].append(m)
    out: dict[tuple[str, ...], tuple[str, ...]] = {}
    for part in parts.values():
        out.update(_partition(part, depth + 1))
    return out


def _is_value(members: Sequence[tuple[str, ...]], position: int, kinds: int) -> bool:
    """Whether the words at a position are values: already masked ones among them, or too many for a choice."""
    words = {m[position] for m in members}
    if kinds >= MANY:
        return True
    if WILD in words:
        return True
    before = {m[position - 1].rstrip("=:").lower() for m in members} if position else set()
    return bool(before) and before <= _VALUE_KEYS
