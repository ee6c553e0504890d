"""`payops off` and `on` with two replicas on one PostgreSQL: both obey at once, and what waited is shown once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Event
from assistant.settings import load_settings
from tests.doubles.postgres import running
from tests.live.stack import Serve, notes_of, payload, start_serve
from tests.live.test_end_to_end import eventually

PAYOPS = "import sys; from assistant.cli import main; sys.exit(main())"


def two(home: Path, url: str) -> list[Serve]:
    """Replicas that share database, log, keys and the drop for checkpoints."""
    keys, made = home / "a" / "keys", []
    (home / "drop").mkdir()
    (home / "session").write_text("0" * 64)
    shared = f'signing_key_file = "{keys / "signing.key"}"\nbody_key_file = "{keys / "body.key"}"\n'
    for name, more in (("a", ""), ("b", shared)):
        config = home / f"{name}.toml"
        config.write_text(
            f'[web]\nwebhook_port = 0\nconsole_port = 0\nsession_key_file = "{home / "session"}"\n'
            f'[runbooks]\ndense = false\n[workflow]\nurl = "{url}"\nheartbeat_s = 0.5\ntakeover_s = 3.0\n'
            f'[log]\nurl = "{url}"\ncheckpoints = ["{home / "drop"}"]\ncheckpoint_every_s = 1.0\n{more}'
        )
        serve = start_serve(config, home / name, home / f"{name}.log")
        serve.wait_ready()
        made.append(serve)
    return made


def payops(home: Path, word: str) -> None:
    command = [sys.executable, "-c", PAYOPS, word, "--config", str(home / "b.toml"), "--state", str(home / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def shown(home: Path) -> list[tuple[str, int]]:
    """(incident, revision) over both replicas' folders."""
    folders = [notes_of(home / name) for name in ("a", "b")]
    return sorted((i, note["revision"]) for notes in folders for i, every in notes.items() for note in every)


@pytest.mark.live
@pytest.mark.slow
def test_the_switch_reaches_every_replica_and_one_of_them_publishes(tmp_path: Path) -> None:
    with running() as server:
        url = server.create_database("switched")
        serves = two(tmp_path, url)
        try:
            payops(tmp_path, "off")
            for serve in serves:
                eventually(lambda serve=serve: serve.metric("payops_switched_off") == 1)
            for i, serve in enumerate(serves):
                body = payload(f"f{i}", at=time.time(), group=f"g{i}", service=f"s{i}")
                assert serve.post(body)[0] == 200
            eventually(lambda: serves[0].metric("payops_outbox_waiting") >= 2, why=serves[0].log.read_text)
            assert shown(tmp_path) == []
            payops(tmp_path, "on")
            eventually(lambda: serves[1].metric("payops_outbox_waiting") == 0, why=serves[1].log.read_text)
            eventually(lambda: len({incident for incident, _ in shown(tmp_path)}) == 2)
            assert len(shown(tmp_path)) == len(set(shown(tmp_path)))
            drop = next((tmp_path / "drop").iterdir())
            eventually(lambda: drop.read_text().count("payops.example/promptlog\n") > 4)
            before = drop.read_text().count("payops.example/promptlog\n")
            serves[0].kill()
            eventually(lambda: drop.read_text().count("payops.example/promptlog\n") > before + 4, within=40)
        finally:
            for serve in serves:
                if serve.process.poll() is None:
                    assert serve.stop() == 0
        settings = load_settings(tmp_path / "b.toml", state=tmp_path / "b")
        log = open_configured(settings, last_look=lambda content: None, service="")
        turned = [r.facts["off"] for r in log.scan() if r.event is Event.CONFIG_CHANGE and r.resource == "switch"]
        assert turned == [True, False]
        assert log.verify().ok
        log.close()
