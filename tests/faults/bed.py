"""A whole `serve` in this process, each of whose dependencies stands behind a link that can be broken."""

from __future__ import annotations

import http.client
import io
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.core.note_json import note_to_json
from assistant.guests import Guest
from assistant.live import Live
from assistant.notebook.database import Away
from assistant.settings import (
    AlertmanagerEndpoint,
    Changes,
    Endpoint,
    Log,
    LokiEndpoint,
    ModelSettings,
    Runbooks,
    Settings,
    Web,
    Workflow,
)
from assistant.workflow.outbox import Later, Parcel
from evals.attacks.models import honest
from evals.attacks.server import Journal, writing
from evals.attacks.server import serving as model_serving
from tests.doubles.faulty import PAN, Link
from tests.doubles.files import kept
from tests.fakes.loki_server import loki
from tests.live.stack import Payments, payload
from tests.runbooks.conftest import weights_folder
from tests.sources.http_server import Answer, Asked, Server, as_json, serving
from tests.sources.servers import prometheus

PLANTED = "5555341244441115"
"""A card number in what the servers themselves hold; `faulty.PAN` is in what broken links make up."""


@dataclass
class Desk:
    """Somewhere that shows notes by HTTP, as a chat does: a message has a key, and the same key again shows nothing
    new."""

    shown: dict[tuple[str, int], bytes] = field(default_factory=dict)
    again: int = 0

    def take(self, asked: Asked) -> Answer:
        told = json.loads(asked.body)
        key = told["incident"], told["revision"]
        self.again += key in self.shown
        self.shown.setdefault(key, asked.body)
        return as_json({"ok": True})


@dataclass
class Posting:
    """`Carrier` to a `Desk`, with short patience. Everything that is not its 200 is tried again."""

    url: str
    name: str = "desk"
    every_revision: bool = True

    def render(self, note: Note, incident: Incident) -> Mapping[str, object]:
        return {"incident": note.incident_id, "revision": note.revision, "note": note_to_json(note)}

    def deliver(self, parcel: Parcel) -> str:
        at = urlsplit(self.url)
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=2)
        try:
            connection.request("POST", "/", json.dumps(parcel.payload).encode())
            answer = connection.getresponse()
            if answer.status != 200 or json.loads(answer.read(10_000)) != {"ok": True}:
                raise Later("the desk did not take it", after=0.2)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Later(f"the desk was not reached ({type(error).__name__})", after=0.2) from None
        finally:
            connection.close()
        return f"{parcel.incident}/{parcel.revision}"


