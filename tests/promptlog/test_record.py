"""Records: canonical, strict, never free text; receipts cannot be made by hand."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import LogInconsistent, PromptLogError
from assistant.promptlog.log import Log
from assistant.promptlog.record import (
    MAX_LEAF,
    Address,
    BodyRef,
    Entry,
    Event,
    Outcome,
    Receipt,
    RecordId,
    Stamp,
    canonical,
    format_leaf,
    parse_leaf,
    slug,
)
from tests.promptlog.conftest import entry

WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@+=#~,-]{0,40}", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)
STAMP = Stamp(
    index=7,
    id=RecordId("rec_a"),
    time=datetime(2026, 11, 23, 17, 0, 0, 5, tzinfo=UTC),
    clock="system",
    run="run_a",
    actor="serve",
    identity=Address("ab" * 32),
    bodies=MappingProxyType({"request": BodyRef(Address("cd" * 32), 9)}),
)


def leaf_of(made: Entry) -> bytes:
    return format_leaf(made, STAMP)


@settings(deadline=None)
@given(facts=st.dictionaries(NAMES, VALUES, max_size=6), incident=st.none() | WORDS, outcome=st.sampled_from(Outcome))
def test_every_leaf_reads_back_as_what_was_written(
    facts: dict[str, object], incident: str | None, outcome: Outcome
) -> None:
    made = entry(facts=facts, incident=incident, outcome=outcome)
    record = parse_leaf(leaf_of(made))
    assert (record.facts, record.incident, record.outcome) == (made.facts, incident, outcome)
    assert (record.index, record.time, record.identity, record.bodies) == (7, STAMP.time, STAMP.identity, STAMP.bodies)
    assert canonical(json.loads(record.leaf)) == record.leaf


@pytest.mark.parametrize(
    "change",
    [
        lambda leaf: leaf.replace(b'"index":7', b'"index": 7'),
        lambda leaf: leaf.replace(b'"index":7', b'"index":7.0'),
        lambda leaf: leaf.replace(b'"index":7', b'"index":true'),
        lambda leaf: leaf.replace(b'"index":7', b'"index":7,"index":7'),
        lambda leaf: leaf.replace(b'"schema":1', b'"schema":2'),
        lambda leaf: leaf.replace(b"source.query", b"source.other"),
        lambda leaf: leaf.replace(b'"ok"', b'"fine"'),
        lambda leaf: leaf.replace(b"serve", b"s\\u0065rve"),
        lambda leaf: leaf.replace(b"ab" * 32, b"AB" * 32),
        lambda leaf: leaf + b" ",
        lambda leaf: b"\xef\xbb\xbf" + leaf,
        lambda leaf: leaf[:-1],
        lambda leaf: b"[]",
        lambda leaf: b"",
        lambda leaf: b"[" * 100_000,
        lambda leaf: b'{"schema":1}',
    ],
)
def test_a_leaf_in_any_other_form_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(LogInconsistent):
        parse_leaf(change(leaf_of(entry())))


@pytest.mark.parametrize(
    "given_",
    [
        {"actor": "two words"},
        {"actor": ""},
        {"resource": "why are approvals down?"},
        {"incident": "é"},
        {"facts": {"n": "free text here"}},
        {"facts": {"n": float("nan")}},
        {"facts": {"n": b"bytes"}},
        {"facts": {"a name": 1}},
        {"facts": {"n": {"a key": 1}}},
        {"facts": {"n": ["ok", "not ok"]}},
        {"facts": {"n": "x" * 300}},
        {"event": "something.else"},
        {"outcome": "fine"},
        {"bodies": {"b": "text"}},
        {"bodies": {"a name": b""}},
    ],
)
def test_what_could_hold_free_text_is_refused_without_quoting_it(given_: dict[str, object]) -> None:
    with pytest.raises(PromptLogError) as caught:
        entry(**given_)
    assert "free text here" not in str(caught.value) and "approvals" not in str(caught.value)


def test_a_leaf_over_the_limit_is_refused() -> None:
    with pytest.raises(PromptLogError, match=str(MAX_LEAF)):
        leaf_of(entry(facts={"long": ["x" * 200] * 400}))


def test_slug_makes_a_name_fit() -> None:
    assert slug("High CPU (prod)!") == "High_CPU_prod_"
    assert slug("???") == "none"
    entry(resource=slug("…" * 500 + "a" * 500))


def test_events_are_those_listed() -> None:
    listed = (
        "alert.received question.received source.query auth.login role.change key.rotate body.expire hold.set"
        " log.open log.close llm.request llm.response llm.blocked llm.unknown_outcome note.post note.update"
        " redaction.block credentials.attest config.change release.promote audit.read audit.review auth.denied feedback"
    )
    assert set(listed.split()) <= {event.value for event in Event}


def test_a_receipt_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        Receipt(0, RecordId("rec_a"), b"", 1, object())


def test_a_receipt_cannot_be_stored(log: Log) -> None:
    receipt = log.append(entry())
    with pytest.raises(TypeError):
        pickle.dumps(receipt)
