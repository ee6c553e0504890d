"""Charts as values: what is where, what is said of it, and that a hostile name draws nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from assistant.web.pages.charts import draw
from assistant.web.pages.columns import draw_columns
from assistant.web.pages.difference import lines_of, words_of
from assistant.web.pages.incident_view import incident_view
from assistant.web.pages.release_view import changed, how_of
from assistant.web.pages.render import environment
from assistant.web.pages.strip import strip_of
from tests.web.served import HOSTILE

DAY = 86_400.0
T0 = 1_795_456_082.0  # 2026-11-23T17:48:02Z


def macro(name: str, *given: Any) -> ET.Element:
    """What the macro writes, parsed as XML: markup that is not ours would not parse, or would be elements."""
    module: Any = environment().get_template("_macros.html").module
    return ET.fromstring(f"<body>{getattr(module, name)(*given)}</body>".replace("&nbsp;", " "))


def tags(body: ET.Element) -> set[str]:
    return {e.tag for e in body.iter()}


def attributes(body: ET.Element) -> set[str]:
    return {name for e in body.iter() for name in e.attrib}


def test_a_chart_says_its_axis_onset_and_threshold() -> None:
    t = [T0 - 600 + 15 * i for i in range(80)]
    made = draw(
        "c", title="approval", unit="ratio", t=t, series={"all": [0.9] * 40 + [0.1] * 40}, onset=T0, threshold=0.8
    )
    assert made is not None and made.onset is not None and made.threshold is not None
    assert made.day == "23 Nov 2026" and made.onset.text == "onset 17:48:02"
    assert made.left < made.onset.at < made.right and made.top < made.threshold.at < made.bottom
    assert [m.text for m in made.y] == ["0.0 %", "25.0 %", "50.0 %", "75.0 %", "100.0 %"]
    texts = [e.text for e in macro("chart", made).iter("text")]
    assert "UTC" in texts and "onset 17:48:02" in texts and "threshold 80.0 %" in texts


@pytest.mark.parametrize("value", [0.0, 5.0, -2.0])
def test_a_value_that_never_moves_has_an_axis_around_it(value: float) -> None:
    made = draw("c", title="x", unit="", t=[0.0, 60.0], series={"a": [value, value]})
    assert made is not None and len(made.y) > 2
    assert all(made.top - 1 <= m.at <= made.bottom + 1 for m in made.y)


def test_columns_stack_to_their_sum_and_leave_out_nothing() -> None:
    t = [DAY * (i + 0.5) for i in range(14)]
    series: dict[str, list[float | None]] = {"a": [float(i) for i in range(14)], "b": [1.0] * 13 + [None]}
    made = draw_columns("c", title="x", unit="", t=t, series=series)
    assert made is not None and len(made.parts) == 13 + 13 and len(made.rows) == 14
    assert all(p.y >= 0 and p.y + p.height <= made.bottom + 0.11 for p in made.parts)
    assert made.parts[-1].text == "14 Jan: a 13"
    whole = {c: sum(p.height for p in made.parts if p.colour == c) for c in (0, 1)}
    assert abs(whole[0] / whole[1] - sum(range(14)) / 13) < 0.05
    assert draw_columns("c", title="x", unit="", t=t, series={"a": [None] * 14}) is None


def test_lanes_keep_every_event_in_its_lane_and_order() -> None:
    timeline = [
        {"at": T0 - 60, "text": "deploy", "evidence": "C1"},
        {"at": T0 - 5, "text": "first line", "evidence": "L1"},
        {"at": T0, "text": "it begins", "evidence": None},
        {"at": T0 + 120, "text": "fires", "evidence": "A1"},
    ]
    made = strip_of(timeline, since=T0, until=T0 + 600)
    assert made is not None and made.onset is not None
    assert [d.kind for d in made.dots] == ["change", "log", "metric", "alert"]
    assert [d.x for d in made.dots] == sorted(d.x for d in made.dots) and made.onset.at == made.dots[2].x
    assert [m.text for m in made.lanes] == ["changes", "logs", "metrics", "alerts"]
    assert strip_of([], since=T0, until=T0 + 60) is None and strip_of(timeline[:1], since=None, until=None) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_draw_nothing(text: str) -> None:
    """In titles, legends, table cells and tooltips of every drawing; attributes too."""
    line = draw(text, title=text, unit=text, t=[0.0, 60.0], series={text: [1.0, 2.0]}, onset=30.0, threshold=1.5)
    columns = draw_columns(text, title=text, unit="", t=[0.0, DAY], series={text: [1.0, 2.0]})
    strip = strip_of([{"at": T0, "text": text, "evidence": text}], since=T0 - 9, until=T0 + 60)
    for name, drawing in (("chart", line), ("chart", columns), ("strip", strip)):
        assert drawing is not None
        body = macro(name, drawing)
        assert not tags(body) & {"script", "img", "h1", "iframe", "a", "foreignObject", "style"}
        assert not {n for n in attributes(body) if n.startswith("on") or n in ("style", "href")}
        assert tags(body) <= {
            *("body", "figure", "figcaption", "span", "svg", "title", "desc", "line", "text", "path", "rect", "circle"),
            *("ul", "li", "bdi", "b", "details", "summary", "div", "table", "thead", "tbody", "tr", "th", "td"),
        }


def test_a_changed_sentence_is_shown_by_its_words() -> None:
    (line,) = lines_of(
        ["fell from 88.7 % to 75.8 % since noon", "stays"], ["fell from 88.7 % to 75.3 % since noon", "stays"]
    )
    assert [(p.how, p.text) for p in line] == [
        ("same", "fell from 88.7 % to "), ("gone", "75.8"), ("came", "75.3"), ("same", " % since noon"),
    ]  # fmt: skip
    assert [p.how for p in words_of("EUR 23\u202f499", "EUR 36\u202f186")] == ["same", "gone", "came"]
    new, old = lines_of(["quite another thing"], ["no word in common here, none"])
    assert (new[0].how, old[0].how) == ("came", "gone")


def test_what_was_and_what_is_can_be_read_back_from_a_difference() -> None:
    one, other = "a b  c\nd", "a x  c e\nd"
    pieces = words_of(one, other)
    assert "".join(p.text for p in pieces if p.how != "came") == one
    assert "".join(p.text for p in pieces if p.how != "gone") == other


def test_a_note_of_an_earlier_version_still_has_a_page() -> None:
    made = incident_view({"title": "x", "timeline": [{"text": "without a time"}]})
    assert made["strip"] is None and made["lasted"] is None and made["hypotheses"] == []


def test_words_of_acceptances() -> None:
    assert [how_of(f) for f in ({"rollback": True}, {"approved": False}, {"approved": True}, {})] == [
        "rolled back to", "baseline, approved by nobody", "accepted", "accepted",
    ]  # fmt: skip
    assert changed({"prompts": "a", "model": "b"}, {"prompts": "a", "model": "c"}) == ["model"]
