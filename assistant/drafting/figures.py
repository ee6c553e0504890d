"""Quantities in prose: what a number in a sentence says, so that it can be looked for in the evidence.

A quantity is compared by what it means: `0.613` is 61.3 %, 720 s are 12 minutes, 1,240 rounds to 1,200. What may follow
from figures that stand there (a difference, a ratio) is in `derived`. Pure; no telemetry is evaluated.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from assistant.core.inert import PLACEHOLDER

Kind = Literal["number", "percent", "points", "money", "seconds", "bytes", "factor", "rate", "clock", "date", "vague"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """`value` in the base unit of `kind` (seconds, bytes, percent of 100); `unit` a currency for money, a noun class
    for counts; `scale` the size of one step of the last digit written, in the base unit; `digits` significant ones. A
    `loose` one was written as a word for a share ("a third") and says no more than that.
    `before` is what stands in front of it."""

    kind: Kind
    value: float
    unit: str
    scale: float
    digits: int
    raw: str
    loose: bool = False
    before: str = field(default="", compare=False)


_WORDS = {
    "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_LOOSE = "\u2063"
"""Behind a share that was written in words; nothing else holds this character, because hidden ones are struck."""
_NTHS = {"third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_PHRASES = (
    (r"\b(\w+) and a half(?= )", r"\1 point five"),
    (r"\bhalf (?:an hour)\b", "30 minutes"),
    (r"\bhalf\b", f"50 %{_LOOSE}"),
    (r"\b([45]\d\d)s\b", r"\1"),  # answers with that status, not seconds: those are written with a space
    (r"\b(?:doubl(?:e|es|ed|ing)|twice|twofold)\b", "2 x"),
    (r"\b(?:tripl(?:e|es|ed|ing)|threefold)\b", "3 x"),
    (r"\b(?:quadrupl(?:e|es|ed|ing)|fourfold)\b", "4 x"),
    (r"\b(?:halv(?:e|es|ed|ing))\b", "0.5 x"),
    (r"\btenfold\b", "10 x"),
    (r"\ba dozen\b", "12"),
    (r"\bone(?= (?:hundred|thousand|million|billion|per ?cent|minute|hour|second|day)\b)", "1"),
    (r"\bone(?= (?:a|per) (?:second|minute)\b)", "1"),
    (r"\b(?:a|an)(?= (?:hundred|thousand|million|billion)\b)", "1"),
)
_VAGUE = re.compile(
    r"\b(dozens|hundreds|thousands|millions|billions)\b|(?<![\d.,]\s)\b(hundred|thousand|million|billion)\b"
)
_CURRENCY = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|JPY|CNY|INR|AUD|CAD|BRL|MXN|ZAR|TRY|SGD|HKD|AED|NZD"
_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR"}
_TIMES = {
    "ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "second": 1, "min": 60, "m": 60, "minute": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400,
}  # fmt: skip
_SIZES = {"b": 1, "byte": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_MULTIPLES = {
    "k": 1e3, "thousand": 1e3, "hundred": 1e2, "m": 1e6, "million": 1e6, "mn": 1e6, "bn": 1e9, "billion": 1e9,
}  # fmt: skip
_NOUNS = {
    "customer": "person", "cardholder": "person", "user": "person", "people": "person", "payer": "person",
    "merchant": "merchant", "shop": "merchant", "issuer": "issuer", "bank": "issuer", "acquirer": "acquirer",
    "line": "line", "message": "line", "alert": "alert", "deploy": "change", "deployment": "change", "change": "change",
    "series": "series", "service": "service", "pod": "pod", "replica": "pod", "host": "host", "region": "region",
    "scheme": "scheme",
}  # fmt: skip
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(
    rf"""
    (?P<iso>\d{{4}}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)
  | (?P<date>\d{{4}}-\d\d-\d\d)
  | (?P<clock>(?<![\d:.])\d{{1,2}}:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?(?:[ap]\.?m\b\.?))?(?![\d:]))
  | (?P<before>(?:\b(?:{_CURRENCY})\b|[€$£¥₹])\s?)?
    (?<![A-Za-z0-9_.,])(?<![A-Za-z][-/:])(?P<number>{_NUMBER})
    (?:\s?(?P<multiple>k|K|M|mn|bn|thousand|hundred|million|billion)\b)?
    (?P<after>[\s-]?(?:%|(?:percentage\ )?points?\b|per\ ?cent(?:age)?\b|pp\b|(?:{_CURRENCY})\b|[€£¥₹]
      |(?:ns|µs|us|ms|seconds?|secs?|s|minutes?|mins?|min|m|hours?|hrs?|h|days?|d|[kMG]i?B|bytes?)(?![A-Za-z0-9])
      |x\b|×|times\b|-?fold\b))?
    (?![A-Za-z0-9_]|[-.:,]\d|-[A-Za-z])
    (?P<loose>\u2063)?
    (?P<per>(?:\s(?:[a-z]+\s){{1,2}}?)?\s?(?:/|per\s|a\s|each\s)\s?(?P<base>s|sec|second|min|minute|h|hour|day)\b)?
    (?P<noun>\s[a-z]+)?
    """,
    re.VERBOSE,
)


_JOINS = (
    r"(?:\sand|\sto|,?\sagainst|\sversus|\sinstead\sof|,?\susually|,?\scompared\s(?:with|to)|,?\s(?:up|down)\sfrom)"
)
_ABOUT = r"(?:\s(?:about|a|an|its|the|usual|usually|normal))*"
_PER = r"\s?/s\b|\s(?:per|a)\s(?:s|second|minute)\b"
_PLAIN_UNIT = r"\s?(?:%|ms|s|seconds|minutes)(?![\w%])"
_UNIT_BEHIND = re.compile(rf"(?<![\w.,])({_NUMBER})({_JOINS}{_ABOUT})(\s(?:{_NUMBER}))({_PER}|{_PLAIN_UNIT})")
_UNIT_BEFORE = re.compile(
    rf"(?<![\w.,])((?:{_NUMBER})(?:(?:\s[a-z]+){{0,2}}?(?=\s(?:per|a)\s)|(?=\s?(?:%|ms|s\b|seconds|minutes))))"
    rf"({_PER}|{_PLAIN_UNIT})({_JOINS}{_ABOUT}\s(?:{_NUMBER}))(?![\w%]|[.,]\d|\s?(?:%|ms|s\b|per|a\s))"
)
"""A figure that is written without its unit beside one that has it: "from 1.29 to 3.22 per second"."""


def plain_digits(text: str) -> str:
    """NFKC, with every decimal digit of any script as ASCII, so that `９９` and `٩٩` are read as numbers too."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)


