"""Every rule is needed: with it a value goes, without it the value stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redaction.chosen import rules_of
from redaction.policy import Policy
from redaction.redactor import Redactor
from redaction.rules import build
from tests.redaction.examples import EXAMPLES

RULES = (*build(Policy.default()), *rules_of(Policy.default()))


def test_every_rule_has_an_example() -> None:
    assert [rule.name for rule in RULES if rule.name not in EXAMPLES] == []
    assert set(EXAMPLES) == {rule.name for rule in RULES}


@pytest.fixture(scope="module")
def whole() -> Redactor:
    return Redactor.default()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_removing_a_rule_lets_its_example_through(name: str, whole: Redactor) -> None:
    text, value = EXAMPLES[name]
    assert value in text
    assert value not in whole.redact(text).text
    # It stays in the row and finds nothing, so that the triggers need not be compiled anew for each.
    others = [replace(rule, find=lambda _: ()) if rule.name == name else rule for rule in RULES]
    without = Redactor.of(Policy.default(), rules=others)
    assert value in without.redact(text).text


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_trigger_fires_wherever_its_rule_finds(name: str) -> None:
    """A trigger that is narrower than its rule would make the fast path blind."""
    rule = next(rule for rule in RULES if rule.name == name)
    text, value = EXAMPLES[name]
    alone = Redactor.of(Policy.default(), rules=[rule])
    assert value not in alone.redact(text).text
