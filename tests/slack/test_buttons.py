"""Buttons put details into the thread, once; feedback is kept, and what was wrongly shown goes out of sight."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assistant.drafting.documents import handover, post_incident, stakeholder_update
from tests.doubles.slack import SCOPES, TEAM, Call, SlackDouble
from tests.fakes.alerts import alert
from tests.slack.stage import PERSON, Stage, eventually, words_of

CARD = "4929 1234 5678 9015"


def shown(stage: Stage) -> tuple[str, str]:
    """An incident whose drafted note stands in the channel: its id, the message's ts."""
    placed = stage.service.receive([alert(labels={"service": "gateway"})])
    incident = placed.placements[0].incident
    assert incident
    eventually(lambda: stage.double.messages(stage.channel)
               and "rev 2" in words_of(stage.double.messages(stage.channel)[0]))  # fmt: skip
    return incident, stage.double.messages(stage.channel)[0]["ts"]


def thread(stage: Stage, ts: str) -> list[str]:
    return [words_of(m) for m in stage.double.messages(stage.channel, ts)]


def papers(kind: Any, note: Any, context: Any, without: str) -> Any:
    from assistant.drafting.writer import write_without_model

    make = {"handover": handover, "post_incident": post_incident, "stakeholder_update": stakeholder_update}[kind]
    return make(note, context), write_without_model(context, reason="no model is configured")


@pytest.mark.parametrize(
    ("name", "says"),
    [("evidence", "A1"), ("timeline", "fires"), ("runbook", "no runbook"), ("chart", "no chart")],
)
def test_a_detail_stands_in_the_thread_once(name: str, says: str, stage: Stage) -> None:
    incident, ts = shown(stage)
    assert thread(stage, ts) == [], "nothing is in the thread before it is asked for"
    for _ in range(2):
        stage.press(name, f"{incident}|2", ts=ts)
    eventually(lambda: thread(stage, ts))
    eventually(lambda: any("already" in w for w in stage.whispers()))
    (detail,) = thread(stage, ts)
    assert says.lower() in detail.lower()


@pytest.mark.parametrize("kind", ["handover", "post_incident", "stakeholder_update"])
def test_papers_stand_in_the_thread_as_text(kind: str, stage: Stage) -> None:
    stage.house = replace(stage.house, papers=papers)
    incident, ts = shown(stage)
    stage.press(kind, f"{incident}|2", ts=ts)
    eventually(lambda: thread(stage, ts))
    assert "read-only" in thread(stage, ts)[-1]
    assert not stage.double.of("files.getUploadURLExternal"), "without files:write there is no file"


def test_with_files_write_a_paper_is_a_file_too(stage: Stage) -> None:
    stage.double.scopes = f"{SCOPES},files:write"
    stage.house = replace(stage.house, papers=papers)
    incident, ts = shown(stage)
    stage.press("handover", f"{incident}|2", ts=ts)
    eventually(lambda: stage.double.of("files.getUploadURLExternal"))
    assert stage.double.of("files.getUploadURLExternal")[0].given["filename"] == f"{incident}-handover.md"


def test_where_an_answer_was_looked_for_is_told_on_request(stage: Stage) -> None:
    _, ts = stage.mention("why?")
    eventually(lambda: thread(stage, ts))
    reply = stage.double.messages(stage.channel, ts)[0]
    value = next(e["value"] for b in reply["blocks"] if b["type"] == "actions" for e in b["elements"]
                 if e["action_id"] == "looked")  # fmt: skip
    eventually(lambda: (stage.room.questions.get(value) or reply) and stage.room.questions.get(value).answer)  # type: ignore[union-attr]
    stage.press("looked", value, ts=reply["ts"])
    eventually(lambda: any("query_metric" in w for w in thread(stage, reply["ts"])))


def test_a_chart_block_that_slack_refuses_becomes_a_table_and_then_words(stage: Stage) -> None:
    from assistant.slack.actions import Actions
    from assistant.slack.routes import Caller

    chart = {"evidence": "M1", "title": "approval rate", "unit": "%", "onset": None, "t": [0.0, 60.0, 120.0],
             "series": {"visa": [97.0, 31.0, 30.0]}}  # fmt: skip
    refused: list[str] = []

    def fault(call: Call) -> Any:
        kinds = {b["type"] for b in call.given.get("blocks", [])}
        bad = kinds & {"data_visualization", "table"}
        refused.extend(bad)
        return "invalid_blocks" if bad else None

    stage.double.faults = fault
    actions = Actions(stage.room)
    actions._note = lambda about, revision: {"charts": [chart]}  # type: ignore[method-assign]
    actions._chart("inc-x", 1, Caller(PERSON, stage.channel, TEAM), "1.1", False)
    assert refused == ["data_visualization", "table"]
    assert "lowest 30" in words_of(stage.double.of("chat.postMessage")[-1].given)


