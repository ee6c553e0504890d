"""The list of written forms that was made away from development, and every other kind of value beside it."""

# ruff: noqa: E501  tables of texts read best as they are
from __future__ import annotations

import random

import pytest

from evals.sets.redaction_corpus import pan
from evals.sets.redaction_written import texts
from redaction import FinalScanner, LeakBlocked, Redactor
from redaction.brands import check_digit

PANS = ("4929123456781236", "5541234987654323", "2253678912345672")


@pytest.mark.parametrize("digits", PANS)
def test_a_pan_goes_however_it_is_written(digits: str, redactor: Redactor) -> None:
    digits = digits[:-1] + check_digit(digits[:-1])
    written = list(texts(digits))
    assert len(written) > 750
    left = []
    for text in written:
        shown = redactor.redact(text).text
        if digits in "".join(c for c in shown if c.isdigit()) or digits[6:12] in shown or shown == text:
            left.append(f"{text!r} -> {shown!r}")
    assert left == []


def test_what_is_left_of_a_written_pan_passes_the_last_look(redactor: Redactor) -> None:
    scanner, blocked = FinalScanner(classes=("PAN", "TRACK")), []
    for text in texts(pan(random.Random(3), brand="visa", length=16)):
        try:
            scanner.check(redactor.redact(text).text, sink="test")
        except LeakBlocked as found:
            blocked.append(f"{found.where}: {text!r}")
    assert blocked == []


@pytest.mark.parametrize("text", ["maestro card 5712 3456 7899 declined", "UATP card 1012 3456 7890 127", "<td>§</td>"])
def test_rare_groupings_go_behind_a_word_for_a_card_only(text: str, redactor: Redactor) -> None:
    if "§" in text:
        text = "".join(f"<span>{digit}</span>" for digit in "4929123456781236")
    assert redactor.redact(text).text != text


def test_rows_of_small_numbers_stay(redactor: Redactor) -> None:
    for text in ("5712 3456 7899", "buckets 1012 3456 7890 127", "<td>4</td><td>9</td>", "0x49, 0x29, 0x12"):
        assert redactor.redact(text).text == text


SAD_KEYS = "cvv cvv2 CVC cvc2 csc cvn CAV2 securityCode card_security_code cardVerificationValue cvvCode cvc_code cardCvc card[cvc] CVV2Value cvNumber csc_code cvvNum cvdCode".split()  # noqa: SIM905
SECRET_KEYS = "password db_password dbpassword spring.datasource.password client_secret X-Api-Key access_token JSESSIONID hmac_key masterKey account_key totp_seed recovery_code secret_id REDIS_PASS".split()  # noqa: SIM905
SHAPES = (
    "{key}={value}",
    '"{key}":"{value}"',
    "{key}: {value}",
    '{key} = "{value}"',
    '{key}=\\"{value}\\"',
    '"{key}":"{value}',
)


@pytest.mark.parametrize(("keys", "value"), [(SAD_KEYS, "737"), (SECRET_KEYS, "Zx9Kq2Lm8Vb4Tn6")])
def test_a_value_goes_under_every_key_in_use(keys: list[str], value: str, redactor: Redactor) -> None:
    made = [shape.format(key=key, value=value) for key in keys for shape in SHAPES]
    made += [f"-D{key}={value}" for key in keys if value != "737" and key.isidentifier()]
    assert [text for text in made if value in redactor.redact(text).text] == []


OTHERS = (
    ("curl -u admin:Zx9Kq2 https://h", "Zx9Kq2"), ("mysql -pZx9Kq2Lm -u root", "Zx9Kq2Lm"), ("docker login -u x -p Zx9Kq2Lm reg", "Zx9Kq2Lm"),
    ("redis-cli -h r -a Zx9Kq2Lm ping", "Zx9Kq2Lm"), ("CREATE USER x IDENTIFIED BY 'Zx9Kq2Lm'", "Zx9Kq2Lm"), ("machine h login u password Zx9Kq2Lm", "Zx9Kq2Lm"),
    ("SIN 046 454 286", "454 286"), ("AHV 756.9217.0769.85", "9217.0769"), ("NRIC S1234567D", "S1234567D"), ("RUT 12.345.678-5", "345.678"), ("income tax ABCPE1234F", "ABCPE1234F"),
    ("call 0049 171 5551234", "5551234"), ("her maiden name is Nyberg", "Nyberg"), ("a refund for Mrs. Baker", "Baker"), ("spoke to mrs. petrossian", "petrossian"),
    ("approved_by=Tomislav Hadžić", "Hadžić"), ("Name: Kamila Červinková", "Červinková"), ("shipped to Kwabena Owusu-Ansah", "Ansah"), ("that is Amanda's card", "Amanda"),
)  # fmt: skip
STAY = (
    "docker run -u 1000:1000 app", "Bearer authentication failed", "password reset requested", "with password authentication", "mysql -u root -p", "routing_key=payments.captured",
    "cvc_check: pass", "cvv_result_code=M", "name: card vault", "her name is unknown", "RFC 9110 section 9.3",
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), OTHERS)
def test_it_goes(text: str, value: str, redactor: Redactor) -> None:
    assert value in text and value not in redactor.redact(text).text


@pytest.mark.parametrize("text", STAY)
def test_it_stays(text: str, redactor: Redactor) -> None:
    assert redactor.redact(text).text == text
