"""Two `payops serve` on one PostgreSQL: Alertmanager posts to both, one note; one is killed, the other goes on."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from assistant.notebook.database import open_database
from assistant.notebook.notes import notes
from assistant.workflow.rounds import rounds
from tests.doubles.postgres import free_port, running
from tests.live.stack import TOKEN, Serve, Stack, payload, stack, start_serve
from tests.sources.servers import needs

pytestmark = [pytest.mark.live, pytest.mark.slow, needs("prometheus", "promtool", "prometheus-alertmanager")]

TAKEN_OVER_S = 30.0


def kept(url: str, home: Path) -> list[dict[str, Any]]:
    with open_database(url, state=home).read() as c:
        return [dict(r) for r in c.execute(notes.select().order_by(notes.c.incident, notes.c.revision)).mappings()]


def unfinished(url: str, home: Path) -> int:
    with open_database(url, state=home).read() as c:
        return len(c.execute(rounds.select().where(rounds.c.done_at.is_(None))).all())


def until(what: Any, *, within: float, serves: list[Serve]) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < within, "\n\n".join(s.log.read_text()[-3000:] for s in serves)
        time.sleep(0.1)
    return time.monotonic() - began


def kill_at_work(victim: Serve, url: str, home: Path) -> None:
    """SIGKILL as soon as a round has begun."""
    with open_database(url, state=home).read() as c:
        ours = rounds.select().where(rounds.c.done_at.is_(None))
        give_up = time.monotonic() + 20
        while not c.execute(ours).all() and time.monotonic() < give_up:
            time.sleep(0.002)
    victim.kill()


def pair(made: Stack, url: str) -> list[Serve]:
    """Two replicas that share a database and the keys of the prompt log, each with a state directory of its own."""
    keys = f'signing_key_file = "{made.home / "state-a" / "keys" / "signing.key"}"\n'
    keys += f'body_key_file = "{made.home / "state-a" / "keys" / "body.key"}"\n'
    first = made.serve(made.webhook_ports[0], database=url, state="state-a")
    first.wait_ready()
    config = made.config(made.webhook_ports[1], database=url)
    config.write_text(config.read_text().replace("[log]\n", f"[log]\n{keys}"))
    second = start_serve(config, made.home / "state-b", made.home / "serve-b.log")
    made.serves.append(second)
    second.wait_ready()
    return [first, second]


def test_both_get_every_alert_and_write_one_note_and_a_kill_is_taken_over(tmp_path: Path) -> None:
    with running() as server, stack(tmp_path, ports=(free_port(), free_port())) as made:
        url = server.create_database("shared")
        serves = pair(made, url)
        made.payments.failed_at = time.time()
        until(lambda: kept(url, tmp_path), within=60, serves=serves)
        until(lambda: not unfinished(url, tmp_path), within=60, serves=serves)
        assert len({n["incident"] for n in kept(url, tmp_path)}) == 1

        victim, survivor = serves
        body = payload("taken-over", at=time.time(), group="{other}", service="other")
        assert victim.post(body)[0] == 200
        kill_at_work(victim, url, tmp_path)
        assert len({n["incident"] for n in kept(url, tmp_path)}) == 1, "the round was over before the kill"
        seconds = until(lambda: len({n["incident"] for n in kept(url, tmp_path)}) == 2, within=40, serves=[survivor])
        until(lambda: not unfinished(url, tmp_path), within=40, serves=[survivor])
        assert seconds <= TAKEN_OVER_S
        assert survivor.call("GET", "/healthz")[0] == 200
        assert survivor.stop() == 0


def test_a_database_that_goes_and_comes_back_is_used_again(tmp_path: Path) -> None:
    with running() as server:
        url = server.create_database("away")
        config = tmp_path / "payops.toml"
        (tmp_path / "token").write_text(TOKEN)
        config.write_text(
            f'[web]\nwebhook_port = 0\nconsole_port = 0\nwebhook_token_file = "{tmp_path / "token"}"\n'
            f'[workflow]\nurl = "{url}"\n[log]\nurl = "{url}"\n'
        )
        serve = start_serve(config, tmp_path / "state", tmp_path / "log")
        serve.wait_ready()
        assert serve.post(payload("before", at=time.time(), group="{b}"))[0] == 200
        until(lambda: not unfinished(url, tmp_path) and kept(url, tmp_path), within=60, serves=[serve])
        server.stop()
        until(lambda: serve.call("GET", "/healthz")[0] == 503, within=30, serves=[serve])
        assert serve.call("GET", "/readyz")[0] == 503
        assert serve.call("GET", "/livez")[0] == 200
        assert serve.post(payload("while", at=time.time(), group="{w}"))[0] == 503
        server.start()
        until(lambda: serve.call("GET", "/healthz")[0] == 200, within=60, serves=[serve])
        assert serve.post(payload("while", at=time.time(), group="{w}"))[0] == 200
        until(lambda: len({n["incident"] for n in kept(url, tmp_path)}) == 2, within=60, serves=[serve])
        newest = max(kept(url, tmp_path), key=lambda n: n["written_at"])
        assert json.loads(newest["body"])["record"], newest["body"]
        assert serve.stop() == 0
        assert "Traceback" not in serve.log.read_text()
