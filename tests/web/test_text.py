"""What pages make of words that come from notes."""

from __future__ import annotations

from assistant.web.pages.render import environment
from assistant.web.pages.text import coded, dated, sure, visible


def test_confirmed_is_read_as_strong_evidence_and_filtered_by_its_own_name() -> None:
    macros = environment().get_template("_macros.html").module
    assert "strong evidence" in macros.verdict("confirmed") and ">confirmed<" not in macros.verdict("confirmed")  # type: ignore[attr-defined]
    options = macros.options(("confirmed", "likely"), "confirmed", "any")  # type: ignore[attr-defined]
    assert '<option value="confirmed" selected>strong evidence</option>' in options
    assert [sure(word) for word in ("likely", "none", "critical")] == ["likely", "none", "critical"]


def test_what_turns_text_round_is_shown_as_what_it_is() -> None:
    assert visible("a\u202eb") == "a⟨U+202E⟩b"


def test_commands_in_a_sentence_are_code_and_nothing_else_is() -> None:
    assert coded("see `payops log`; <b>") == "see <code>payops log</code>; &lt;b&gt;"
    assert coded("one ` alone <i>") == "one ` alone &lt;i&gt;"


def test_what_is_kept_for_years_is_shown_with_its_year() -> None:
    assert ">2026-11-23 17:48:02Z<" in dated("2026-11-23T17:48:02Z") and dated("") == "–"
