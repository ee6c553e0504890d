"""RedactedText is sealed: every accident that would forge one raises."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from redaction import FinalScanner, LeakBlocked, RedactedText, Redactor


def test_the_constructor_refuses() -> None:
    with pytest.raises(TypeError):
        RedactedText("4539578763621486")
    with pytest.raises(TypeError):
        type("Sub", (RedactedText,), {})


def test_an_empty_shell_has_no_text() -> None:
    with pytest.raises((TypeError, AttributeError)):
        _ = object.__new__(RedactedText).text


def test_setting_its_content_is_refused_or_seen(redactor: Redactor) -> None:
    redacted = redactor.redact("fine")
    with pytest.raises(AttributeError):
        redacted.text = "raw"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        object.__setattr__(redacted, "text", "raw")
    object.__setattr__(redacted, "_content", ("raw", (), {}))
    with pytest.raises(TypeError):
        _ = redacted.text


def test_copies_are_itself_and_pickles_are_refused(redactor: Redactor) -> None:
    redacted = redactor.redact("card 4539578763621486")
    assert copy.copy(redacted) is redacted
    assert copy.deepcopy(redacted) is redacted
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(redacted, protocol)
    with pytest.raises(TypeError):
        dataclasses.replace(redacted, text="raw")  # type: ignore[type-var]


def test_equality_and_hash_are_by_text(redactor: Redactor) -> None:
    one, two = redactor.redact("same"), redactor.redact("same")
    assert one == two
    assert hash(one) == hash(two)
    assert one != "same"
    assert str(one) == "same"


def test_join_adds_counts_and_takes_redacted_parts_only(redactor: Redactor) -> None:
    parts = [redactor.redact("a@b.example"), redactor.redact("plain")]
    joined = RedactedText.join("\n", parts)
    assert joined.text == "\n".join(p.text for p in parts)
    assert joined.counts == {"EMAIL": 1}
    with pytest.raises(AttributeError):
        RedactedText.join("\n", ["raw"])  # type: ignore[list-item]
    with pytest.raises(ValueError):
        RedactedText.join("4539578763621486", parts)


def test_restore_takes_back_what_was_stored_and_nothing_raw(redactor: Redactor) -> None:
    stored = redactor.redact("card 4539578763621486 of a@b.example").text
    assert FinalScanner().restore(stored).text == stored
    with pytest.raises(LeakBlocked) as caught:
        FinalScanner().restore("card 4539578763621486")
    assert caught.value.classes == ("PAN",)
    assert "4539" not in str(caught.value)


def test_spans_give_places_in_the_original_and_never_the_value(redactor: Redactor) -> None:
    text = "ü ４５３９５７８７６３６２１４８６ and a@b.example"
    redacted = redactor.redact(text)
    assert [(s.klass, text[s.start : s.end]) for s in redacted.spans] == [
        ("PAN", "４５３９５７８７６３６２１４８６"),
        ("EMAIL", "a@b.example"),
    ]
    assert "4539578763621486" not in repr(redacted.spans)
