"""Our rules inside somebody else's Presidio, Presidio's own inside ours, and NER where a spaCy model is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from redaction import Redactor


def test_our_recognizers_work_in_a_presidio_of_ones_own() -> None:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_analyzer.recognizer_registry import RecognizerRegistry

    from redaction.presidio import recognizers

    registry = RecognizerRegistry(recognizers=list(recognizers()), supported_languages=["en"])
    engine = AnalyzerEngine(
        registry=registry,
        nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}]),
        supported_languages=["en"],
    )
    text = "pan%3D4539578763621486 and cvv is 917, mail q@mail.example"
    found = {(r.entity_type, text[r.start : r.end]) for r in engine.analyze(text, "en")}
    assert ("PAN", "4539578763621486") in found
    assert ("SAD", "917") in found
    assert ("EMAIL", "q@mail.example") in found
    assert {r.entity_type for r in engine.analyze(text, "en", entities=["EMAIL"])} == {"EMAIL"}


def test_any_recognizer_of_presidios_can_be_added_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[presidio]\nrecognizers = ['EmailRecognizer', 'UsItinRecognizer']\n", encoding="utf-8")
    redacted = Redactor.from_policy(file).redact("my itin tax number 912-70-1234")
    assert "912-70-1234" not in redacted.text


def test_names_by_a_spacy_model(tmp_path: Path) -> None:
    """A model made here, of one entity ruler: the loading is real, the model is small."""
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "zorblax quux"}])
    nlp.to_disk(tmp_path / "tiny")
    file = tmp_path / "mine.toml"
    file.write_text(f"[presidio]\nspacy_model = '{tmp_path / 'tiny'}'\n", encoding="utf-8")
    assert Redactor.from_policy(file).redact("paid by zorblax quux today").text == "paid by <PERSON_1> today"


def test_an_absent_spacy_model_is_one_line(tmp_path: Path) -> None:
    from redaction import RedactionError

    file = tmp_path / "mine.toml"
    file.write_text("[presidio]\nspacy_model = 'xx_not_installed'\n", encoding="utf-8")
    with pytest.raises(RedactionError, match="xx_not_installed is not installed"):
        Redactor.from_policy(file).redact("hello")


def test_importing_and_redacting_needs_neither_presidio_nor_spacy() -> None:
    code = (
        "import sys, redaction\n"
        "heavy = {'presidio_analyzer', 'spacy', 'hyperscan', 'tldextract', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "redaction.Redactor.default().redact('card 4539578763621486 of Jane Doe, a@b.example')\n"
        "assert not (heavy - {'hyperscan'}) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_redaction_imports_nothing_of_ours() -> None:
    import ast

    import redaction

    for file in Path(redaction.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            assert not [n for n in names if n.split(".")[0] in {"assistant", "evals", "runbooks", "tests"}], file.name