def quantities(text: str) -> tuple[Quantity, ...]:
    """Every quantity in `text`, spelled-out ones included; placeholders of redaction are not numbers."""
    text = _spelled_out(PLACEHOLDER.sub(" ", plain_digits(text)))
    text = _UNIT_BEHIND.sub(lambda m: f"{m[1]}{m[4]}{m[2]}{m[3]}{m[4]}", text)
    text = _UNIT_BEFORE.sub(lambda m: f"{m[1]}{m[2]}{m[3]}{m[2]}", text)
    found = [Quantity("vague", 0.0, m[0], 0.0, 0, m[0]) for m in _VAGUE.finditer(text.lower())]
    found += [q for m in _QUANTITY.finditer(text) for q in _read(m)]
    return tuple(found)


def carried(claim: Quantity, by: Iterable[Quantity]) -> bool:
    """Whether one of `by` says the same, as far as the digits that the claim writes."""
    return any(_same(claim, other) for other in by)


def _spelled_out(text: str) -> str:
    low = _shares(text)
    for pattern, digits in _PHRASES:
        low = re.sub(pattern, digits, low, flags=re.IGNORECASE)
    tens = "|".join(w for w, n in _WORDS.items() if n >= 20)
    low = re.sub(
        rf"\b({tens})[- ](one|{'|'.join(w for w, n in _WORDS.items() if 0 < n < 10)})\b",
        lambda m: str(_WORDS[m[1].lower()] + _WORDS.get(m[2].lower(), 1)),
        low,
        flags=re.IGNORECASE,
    )
    low = re.sub(rf"\b({'|'.join(_WORDS)})\b", lambda m: str(_WORDS[m[1].lower()]), low, flags=re.IGNORECASE)
    low = re.sub(r"\b(\d+) point 5\b", r"\1.5", low)
    return re.sub(r"\b(?:one) point 5\b", "1.5", low)


