"""A purge while `serve` runs on the same state: it cleans, takes back, shows anew, and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from tests.live.stack import notes_of, payload, start_serve
from tests.live.test_end_to_end import eventually
from tests.purging.planted import PAN, holding, plant_files, plant_rows

PAYOPS = "import sys; from assistant.cli import main; sys.exit(main())"


def test_a_running_serve_is_purged_and_goes_on(tmp_path: Path) -> None:
    config, state = tmp_path / "payops.toml", tmp_path / "state"
    config.write_text("[web]\nwebhook_port = 0\nconsole_port = 0\n[runbooks]\ndense = false\n")
    serve = start_serve(config, state, tmp_path / "log")
    serve.wait_ready()
    try:
        assert serve.post(payload("a", at=time.time(), service="gateway", group="{a}"))[0] == 200
        eventually(lambda: notes_of(state), why=serve.log.read_text)
        eventually(lambda: serve.metric("payops_rounds_unfinished") == serve.metric("payops_outbox_waiting") == 0)
        for name in ("live.sqlite", "dbos.sqlite"):
            engine = sa.create_engine(f"sqlite:///{state / name}", connect_args={"timeout": 30})
            assert plant_rows(engine) > 3
            engine.dispose()
        plant_files(state)
        assert holding(state)

        command = [sys.executable, "-c", PAYOPS, "purge", "--config", str(config), "--state", str(state), "--json"]
        done = subprocess.run(command, input=PAN, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert report["clean"] and report["messages"] and len(report["records"]) == 2
        eventually(lambda: serve.metric("payops_outbox_waiting") == 0, why=serve.log.read_text)
        assert holding(state) == []

        ((incident, notes),) = [(k, v) for k, v in notes_of(state).items() if k != "inc-aaaaaa"]
        assert json.loads((state / "notes" / f"{incident}.json").read_text())["revision"] == notes[-1]["revision"]
        assert serve.post(payload("b", at=time.time(), service="ledger", group="{b}"))[0] == 200
        eventually(lambda: len(notes_of(state)) == 3, why=serve.log.read_text)
        assert serve.call("GET", "/healthz")[0] == 200
    finally:
        assert serve.stop() == 0
    assert holding(state) == [] and PAN not in (tmp_path / "log").read_text()
