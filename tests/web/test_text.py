"""What pages make of words that come from notes."""

from __future__ import annotations

from assistant.web.pages.render import environment
from assistant.web.pages.text import sure, visible


def test_confirmed_is_read_as_strong_evidence_and_filtered_by_its_own_name() -> None:
    macros = environment().get_template("_macros.html").module
    assert "strong evidence" in macros.verdict("confirmed") and ">confirmed<" not in macros.verdict("confirmed")  # type: ignore[attr-defined]
    options = macros.options(("confirmed", "likely"), "confirmed", "any")  # type: ignore[attr-defined]
    assert '<option value="confirmed" selected>strong evidence</option>' in options
    assert [sure(word) for word in ("likely", "none", "critical")] == ["likely", "none", "critical"]


def test_what_turns_text_round_is_shown_as_what_it_is() -> None:
    assert visible("a\u202eb") == "a⟨U+202E⟩b"
