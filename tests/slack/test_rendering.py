"""Every message that we draw, with hostile content, before `slackblocks`' limits and ours; nothing in it is live."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.core.inert import live
from assistant.core.runbook import Passage
from assistant.slack import details
from assistant.slack.blocks import Links, Message, answer_message, note_message, short_message
from assistant.slack.card import Card, Line
from assistant.slack.charts import FORMS, chart_message
from assistant.slack.elements import ANSWER_CHARS, NOTE_CHARS, allowed, fallback
from redaction import FinalScanner, LeakBlocked
from tests.slack.judge import judge, view

HOSTILE = (
    "<!channel> <!here> <@U024BE7LH> <#C024BE7LR|general> <https://evil.example/x|your bank>",
    "@channel @here *bold* _it_ `code` ```fence``` [x](http://evil.example) evil.example www.evil.example/path",
    "\u202e\u200b\x00\x1b[31mred\x1b[0m\ud800", "👩‍👩‍👧‍👦" * 300, "ж" * 3000, "\n" * 500, "", " ", "&<>\"'" * 400,
    "tel:+4912345 mailto:a@b.example javascript:alert(1) slack://open", "x" * 40_000,
)  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=600), st.text(alphabet="<>@!#:/.abcж😀\n", max_size=300))
ids = st.lists(st.sampled_from(["A1", "M17", "L3", "<!channel>", "@here"]), max_size=5).map(tuple)
lines = st.lists(st.builds(Line, texts, ids), max_size=4).map(tuple)
many = st.lists(texts, max_size=5).map(tuple)
cards = st.builds(
    Card,
    incident=st.just("inc-abcdef"), revision=st.integers(1, 10**6), title=texts,
    status=st.sampled_from(["open", "resolved", "nothing wrong now"]),
    severity=st.sampled_from(["critical", "high", "medium", "low"]), since=st.none() | st.floats(0, 4e9),
    written_at=st.floats(0, 4e9), alerts=many, more_alerts=st.integers(0, 9999), summary=lines, causes=lines,
    impact=many, steps=lines, not_known=many, gaps=many, warnings=many, runbook=texts, charts=st.integers(0, 3),
    redacted=st.integers(0, 10**9), record=st.none() | st.integers(0, 10**9), record_id=st.just("rec-1"), by=texts,
    without=texts, verdict=st.just("confirmed"), facts=st.booleans(), storm=st.booleans(), digest=st.just("d"),
)  # fmt: skip
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LINKS = Links("https://payops.example")


def prose(message: Message) -> int:
    """Characters of the lists and sections: what the budgets count, without header, buttons and footer."""
    return sum(len(t) for b in message.blocks if b["type"] == "rich_text" for t in _texts(b))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [t for v in value.values() for t in _texts(v)]
    return [t for v in value for t in _texts(v)] if isinstance(value, list) else []


def nothing_live(message: Message) -> None:
    judge(message)
    alive = [(t, live(t)) for b in message.blocks for t in _texts(b) if live(t)]
    assert not alive
    assert "<" not in fallback(message.text).replace("&lt;", "") and len(fallback(message.text)) <= 4000


@quick
@given(cards, st.sampled_from(["", "https://emulate.slack.com/archives/C1/p1", "https://evil.example/x"]))
def test_a_note(card: Card, earlier: str) -> None:
    message = note_message(card, LINKS, stamp="s", updated_at=1.0, earlier=earlier, linked=bool(earlier))
    nothing_live(message)
    assert prose(message) <= NOTE_CHARS + 400, "the note's words and its few headings"
    assert "evil.example" not in json.dumps([b for b in message.blocks if "o-s" in b["block_id"]])
    foot = str(message.blocks[-1])
    assert ("read-only" in foot and "values redacted" in foot) or "value redacted" in foot
    assert f"rev {card.revision}" in foot and "updated 00:00:01Z" in foot
    assert Card.from_json(json.loads(json.dumps(card.as_json()))) == card


def said(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "question": "q", "answered": True, "lead": "", "claims": [], "not_known": [], "looked_at": [], "evidence": [],
        "struck": [], "model": None, "without_model": "no model is configured", "record": 42, "redacted": 3,
    }  # fmt: skip
    return {**base, **changes}


@quick
@given(texts, st.lists(st.tuples(texts, ids), max_size=9), many, st.booleans())
def test_an_answer(lead: str, claims: list[tuple[str, tuple[str, ...]]], unknown: tuple[str, ...], alone: bool) -> None:
    told = said(
        lead=lead,
        claims=[{"text": t, "evidence": list(i)} for t, i in claims],
        not_known=list(unknown),
        evidence=[{"id": "M17", "kind": "metric", "query": "up", "text": lead}],
    )
    message = answer_message(told, LINKS, stamp="s", question="q-1", private=alone)
    nothing_live(message)
    assert prose(message) <= ANSWER_CHARS + 300
    points = [e for b in message.blocks if b["block_id"] == "p-s" for e in b["elements"]]
    assert not points or len(points[0]["elements"]) <= 4


charts = st.fixed_dictionaries(
    {
        "evidence": st.just("M1"), "title": texts, "unit": texts, "onset": st.none() | st.just("2026-11-23T17:48:02Z"),
        "t": st.lists(st.floats(0, 4e9), max_size=60).map(sorted),
        "series": st.dictionaries(
            texts, st.lists(st.none() | st.floats(-1e9, 1e9), min_size=60, max_size=60), max_size=9
        ),
    }
)  # fmt: skip


@quick
@given(st.lists(charts, max_size=4), st.sampled_from(FORMS))
def test_charts(some: list[dict[str, Any]], form: Any) -> None:
    message = chart_message(some, form=form, stamp="s")
    nothing_live(message)
    drawn = [b for b in message.blocks if b["type"] == "data_visualization"]
    assert len(drawn) <= 2 and (form == "chart" or not drawn)


NOTE_KEYS = ("summary", "cause", "next_steps")


@quick
@given(st.lists(st.tuples(texts, texts), max_size=40), many)
def test_details(rows: list[tuple[str, str]], more: tuple[str, ...]) -> None:
    note: dict[str, Any] = {
        **{k: [] for k in NOTE_KEYS}, "hypotheses": [], "runbook_none": more[0] if more else "",
        "evidence": [{"id": f"M{i}", "query": q, "text": t} for i, (q, t) in enumerate(rows)],
        "timeline": [{"at": "2026-11-23T17:48:02Z", "text": t, "evidence": None} for _, t in rows],
    }  # fmt: skip
    nothing_live(details.evidence_message(note, stamp="s"))
    nothing_live(details.timeline_message(note, stamp="s"))
    looked = said(looked_at=[{"tool": "t", "asked": a, "found": f, "evidence": ""} for a, f in rows])
    nothing_live(details.looked_message(looked, stamp="s"))
    nothing_live(details.case_message(["Cardholder data", *more], stamp="s"))
    nothing_live(short_message(more[0] if more else "x", "s", more=more))
    nothing_live(details.status_message([("inc-1", "high", t, "now") for t in more], stamp="s"))
    for text in more:
        try:
            redacted = FinalScanner().restore(text)
        except (UnicodeError, LeakBlocked):
            continue
        passage = Passage("id", text, "x.md", text, redacted, 0.5, text)
        nothing_live(details.runbook_message(note, [passage, passage], stamp="s"))


@quick
@given(st.lists(st.one_of(texts, texts.map(lambda t: f"- {t}"), texts.map(lambda t: f"## {t}")), max_size=120))
def test_documents(rows: list[str]) -> None:
    messages = details.document_messages("Handover", "\n".join(rows), stamp="s", footer="foot")
    assert 1 <= len(messages) <= 4
    for message in messages:
        nothing_live(message)


def test_the_window_behind_not_useful_and_the_help() -> None:
    view(details.feedback_view(json.dumps({"a": "b"})))
    nothing_live(details.help_message(stamp="s"))


def test_only_our_hosts_and_slacks_are_linked() -> None:
    ours = ("payops.example",)
    assert allowed("https://payops.example/records/1", ours) and allowed("https://a.slack.com/archives/C/p1", ())
    for bad in ("https://payops.example.evil/x", "javascript:x", "https://u@payops.example/", "https://evilslack.com/"):
        assert not allowed(bad, ours), bad
    assert (
        Links("").record(3) == "" and Links("https://payops.example/").record(3) == "https://payops.example/records/3"
    )
