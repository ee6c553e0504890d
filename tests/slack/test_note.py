"""The living message: one an incident, edited on material change, final at the end; every trouble of Slack survived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.doubles.slack import Call, SlackDouble
from tests.fakes.alerts import alert
from tests.slack.stage import Stage, eventually, words_of


def opened(stage: Stage, **labels: str) -> str:
    placed = stage.service.receive([alert(labels={"service": "gateway", **labels})])
    incident = placed.placements[0].incident
    assert incident
    return incident


def shown(stage: Stage, revision: int) -> None:
    def there() -> bool:
        messages = stage.double.messages(stage.channel)
        return bool(messages) and f"rev {revision}" in words_of(messages[-1])

    eventually(there)


def edit(stage: Stage) -> None:
    """Have what is shown edited: the first post may have been the draft's, then the incident's end does it."""
    if not stage.double.of("chat.update"):
        stage.service.receive([alert(status="resolved", labels={"service": "gateway"})])
    eventually(lambda: stage.double.of("chat.update"))


def test_one_message_is_posted_and_then_edited_with_the_draft(stage: Stage) -> None:
    incident = opened(stage)
    shown(stage, 2)
    (message,) = stage.double.messages(stage.channel)
    said = words_of(message)
    assert incident in said and "CRITICAL" in said and "Drafted by AI, read-only, 0 values redacted" in said
    (post,) = stage.double.of("chat.postMessage")
    assert post.given["unfurl_links"] is False and post.given["unfurl_media"] is False
    assert post.given["metadata"]["event_payload"].keys() == {"id"}
    edit(stage)
    ids = [{b["block_id"] for b in c.given["blocks"]} for c in stage.double.calls if "blocks" in c.given]
    assert len(ids) > 1 and not ids[0] & ids[1], "an edit needs block ids of its own"


def test_the_end_is_a_final_revision_of_the_same_message(stage: Stage) -> None:
    opened(stage)
    shown(stage, 2)
    stage.service.receive([alert(status="resolved", labels={"service": "gateway"})])
    eventually(lambda: "final" in words_of(stage.double.messages(stage.channel)[-1]))
    assert len(stage.double.messages(stage.channel)) == 1


def test_updates_keep_apart_and_only_material_ones_are_shown(staged: Callable[..., Stage]) -> None:
    stage = staged(apart_s=3600.0)
    opened(stage)
    shown(stage, 2)
    before = len(stage.double.of("chat.update"))
    stage.service.receive([alert(status="resolved", labels={"service": "gateway"})])
    eventually(lambda: stage.service.outbox.waiting().count == 1)
    assert len(stage.double.of("chat.update")) == before


def test_alerts_go_where_their_labels_say(staged: Callable[..., Stage], double: SlackDouble) -> None:
    from assistant.settings import SlackRoutes

    acquiring, rest = double.channel("acquiring"), double.channel("rest")
    routes = SlackRoutes(channels={'team="acquiring"': acquiring, "default": rest})
    stage = staged(routes=routes)
    opened(stage, team="acquiring")
    opened(stage, team="issuing", service="ledger", env="other")
    eventually(lambda: double.messages(acquiring) and double.messages(rest))
    assert len(double.messages(acquiring)) == 1 == len(double.messages(rest))


def test_quiet_mode_records_and_posts_nothing(staged: Callable[..., Stage]) -> None:
    stage = staged(quiet=True)
    incident = opened(stage)
    eventually(lambda: len(stage.service.notes.revisions(incident)) == 2)
    assert stage.deliver() == 0 and not stage.double.of("chat.postMessage")


def once(error: Any, method: str = "chat.postMessage") -> Callable[[Call], Any]:
    left = [error]

    def fault(call: Call) -> Any:
        return left.pop() if call.method == method and left else None

    return fault


def fixed(error: str) -> Callable[[Call], Any]:
    """The first message that is edited can never be."""
    first: list[str] = []

    def fault(call: Call) -> Any:
        if call.method != "chat.update":
            return None
        first[:] = first or [call.given["ts"]]
        return error if call.given["ts"] == first[0] else None

    return fault


def test_a_rate_limit_is_waited_for_as_long_as_slack_says(stage: Stage) -> None:
    stage.double.faults = once((429, {"Retry-After": "2"}))
    opened(stage)
    eventually(lambda: len(stage.double.messages(stage.channel)) == 1)
    assert len(stage.double.of("chat.postMessage")) == 2


def test_a_lost_answer_is_looked_for_and_not_posted_again(stage: Stage) -> None:
    stage.double.faults = once("lose")
    opened(stage)
    shown(stage, 2)
    assert len(stage.double.messages(stage.channel)) == 1
    assert len(stage.double.of("chat.postMessage")) == 1
    assert stage.double.of("conversations.history")


def test_where_the_app_may_not_look_it_posts_again_and_says_so(stage: Stage) -> None:
    lost = once("lose")
    stage.double.faults = lambda c: "missing_scope" if c.method == "conversations.history" else lost(c)
    opened(stage)
    eventually(lambda: len(stage.double.messages(stage.channel)) == 2)
    assert "may stand here twice" in str(stage.double.of("chat.postMessage")[1].given)


def test_a_message_that_cannot_be_edited_is_continued_in_one_new_one(stage: Stage) -> None:
    stage.double.faults = fixed("edit_window_closed")
    opened(stage)
    shown(stage, 2)
    edit(stage)
    eventually(lambda: len(stage.double.messages(stage.channel)) == 2)
    new = stage.double.messages(stage.channel)[1]
    assert "https://emulate.slack.com/archives/" in str(new["blocks"]) and "Continues" in words_of(new)


def test_a_deleted_message_is_continued_without_a_link(stage: Stage) -> None:
    stage.double.faults = fixed("message_not_found")
    opened(stage)
    shown(stage, 2)
    edit(stage)
    eventually(lambda: len(stage.double.messages(stage.channel)) == 2)
    new = stage.double.messages(stage.channel)[1]
    assert "https://" not in str([b for b in new["blocks"] if b["type"] == "rich_text"])


def test_an_archived_channel_falls_back_to_the_default_one(staged: Callable[..., Stage], double: SlackDouble) -> None:
    from assistant.settings import SlackRoutes

    closed, rest = double.channel("closed"), double.channel("open")
    double.ask("conversations.archive", channel=closed)
    stage = staged(routes=SlackRoutes(channels={'team="a"': closed, "default": rest}))
    opened(stage, team="a")
    eventually(lambda: len(double.messages(rest)) == 1)


def test_a_revoked_token_is_waited_out_and_a_new_one_is_taken(stage: Stage) -> None:
    stage.double.faults = lambda c: "token_revoked" if c.method == "chat.postMessage" else None
    opened(stage)
    eventually(lambda: stage.double.of("chat.postMessage"))
    eventually(lambda: "token_revoked" in stage.room.health())
    assert stage.service.outbox.waiting().count and not stage.double.messages(stage.channel)
    stage.double.faults = lambda c: None
    (stage.state / "bot").write_text("xoxb-another")
    stage.room.sender.renew_token()
    assert stage.room.sender.client.token == "xoxb-another"


def test_blocks_that_slack_refuses_become_words(stage: Stage) -> None:
    stage.double.faults = once("msg_blocks_too_long")
    opened(stage)
    eventually(lambda: stage.double.messages(stage.channel))
    assert len(stage.double.messages(stage.channel)) == 1
    assert len(stage.double.of("chat.postMessage")) == 2


def test_a_purge_takes_the_message_away_and_shows_the_clean_one(stage: Stage) -> None:
    opened(stage)
    shown(stage, 2)
    (first,) = stage.double.messages(stage.channel)
    stage.room.carrier.retract(f"{stage.channel}:{first['ts']}")
    assert stage.double.messages(stage.channel) == []
    stage.room.carrier.retract(f"{stage.channel}:{first['ts']}")
    stage.service.receive([alert(status="resolved", labels={"service": "gateway"})])
    eventually(lambda: len(stage.double.messages(stage.channel)) == 1)


def test_six_incidents_a_minute_become_one_storm_card(stage: Stage) -> None:
    for i in range(9):
        stage.service.receive([alert(f"Alert{i}", labels={"service": f"s{i}"}, group=f"g{i}")])
    eventually(lambda: len(stage.double.messages(stage.channel)) == 6, within=60)
    cards = [words_of(m) for m in stage.double.messages(stage.channel)]
    assert sum("Alert storm" in c for c in cards) == 1
