"""From hits to text: overlapping hits become one, and each is replaced by what policy says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from redaction.brands import TEST_PANS
from redaction.cards import Hit, note_of
from redaction.policy import CLASSES, Policy
from redaction.text import Span
from redaction.tokens import Tokens

_RANK = {klass: rank for rank, klass in enumerate(CLASSES)}
_BY_LOOKS = frozenset({"key_body"})
_OPENS_NUMBER = re.compile(r"\"\s{0,4}:\s{0,4}$|[\[,]\s{0,4}$")
_CLOSES_NUMBER = re.compile(r"\s{0,4}[,}\]]|\s{0,4}$")


def merge(hits: Iterable[Hit]) -> list[Hit]:
    """Hits that share characters become one: their union, named by the gravest class and its longest hit."""
    merged: list[Hit] = []
    best: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if merged and hit.start < merged[-1].end:
            last = merged[-1]
            if _graver(hit, best[-1]):
                best[-1] = hit
            chosen = best[-1]
            merged[-1] = Hit(last.start, max(last.end, hit.end), chosen.klass, chosen.value, chosen.note)
        else:
            merged.append(hit)
            best.append(hit)
    return merged


def _graver(hit: Hit, than: Hit) -> bool:
    rank, other = _rank(hit), _rank(than)
    if rank != other:
        return rank < other
    size, other_size = hit.end - hit.start, than.end - than.start
    return size > other_size or (size == other_size and order_of(hit) > order_of(than))


def _rank(hit: Hit) -> float:
    """A secret by the looks of its line alone comes after a card found inside that line, which is a case to handle."""
    return _RANK["PAN"] + 0.5 if hit.klass == "SECRET" and hit.note in _BY_LOOKS else _RANK[hit.klass]


def order_of(hit: Hit) -> int:
    """Which of two hits of one class in one place stands: any order does, if both paths have the same one."""
    meaning = f"{hit.value}\0{hit.note}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(meaning, digest_size=6).digest(), "big")


def replace(text: str, hits: list[Hit], policy: Policy, tokens: Tokens) -> tuple[str, tuple[Span, ...]]:
    """`text` with every hit replaced, and the spans. Allowed and kept values stay, kept ones with a span."""
    pieces: list[str] = []
    spans: list[Span] = []
    at = 0
    is_json = text[:64].lstrip()[:1] in ("{", "[")
    for hit in hits:
        if policy.allow and text[hit.start : hit.end] in policy.allow:
            continue
        action = policy.actions[hit.klass]
        new = text[hit.start : hit.end] if action == "keep" else _written(hit, action, policy, tokens)
        if is_json and hit.klass != "LINE" and action != "keep" and _is_json_number(text, hit):
            new = f'"{new}"'
        pieces.append(text[at : hit.start])
        pieces.append(new)
        at = hit.end
        spans.append(Span(hit.klass, hit.start, hit.end, new, kind_of(hit, policy)))
    pieces.append(text[at:])
    return "".join(pieces), tuple(spans)


def _is_json_number(text: str, hit: Hit) -> bool:
    """A bare number in JSON: what replaces it must be a string, or nobody can parse the line."""
    if not text[hit.start].isdigit():
        return False
    before = text[max(0, hit.start - 10) : hit.start]
    return bool(_OPENS_NUMBER.search(before) and _CLOSES_NUMBER.match(text, hit.end))


def _written(hit: Hit, action: str, policy: Policy, tokens: Tokens) -> str:
    if action == "drop":
        return f"<{hit.klass} removed{' ' + hit.note if hit.klass == 'LINE' else ''}>"
    if action == "mask":
        return _masked(hit)
    note = note_of(hit.value, policy.bin_digits) if hit.klass == "PAN" else hit.note
    name = tokens.name(hit.klass, hit.value)
    return f"<{name} {note}>" if note else f"<{name}>"


def _masked(hit: Hit) -> str:
    """PCI DSS 3.4.1: at most the BIN and the last four."""
    if hit.klass == "EMAIL":
        mailbox, _, domain = hit.value.partition("@")
        return f"{mailbox[:1]}***@{domain}"
    digits = hit.value
    hidden = max(len(digits) - 10, 6)
    return digits[: max(0, len(digits) - hidden - 4)] + "*" * hidden + digits[-4:]


def kind_of(hit: Hit, policy: Policy) -> str:
    """`test` for a published test PAN, `range` for one of the team's own token ranges, else ""."""
    if hit.klass == "TRACK":
        digits = re.search(r"[0-9]{12,19}", hit.value)
        return "test" if digits and (digits[0] in TEST_PANS or digits[0] in policy.test_pans) else ""
    if hit.klass != "PAN":
        return ""
    if hit.value in TEST_PANS or hit.value in policy.test_pans:
        return "test"
    for span in policy.token_ranges:
        first, _, last = span.partition("-")
        if first <= hit.value[: len(first)] <= (last or first):
            return "range"
    return ""
