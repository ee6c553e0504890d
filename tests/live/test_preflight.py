"""`payops serve` on a set-up that is wrong: one screen with everything, each with its mend; and nothing started."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.errors import SettingsError
from assistant.preflight import preflight
from assistant.promptlog.open import open_configured
from assistant.settings import Log, Settings, Web, load_settings
from tests.fakes.slack_scopes import scopes_server

PAYOPS = "import sys; from assistant.cli import main; sys.exit(main())"


def serve(config: Path, state: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PAYOPS, "serve", "--config", str(config), "--state", str(state), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_every_mistake_of_a_file_is_found_at_once(tmp_path: Path) -> None:
    config = tmp_path / "payops.toml"
    config.write_text('[prometheus]\nurll = "x"\ntimeout_s = "8"\n[slac]\n[log]\ncheckpoints = [1]\n')
    with pytest.raises(SettingsError) as error:
        load_settings(config)
    assert [str(e).split(": ")[1].split(";")[0] for e in error.value.also] == [
        '"prometheus.timeout_s" wants a number, not str',
        'unknown key "slac"',
        '"log.checkpoints" wants text, not int',
    ]


def test_one_screen_names_everything_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config, secret = tmp_path / "payops.toml", tmp_path / "token"
        secret.write_text("x")
        secret.chmod(0o666)
        (tmp_path / "state").write_text("a file, not a folder")
        config.write_text(
            f'[prometheus]\nurl = "prometheus:9090"\nca_file = "{tmp_path}/absent.pem"\n'
            f'[model]\nurl = "https://api.example/v1"\nname = "m"\nkey_env = "PAYOPS_ABSENT"\n'
            f'[log]\ncheckpoints = ["ftp://x"]\nbody_key_file = "{tmp_path}/absent.key"\n'
            f'[runbooks]\ndirs = ["{tmp_path}/absent"]\n[redaction]\npolicy = "{tmp_path}/absent.toml"\n'
            f'[web]\nwebhook_host = "0.0.0.0"\nconsole_host = "0.0.0.0"\nconsole_port = {port}\n'
            f'session_key_file = "{secret}"\n[workflow]\nurl = "mysql://x"\n'
        )
        done = serve(config, tmp_path / "state")
    said = done.stderr
    assert done.returncode in {1, 2} and not done.stdout
    for part in (
        "absent.pem is not there", "PAYOPS_ABSENT is empty", "absent.key is not there", "can be written by everybody",
        "listens on 0.0.0.0 without a token", "absent.toml", "does not state region", "absent is not a folder",
        "a place of [log] checkpoints", "console listens on 0.0.0.0 without a login", f"0.0.0.0:{port}",
        "state: File exists", "not a postgresql:// URL", "[prometheus] url",
    ):  # fmt: skip
        assert part in said, (part, said)
    assert said.count("     mend: ") >= 13
    assert said.startswith("payops serve does not start: ")
    assert "Traceback" not in said


def test_what_is_sound_is_said_and_changes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "payops.toml"
    config.write_text('[prometheus]\nurl = "http://127.0.0.1:9"\n[web]\nwebhook_port = 0\nconsole_port = 0\n')
    done = serve(config, tmp_path / "state", "--check")
    assert (done.returncode, done.stdout) == (0, "nothing keeps payops serve from starting\n")
    assert {p.name for p in (tmp_path / "state").iterdir()} <= {"serve.lock"}


ANY_PORT = Web(webhook_port=0, console_port=0)
"""What else listens on this machine must not count among what is wrong."""


def problems(settings: Settings) -> str:
    return preflight(lambda: settings)[1].screen()


def lived(state: Path) -> Settings:
    settings = Settings(state=state, web=ANY_PORT)
    log = open_configured(settings, last_look=lambda content: None)
    log.checkpoint()
    log.close()
    return settings


def test_a_log_without_its_key_and_a_database_that_is_newer_are_told_together(tmp_path: Path) -> None:
    settings = lived(tmp_path)
    (tmp_path / "keys" / "body.key").unlink()
    with sqlite3.connect(tmp_path / "live.sqlite") as db:
        db.execute("CREATE TABLE payops_meta (name TEXT PRIMARY KEY, value TEXT)")
        db.execute("INSERT INTO payops_meta VALUES ('schema', '99')")
    said = problems(settings)
    assert "schema 99" in said and "body.key cannot be read" in said and "2 things are wrong" in said


def test_a_log_shorter_than_its_checkpoint_elsewhere_is_told(tmp_path: Path) -> None:
    settings = lived(tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "older")
    log = open_configured(settings, last_look=lambda content: None)
    (tmp_path / "note").write_text(log.checkpoint())
    log.close()
    shutil.copy(tmp_path / "older" / "promptlog.sqlite", tmp_path / "state" / "promptlog.sqlite")
    older = replace(settings, log=Log(outside_checkpoint=str(tmp_path / "note")))
    assert "a checkpoint covers" in problems(older)


def test_a_credential_that_can_write_is_on_the_screen_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.settings import Slack

    monkeypatch.setenv("PAYOPS_TEST_BOT", "xoxb" + "-not-a-token")
    with scopes_server("chat:write,admin.users:write") as url:
        slack = Slack(url=url, bot_token_env="PAYOPS_TEST_BOT")
        assert "a credential of ours can write" in problems(Settings(state=tmp_path, web=ANY_PORT, slack=slack))
        allowed = Settings(state=tmp_path, web=ANY_PORT, slack=slack, allow_writable_credentials=True)
        assert not preflight(lambda: allowed)[1].found or "write" not in problems(allowed)
