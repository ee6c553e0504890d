"""`serve` looks at its credentials before it starts: a writable one refuses, an override says so in every note."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.attesting import attesting, look_again
from assistant.errors import WritableCredential
from assistant.guests import guests
from assistant.live import Live
from assistant.settings import Endpoint, Settings, Slack, Web
from tests.fakes.slack_scopes import scopes_server


def settings_of(state: Path, slack_url: str, monkeypatch: pytest.MonkeyPatch, *, allow: bool = False) -> Settings:
    monkeypatch.setenv("PAYOPS_TEST_BOT", "xoxb" + "-not-a-token")
    return Settings(
        state=state,
        slack=Slack(url=slack_url, bot_token_env="PAYOPS_TEST_BOT"),
        prometheus=Endpoint(url="http://127.0.0.1:9", timeout_s=0.5),
        web=Web(webhook_port=0, console_port=0),
        allow_writable_credentials=allow,
    )


def events(live: Live) -> list[str]:
    return [str(r.event) for r in live.house.promptlog.scan()]  # type: ignore[attr-defined]


def test_a_credential_that_can_write_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scopes_server("chat:write,admin.users:write,channels:join") as url:
        live = Live(settings_of(tmp_path, url, monkeypatch), notes=tmp_path / "notes", guests=(attesting(),))
        with pytest.raises(WritableCredential, match="can write"):
            live.start()


def test_the_override_runs_and_says_so_in_every_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scopes_server("chat:write,admin.users:write,channels:join") as url:
        settings = settings_of(tmp_path, url, monkeypatch, allow=True)
        live = Live(settings, notes=tmp_path / "notes", guests=(attesting(),))
        live.start()
        try:
            assert "credentials.attest" in events(live)
            assert any("can write" in w for w in live.house.warnings)
            look_again(live)
            assert events(live).count("credentials.attest") == 2
        finally:
            live.stop(drain_s=2)


def test_servers_that_are_away_do_not_stop_the_start(tmp_path: Path) -> None:
    settings = Settings(
        state=tmp_path,
        prometheus=Endpoint(url="http://127.0.0.1:9", timeout_s=0.5),
        web=Web(webhook_port=0, console_port=0),
    )
    assert [g.name for g in guests(settings)] == ["console", "credentials"]
    live = Live(settings, notes=tmp_path / "notes", guests=guests(settings))
    live.start()
    try:
        assert events(live).count("credentials.attest") == 1
        assert live.house.warnings == ()
    finally:
        live.stop(drain_s=2)


def test_nothing_is_attested_where_nothing_is_configured(tmp_path: Path) -> None:
    assert [g.name for g in guests(Settings(state=tmp_path))] == ["console"]
