"""Presidio's own recognizers that policy chose, as rules of ours: imported when their shape first stands in a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from redaction.cards import Hit
from redaction.policy import Policy
from redaction.rules import Rule

# Recognizers with a check digit of their own, and the shape without which they find nothing. Others get no trigger.
_SHAPES: dict[str, tuple[str, ...]] = {
    "CryptoRecognizer": (r"(?:bc1|[13])[a-zA-Z0-9]{25}",),
    "EsNifRecognizer": (r"[0-9]{7}-?[A-Za-z]",),
    "ItFiscalCodeRecognizer": (r"(?i)[A-Z]{6}[0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{2}[A-Z]",),
}
_CLASS_OF = {"CRYPTO": "BANK_ACCOUNT", "ES_NIF": "NATIONAL_ID", "IT_FISCAL_CODE": "NATIONAL_ID"}
_CLASS_WORDS = (
    ("EMAIL", "EMAIL"), ("PHONE", "PHONE"), ("IBAN", "IBAN"), ("CREDIT_CARD", "PAN"), ("BANK", "BANK_ACCOUNT"), ("IP_ADDRESS", "IP"),
    ("PERSON", "PERSON"), ("DATE", "DOB"), ("LOCATION", "ADDRESS"),
)  # fmt: skip
LEAST_SCORE = 0.6  # below it Presidio's pattern matched without its check digit or a context word


def class_of(entity: str) -> str:
    """Our class for an entity of Presidio's; NATIONAL_ID for the many country-specific ones."""
    known = _CLASS_OF.get(entity)
    return known or next((klass for word, klass in _CLASS_WORDS if word in entity), "NATIONAL_ID")


def rules_of(policy: Policy) -> Iterator[Rule]:
    for name in policy.recognizers:
        yield Rule(f"presidio_{name}", (), _SHAPES.get(name, ()), _find(name))
    if policy.spacy_model:
        yield Rule("presidio_ner", ("PERSON",), (), _find_by_ner(policy.spacy_model))


@lru_cache(maxsize=64)
def recognizer(name: str) -> Any:
    """An instance of a predefined recognizer, by class name. Raises: RedactionError for a name Presidio lacks."""
    from redaction.presidio import predefined

    return predefined(name)


def _find(name: str) -> Callable[[str], Iterator[Hit]]:
    def find(text: str) -> Iterator[Hit]:
        made = recognizer(name)
        for result in made.analyze(text, made.supported_entities, None) or ():
            if result.score >= LEAST_SCORE:
                yield Hit(result.start, result.end, class_of(result.entity_type), text[result.start : result.end])

    return find


def _find_by_ner(model: str) -> Callable[[str], Iterator[Hit]]:
    def find(text: str) -> Iterator[Hit]:
        from redaction.presidio import ner

        for start, end in ner(model, text):
            yield Hit(start, end, "PERSON", text[start:end].casefold())

    return find