def _shares(text: str) -> str:
    """Shares in words as percentages: "two thirds", "a fifth", "one in eight", "nine cases of ten"."""
    counts = {"a": 1, "one": 1, **_WORDS}
    number = "|".join(w for w, n in counts.items() if n and n <= 10)
    nths = "|".join(_NTHS)

    def nth(m: re.Match[str]) -> str:
        return f"{counts[m[1].lower()] * 100 / _NTHS[m[2].lower()]:.4f} %{_LOOSE}"

    def of(m: re.Match[str]) -> str:
        whole = counts.get(m[2].lower()) or float(m[2])
        return f"{counts[m[1].lower()] * 100 / whole:.4f} %{_LOOSE}" if whole > counts[m[1].lower()] else m[0]

    text = re.sub(rf"\b({number})[- ]({nths})s?\b(?! (?:alert|line|of the)\b)", nth, text, flags=re.IGNORECASE)
    kinds = r"(?:\s(?:cases?|payments?|attempts?|authorisations?|requests?))?"
    wholes = "|".join(w for w, n in _WORDS.items() if n >= 2)
    pattern = rf"\b({number}){kinds} (?:in|out of)(?: every)? ({wholes}|\d+)\b(?!\s?(?:%|minutes?|seconds?|hours?))"
    text = re.sub(pattern, of, text, flags=re.IGNORECASE)
    return re.sub(rf"\b({number}) (?:cases?) of ({wholes})\b", of, text, flags=re.IGNORECASE)


def _read(match: re.Match[str]) -> Iterable[Quantity]:
    raw = match[0].strip()
    if match["iso"]:
        yield from _instant(match["iso"])
    elif match["date"]:
        yield Quantity("date", 0.0, match["date"], 0.0, 0, raw)
    elif match["clock"]:
        yield from _clock(match["clock"])
    else:
        yield _number(match, raw)


def _instant(raw: str) -> Iterable[Quantity]:
    try:
        when = datetime.fromisoformat(raw)
    except ValueError:  # 2026-13-45T99:99: not a time, so nothing carries it
        yield Quantity("date", 0.0, raw, 0.0, 0, raw)
        return
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    scale = 60.0 if raw.count(":") - raw.count("+") < 2 and len(raw) <= 17 else 1.0
    yield Quantity("date", 0.0, when.strftime("%Y-%m-%d"), 0.0, 0, raw)
    yield Quantity("clock", when.hour * 3600.0 + when.minute * 60 + when.second, "", scale, 0, raw)


def _clock(raw: str) -> Iterable[Quantity]:
    parts = re.findall(r"\d+(?:\.\d+)?", raw)
    hour = int(parts[0])
    if re.search(r"p\.?m", raw, re.IGNORECASE) and hour < 12:
        hour += 12
    seconds = hour * 3600.0 + int(parts[1]) * 60 + (math.floor(float(parts[2])) if len(parts) > 2 else 0)
    yield Quantity("clock", seconds, "", 1.0 if len(parts) > 2 else 60.0, 0, raw)


