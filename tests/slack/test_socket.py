"""Socket Mode against a server of our own: envelopes acknowledged, connections dropped, nothing lost, nothing twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assistant.slack.app import bolt_app
from assistant.slack.socket import Socket
from tests.doubles.slack import TEAM, SlackDouble, SocketMode, socket_mode
from tests.slack.stage import PERSON, Stage, eventually


@pytest.fixture
def server(double: SlackDouble) -> Iterator[SocketMode]:
    with socket_mode() as server:
        double.sockets.append(server.url)
        yield server


@pytest.fixture
def stage(staged: Callable[..., Stage]) -> Stage:
    return staged(mode="socket")


@pytest.fixture
def socket(stage: Stage, server: SocketMode) -> Iterator[Socket]:
    made = Socket(stage.room, bolt_app(stage.room), ping_s=1.0)
    made.keep()
    eventually(lambda: server.connections and made.connected)
    yield made
    made.close()


def mention(stage: Stage, event_id: str = "Ev1", ts: str = "") -> dict[str, Any]:
    ts = ts or stage.double.said(stage.channel, "(a question)")
    event = {"type": "app_mention", "channel": stage.channel, "user": PERSON, "text": "what changed?", "ts": ts}
    return {"type": "event_callback", "team_id": TEAM, "event_id": event_id, "event": event}


def test_an_event_is_acknowledged_and_answered(stage: Stage, server: SocketMode, socket: Socket) -> None:
    payload = mention(stage)
    server.send(payload)
    eventually(lambda: {"envelope_id": "e-1"} in [{k: a[k] for k in ("envelope_id",)} for a in server.acks])
    ts = payload["event"]["ts"]
    eventually(lambda: stage.double.messages(stage.channel, ts))


def test_a_command_is_answered_in_the_acknowledgement(stage: Stage, server: SocketMode, socket: Socket) -> None:
    command = {"command": "/triage", "text": "help", "team_id": TEAM, "channel_id": stage.channel, "user_id": PERSON,
               "trigger_id": "t1"}  # fmt: skip
    server.send(command, kind="slash_commands")
    eventually(lambda: any("/triage merge" in str(a.get("payload")) for a in server.acks))


def test_a_dropped_connection_comes_back_and_the_repeated_event_is_answered_once(
    stage: Stage, server: SocketMode, socket: Socket
) -> None:
    payload = mention(stage)
    server.send(payload)
    server.drop()
    eventually(lambda: socket.keep() or server.opened >= 2, within=60)
    eventually(lambda: socket.connected, within=60)
    server.send(payload, envelope="e-2")
    ts = payload["event"]["ts"]
    eventually(lambda: stage.double.messages(stage.channel, ts), within=60)
    time.sleep(1.0)
    assert len(stage.double.messages(stage.channel, ts)) == 1 and len(stage.answers.asked) == 1


def test_slacks_goodbye_is_followed_to_a_new_connection(stage: Stage, server: SocketMode, socket: Socket) -> None:
    server.goodbye()
    eventually(lambda: server.opened >= 2, within=60)
    server.send(mention(stage, "Ev9"))
    eventually(lambda: stage.answers.asked, within=60)


def test_slack_being_away_at_the_start_is_said_and_tried_again(stage: Stage, double: SlackDouble) -> None:
    made = Socket(stage.room, bolt_app(stage.room), ping_s=1.0)
    made.keep()
    assert not made.connected and made.health() == "not connected to Slack"
    with socket_mode() as server:
        double.sockets.append(server.url)
        eventually(lambda: made.keep() or made.connected)
        made.close()
