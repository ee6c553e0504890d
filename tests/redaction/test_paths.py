"""The fast path and Presidio's engine over our registry give the same answer; so do both trigger engines."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.sets.redaction_corpus import Corpus
from evals.sets.redaction_forms import FORMS, MISSES
from redaction import Redactor
from redaction.policy import Policy
from redaction.triggers import Triggers
from tests.redaction.examples import EXAMPLES

_PIECES = [text for text, _ in EXAMPLES.values()] + [form("4539578763621486") for form in (FORMS | MISSES).values()]


@pytest.fixture(scope="module")
def full() -> Redactor:
    return Redactor.full()


@pytest.fixture(scope="module")
def by_re() -> Redactor:
    return Redactor.of(Policy.default(), engine="re")


def _same(one: Redactor, other: Redactor, text: str) -> None:
    """Both in a new scope, so that tokens are numbered alike."""
    a, b = one.for_incident(text[:80]), other.for_incident(text[:80])
    left, right = a.redact(text), b.redact(text)
    one.forget(text[:80])
    other.forget(text[:80])
    strip = [(s.klass, s.start, s.end) for s in left.spans]
    assert strip == [(s.klass, s.start, s.end) for s in right.spans], text


def _mixed(seed: int, count: int) -> list[str]:
    """Clean, planted, and examples cut and glued at random."""
    rng = random.Random(seed)
    lines = list(Corpus(seed).lines(count // 3)) + list(Corpus(seed, unseen=True).lines(count // 6))
    for klass in ("PAN", "SAD", "SECRET", "EMAIL", "IBAN"):
        lines += [line for line, _ in Corpus(seed).planted(klass, count // 30)]
    while len(lines) < count:
        one, two = rng.choice(_PIECES), rng.choice(_PIECES)
        cut = rng.randrange(len(one) + 1)
        lines.append(
            one[:cut] + rng.choice(("", " ", "=", "\n", '"', "\u00a0", "é")) + two[rng.randrange(len(two) + 1) :]
        )
    return lines


def test_presidio_and_the_fast_path_agree(redactor: Redactor, full: Redactor) -> None:
    for text in _PIECES + _mixed(1, 400):
        _same(redactor, full, text)


@pytest.mark.parametrize(
    "text", ["[card]é=387=363=362=314=386", '"card[]" : 38763621486', "card]é=38763621486", "card[0][]='38763621486'"]
)
def test_what_stands_behind_a_key_is_read_alike_by_both(text: str, redactor: Redactor, full: Redactor) -> None:
    _same(redactor, full, text)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_presidio_and_the_fast_path_agree_on_many_lines(redactor: Redactor, full: Redactor) -> None:
    """A million by PAYOPS_IDENTITY_LINES=1000000; hours of Presidio on one core."""
    for text in _mixed(2, int(os.environ.get("PAYOPS_IDENTITY_LINES", "20000"))):
        _same(redactor, full, text)


def test_hyperscan_and_re_fire_alike(redactor: Redactor, by_re: Redactor) -> None:
    for text in _PIECES + _mixed(3, 120):
        _same(redactor, by_re, text)


_WORDS = st.sampled_from(
    ["4539578763621486", "4539 5787", "cvv", "=", ":", '"', "917", "pan", "John", "Smith", "maria", "@", "mail.example", "%34", "\\u0034", "&#52;",  # noqa: E501
     "DE89370400440532013000", "Bearer ", "eyJ", " ", "\n", "\t", ",", "{", "}", "[", "]", "<", ">", "-", "/", "\x1b[31m", "\u200b", "４", "é", "١"]  # noqa: E501
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(_WORDS, st.text(max_size=6)), max_size=14).map("".join))
def test_any_text_gets_one_answer(redactor: Redactor, full: Redactor, text: str) -> None:
    _same(redactor, full, text)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(_WORDS, st.text(max_size=6)), max_size=14).map("".join))
def test_any_text_is_redacted_or_refused_and_redacting_again_finds_no_card(redactor: Redactor, text: str) -> None:
    once = redactor.redact(text)
    rebuilt, at = [], 0
    for span in once.spans:
        rebuilt += [text[at : span.start], span.replacement]
        at = span.end
    assert "".join([*rebuilt, text[at:]]) == once.text
    assert not {"PAN", "TRACK", "LINE"} & redactor.redact(once.text).counts.keys()


def test_triggers_that_are_missing_run_always() -> None:
    fired = Triggers([(), ("x",)], engine="re").fired
    assert fired("abc") == [0]
    assert fired("axc") == [0, 1]
