"""Questions: one reply, whatever Slack and people do; nobody reads more than they may; no card number stays."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from assistant.settings import SlackRoutes
from tests.doubles.slack import TEAM, Call, SlackDouble
from tests.fakes.alerts import alert
from tests.slack.stage import PERSON, SECRET, Stage, eventually, words_of

CARD = "4929 1234 5678 9015"


def replies(stage: Stage, ts: str) -> list[str]:
    return [words_of(m) for m in stage.double.messages(stage.channel, ts)]


def answered(stage: Stage, ts: str) -> str:
    eventually(lambda: stage.records("note.post") and replies(stage, ts))
    (reply,) = replies(stage, ts)
    return reply


def test_a_mention_is_answered_once_in_its_thread_with_a_status_before(stage: Stage) -> None:
    done, ts = stage.mention("<@U000BOT> why do Visa payments fail?")
    assert done.status_code == 200
    reply = answered(stage, ts)
    assert "Visa approvals fell" in reply and "Not known" in reply and "read-only" in reply and "record" in reply
    methods = [c.method for c in stage.double.calls]
    assert methods.index("assistant.threads.setStatus") < methods.index("chat.postMessage")
    assert stage.answers.asked == ["why do Visa payments fail?"]
    (record,) = stage.records("question.received")
    assert stage.log.identity(record) == f"slack:{PERSON}"


def test_where_slack_has_no_status_the_placeholder_becomes_the_reply(stage: Stage) -> None:
    stage.double.knows_status = False
    _, ts = stage.mention("what changed?")
    eventually(lambda: replies(stage, ts) and "Visa approvals fell" in replies(stage, ts)[0])
    assert len(replies(stage, ts)) == 1 and len(stage.double.of("chat.update")) == 1


def test_a_direct_message_is_a_question_and_the_messages_tab_offers_some(stage: Stage) -> None:
    direct = {"type": "message", "channel_type": "im", "channel": "D1", "user": PERSON, "text": "what is wrong?"}
    stage.double.faults = lambda c: None
    opened = {"type": "app_home_opened", "tab": "messages", "channel": "D1", "user": PERSON, "event_ts": "1.0"}
    stage.event(opened)
    eventually(lambda: stage.double.of("assistant.threads.setSuggestedPrompts"))
    prompts = stage.double.of("assistant.threads.setSuggestedPrompts")[0].given["prompts"]
    assert 2 <= len(prompts) <= 4 and all({"title", "message"} == set(p) for p in prompts)
    stage.event({**direct, "ts": "11.5", "event_ts": "11.5"})
    eventually(lambda: stage.answers.asked == ["what is wrong?"])


def test_the_same_event_twice_and_under_another_id_is_answered_once(stage: Stage) -> None:
    _, ts = stage.mention("what changed?", event_id="EvSame")
    stage.mention("what changed?", ts=ts, event_id="EvSame")
    stage.mention("what changed?", ts=ts, event_id="EvOther")
    answered(stage, ts)
    time.sleep(0.5)
    assert len(replies(stage, ts)) == 1 and len(stage.answers.asked) == 1


def test_a_question_in_an_incidents_thread_knows_the_incident(stage: Stage) -> None:
    placed = stage.service.receive([alert(labels={"service": "gateway"})])
    eventually(lambda: stage.double.messages(stage.channel))
    card = stage.double.messages(stage.channel)[0]["ts"]
    stage.mention("is it over?", thread=card)
    eventually(lambda: stage.answers.contexts)
    incident = stage.answers.contexts[0].incident
    assert incident.id == placed.placements[0].incident and incident.alerts[0].labels["service"] == "gateway"


def test_at_the_hard_stop_the_facts_so_far_are_posted_once(staged: Callable[..., Stage]) -> None:
    stage = staged(hard_stop_s=0.6)
    stage.answers.slow_s = 3.0
    _, ts = stage.mention("why?")
    eventually(lambda: replies(stage, ts))
    assert "I stopped after" in replies(stage, ts)[0]
    time.sleep(3.2)
    assert len(replies(stage, ts)) == 1 and "I stopped after" in replies(stage, ts)[0]


def test_a_card_number_goes_nowhere_the_person_is_told_and_security_gets_a_case(
    staged: Callable[..., Stage], double: SlackDouble
) -> None:
    security = double.channel(f"security-{time.monotonic_ns()}")
    stage = staged(security_channel=security)
    _, ts = stage.mention(f"is card {CARD} blocked?")
    eventually(lambda: double.messages(security) and stage.whispers())
    answered(stage, ts)
    case = words_of(double.messages(security)[0])
    assert "Cardholder data typed in Slack" in case and "PAN" in case and "12.10.7" in case
    assert "please delete it" in stage.whispers()[0]
    digits = CARD.replace(" ", "")
    sent = b"".join(c.raw for c in double.calls)
    stored = b"".join(p.read_bytes() for p in stage.state.rglob("*") if p.is_file())
    bodies = b"".join(b for r in stage.log.records() for n in r.bodies if isinstance(b := stage.log.body(r, n), bytes))
    for place in (sent, stored, bodies, case.encode()):
        assert digits.encode() not in place.replace(b" ", b"") and digits[-4:].encode() not in place
    assert "PAN" in stage.answers.asked[0]
    assert stage.metrics.cases.labels("slack", "PAN")._value.get() == 1
    assert [r.resource for r in stage.records("redaction.block")] == ["cardholder-data"]


def test_a_published_test_number_is_no_case(staged: Callable[..., Stage], double: SlackDouble) -> None:
    security = double.channel(f"security-{time.monotonic_ns()}")
    stage = staged(security_channel=security)
    _, ts = stage.mention("is 4111 1111 1111 1111 declined?")
    answered(stage, ts)
    assert not double.messages(security) and not stage.whispers()


def test_forty_thousand_characters_are_cut_and_an_emoji_is_no_question(stage: Stage) -> None:
    _, ts = stage.mention("why " * 10_000)
    answered(stage, ts)
    assert len(stage.answers.asked[0]) <= 2000
    eventually(lambda: any("first 2,000 characters" in w for w in stage.whispers()))
    stage.mention(":fire: <@U1>")
    eventually(lambda: any("in words" in w for w in stage.whispers()))
    assert len(stage.answers.asked) == 1


def test_bots_strangers_and_people_who_may_not_are_not_answered(staged: Callable[..., Stage]) -> None:
    stage = staged(users=(PERSON,))
    stage.mention("hello", bot_id="B1")
    stage.mention("hello", person="", bot_profile={"name": "x"})
    stage.mention("hello", is_ext_shared_channel=True)
    stage.mention("hello", user_team="T999")
    stage.mention("hello", person="U_OTHER")
    eventually(lambda: any("not on the list" in w for w in stage.whispers()))
    assert not stage.answers.asked and not stage.double.of("chat.postMessage")
    assert sorted(r.facts["why"] for r in stage.records("auth.denied")) == ["person", "slack-connect"]


def test_a_channel_that_is_not_on_the_list_is_refused_and_recorded(
    staged: Callable[..., Stage], double: SlackDouble
) -> None:
    other = double.channel(f"other-{time.monotonic_ns()}")
    stage = staged(channels=("C0NOTHERE",))
    stage.mention("hello", channel=other)
    eventually(lambda: any("in this channel" in w for w in stage.whispers()))
    assert not stage.answers.asked and [r.facts["why"] for r in stage.records("auth.denied")] == ["channel"]


def test_an_edited_question_is_answered_again_in_the_same_reply(stage: Stage) -> None:
    _, ts = stage.mention("what changed?")
    answered(stage, ts)
    stage.answers.text = "Nothing was deployed."
    stage.mention("what was deployed?", ts=ts, edited={"user": PERSON, "ts": "9.9"})
    eventually(lambda: "Nothing was deployed" in replies(stage, ts)[0])
    assert len(replies(stage, ts)) == 1


def test_a_deleted_question_takes_its_answer_along(stage: Stage) -> None:
    ts = stage.double.said(stage.channel, "(a direct message)")
    stage.event({
        "type": "message", "channel_type": "im", "channel": stage.channel, "user": PERSON, "text": "why?", "ts": ts,
    })  # fmt: skip
    answered(stage, ts)
    stage.event({
        "type": "message", "subtype": "message_deleted", "channel_type": "im", "channel": stage.channel,
        "deleted_ts": ts, "previous_message": {"user": PERSON, "ts": ts, "text": "why?"},
    })  # fmt: skip
    eventually(lambda: "was deleted" in replies(stage, ts)[0])


def test_fifty_mentions_at_once_have_fifty_replies(stage: Stage) -> None:
    """Status for each before its reply; Slack's one post a second and channel is kept, so they are in 5 channels."""
    channels = [stage.double.channel(f"fifty-{time.monotonic_ns()}-{i}") for i in range(10)]
    asked = [(c, stage.double.said(c, "q")) for c in channels for _ in range(5)]
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda a: stage.mention("what changed?", channel=a[0], ts=a[1])[0].status_code, asked))
    assert codes == [200] * 50
    eventually(lambda: len(stage.double.of("chat.postMessage")) >= 50, within=90)
    counts = [len(stage.double.messages(c, ts)) for c, ts in asked]
    eventually(lambda: [len(stage.double.messages(c, ts)) for c, ts in asked] == [1] * 50, within=60)
    assert max(counts) <= 1


