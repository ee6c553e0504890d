"""What keeps `serve` from starting is one line with the mend."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from assistant.errors import SettingsError
from assistant.serving import webhook_token
from assistant.settings import Settings, Web
from assistant.web.listener import Listener


def test_a_webhook_that_others_can_reach_needs_a_token() -> None:
    with pytest.raises(SettingsError, match="webhook_token_env"):
        webhook_token(Settings(web=Web(webhook_host="0.0.0.0")))
    assert webhook_token(Settings(web=Web(webhook_host="127.0.0.1"))) == ""


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="absent"):
        webhook_token(Settings(web=Web(webhook_token_file=str(tmp_path / "absent"))))


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(
            SettingsError, match=r"webhook listener cannot use 127\.0\.0\.1:\d+ \(Address already in use\)"
        ):
            Listener(lambda: None, host="127.0.0.1", port=taken.getsockname()[1], name="webhook")
