"""`/triage`: read, done, told to one person; decisions recorded; posted for all once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from assistant.errors import UsageError
from assistant.slack.commands import parse
from tests.doubles.slack import SlackDouble
from tests.fakes.alerts import alert
from tests.slack.stage import Stage, eventually, words_of


def said(answer: Any) -> str:
    assert answer.status_code == 200
    body = answer.json()
    assert body["response_type"] == "ephemeral"
    return words_of(body)


def opened(stage: Stage, service: str = "gateway", name: str = "ApprovalRateLow") -> str:
    placed = stage.service.receive([alert(name, labels={"service": service}, group=service)])
    incident = placed.placements[0].incident
    assert incident
    eventually(lambda: len(stage.service.notes.revisions(incident)) == 2)
    return incident


@pytest.mark.parametrize(
    ("text", "verb", "words", "seconds"),
    [
        ("", "help", (), 0), ("status", "status", (), 0), ("gateway 30m", "ask", ("gateway",), 1800),
        ("High Latency 2h", "ask", ("High", "Latency"), 7200), ("mute inc-abcdef", "mute", ("inc-abcdef",), 0),
        ("report 14", "report", (), 14 * 86400),
    ],
)  # fmt: skip
def test_a_command_is_read(text: str, verb: str, words: tuple[str, ...], seconds: float) -> None:
    command = parse(text)
    assert (command.verb, command.words, command.seconds) == (verb, words, seconds)


@pytest.mark.parametrize("text", ["merge inc-abcdef", "mute now", "split inc-abcdef", "report never", "show"])
def test_a_wrong_command_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.mend


def test_help_and_status_are_told_to_one_person(stage: Stage) -> None:
    assert "/triage merge" in said(stage.command("help"))
    incident = opened(stage)
    assert incident in said(stage.command("status"))
    before = len(stage.double.messages(stage.channel))
    assert "mend" not in said(stage.command("merge x y")) and len(stage.double.messages(stage.channel)) == before


def test_a_known_alert_or_service_gives_its_note(stage: Stage) -> None:
    incident = opened(stage)
    for target in ("ApprovalRateLow", "gateway", incident):
        assert incident in said(stage.command(target))
    assert not stage.answers.asked


def test_anything_else_is_looked_at_and_told_in_private_then_posted_once(stage: Stage) -> None:
    assert "only you" in said(stage.command("settlement 30m"))
    eventually(lambda: stage.whispers())
    assert "Visa approvals fell" in stage.whispers()[0]
    assert stage.answers.asked == ["What is happening with settlement in the last 30 minutes?"]
    window = stage.answers.contexts[0].incident.window
    assert window.seconds == 1800
    blocks = stage.double.of("chat.postEphemeral")[0].given["blocks"]
    value = next(e["value"] for b in blocks if b["type"] == "actions" for e in b["elements"]
                 if e["action_id"] == "post_to_channel")  # fmt: skip
    for _ in range(2):
        stage.press("post_to_channel", value, ts="1.1")
    eventually(lambda: stage.double.messages(stage.channel))
    time.sleep(0.5)
    assert len(stage.double.messages(stage.channel)) == 1


def test_merge_split_and_mute_are_done_and_recorded(stage: Stage) -> None:
    one = opened(stage)
    two = opened(stage, "ledger", "QueueDeep")
    assert "recorded" in said(stage.command(f"merge {one} {two}"))
    eventually(lambda: any("part of" in words_of(m) for m in stage.double.messages(stage.channel)))
    gone = next(m for m in stage.double.messages(stage.channel) if "part of" in words_of(m))
    assert two in words_of(gone) and "final" in words_of(gone)
    left = [e["action_id"] for b in gone["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert left in ([], ["open_record"])
    fresh = said(stage.command(f"split {one} QueueDeep")).split()[0]
    assert fresh.startswith("inc-") and fresh != one
    assert "recorded" in said(stage.command(f"mute {fresh}"))
    decisions = [r.facts["decision"] for r in stage.records("config.change") if "decision" in r.facts]
    assert decisions == ["merge", "split", "mute"]
    assert "no such alert" in said(stage.command(f"split {one} Nothing"))
    assert "no such incident" in said(stage.command("mute inc-zzzzzz"))


def test_a_report_counts_notes_judgements_and_cost(stage: Stage) -> None:
    from assistant.drafting.feedback import give

    incident = opened(stage)
    give(stage.log, judgement="useful", incident=incident, record="r", person="slack:U1")
    give(stage.log, judgement="confidently_wrong", incident=incident, record="r", person="slack:U2")
    text = said(stage.command("report 7"))
    assert "useful 1" in text and "confidently wrong: 1" in text and "cost of the model" in text


def test_a_card_number_in_a_command_is_a_case_and_does_nothing(
    staged: Callable[..., Stage], double: SlackDouble
) -> None:
    security = double.channel(f"sec-{time.monotonic_ns()}")
    stage = staged(security_channel=security)
    assert "card data" in said(stage.command("4929 1234 5678 9015"))
    eventually(lambda: double.messages(security))
    assert not stage.answers.asked


def test_a_command_sent_twice_is_done_once(stage: Stage) -> None:
    for _ in range(2):
        stage.command("settlement", trigger="same")
    eventually(lambda: stage.whispers())
    time.sleep(0.3)
    assert len(stage.answers.asked) == 1


def test_where_we_are_not_in_the_channel_the_commands_own_address_is_used_only_if_it_is_slacks(stage: Stage) -> None:
    stage.double.faults = lambda c: "not_in_channel" if c.method == "chat.postEphemeral" else None
    from assistant.slack.blocks import short_message
    from assistant.slack.client import Refused

    with pytest.raises(Refused):
        stage.room.sender.respond("https://evil.example/hook", short_message("x", "s"))


def test_the_weekly_report_is_posted_once(staged: Callable[..., Stage], double: SlackDouble) -> None:
    channel = double.channel(f"report-{time.monotonic_ns()}")
    stage = staged(report_channel=channel, quiet=True)
    stage.clock.at = 1_790_000_000.0 - 1_790_000_000.0 % 86400 + 9 * 3600
    stage.room.weekly()
    stage.room.weekly()
    (message,) = double.messages(channel)
    assert "incidents" in words_of(message) and "quiet mode" in words_of(message)