def _number(match: re.Match[str], raw: str) -> Quantity:
    digits = match["number"].replace(",", "")
    value, decimals = float(digits), len(digits.partition(".")[2].partition("e")[0])
    multiple, before, after = (
        match["multiple"] or "",
        (match["before"] or "").strip(),
        (match["after"] or "").strip(" -"),
    )
    factor = _MULTIPLES[multiple.lower()] if multiple else 1.0
    if not math.isfinite(value):
        return Quantity("vague", 0.0, raw, 0.0, 0, raw)
    kind, unit, base = _unit(before, after.lower() if len(after) != 3 else after)
    if match["per"] and kind in ("number", "factor"):
        kind, base = "rate", 1.0 / _TIMES[match["base"]]
    noun = (match["noun"] or "").strip()
    if kind == "number" and not unit:
        unit = _NOUNS.get(noun) or _NOUNS.get(noun.removesuffix("s")) or ""
    step = 10.0**-decimals * factor * base if match["loose"] is None else 0.1
    significant = len(digits.replace(".", "").strip("0")) if decimals == 0 else len(digits.replace(".", "").lstrip("0"))
    loose, ahead = match["loose"] is not None, match.string[max(0, match.start() - 40) : match.start("number")]
    return Quantity(kind, value * factor * base, unit, step, significant, raw, loose=loose, before=ahead)


def _unit(before: str, after: str) -> tuple[Kind, str, float]:
    for text in (before, after.upper()):
        if text in _SIGNS or (len(text) == 3 and text in _CURRENCY.split("|")):
            return "money", _SIGNS.get(text, text), 1.0
    after = after.lower()
    singular = after if after in _TIMES or after in _SIZES else after.removesuffix("s")
    if after == "%" or (after.startswith(("percent", "per cent")) and "point" not in after):
        return "percent", "", 1.0
    if after == "pp" or "point" in after:
        return "points", "", 1.0
    if after in ("x", "×", "times") or after.endswith("fold"):
        return "factor", "", 1.0
    if singular in _TIMES:
        return "seconds", "", float(_TIMES[singular])
    if singular in _SIZES:
        return "bytes", "", float(_SIZES[singular])
    return "number", "", 1.0


_NOUGHTS = frozenset({"number", "rate", "percent"})


def _same(claim: Quantity, seen: Quantity) -> bool:
    if claim.kind in ("vague", "date"):
        return seen.kind == claim.kind and seen.unit == claim.unit
    if claim.kind == "clock":
        return seen.kind == "clock" and math.floor(seen.value / claim.scale) == math.floor(claim.value / claim.scale)
    if claim.value == 0.0 and seen.value == 0.0 and {claim.kind, seen.kind} <= _NOUGHTS:
        return True  # none of whatever it is
    value = _convert(seen, claim)
    return value is not None and rounds_to(value, claim)


def _convert(seen: Quantity, claim: Quantity) -> float | None:
    """The seen value in the claim's kind, or None where the two cannot be compared."""
    if claim.kind == "percent" and seen.kind == "number" and not seen.unit and 0.0 <= seen.value <= 1.0:
        return seen.value * 100.0
    if claim.kind != seen.kind:
        return None
    if claim.kind == "money" or (claim.kind == "number" and claim.unit and seen.unit):
        return seen.value if claim.unit == seen.unit else None
    return seen.value


def rounds_to(value: float, claim: Quantity) -> bool:
    """`value` rounded to the last digit the claim writes; whole numbers keep at least two significant digits."""
    if math.isclose(value, claim.value, rel_tol=1e-9, abs_tol=1e-12):
        return True
    if claim.scale <= 0 or claim.value == 0:
        return False
    step = claim.scale
    magnitude = math.floor(math.log10(abs(claim.value))) + 1
    written = 10.0 ** (magnitude - max(claim.digits, 2))
    if claim.scale >= 1.0 and written > step:
        step = written
    return abs(value - claim.value) <= step / 2 * (1 + 1e-9)
