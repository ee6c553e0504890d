"""Quantities: the same meaning in other words is the same, another meaning is not."""

from __future__ import annotations

import pytest

from assistant.drafting.figures import carried, quantities
from assistant.drafting.names import names, occurs


def same(claim: str, evidence: str) -> bool:
    said = quantities(claim)
    assert said
    return all(carried(q, quantities(evidence)) for q in said)


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("61.3 %", "0.613"),
        ("61 per cent", "61.3 %"),
        ("12 minutes", "725 s"),
        ("a 10-minute window", "600 s"),
        ("0.3 s", "300 ms"),
        ("1,200", "1240"),
        ("53k EUR", "EUR 53,200.50"),
        ("EUR 36,186", "at risk 36186.29 EUR"),
        ("€5.2 million", "EUR 5,213,000"),
        ("two thirds", "66.7 %"),
        ("doubled", "2.04x"),
        ("twenty-one", "21"),
        ("5 per second", "5.02 per s"),
        ("09:41", "2026-03-02T09:41:30Z"),
        ("09:41:30Z", "2026-03-02T11:41:30+02:00"),
        ("1.2 GB", "1200 MB"),
        ("05", "response code 05"),
    ],
)
def test_same(claim: str, evidence: str) -> None:
    assert same(claim, evidence)


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("61.4 %", "0.613"),
        ("40 %", "42 %"),
        ("1,000", "1240"),
        ("EUR 100", "USD 100"),
        ("100", "EUR 100"),
        ("61", "61 %"),
        ("5", "5 per second"),
        ("12 customers", "12 lines"),
        ("12 minutes", "12 hours"),
        ("09:42", "09:41:30Z"),
        ("09:41:31Z", "09:41:30Z"),
        ("5 pp", "5 %"),
        ("dozens", "24"),
        ("3x", "2.4x"),
        ("2", "gw-2 restarted"),
        ("9", "commit 9f3c2a1"),
        ("4.1", "v2.4.1"),
        ("1e999", "9e999"),
    ],
)
def test_another(claim: str, evidence: str) -> None:
    assert not same(claim, evidence)


def test_placeholders_are_no_numbers() -> None:
    assert quantities("<PAN_1 visa 411111> and <PAN_2.1 mastercard 51051051>") == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The issuer-side fault is read-only and card-present.", ()),
        ("Approved/declined in a 10-minute window at 09:41 with p95 of 3DS.", ()),
        ("Barclays fails", ("Barclays",)),
        ("on payments-db and CardVault", ("payments-db", "CardVault")),
        ("`acme bank` said 'no way'", ("acme bank", "no way")),
        ("gw-2, v2.4.1, 3f9c2a1, 10.0.0.5", ("gw-2", "v2.4.1", "3f9c2a1", "10.0.0.5")),
        ("It's Visa's", ("Visa",)),
    ],
)
def test_names(text: str, found: tuple[str, ...]) -> None:
    assert names(text) == found


def test_a_name_is_a_whole_word_and_a_hash_may_be_cut() -> None:
    assert occurs("vela", "acquirer=vela, link") and not occurs("vel", "acquirer=vela")
    assert not occurs("gateway", "gateways") and occurs("auth-gateway", "service=auth-gateway;")
    assert occurs("7c1e9ab", "commit 7c1e9ab4f2") and not occurs("1e9ab4f", "commit 7c1e9ab4f2")
