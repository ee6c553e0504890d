"""Presidio's own recognizers that policy chose, as rules of ours: imported when their shape first stands in a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from redaction.cards import Hit
from redaction.policy import Policy
from redaction.rules import Rule

# Recognizers with a check digit of their own: the shape of what they find, and a trigger for it. They are given only
# the tokens of that shape; on whole log lines they take 30 us a line. Others get every text, and no trigger.
_SHAPES: dict[str, tuple[re.Pattern[str], str]] = {
    "CryptoRecognizer": (
        re.compile(r"(?<![0-9A-Za-z])(?:bc1[a-z0-9]{23,87}|[13][a-km-zA-HJ-NP-Z1-9]{25,34})(?![0-9A-Za-z])"),
        r"[^0-9A-Za-z](?:bc1[a-z0-9]{23}|[13][a-km-zA-HJ-NP-Z1-9]{25,34}[^0-9A-Za-z])",
    ),
    "EsNifRecognizer": (
        re.compile(r"(?<![\w.\-])[0-9]{7,8}-?[A-Z](?![\w\-])"),
        r"[^0-9A-Za-z.\-][0-9]{7,8}-?[A-Z][^0-9A-Za-z\-]",
    ),
    "ItFiscalCodeRecognizer": (
        re.compile(r"(?<![0-9A-Za-z])[A-Z]{6}[0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z](?![0-9A-Za-z])"),
        r"[^0-9A-Za-z][A-Z]{6}[0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z][^0-9A-Za-z]",
    ),
}
_CLASS_OF = {"CRYPTO": "BANK_ACCOUNT", "ES_NIF": "NATIONAL_ID", "IT_FISCAL_CODE": "NATIONAL_ID"}
_CLASS_WORDS = (
    ("EMAIL", "EMAIL"), ("PHONE", "PHONE"), ("IBAN", "IBAN"), ("CREDIT_CARD", "PAN"), ("BANK", "BANK_ACCOUNT"), ("IP_ADDRESS", "IP"),  # noqa: E501
    ("PERSON", "PERSON"), ("DATE", "DOB"), ("LOCATION", "ADDRESS"),
)  # fmt: skip
LEAST_SCORE = 0.6  # below it Presidio's pattern matched without its check digit or a context word

_CONTEXT = 0.35  # what Presidio's context enhancer adds


def class_of(entity: str) -> str:
    """Our class for an entity of Presidio's; NATIONAL_ID for the many country-specific ones."""
    known = _CLASS_OF.get(entity)
    return known or next((klass for word, klass in _CLASS_WORDS if word in entity), "NATIONAL_ID")


def rules_of(policy: Policy) -> Iterator[Rule]:
    for name in policy.recognizers:
        yield Rule(f"presidio_{name}", (), (_SHAPES[name][1],) if name in _SHAPES else (), _find(name))
    if policy.spacy_model:
        yield Rule("presidio_ner", ("PERSON",), (), _find_by_ner(policy.spacy_model))


@lru_cache(maxsize=64)
def recognizer(name: str) -> Any:
    """An instance of a predefined recognizer, by class name. Raises: RedactionError for a name Presidio lacks."""
    from redaction.presidio import predefined

    return predefined(name)


def _find(name: str) -> Callable[[str], Iterator[Hit]]:
    shape = _SHAPES[name][0] if name in _SHAPES else None

    def find(text: str) -> Iterator[Hit]:
        if shape is None:
            yield from _found(name, text, 0)
            return
        for match in shape.finditer(text):
            yield from _found(name, match[0], match.start())

    return find


def _found(name: str, text: str, at: int) -> Iterator[Hit]:
    made = recognizer(name)
    for result in made.analyze(text, made.supported_entities, None) or ():
        score = result.score + (_CONTEXT if _has_context(made, text, result.start) else 0)
        if score >= LEAST_SCORE:
            value = text[result.start : result.end]
            yield Hit(at + result.start, at + result.end, class_of(result.entity_type), value)


def _has_context(made: Any, text: str, start: int) -> bool:
    """One of the recognizer's own context words stands before the value; Presidio asks its lemmas for that."""
    before = text[max(0, start - 60) : start].lower()
    return any(str(word).lower() in before for word in made.context or ())


def _find_by_ner(model: str) -> Callable[[str], Iterator[Hit]]:
    def find(text: str) -> Iterator[Hit]:
        from redaction.presidio import ner

        for start, end in ner(model, text):
            yield Hit(start, end, "PERSON", text[start:end].casefold())

    return find