def test_what_a_channel_may_query_is_held_at_the_source(staged: Callable[..., Stage], double: SlackDouble) -> None:
    channel = double.channel(f"scoped-{time.monotonic_ns()}")
    routes = SlackRoutes(channels={"default": channel}, may_query={channel: ('service="gateway"',)})
    stage = staged(channel=channel, routes=routes)
    stage.mention("what about the ledger?")
    eventually(lambda: stage.answers.sources)
    sources = stage.answers.sources[0]
    from assistant.core.query import Matcher, Rate, Select
    from assistant.errors import SourceRefused

    window = stage.answers.contexts[0].incident.window
    sources.metrics.range(Rate(Select("requests_total"), 60), window=window, step=15)
    assert 'service="gateway"' in stage.fake_sources.asked[-1]
    with pytest.raises(SourceRefused):
        ledger = Select("requests_total", (Matcher("service", "=", "ledger"),))
        sources.metrics.range(Rate(ledger, 60), window=window, step=15)
    assert [r.facts["why"] for r in stage.records("auth.denied")] == ["query"]


def test_a_thread_of_another_teams_incident_is_refused(staged: Callable[..., Stage], double: SlackDouble) -> None:
    channel = double.channel(f"foreign-{time.monotonic_ns()}")
    routes = SlackRoutes(channels={"default": channel}, may_query={channel: ('service="ledger"',)})
    stage = staged(channel=channel, routes=routes)
    stage.service.receive([alert(labels={"service": "gateway"})])
    eventually(lambda: double.messages(channel))
    card = double.messages(channel)[0]["ts"]
    stage.mention("why?", thread=card)
    eventually(lambda: any("outside of what may be asked" in words_of(m) for m in double.messages(channel, card)))
    assert not stage.answers.asked and [r.facts["why"] for r in stage.records("auth.denied")] == ["scope"]


