"""Words: a claim may be made of plain English for reporting, of terms of the trade that its evidence holds, and of what
the analyst said. Any other word is a statement that nobody made. Pure.

A list of what may be said generalises where a list of what may not be said does not: an invented cause in plain words,
an instruction in another language, a paraphrase in the passive all need a word that is in neither list. `plain.txt` are
words that say nothing about payments by themselves; `terms.txt` (and the ordinary words of names) are what the trade
speaks of. A word that is missing there costs a claim, never lets one through.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from assistant.core.inert import PLACEHOLDER
from assistant.drafting.lexicon import plain, stem, terms

_TOKEN = re.compile(r"[^\W\d_][\w'’]*")
_NAME = re.compile(r"[^\s,;()“”\"]*[\d_/=@#][^\s,;()“”\"]*|\w+(?:-\w+)*-(?:api|gateway|service|connector)\b")
_SAME_AS = (
    (
        "latency duration response_time response_seconds slow timed timeout",
        "slow slower slowdown slowed latency duration",
    ),
    ("q_depth queue backlog depth", "queue queued depth"),
    ("config", "configuration configured"),
    ("ecom", "online"),
    ("acquiring_bank route acq= acquirer", "acquirer acquirers"),
    ("bank= issuer", "issuer issuers"),
    ("brand card_network card_scheme scheme", "scheme schemes"),
    ("geo= market cloud_region region", "region regions"),
    ("late absent age lag", "delay delayed late"),
    ("pos", "terminal terminals"),
    ("warn", "warning warnings"),
    ("reconciliation", "break breaks"),
)
"""What is named in one word of telemetry, and the words of people for it."""
_LABEL = re.compile(r"([\w.-]+)=\"?([\w.-]+)")
_UNITS = frozenset(
    [
        "ns",
        "us",
        "ms",
        "s",
        "sec",
        "secs",
        "min",
        "mins",
        "h",
        "hr",
        "hrs",
        "d",
        "kb",
        "mb",
        "gb",
        "kib",
        "mib",
        "gib",
        "b",
        "x",
        "z",
        "eur",
        "usd",
        "gbp",
        "chf",
        "sek",
        "nok",
        "dkk",
        "pln",
        "jpy",
        "k",
        "m",
        "bn",
        "mn",
        "pp",
        "p",
        "t",
        "th",
        "st",
        "nd",
        "rd",
        "am",
        "pm",
    ]
)


def words(text: str) -> Iterator[str]:
    """The words of prose, in small letters; names by form, placeholders and units are none."""
    bare = _NAME.sub(" ", PLACEHOLDER.sub(" ", text))
    for match in _TOKEN.finditer(bare):
        word = match[0].casefold().rstrip("'’")
        if word not in _UNITS:
            yield word


def terms_in(text: str) -> frozenset[str]:
    """What of an evidence text a claim may use: the trade's terms in it (as stems), and label names and values."""
    labels = {part.casefold() for pair in _LABEL.findall(text) for part in pair}
    split = re.sub(r"[_./-]", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    spoken = frozenset(map(stem, words(split)))
    low = text.casefold()
    labels |= {
        entry.split()[0] for row in re.findall(r"^lost by \w+: (.+)$", low, re.MULTILINE) for entry in row.split(", ")
    }
    same = {stem(w) for theirs, ours in _SAME_AS if any(t in low for t in theirs.split()) for w in ours.split()}
    return (
        (spoken & terms())
        | same
        | frozenset(stem(p) for label in labels for p in re.split(r"[_.-]", label) if p.isalpha())
    )


def stems(texts: Iterable[str]) -> frozenset[str]:
    """Every word of texts of ours, as stems."""
    return frozenset(stem(word) for text in texts for word in words(text))


def unsaid(text: str, allowed: frozenset[str]) -> tuple[str, ...]:
    """The words of `text` that are neither plain nor in `allowed` (stems)."""
    common = plain()
    return tuple(dict.fromkeys(w for w in words(text) if (s := stem(w)) not in common and s not in allowed))


def foreign_letters(text: str) -> bool:
    """Whether there are letters of another script than Latin: notes are English; other scripts are quoted."""
    return any(c.isalpha() and not c.isascii() and not unicodedata.name(c, "").startswith("LATIN") for c in text)
