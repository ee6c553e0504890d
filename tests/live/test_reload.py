"""The configuration read again: recorded with both hashes; what cannot change is said; a wrong one changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.live import Live
from assistant.promptlog.record import Event, Outcome
from assistant.reloading import fingerprint, reload
from assistant.settings import Settings, load_settings
from tests.live.stack import notes_of, payload, start_serve
from tests.live.test_end_to_end import eventually

PAYOPS = "import sys; from assistant.cli import main; sys.exit(main())"
BASE = "[web]\nwebhook_port = 0\nconsole_port = 0\n[runbooks]\ndense = false\n"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    config = tmp_path / "payops.toml"
    config.write_text(BASE)
    made = Live(load_settings(config, state=tmp_path / "state"), notes=tmp_path / "notes")
    made.start()
    yield made
    made.stop(drain_s=5)


def changes(live: Live) -> list[dict[str, object]]:
    records = live.house.promptlog.scan()  # type: ignore[attr-defined]
    found = [r for r in records if r.event is Event.CONFIG_CHANGE and r.resource == "configuration"]
    return [{**r.facts, "outcome": r.outcome} for r in found]


def test_a_source_is_taken_up_and_a_port_waits_for_the_next_start(live: Live) -> None:
    before = fingerprint(live.settings)
    Path(live.settings.file).write_text(
        '[prometheus]\nurl = "http://127.0.0.1:9"\ntimeout_s = 0.5\n'
        + BASE.replace("console_port = 0", "console_port = 1234")
    )
    done = reload(live)
    assert (done.changed, done.kept, done.wrong) == (("prometheus",), ("web",), ())
    assert live.settings.prometheus.url == "http://127.0.0.1:9" and live.settings.web.console_port == 0
    (said,) = changes(live)
    assert (said["before"], said["after"]) == (before, fingerprint(live.settings))
    assert said["at_next_start"] == ["web"]
    live.receive(live.read(json.dumps(payload("a", at=time.time(), service="s")).encode()))
    eventually(lambda: live.service.notes.newest())
    note = live.service.notes.latest(live.service.notes.newest()[0].incident)
    assert note and [g for g in note["gaps"] if g["source"] == "prometheus"]  # type: ignore[attr-defined]


def test_a_wrong_configuration_changes_nothing_and_is_recorded(live: Live) -> None:
    before = live.settings
    Path(live.settings.file).write_text(BASE + '[prometheus]\nurll = "x"\n[redaction]\npolicy = "/absent"\n')
    assert reload(live).wrong
    assert live.settings is before
    (said,) = changes(live)
    assert said["outcome"] is Outcome.FAILED and said["wrong"] == 1


def test_secrets_are_not_in_the_fingerprint_and_every_key_is(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    one = Settings()
    secret.write_text("a")
    assert fingerprint(one) == fingerprint(Settings()) != fingerprint(Settings(allow_writable_credentials=True))


def test_the_command_reaches_a_running_serve(tmp_path: Path) -> None:
    config, state = tmp_path / "payops.toml", tmp_path / "state"
    config.write_text(BASE)
    serve = start_serve(config, state, tmp_path / "log")
    serve.wait_ready()
    try:
        config.write_text(BASE + '[loki]\nurl = "http://127.0.0.1:9"\n')
        command = [sys.executable, "-c", PAYOPS, "reload", "--state", str(state)]
        eventually(lambda: (state / "serve.pid").exists())
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        eventually(lambda: "configuration reloaded" in serve.log.read_text(), why=serve.log.read_text)
        assert serve.post(payload("a", at=time.time()))[0] == 200
        eventually(lambda: notes_of(state), why=serve.log.read_text)
    finally:
        assert serve.stop() == 0
    gone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
