"""A prompt is rebuilt from its recorded parts, byte for byte, whatever library wrote it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import LogInconsistent
from assistant.promptlog.record import Entry, Event, GoneReason
from assistant.promptlog.replay import RECIPE, REQUEST, STYLES, compose, recipe_for, replay
from assistant.promptlog.retention import take_out
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry

PARTS = {
    "system.md": b"You write incident notes.\nNever invent.",
    "evidence": "E1: approvals 97.2 % → 61.0 % (issuer <PAN_1 visa 411111>)".encode(),
    "schema.json": b'{"type": "object", "properties": {"claim": {"type": "string"}}}',
    "parameters.json": b'{"temperature":0.0,"seed":7}',
}


def request(separators: tuple[str, str] = (",", ":"), *, ascii_only: bool = False) -> bytes:
    system, evidence = PARTS["system.md"].decode(), PARTS["evidence"].decode()
    value = {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": f"Window 18:00-18:05\n<data>\n{evidence}\n</data>\nagain: {evidence}"},
        ],
        "response_format": {"schema": json.loads(PARTS["schema.json"])},
        **json.loads(PARTS["parameters.json"]),
    }
    return json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_recipe_is_found_uses_the_parts_and_gives_the_same_bytes(
    separators: tuple[str, str], ascii_only: bool
) -> None:
    sent = request(separators, ascii_only=ascii_only)
    recipe = recipe_for(sent, PARTS)
    assert recipe is not None and compose(recipe, PARTS) == sent
    assert b"approvals" not in recipe and b"incident notes" not in recipe and b'{"$json":"schema.json"}' in recipe


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    value=JSON,
    parts=st.dictionaries(st.text("abc", min_size=1), st.text(min_size=8), max_size=3),
    style=st.sampled_from(STYLES),
)
def test_any_json_request_is_rebuilt(value: object, parts: dict[str, str], style: str) -> None:
    form, _, ascii_only = style.partition("+")
    mixed = [value, "".join(parts.values()), *parts.values()]
    separators = (",", ":") if form == "compact" else (", ", ": ")
    sent = json.dumps(mixed, separators=separators, ensure_ascii=bool(ascii_only)).encode()
    given_parts = {name: text.encode() for name, text in parts.items()}
    recipe = recipe_for(sent, given_parts)
    assert recipe is None or compose(recipe, given_parts) == sent
    assert recipe is not None or b"$" in sent


@pytest.mark.parametrize(
    "sent", [b"", b"not json", b'{"a":1,"a":2}', b'{"a":1.50}', b'{ "a":1}', b'{"$part":"x"}', b"\xff"]
)
def test_what_has_no_recipe_says_so(sent: bytes) -> None:
    assert recipe_for(sent, PARTS) is None


@pytest.mark.parametrize(
    "recipe",
    [
        b"",
        b"[]",
        b'{"recipe":2,"style":"compact","body":1}',
        b'{"recipe":1,"style":"other","body":1}',
        b'{"recipe":1,"style":"compact","body":{"$part":"gone"}}',
        b'{"recipe":1,"style":"compact","body":{"$text":[1]}}',
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(recipe: bytes) -> None:
    with pytest.raises(LogInconsistent):
        compose(recipe, PARTS)


def logged(log: MemoryLog, **changed: bytes) -> int:
    sent = request()
    recipe = recipe_for(sent, PARTS)
    assert recipe is not None
    bodies = {REQUEST: sent, RECIPE: recipe, **PARTS, **changed}
    return log.append(Entry(event=Event.LLM_REQUEST, actor="serve", bodies=bodies)).index


def test_replay_says_identical_or_where_not_or_what_is_gone() -> None:
    log = MemoryLog()
    same = replay(log, log.get(logged(log)))
    assert same.identical and same.size == len(request()) and set(same.parts) == set(PARTS)
    other = log.get(logged(log, evidence=b"something else was said"))
    differs = replay(log, other)
    assert not differs.identical and differs.differs_at == request().index(PARTS["evidence"])
    take_out(log, [other.bodies["evidence"].address], GoneReason.EXPIRED, actor="schedule")
    gone = replay(log, other)
    assert not gone.identical and gone.gone == (("evidence", "expired"),)
    assert not replay(log, log.get(log.append(entry()).index)).identical
    log.close()