@dataclass
class Bed:
    """`links` by dependency. `alert` posts one over the real webhook and says which incident it became."""

    live: Live
    links: dict[str, Link]
    desk: Desk
    journal: Journal
    checkpoints: Server
    said: io.StringIO
    home: Path
    _number: int = 0

    def alert(self, **labels: str) -> str:
        """Posted as Alertmanager does: again after a 503 (or no answer)."""
        self._number += 1
        name = f"{time.time_ns():x}"
        body = payload(f"f-{name}", at=time.time() - 5, group=name, service=f"svc-{name}", **labels)
        body["alerts"][0]["labels"]["alertname"] = "SomethingOddHappens"
        body["alerts"][0]["annotations"]["summary"] = f"card {PLANTED} declined, consumers of a topic are behind"
        until = time.monotonic() + 120
        while True:
            try:
                status, answer = self._post(json.dumps(body).encode())
            except OSError:
                status, answer = 0, b""
            if status == 200:
                found: list[str] = json.loads(answer)["incidents"]
                return found[0]
            assert status in {0, 503} and time.monotonic() < until, (status, answer)
            time.sleep(0.2)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        at = urlsplit(self.live.webhook_listener.url)
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
        connection.request("POST", "/webhook/alertmanager", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def keys(self, incident: str) -> list[str]:
        try:
            return [r.key for r in self.live.service.notes.revisions(incident)]
        except Away:
            return []

    def note(self, incident: str) -> dict[str, Any]:
        latest = self.live.service.notes.latest(incident)
        assert latest is not None
        return dict(latest)

    def settled(self, incident: str, *, within: float = 90.0) -> float:
        """Wait until the round of this incident is over; seconds that took."""
        began = time.monotonic()
        while True:
            try:
                if len(self.keys(incident)) == 2 and not self.live.service.rounds.unfinished():
                    return time.monotonic() - began
            except Away:
                pass
            assert time.monotonic() - began < within, (self.keys(incident), self.said.getvalue()[-3000:])
            time.sleep(0.05)

    def all_shown(self, incident: str, *, within: float = 60.0) -> None:
        until = time.monotonic() + within
        while {r for i, r in self.desk.shown if i == incident} != {1, 2}:
            assert time.monotonic() < until, (self.desk.shown.keys(), self.said.getvalue()[-3000:])
            time.sleep(0.05)

    def close_books(self) -> None:
        """End what is open, long ago, so that the next incident is one of its own; forget what breakers remember."""
        with self.live.service.database.write() as c:
            c.execute(
                sa.text("UPDATE payops_incident SET opened_at = opened_at - 9000, resolved_at = opened_at - 8000")
            )
            c.execute(sa.text("UPDATE payops_progress SET look_at = NULL"))
        self.live.servers._shared = None
        for line in self.live.house.draft.keywords["model"].lines:  # type: ignore[attr-defined]
            line.breaker.succeeded()

    def leaks(self) -> list[str]:
        """Where either card number is, of all bytes that are kept or were sent."""
        found = [str(p) for p, data in kept(self.home) if _holds(data)]
        sent = {
            "model": b"".join(self.journal.bodies),
            "desk": b"".join(self.desk.shown.values()),
            "checkpoints": b"".join(a.body for a in self.checkpoints.asked),
            "log lines": self.said.getvalue().encode(),
        }
        return [*found, *(name for name, content in sent.items() if _holds(content))]


def _holds(content: bytes) -> bool:
    return PLANTED.encode() in content or PAN.encode() in content


@contextmanager
def bed(home: Path, *, database: tuple[str, int, str] | None = None, chroma: bool = True) -> Iterator[Bed]:
    """Everything started and well. `database`: host, port and name of a PostgreSQL that is to stand behind a link."""
    home.mkdir(parents=True, exist_ok=True)
    now = time.time()
    payments = Payments(began=now - 7200)
    with ExitStack() as s:
        links: dict[str, Link] = {}

        def linked(name: str, upstream: str | tuple[str, int]) -> str:
            links[name] = Link(upstream)
            s.callback(links[name].close)
            return links[name].url

        history = payments.history("payments:1", until=now - 20)
        metrics = s.enter_context(prometheus(home.parent / f"{home.name}-prometheus", history=history))
        model, journal = s.enter_context(model_serving(writing(honest)))
        desk = Desk()
        checkpoints = s.enter_context(serving(lambda asked: Answer(204)))
        vectors = linked("chroma", s.enter_context(_chroma(home.parent / f"{home.name}-chroma"))) if chroma else ""
        url = ""
        if database is not None:
            linked("postgres", database[:2])
            url = f"postgresql://payops@127.0.0.1:{links['postgres'].port}/{database[2]}?connect_timeout=3"
        quick = {"timeout_s": 3.0, "max_bytes": 4 * 1024 * 1024}
        settings = Settings(
            prometheus=Endpoint(url=linked("prometheus", metrics), **quick),  # type: ignore[arg-type]
            loki=LokiEndpoint(url=linked("loki", s.enter_context(loki()).url), **quick),  # type: ignore[arg-type]
            alertmanager=AlertmanagerEndpoint(
                url=linked("alertmanager", s.enter_context(serving(lambda asked: as_json([]))).url),
                poll_s=0.5,
                **quick,  # type: ignore[arg-type]
            ),
            changes=Changes(
                url=linked("changes", s.enter_context(serving(lambda asked: as_json([]))).url),
                timeout_s=3.0,
                metrics=False,
            ),
            model=ModelSettings(url=linked("model", model), name="test-model", timeout_s=15.0),
            runbooks=Runbooks(url=vectors, dense=chroma),
            log=Log(
                url=url,
                checkpoints=(f"webhook+{linked('checkpoints', checkpoints.url)}/",),
                checkpoint_every_s=0.5,
            ),
            web=Web(webhook_port=0, console_port=0),
            workflow=Workflow(url=url, deadline_s=20.0, heartbeat_s=0.5, takeover_s=3.0),
            state=home,
        )
        posting = Posting(linked("desk", s.enter_context(serving(desk.take)).url))
        live = Live(
            settings,
            notes=home / "notes",
            guests=(Guest(name="desk", carriers=lambda live: (posting,)),),
        )
        said = io.StringIO()
        live._log_handler._stream = said
        live.start()
        try:
            yield Bed(live, links, desk, journal, checkpoints, said, home)
        finally:
            for link in links.values():
                if link.mode != "ok":
                    link.turn("ok")
            live.stop(drain_s=10)
            logging.getLogger().handlers.clear()


@contextmanager
def _chroma(home: Path) -> Iterator[str]:
    """A real Chroma server."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    program = str(Path(sys.executable).parent / "chroma")
    command = [program, "run", "--path", str(home), "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 200
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < until, "the Chroma server did not come up"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def has_weights() -> bool:
    return weights_folder() is not None


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
