"""Lines as production writes them: what has to go goes, and nothing else does."""

from __future__ import annotations

import pytest

from evals.sets.redaction_styles import Styled, lines, outcome
from redaction import FinalScanner, Redactor

LINES = tuple(lines())
# A logger's name is a person's too, and `CVV2=345` may be quoted-printable.
KNOWN_HARM = {"winston", "2"}


def test_the_set_holds_values_and_clean_lines() -> None:
    assert len(LINES) == 150
    assert sum(bool(styled.marks) for styled in LINES) == 103
    assert all(styled.text[start:end].strip() for styled in LINES for start, end in styled.marks)


@pytest.mark.parametrize("styled", LINES, ids=lambda styled: styled.text[:40].encode("unicode_escape").decode())
def test_what_is_marked_goes_and_the_rest_stays(styled: Styled, redactor: Redactor) -> None:
    found = outcome(redactor, styled)
    assert found.left == ()
    assert found.gone == "" or found.gone in KNOWN_HARM


def test_what_is_left_passes_the_last_look(redactor: Redactor) -> None:
    for styled in LINES:
        FinalScanner().check(redactor.redact(styled.text).text, sink="test")