def feedback(stage: Stage, ts: str, sign: str) -> None:
    (message,) = [m for m in stage.double.messages(stage.channel) if m["ts"] == ts]
    (block,) = [b for b in message["blocks"] if b["type"] == "context_actions"]
    button = block["elements"][0]["positive_button" if sign == "+" else "negative_button"]
    stage.press("feedback", button["value"], ts=ts, trigger=stage_trigger(stage))


def stage_trigger(stage: Stage) -> str:
    return str(stage.double.ask("views.generateTriggerId").get("trigger_id", ""))


def submitted(stage: Stage, reason: str, words: str) -> None:
    told = stage.double.of("views.open")[-1].given["view"]
    view = json.loads(told) if isinstance(told, str) else told
    values = {
        "reason": {"reason": {"selected_option": {"value": reason}}},
        "words": {"words": {"value": words}},
    }
    body = {
        "type": "view_submission", "team": {"id": TEAM}, "user": {"id": PERSON, "team_id": TEAM},
        "view": {"id": "V1", "hash": f"{time.time()}", "callback_id": "feedback_reason", "type": "modal",
                 "private_metadata": view["private_metadata"], "state": {"values": values}},
    }  # fmt: skip
    assert stage.interact(body).status_code == 200


def test_useful_is_kept_with_the_notes_record_behind_a_pseudonym(staged: Callable[..., Stage]) -> None:
    stage = staged(identities={PERSON: "oidc:lovelace"})
    _, ts = shown(stage)
    feedback(stage, ts, "+")
    (record,) = stage.records("feedback")
    assert record.facts["judgement"] == "useful" and stage.log.identity(record) == "oidc:lovelace"
    assert "lovelace" not in record.leaf.decode()


def test_not_useful_opens_a_window_and_its_words_are_redacted(stage: Stage) -> None:
    _, ts = shown(stage)
    feedback(stage, ts, "-")
    submitted(stage, "missing_evidence", f"look at card {CARD} of jane@doe.example")
    (record,) = stage.records("feedback")
    assert (record.facts["judgement"], record.facts["reason"]) == ("not_useful", "missing_evidence")
    kept = stage.log.body(record, "words")
    assert isinstance(kept, bytes) and b"look at card" in kept
    assert b"9015" not in kept and b"jane" not in kept
    assert stage.metrics.cases.labels("slack", "PAN")._value.get() == 1


def test_showed_data_hides_the_note_and_tells_the_security_channel(
    staged: Callable[..., Stage], double: SlackDouble
) -> None:
    security = double.channel(f"sec-{time.monotonic_ns()}")
    stage = staged(security_channel=security)
    incident, ts = shown(stage)
    feedback(stage, ts, "-")
    submitted(stage, "showed_data", "")
    eventually(lambda: "hidden" in words_of(double.messages(stage.channel)[0]) and double.messages(security))
    assert "may show data" in words_of(double.messages(security)[0])
    stage.service.receive([alert(status="resolved", labels={"service": "gateway"})])
    eventually(lambda: len(stage.service.notes.revisions(incident)) == 3)
    eventually(lambda: not stage.service.outbox.waiting().count)
    assert "hidden" in words_of(double.messages(stage.channel)[0]), "it stays hidden until a person shows it again"


def test_an_expired_trigger_loses_the_window_and_not_the_judgement(stage: Stage) -> None:
    _, ts = shown(stage)
    stage.double.faults = lambda c: "expired_trigger_id" if c.method == "views.open" else None
    feedback(stage, ts, "-")
    (record,) = stage.records("feedback")
    assert record.facts["judgement"] == "not_useful"
    eventually(lambda: any("press again" in w for w in stage.whispers()))


def test_card_data_in_telemetry_is_one_case_an_incident_source_and_class(
    staged: Callable[..., Stage], double: SlackDouble
) -> None:
    from datetime import UTC, datetime

    from redaction import CardholderFinding

    security = double.channel(f"sec-{time.monotonic_ns()}")
    stage = staged(security_channel=security)
    seen = datetime(2026, 11, 23, 17, 48, tzinfo=UTC)
    found = [CardholderFinding("gateway", "PAN", seen, 12, False), CardholderFinding("gateway", "PAN", seen, 3, True),
             CardholderFinding("ledger", "SAD", None, 1, False)]  # fmt: skip
    for _ in range(3):
        stage.room.found("inc-abcdef", found)  # type: ignore[arg-type]
    eventually(lambda: len(double.messages(security)) == 2)
    time.sleep(0.5)
    cases = [words_of(m) for m in double.messages(security)]
    assert len(cases) == 2 and "12 lines" in cases[0] and "2026-11-23T17:48:00Z" in cases[0]
    assert not any("http" in str(m["blocks"]) for m in double.messages(security)), "no link into a log"


def test_a_record_without_a_console_is_told_as_a_command(staged: Callable[..., Stage]) -> None:
    stage = staged(web="")
    _, ts = shown(stage)
    stage.press("open_record", "42", ts=ts)
    eventually(lambda: any("payops log show 42" in w for w in stage.whispers()))
