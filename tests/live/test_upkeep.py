"""What `serve` does on the side, in a running one: the log is handed on, and what is old is forgotten."""

from __future__ import annotations

import json
import time
from pathlib import Path

import sqlalchemy as sa

from assistant.live import Live
from assistant.promptlog.record import Event
from assistant.promptlog.retention import hold
from assistant.settings import Log, Runbooks, Settings, Web
from assistant.upkeep import Upkeep
from tests.live.stack import payload
from tests.live.test_end_to_end import eventually
from tests.sources.http_server import serving
from tests.telemetry.test_otel import Receiver


def test_a_running_serve_hands_its_log_on_and_forgets(tmp_path: Path) -> None:
    receiver = Receiver()
    with serving(receiver.take) as server:
        settings = Settings(
            state=tmp_path / "state",
            web=Web(webhook_port=0, console_port=0),
            runbooks=Runbooks(dense=False),
            log=Log(otel_url=f"{server.url}/otlp"),
        )
        live = Live(settings, notes=tmp_path / "notes")
        live.start()
        try:
            for name in ("kept", "gone"):
                live.receive(live.read(json.dumps(payload(name, at=time.time(), service=name, group=name)).encode()))
            eventually(lambda: len(live.service.notes.newest()) == 2 and not live.service.rounds.unfinished())
            eventually(lambda: not live.service.outbox.waiting().count)
            log = live.house.promptlog
            eventually(lambda: receiver.indexes() and receiver.indexes()[-1] == log.size() - 1)  # type: ignore[attr-defined]
            assert receiver.indexes() == list(range(log.size()))  # type: ignore[attr-defined]
            assert "payops_otel_records_behind 0.0" in live.metrics.render()[0].decode()

            kept, gone = sorted(n.incident for n in live.service.notes.newest())
            hold(log, kept, identity="os:tester", reason="a case")  # type: ignore[arg-type]
            with live.service.database.write() as c:
                c.execute(sa.text("UPDATE payops_incident SET opened_at = 1, resolved_at = 2"))
            Upkeep(live).forget()
            assert [n.incident for n in live.service.notes.newest()] == [kept]
            records = [r for r in log.scan() if r.event is Event.CONFIG_CHANGE]  # type: ignore[attr-defined]
            assert [(r.resource, r.facts["incidents"]) for r in records] == [("notebook.retention", 1)]
            assert (tmp_path / "notes" / gone).exists(), "its files are young"
        finally:
            live.stop(drain_s=5)
