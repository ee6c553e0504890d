"""Structures, labels and bytes: redacted or refused, never raised raw, never passed through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redaction import FinalScanner, RedactionError, Redactor

PAN = "4539578763621486"


def test_keys_values_and_numbers_are_judged_under_their_own_key(redactor: Redactor) -> None:
    value = {
        "payment": {"card": {"number": 4111222233334445, "cvv": 123}, "amount": 1250, "scheme": "visa"},
        PAN: "a key",
        "floats": [float(PAN), 1.5],
        "notes": ["mail a@b.example", None, True],
        "issuer": "acme-bank",
    }
    made = redactor.redact_value(value)
    text = json.dumps(made.value)
    assert PAN not in text
    assert made.value["payment"]["card"]["cvv"] == "<SAD removed>"
    assert made.value["payment"]["amount"] == 1250
    assert made.value["notes"][1:] == [None, True]
    assert made.value["floats"][1] == 1.5
    assert made.value["issuer"] == "acme-bank"
    assert made.counts["PAN"] >= 2


def test_two_keys_that_become_one_are_both_kept(redactor: Redactor) -> None:
    made = redactor.redact_value(
        {"track2=;4539578763621486=27121011234?": 1, "track2=;5425233430109903=27121011234?": 2}
    )
    assert sorted(made.value.values()) == [1, 2]


def test_labels_are_judged_under_their_name(redactor: Redactor) -> None:
    made = redactor.redact_labels(
        {"service": "auth", "customer_email": "a@b.example", "pan": PAN, "pod": "auth-7d9-x2z"}
    )
    assert made["service"] == "auth"
    assert made["pod"] == "auth-7d9-x2z"
    assert "a@b" not in made["customer_email"]
    assert PAN not in made["pan"]


def test_a_cycle_a_deep_tree_and_a_foreign_object_are_refused_in_one_line(redactor: Redactor) -> None:
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    for bad in (cycle, deep, {"x": object()}, {"x": {1, 2}}, {"x": 10**5000}):
        with pytest.raises(RedactionError) as caught:
            redactor.redact_value(bad)
        assert "\n" not in str(caught.value)


def test_deep_json_text_is_redacted_as_text(redactor: Redactor) -> None:
    text = "[" * 10_000 + PAN + "]" * 10_000
    assert PAN not in redactor.redact(text).text


@pytest.mark.parametrize(
    "data",
    [
        PAN.encode("utf-16"),
        PAN.encode("utf-16-le"),
        PAN.encode("utf-16-be"),
        b"\xff\xfe\xfd card " + PAN.encode() + b"\x80",
        b"card 4539\xff5787\xff6362\xff1486",
        b"card 4539\x005787\x006362\x001486",
        ("é" * 10 + PAN).encode("latin-1"),
        b"\xef\xbb\xbf" + PAN.encode(),
    ],
)
def test_bytes_of_any_encoding(data: bytes, redactor: Redactor) -> None:
    assert redactor.redact_bytes(data).counts.get("PAN") == 1


def test_nul_lone_surrogates_and_ten_megabytes_in_one_line(redactor: Redactor) -> None:
    for text in (f"\0{PAN}\0", f"\ud800{PAN}\udfff", "4539\ud8005787\ud8006362\ud8001486", f"{'xy ' * 3_500_000}{PAN}"):
        redacted = redactor.redact(text)
        assert redacted.counts.get("PAN") == 1
        assert PAN not in redacted.text


def test_what_is_not_text_is_refused(redactor: Redactor) -> None:
    with pytest.raises(TypeError):
        redactor.redact(b"bytes")  # type: ignore[arg-type]


def test_json_stays_json(redactor: Redactor) -> None:
    lines = (
        json.dumps({"pan": int(PAN), "cvv": 123, "list": [int(PAN), 2], "n": float(PAN)}),
        json.dumps({"body": json.dumps({"pan": PAN, "name": "x"}), "email": "a@b.example"}),
        json.dumps([int(PAN)], indent=1),
    )
    for line in lines:
        redacted = redactor.redact(line).text
        json.loads(redacted)
        assert PAN not in redacted


_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=12), st.just(PAN), st.just(int(PAN)),  # noqa: E501
    st.just("a@b.example"), st.just("AK" + "IAQX2A3B4C5D6E7F2G"),
)  # fmt: skip
_KEYS = st.one_of(st.text(max_size=8), st.sampled_from(["pan", "cvv", "email", "password", "msg", PAN, "issuer"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
    )
)
def test_no_structure_lets_a_card_through(redactor: Redactor, value: Any) -> None:
    made = json.dumps(redactor.redact_value(value).value)
    assert PAN not in made
    assert "a@b.example" not in made
    assert "QX2A3B4C5D6E7F2G" not in made
    FinalScanner(classes=("PAN", "TRACK", "EMAIL")).check(redactor.redact(made).text, sink="test")
