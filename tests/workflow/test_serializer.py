"""What DBOS stores of ours: JSON through the last look, never pickle."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import SourceTimeout, WorkflowError
from assistant.workflow.serializer import JsonSerializer, Remembered, for_dbos
from redaction import FinalScanner, LeakBlocked

serializer = JsonSerializer(FinalScanner())
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(alphabet='abc é"\\{}', max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet="abc", max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_values_come_back_as_they_were(value: object) -> None:
    assert serializer.deserialize(serializer.serialize(value)) == value


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("nan"), lambda: None])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(WorkflowError):
        serializer.serialize(value)


def test_a_pickle_is_not_read() -> None:
    with pytest.raises(WorkflowError):
        serializer.deserialize(pickle.dumps({"value": 1}).hex())


def test_a_card_number_is_stopped() -> None:
    with pytest.raises(LeakBlocked):
        serializer.serialize({"args": ["4111111111111111"]})


def test_a_foreign_error_keeps_its_name_and_loses_its_message() -> None:
    text = serializer.serialize(ValueError("could not parse 4111111111111111"))
    assert "4111" not in text
    back = serializer.deserialize(text)
    assert isinstance(back, Remembered) and str(back) == "ValueError"


def test_an_error_of_ours_keeps_its_message() -> None:
    back = serializer.deserialize(serializer.serialize(SourceTimeout("loki", "the deadline passed")))
    assert str(back) == "SourceTimeout: the deadline passed"


def test_dbos_takes_it_for_a_serializer() -> None:
    from dbos import Serializer

    made = for_dbos(FinalScanner())
    assert isinstance(made, Serializer)
    assert made.name() == "payops_json_1"
