"""`payops serve` with Slack, in a process of its own: an alert becomes a card, a signed mention is answered."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from assistant.errors import SettingsError
from assistant.preflight import preflight
from assistant.settings import load_settings
from assistant.slack.guest import checked
from tests.doubles.slack import BOT_TOKEN, TEAM, SlackDouble
from tests.live.stack import TOKEN, Serve, payload, start_serve
from tests.slack.stage import SECRET, eventually, words_of


def config(home: Path, double: SlackDouble, channel: str, *, more: str = "") -> Path:
    for name, value in (("bot", BOT_TOKEN), ("secret", SECRET), ("token", TOKEN)):
        (home / name).write_text(value)
    path = home / "payops.toml"
    path.write_text(
        f'[web]\nurl = "https://payops.example"\nwebhook_port = 0\nconsole_port = 0\n'
        f'webhook_token_file = "{home / "token"}"\n'
        f'[slack]\nurl = "{double.url}"\nmode = "http"\nbot_token_file = "{home / "bot"}"\n'
        f'signing_secret_file = "{home / "secret"}"\n{more}[slack.routes.channels]\ndefault = "{channel}"\n'
    )
    return path


def mention(serve: Serve, channel: str, ts: str) -> int:
    event = {"type": "app_mention", "channel": channel, "user": "U1", "text": "what is wrong?", "ts": ts}
    body = json.dumps({"type": "event_callback", "team_id": TEAM, "event_id": f"Ev{ts}", "event": event}).encode()
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    where = urlsplit(serve.webhook)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    headers = {"Content-Type": "application/json", "X-Slack-Request-Timestamp": stamp}
    connection.request("POST", "/slack/events", body, {**headers, "X-Slack-Signature": f"v0={digest}"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_an_alert_becomes_a_card_and_a_mention_an_answer(double: SlackDouble, tmp_path: Path) -> None:
    channel = double.channel(f"serve-{time.monotonic_ns()}")
    serve = start_serve(config(tmp_path, double, channel), tmp_path / "state", tmp_path / "serve.log")
    try:
        serve.wait_ready(within=120)
        assert serve.post(payload("f1", at=time.time(), service="gateway"))[0] == 200
        eventually(lambda: double.messages(channel), within=90)
        (card,) = double.messages(channel)
        assert "ApprovalRateLow" in words_of(card) and "read-only" in words_of(card)
        assert "https://payops.example/records/" in str(card["blocks"])
        ts = double.said(channel, "what is wrong?")
        assert mention(serve, channel, ts) == 200
        eventually(lambda: double.messages(channel, ts), within=90)
        assert serve.metric('payops_slack_calls_total{method="chat.postMessage"}') >= 2
    finally:
        code = serve.stop()
    assert code == 0, serve.log.read_text()
    assert BOT_TOKEN not in serve.log.read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('mode = "carrier-pigeon"\n', 'mode is "carrier-pigeon"'),
        ('mode = "socket"\n', "app-level token"),
        ('security_channel = "#security"\n', "not a channel id"),
    ],
)
def test_a_wrong_configuration_is_said_before_the_start(
    more: str, said: str, double: SlackDouble, tmp_path: Path
) -> None:
    path = config(tmp_path, double, "C0PAYMENTS")
    text = path.read_text()
    if more.startswith("mode"):
        text = text.replace('mode = "http"\n', more)
    else:
        text = text.replace("[slack.routes.channels]", f"{more}[slack.routes.channels]")
    path.write_text(text)
    settings = load_settings(path, state=tmp_path / "state")
    with pytest.raises(SettingsError, match=said):
        checked(settings)
    _, look = preflight(lambda: load_settings(path, state=tmp_path / "state"))
    assert any(said in p.what for p in look.found)