def test_a_direct_message_does_not_go_round_a_scope(staged: Callable[..., Stage]) -> None:
    stage = staged(routes=SlackRoutes(may_query={"C0PAYMENTS": ('service="gateway"',)}))
    stage.event({"type": "message", "channel_type": "im", "channel": "D9", "user": PERSON, "text": "why?", "ts": "5.5"})
    eventually(lambda: stage.records("auth.denied"))
    assert not stage.answers.asked


def test_forged_and_stale_requests_are_refused_and_a_replayed_one_does_nothing(stage: Stage) -> None:
    event = {"type": "app_mention", "channel": stage.channel, "user": PERSON, "text": "hi there", "ts": "7.7"}
    body = json.dumps({"type": "event_callback", "team_id": TEAM, "event_id": "EvR", "event": event}).encode()
    kind = "application/json"
    assert stage.signed(body, kind, secret="another secret").status_code == 401
    assert stage.signed(body, kind, at=time.time() - 3600).status_code == 401
    assert stage.client.post("/slack/events", content=body, headers={"Content-Type": kind}).status_code == 401
    assert not stage.answers.asked
    at = time.time()
    assert stage.signed(body, kind, at=at).status_code == 200
    assert stage.signed(body, kind, at=at).status_code == 200
    eventually(lambda: stage.answers.asked)
    time.sleep(0.3)
    assert len(stage.answers.asked) == 1


