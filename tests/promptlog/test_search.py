"""Finding records, telling the story of a prompt, and that every read is a record first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.errors import LogUnavailable, UsageError
from assistant.promptlog.audit import Auditor
from assistant.promptlog.describe import record_line, report_json, report_lines, story_json, story_lines
from assistant.promptlog.record import Event, Outcome
from assistant.promptlog.search import Search, matching, redacted
from tests.fakes.promptlog import MemoryLog
from tests.promptlog.conftest import entry


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    """0 query, 1 request, 2 answer, 3 note of incident a; 4 a question by a person, 5 a request of incident b."""
    made = MemoryLog()
    made.append(entry(0, incident="a", resource="prometheus", bodies={"query": b"sum(rate(x[5m]))"}))
    request = made.append(
        entry(
            event=Event.LLM_REQUEST,
            incident="a",
            facts={"model": "m-1", "redactions": {"PAN": 2, "EMAIL": 0}},
            bodies={"request": b'{"model":"m-1"}'},
        )
    )
    answer = {"request": request.id, "grounding": "passed"}
    made.append(entry(event=Event.LLM_RESPONSE, incident="a", facts=answer, bodies={"response": b"{}"}))
    made.append(entry(event=Event.NOTE_POST, incident="a", facts={"requests": [request.index], "revision": 1}))
    made.append(entry(event=Event.QUESTION_RECEIVED, actor="", identity="slack:U7", origin="slack"))
    made.append(entry(event=Event.LLM_REQUEST, incident="b", outcome=Outcome.FAILED, facts={"model": "m-2"}))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("search", "indexes"),
    [
        (Search(), [0, 1, 2, 3, 4, 5]),
        (Search(incident="a"), [0, 1, 2, 3]),
        (Search(model="m-2"), [5]),
        (Search(outcome="failed"), [5]),
        (Search(redacted="pan"), [1]),
        (Search(redacted="EMAIL"), []),
        (Search(person="slack:U7"), [4]),
        (Search(person="slack:U8"), []),
        (Search(events=("llm.request",)), [1, 5]),
        (Search(start=2, stop=4), [2, 3]),
    ],
)
def test_search(log: MemoryLog, search: Search, indexes: list[int]) -> None:
    assert [r.index for r in matching(log, search)] == indexes


def test_a_story_has_the_prompt_its_evidence_its_answer_and_its_note(log: MemoryLog) -> None:
    told = Auditor(log, "os:auditor").show(1)
    assert redacted(told.record) == {"PAN": 2, "EMAIL": 0}
    assert [r.index for r in told.queries] == [0] and [r.index for r in told.answers] == [2]
    assert [r.index for r in told.notes] == [3] and told.bodies == {"request": b'{"model":"m-1"}'}
    text = "\n".join(story_lines(told))
    assert '{"model":"m-1"}' in text and "2 PAN" in text and "became       3" in text and 'model = "m-1"' in text
    machine = story_json(told)
    assert json.loads(json.dumps(machine))["redactions"] == {"PAN": 2, "EMAIL": 0}


def test_every_read_is_a_record_first_with_who(log: MemoryLog) -> None:
    auditor = Auditor(log, "oidc:someone", origin="web")
    auditor.show(1)
    auditor.search(Search(incident="a"))
    auditor.prove(1)
    auditor.replay(1)
    auditor.verify()
    reads = [r for r in log.records() if r.event is Event.AUDIT_READ]
    assert [r.facts["action"] for r in reads] == ["show", "search", "prove", "replay", "verify"]
    assert {r.origin for r in reads} == {"web"} and {log.identity(r) for r in reads} == {"oidc:someone"}
    assert not any(b"someone" in r.leaf for r in reads)


def test_nothing_is_shown_when_the_read_cannot_be_recorded(log: MemoryLog) -> None:
    log.break_down()
    auditor = Auditor(log, "os:auditor")
    for read in (lambda: auditor.show(1), lambda: auditor.search(Search()), lambda: auditor.prove(1)):
        with pytest.raises(LogUnavailable):
            read()
    report = auditor.verify()
    assert not report.ok and report.doubts[-1].kind == "unrecorded"


def test_a_search_is_cut_and_says_so(log: MemoryLog) -> None:
    found = Auditor(log, "os:a").search(Search(), limit=2)
    assert [r.index for r in found.records] == [6, 5] and found.more
    assert not Auditor(log, "os:a").search(Search(incident="b"), limit=2).more


def test_an_export_needs_a_reason(log: MemoryLog, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reason"):
        Auditor(log, "os:a").export(tmp_path / "x", selection=Search(), reason=" ")


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (Search(), "records 0 to 9, every one, no gap"),
        (Search(start=3, stop=7), "records 3 to 6, every one, no gap"),
        (Search(start=3, stop=70), "records 3 to 9, every one, no gap"),
        (Search(incident="a"), "that none was left out is not shown"),
        (Search(person="slack:U7"), "***"),
    ],
)
def test_a_statement_of_completeness_says_no_more_than_is_shown(search: Search, said: str) -> None:
    assert said in search.in_words(10) and "U7" not in search.in_words(10)


def test_lines_and_reports_read_well(log: MemoryLog) -> None:
    assert "PAN:2" in record_line(log.get(1)) and "EMAIL" not in record_line(log.get(1))
    report = log.verify(outside=[log.checkpoint()])
    assert list(report_lines(report))[-1] == "verdict      verified, no doubt"
    assert report_json(report)["ok"] is True and report_json(report)["unprotected"] == 0
