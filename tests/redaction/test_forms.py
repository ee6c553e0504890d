"""Every written form of a PAN is found; what is not is published."""

from __future__ import annotations

import random

import pytest

from evals.sets.redaction_corpus import pan
from evals.sets.redaction_forms import FORMS, MISSES
from redaction import FinalScanner, LeakBlocked, Redactor
from redaction.brands import TEST_PANS, brand_of, check_digit, is_pan, luhn, table

PANS = ("4539578763621486", "5425233430109903", "2223520443560010", "6011000990139424")
# Lines that are dropped whole, or hide digits in a track, count as found.
CARD_DATA = {"PAN", "TRACK", "LINE", "EMAIL"}
# The scanner is a second net with other meshes; these forms pass it.
SCANNER_MISSES = {
    "spelled out",
    "spelled with commas",
    "spelled without gaps",
    "CSS escapes",
    "short octal escapes",
    "octal list",
    "SQL characters",
    "bits",
    "base32",
    "list of digits",
    "track 3",
    "wrapped and indented",
    "quoted-printable, every other digit",
    "quoted-printable, first digit",
    "quoted-printable, last digit",
    "quoted-printable nbsp",
    "ascii85",
    "ascii85 with brackets",
    "base85",
    "base85 of JSON",
    "base85 of grouped",
    "z85",
    "uuencode",
    "uuencode of a sentence",
    "uuencode of grouped",
    "base64 three times",
    "base64 four times",
    "a box for every four",
    "a box for every four, JSON",
    "a box for every four, one name",
    "split over fields",
    "split over fields, numbers",
    "split in two",
}


def test_there_are_at_least_seventy_forms() -> None:
    assert len(FORMS) >= 70


@pytest.mark.parametrize("name", FORMS)
def test_a_written_form_is_found(name: str, redactor: Redactor) -> None:
    for digits in PANS:
        redacted = redactor.redact(FORMS[name](digits))
        assert CARD_DATA & redacted.counts.keys(), redacted.text
        assert digits not in "".join(c for c in redacted.text if c.isdigit())
        assert digits[6:12] not in redacted.text
        FinalScanner(classes=("PAN", "TRACK")).check(redacted.text, sink="test")


@pytest.mark.parametrize("name", sorted(FORMS.keys() - SCANNER_MISSES))
def test_the_scanner_blocks_a_written_form_by_itself(name: str) -> None:
    with pytest.raises(LeakBlocked):
        FinalScanner().check(FORMS[name](PANS[0]), sink="test")


@pytest.mark.parametrize("name", MISSES)
def test_published_misses_are_still_misses(name: str, redactor: Redactor) -> None:
    """When one of them is found, it belongs among the forms."""
    assert not CARD_DATA & redactor.redact(MISSES[name](PANS[0])).counts.keys()


@pytest.mark.parametrize(("brand", "lengths", "ranges"), table())
def test_every_brand_at_every_length(
    brand: str, lengths: tuple[int, ...], ranges: tuple[str, ...], redactor: Redactor
) -> None:
    for length in lengths:
        for span in ranges:
            first, _, last = span.partition("-")
            for prefix in {first, last or first}:
                body = prefix.ljust(length - 1, "7")
                digits = body + check_digit(body)
                assert brand_of(digits), (brand, digits)
                assert redactor.redact(f"card {digits} declined").counts == {"PAN": 1}, (brand, digits)


def test_random_pans_of_every_brand_are_found_in_print(redactor: Redactor) -> None:
    rng = random.Random(7)
    for _ in range(1000):
        digits = pan(rng)
        gap = rng.choice((" ", "-", "", "_"))
        printed = gap.join(digits[i : i + 4] for i in range(0, len(digits), 4)) if len(digits) == 16 else digits
        assert redactor.redact(f"for {printed} at").counts.get("PAN") == 1, printed


def test_published_test_numbers_are_pans() -> None:
    assert [digits for digits in sorted(TEST_PANS) if not is_pan(digits)] == []


def test_the_check_digit_of_iso_7812() -> None:
    assert check_digit("7992739871") == "3"  # the standard's own example
    assert luhn("79927398713")
    assert not any(luhn("7992739871" + d) for d in "012456789")
    assert not luhn("0000000000000000")


@pytest.mark.parametrize(
    "text",
    [
        "card=411111******1111",
        "pan: 411111XXXXXX1111",
        '"card_number":"************1111"',
        "card 4111 11** **** 1111",
        "last4=1111 bin=411111",
    ],
)
def test_truncated_numbers_pass(text: str, redactor: Redactor) -> None:
    """PCI DSS 3.4.1: BIN and last four may be shown."""
    assert redactor.redact(text).text == text


@pytest.mark.parametrize("key", ["pan", "cardNumber", "CARD-NUMBER", "payment.card_number", "ccnum", "F002"])
def test_under_a_card_key_eight_digits_are_enough(key: str, redactor: Redactor) -> None:
    assert "1234567812345678" not in redactor.redact(f"{key}=1234567812345678 ok").text
    assert "12345678" not in redactor.redact(f'{{"{key}": "12345678"}}').text
