"""A query is read in the runbooks' words; what the runbooks say themselves is never touched."""

from __future__ import annotations

import pytest

from assistant.runbook_index.lexical import Lexical
from assistant.runbook_index.reading import read
from assistant.runbook_index.text import stem, surface
from assistant.runbook_index.trade_words import MOST_WORDS, trade_words

BOOKS = "refund payment acquirer timeout settlement file certificate expires double charge chargeback dispute 91 card"
KNOWN = dict.fromkeys((stem(w) for w in BOOKS.split()), 1)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("acq does not answer", "acquirer does not answer"),
        ("reimbursements wait", "refunds wait"),
        ("a timout", "a timeout"),
        ("the certifcate", "the certificat"),
        ("Rückbuchung von Karte", "chargeback von card"),
        ("code 91 and 4711", "code 91 and "),
        ("billed twice", "  double charge"),
        ("refund, please!", "refund, please!"),
    ],
)
def test_what_people_write_is_read_as_what_runbooks_say(said: str, meant: str) -> None:
    assert read(said, KNOWN).split() == meant.split()


def test_a_word_that_some_runbook_uses_stands_whatever_the_trade_calls_it() -> None:
    assert read("acq", {**KNOWN, stem("acq"): 1}) == "acq"


def test_a_query_in_the_runbooks_words_is_the_same_string() -> None:
    assert read(BOOKS, KNOWN) is not None and read(BOOKS, KNOWN) == BOOKS


@pytest.mark.parametrize("text", ["", " ", "\x00", "🙂🙂", "a" * 5000, "дом " * 50, "支付失败率上升", "Ünïcödé" * 30])
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(read(text, KNOWN), str)


def test_the_table_has_no_word_without_a_meaning_and_none_with_accents() -> None:
    for written, meant in trade_words().items():
        assert meant and 1 <= len(written) <= MOST_WORDS, written
        assert all(w == w.lower() and w.isascii() for w in written), written


def test_words_of_other_scripts_and_accents_are_words() -> None:
    assert surface("Réponse refusée") == ["reponse", "refusee"]
    assert surface("отказ эквайера") == ["отказ", "эквайера"]
    assert surface("支付失败率") == ["支付", "付失", "失败", "败率"]


def test_a_runbook_in_another_script_is_found_by_its_words() -> None:
    index = Lexical([("支付网关超时", "支付网关超时 收单行无响应"), ("отказ банка", "отказ банка эмитента")])
    assert index.scores("网关超时").argmax() == 0
    assert index.scores("банка отказ").argmax() == 1
