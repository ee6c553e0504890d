"""The forms in which a value may stand, and what is left of a text without it."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import UsageError
from assistant.purging.value import GONE, value_of

PAN = "5555341244441115"
SPACED = "5555 3412 4444 1115"
MAIL = "maria.weber+card@example.net"

FORMS = {
    "plain": PAN,
    "spaced": SPACED,
    "dashed": SPACED.replace(" ", "-"),
    "dotted": SPACED.replace(" ", "."),
    "no-break spaces": SPACED.replace(" ", "\u00a0"),
    "percent-encoded spaces": quote(SPACED),
    "plus for spaces": SPACED.replace(" ", "+"),
    "percent-encoded digits": "".join(f"%{ord(c):02X}" for c in PAN),
    "JSON escapes": "".join(f"\\u{ord(c):04x}" for c in PAN),
    "HTML escapes": "".join(f"&#{ord(c)};" for c in PAN),
    "full width": "".join(chr(0xFF10 + int(c)) for c in PAN),
    "hexadecimal": PAN.encode().hex(),
    "base64": base64.b64encode(PAN.encode()).decode(),
    "base64 after one byte": base64.b64encode(b"x" + PAN.encode() + b"yy").decode(),
    "base64 after two bytes": base64.b64encode(b"xy" + PAN.encode() + b"z").decode(),
    "URL-safe base64": base64.urlsafe_b64encode(b"\xff\xfe" + PAN.encode()).decode(),
    "inside a longer number": f"99{PAN}00",
}


@pytest.mark.parametrize("given_as", [PAN, SPACED, SPACED.replace(" ", "-")])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_card_number_is_found_and_removed_in_every_form(form: str, given_as: str) -> None:
    value, text = value_of(given_as), f"before {FORMS[form]} after"
    assert value.inside(text) and value.in_bytes(text.encode())
    clean = value.cleaned(text)
    assert not value.inside(clean)
    assert clean.startswith("before ") and clean.endswith(" after") and GONE in clean


def test_a_value_with_signs_is_found_escaped_and_encoded() -> None:
    value = value_of(MAIL)
    for text in (
        MAIL,
        MAIL.upper(),
        quote(MAIL, safe=""),
        json.dumps({"to": MAIL}),
        base64.b64encode(MAIL.encode()).decode(),
    ):
        assert value.inside(text)
        assert not value.inside(value.cleaned(text))
    path = value_of("/home/maria/Kärt\\n")
    assert path.inside('{"file":"\\/home\\/maria\\/K\\u00e4rt\\\\n"}')


def test_json_stays_json_and_a_number_becomes_a_text() -> None:
    document = {"pan": int(PAN), "lines": [f"card {SPACED}", 1.5, None, True], PAN: {"deep": [PAN]}}
    clean = json.loads(value_of(PAN).cleaned(json.dumps(document)))
    assert clean == {"pan": GONE, "lines": [f"card {GONE}", 1.5, None, True], GONE: {"deep": [GONE]}}


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_stands_around_it_is_not_touched(before: str, after: str) -> None:
    value = value_of("tok_9sL2-Qw8z")
    clean = value.cleaned(f"{before}\x01tok_9sL2-Qw8z\x01{after}")
    assert clean == f"{before}\x01{GONE}\x01{after}"


@given(st.text())
def test_a_text_without_it_is_left_as_it_is(text: str) -> None:
    value = value_of(PAN)
    assert value.cleaned(text) == text or value.inside(text)


@pytest.mark.parametrize("short", ["", "123", "1 2-3", "12345"])
def test_a_value_that_would_take_much_else_with_it_is_refused_unsaid(short: str) -> None:
    with pytest.raises(UsageError) as refused:
        value_of(short)
    assert not short or short not in str(refused.value)


def test_it_never_shows_itself() -> None:
    value = value_of(PAN)
    assert value.klass == "PAN"
    assert PAN not in repr(value) and "5555" not in f"{value!r} {value}"
    assert value_of("no class at all").klass == "OTHER"
