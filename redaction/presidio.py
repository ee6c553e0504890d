"""Presidio over our registry: our rules as `EntityRecognizer`s, and the AnalyzerEngine as the reference path.

    from presidio_analyzer import AnalyzerEngine
    from redaction.presidio import recognizers
    engine.registry.recognizers.extend(recognizers())     # our rules in somebody else's Presidio

Importing this module imports Presidio (1.3 s, 115 MB). Only `Redactor.full` and the recognizers that policy chose do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import presidio_analyzer
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerResult
from presidio_analyzer import predefined_recognizers as shipped
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.recognizer_registry import RecognizerRegistry

from redaction import views
from redaction.cards import Hit
from redaction.chosen import rules_of
from redaction.errors import RedactionError
from redaction.policy import Policy
from redaction.resolve import order_of
from redaction.rules import Rule, build
from redaction.view import View

_HIT = "redaction_hit"


class RuleRecognizer(EntityRecognizer):  # type: ignore[misc]
    """One of our rules for Presidio. Entities are our class names; results carry the canonical hit in their metadata.

    It reads every decoded view of the text by itself, so it needs nothing else of this room.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        super().__init__(supported_entities=list(rule.classes) or ["NATIONAL_ID"], name=f"payops_{rule.name}")

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        found = []
        for view in _views(text):
            for hit in self._rule.find(view.text):
                start, end = view.place(hit.start, hit.end)
                if end > start and (not entities or hit.klass in entities):
                    found.append(self._result(Hit(start, end, hit.klass, hit.value, hit.note)))
        return found

    def _result(self, hit: Hit) -> RecognizerResult:
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            _HIT: hit,
        }
        return RecognizerResult(hit.klass, hit.start, hit.end, _score(hit), recognition_metadata=metadata)


def _score(hit: Hit) -> float:
    """Between .9 and 1: of two hits in one place Presidio drops the lower score, and so keeps the one that
    `resolve.merge` chooses.
    """
    return 0.9 + 0.1 * order_of(hit) / 2**48


@lru_cache(maxsize=8)
def _views(text: str) -> tuple[View, ...]:
    base = views.base_view(text)
    return (base, *views.decoded_views(base))


def recognizers(policy: Policy | None = None) -> tuple[EntityRecognizer, ...]:
    """Our rules, and Presidio's that policy chose, as recognizers."""
    policy = policy or Policy.default()
    return tuple(RuleRecognizer(rule) for rule in (*build(policy), *rules_of(policy)))


class _NoNlp(presidio_analyzer.nlp_engine.NlpEngine):  # type: ignore[misc]
    """No tokens, no lemmas: no rule of ours asks for them, and the context enhancer has nothing to enhance."""

    def load(self) -> None:
        """Nothing to load."""

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        return NlpArtifacts(entities=[], tokens=[], tokens_indices=[], lemmas=[], nlp_engine=self, language=language)

    def process_batch(self, texts: Any, language: str, **_: Any) -> Iterator[tuple[str, NlpArtifacts]]:
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


class FullPath:
    """AnalyzerEngine with our registry: every recognizer on every text."""

    def __init__(self, policy: Policy) -> None:
        registry = RecognizerRegistry(recognizers=list(recognizers(policy)), supported_languages=["en"])
        self.engine = AnalyzerEngine(registry=registry, nlp_engine=_NoNlp(), supported_languages=["en"])

    def hits(self, text: str) -> list[Hit]:
        return [result.recognition_metadata[_HIT] for result in self.engine.analyze(text, "en")]


def predefined(name: str) -> EntityRecognizer:
    """One of Presidio's own, made to stay off the network.

    Raises: RedactionError if Presidio has no recognizer of that name.
    """
    made = getattr(shipped, name, None)
    if made is None or not issubclass(made, EntityRecognizer):
        raise RedactionError(
            f"Presidio has no recognizer {name}", mend="look at presidio_analyzer.predefined_recognizers"
        )
    if name == "EmailRecognizer":
        import tldextract

        # Left alone it fetches the public suffix list over HTTPS at the first e-mail.
        tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    return made()


@lru_cache(maxsize=4)
def _spacy(model: str) -> Any:
    import spacy

    try:
        return spacy.load(model)
    except OSError:
        raise RedactionError(
            f"the spaCy model {model} is not installed", mend="install it, or empty [presidio] spacy_model"
        ) from None


def ner(model: str, text: str) -> Sequence[tuple[int, int]]:
    """Places of PERSON entities by a spaCy model. Raises: RedactionError if it is not installed."""
    return [(e.start_char, e.end_char) for e in _spacy(model)(text).ents if e.label_ in {"PERSON", "PER"}]