def test_what_is_not_a_request_of_slack_is_refused(stage: Stage) -> None:
    assert stage.signed(b"\xff\xfe\x00", "application/json").status_code == 400
    assert stage.signed(b"x" * 600_000, "application/json").status_code == 413
    assert stage.signed(b"[]", "application/json").status_code in (400, 404, 500)
    assert SECRET not in "".join(str(c.given) for c in stage.double.calls)


def test_a_payload_with_a_value_in_it_is_blocked_and_recorded(stage: Stage) -> None:
    stage.answers.text = "Card " + CARD + " was declined."
    _, ts = stage.mention("why?")
    eventually(lambda: any(r.resource == "slack" for r in stage.records("redaction.block")))
    assert CARD.encode() not in b"".join(c.raw for c in stage.double.calls)
    assert replies(stage, ts) == []


def test_a_database_that_is_away_answers_500_so_that_slack_sends_again(stage: Stage) -> None:
    from assistant.notebook.database import Away

    class Gone:
        def take(self, key: str, *, span_s: float = 0.0) -> bool:
            raise Away("gone")

        def free_all_but(self, alive: frozenset[str]) -> None:
            raise Away("gone")

    real, stage.service.claims = stage.service.claims, Gone()  # type: ignore[assignment]
    done, ts = stage.mention("what changed?", event_id="EvAgain")
    assert done.status_code == 500
    stage.service.claims = real
    done, _ = stage.mention("what changed?", ts=ts, event_id="EvAgain")
    assert done.status_code == 200
    answered(stage, ts)


def test_a_reply_whose_answer_got_lost_is_not_posted_again(stage: Stage) -> None:
    left = ["lose"]

    def fault(call: Call) -> object:
        return left.pop() if call.method == "chat.postMessage" and left else None

    stage.double.faults = fault
    _, ts = stage.mention("what changed?")
    eventually(lambda: replies(stage, ts))
    eventually(lambda: stage.room.answering.resume() or not stage.room.questions.open(older_s=0.0), within=60)
    eventually(lambda: not stage.room.questions.open(older_s=0.0), within=60)
    assert len(replies(stage, ts)) == 1


def test_quiet_mode_records_the_question_and_says_so_in_private(staged: Callable[..., Stage]) -> None:
    stage = staged(quiet=True)
    stage.mention("why?")
    eventually(lambda: any("quiet mode" in w for w in stage.whispers()))
    assert not stage.answers.asked and not stage.double.of("chat.postMessage")
    assert len(stage.records("question.received")) == 1


def test_a_fault_of_ours_is_told_once_and_not_tried_for_ever(stage: Stage) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    stage.house = replace(stage.house, answer=broken)  # type: ignore[arg-type]
    _, ts = stage.mention("what changed?")
    eventually(lambda: any("A fault of mine" in r for r in replies(stage, ts)))
    assert stage.room.answering.resume() == 0 and len(replies(stage, ts)) == 1
