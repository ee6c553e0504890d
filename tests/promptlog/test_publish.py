"""Checkpoints reach places held elsewhere, idle or not; what does not is counted, named and alarmed."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assistant.errors import LogInconsistent, PromptLogError, UsageError
from assistant.promptlog.checkpoint import open_checkpoint, parse_checkpoint
from assistant.promptlog.chores import Chore, Chores
from assistant.promptlog.open import configured_chores, open_configured
from assistant.promptlog.places import Drop, Http, Syslog, newest, notes_in, place_of, read_notes
from assistant.promptlog.publish import Publisher
from assistant.settings import Settings
from tests.fakes.promptlog import ORIGIN, MemoryLog
from tests.promptlog.conftest import entry

NOW = datetime(2026, 11, 23, 18, 0, 0, tzinfo=UTC)


class Server(ThreadingHTTPServer):
    """Keeps what it gets; answers `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.command, self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"http://{self.server.address}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    made.append(entry())
    yield made
    made.close()


def held(log: MemoryLog, note: str) -> int:
    return open_checkpoint(note, origin=ORIGIN, trusted=log.keys.verifiers()).checkpoint.size


def test_a_drop_is_appended_to_day_by_day(log: MemoryLog, tmp_path: Path) -> None:
    drop, notes = Drop(tmp_path), []
    for day in (0, 0, 1):
        notes.append(log.checkpoint())
        drop.put(notes[-1], now=NOW + timedelta(days=day))
        log.append(entry())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoints-2026-11-23.txt", "checkpoints-2026-11-24.txt"]
    assert read_notes(tmp_path / "checkpoints-2026-11-23.txt") == tuple(notes[:2])
    assert read_notes(tmp_path) == (notes[2],) and held(log, newest(tuple(notes))) == 3


def test_put_to_a_bucket_with_a_token(log: MemoryLog, server: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-token\n")
    place = place_of(f"http://{server.address}/bucket/#bearer_file={tmp_path}/token")
    place.put(log.checkpoint(), now=NOW)
    method, path, headers, body = server.got[0]
    assert (method, path) == ("PUT", f"/bucket/checkpoint-000000000001-{int(NOW.timestamp())}.txt")
    assert headers["Authorization"] == "Bearer secret-token" and held(log, body.decode()) == 1
    assert "token" not in place.name
    place_of(f"http://{server.address}/fixed?versioned=1").put(log.checkpoint(), now=NOW)
    assert server.got[1][1] == "/fixed?versioned=1"


def test_a_webhook_gets_json(log: MemoryLog, server: Server) -> None:
    place_of(f"webhook+http://{server.address}/hook").put(log.checkpoint(), now=NOW)
    method, path, _, body = server.got[0]
    told = json.loads(body)
    assert (method, path, told["size"], told["origin"]) == ("POST", "/hook", 1, ORIGIN) and held(log, told["note"]) == 1


@pytest.mark.parametrize("status", [302, 403, 500])
def test_an_answer_that_is_not_success_is_a_failure_and_no_redirect_is_followed(
    log: MemoryLog, server: Server, status: int
) -> None:
    server.status = status
    with pytest.raises(PromptLogError, match=str(status)):
        place_of(f"http://{server.address}/x").put(log.checkpoint(), now=NOW)
    assert len(server.got) == 1


def test_syslog_in_udp_and_tcp(log: MemoryLog) -> None:
    note = log.checkpoint()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        place_of(f"syslog://127.0.0.1:{udp.getsockname()[1]}").put(note, now=NOW)
        line = udp.recv(65_535).decode()
    assert line.startswith("<109>1 2026-11-23T18:00:00.000000Z - payops ") and notes_in(line + "\n") == (note,)
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        place_of(f"syslog+tcp://127.0.0.1:{tcp.getsockname()[1]}").put(note, now=NOW)
        link, _ = tcp.accept()
        with link:
            count, _, rest = link.recv(65_535).decode().partition(" ")
    assert int(count) == len(rest.encode()) and notes_in(rest) == (note,)


@pytest.mark.parametrize(
    "text", ["ftp://host/x", "https://user:pass@host/x", "https://host/x#other=1", "webhook+syslog://h:1"]
)
def test_a_place_that_cannot_be_used_is_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        place_of(text)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "hello", "a\n\nb\n\nc", "payops-checkpoint x note=AAAA"])
def test_what_holds_no_checkpoints_is_refused(text: str) -> None:
    with pytest.raises(LogInconsistent):
        notes_in(text)


def test_an_idle_log_goes_on_publishing_and_every_note_has_its_own_time(log: MemoryLog, tmp_path: Path) -> None:
    moments = iter(NOW + timedelta(seconds=60 * n) for n in range(100))
    log.clock = lambda: next(moments)
    publisher = Publisher(log, [Drop(tmp_path)], every=0.02)
    publisher.start()
    _until(lambda: len(_notes(tmp_path)) >= 3)
    publisher.close()
    notes = _notes(tmp_path)
    assert {parse_checkpoint(note).size for note in notes} == {1}
    times = [open_checkpoint(n, origin=ORIGIN, trusted=log.keys.verifiers()).time or 0 for n in notes]
    assert times == sorted(set(times))


def test_of_two_replicas_one_publishes_the_other_shows_it_and_takes_over(log: MemoryLog, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    leading = {"one": True, "two": False}
    one, two = (
        Publisher(log, [Drop(tmp_path / "drop")], every=0.02, leads=lambda name=name: leading[name])  # type: ignore[misc]
        for name in leading
    )
    two.start()
    time.sleep(0.2)
    assert not list((tmp_path / "drop").iterdir())
    one.start()
    _until(lambda: two.health().covered == log.size() > 0)
    leading["one"], leading["two"] = False, True
    one.close()
    before = len(_notes(tmp_path / "drop"))
    _until(lambda: len(_notes(tmp_path / "drop")) > before)
    assert not two.health().failing and not two.health().signing_failure
    two.close()


def test_chores_are_done_by_the_one_that_leads(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    log = open_configured(settings, last_look=lambda content: None, service="")
    leading: list[bool] = []
    publisher = Publisher(log, [])
    chores = configured_chores(settings, log, publisher, leads=lambda: bool(leading))
    for chore in chores._chores:
        chore.work()
    assert log.size() == 0 and publisher.health().doubts is None
    leading.append(True)
    for chore in chores._chores:
        chore.work()
    assert log.size() > 0 and publisher.health().doubts == 0
    log.close()


def test_it_never_waits_longer_than_a_minute(log: MemoryLog) -> None:
    assert Publisher(log, [], every=3600)._every == 60.0


def test_every_place_gets_it_though_one_fails_and_the_failure_is_counted_named_and_alarmed_once(
    log: MemoryLog, server: Server, tmp_path: Path
) -> None:
    alarms: list[str] = []
    server.status = 503
    places = [Http_place(server), Drop(tmp_path)]
    publisher = Publisher(log, places, alarm=alarms.append)
    for n in range(3):
        publisher.publish_now()
        health = publisher.health()
        assert (health.failing, health.covered, health.unprotected) == (1, 1, 0)
        failing = next(d for d in health.places if d.place == places[0].name)
        assert (failing.failures, failing.reason, failing.delivered_size) == (n + 1, "answered 503", None)
    assert len(alarms) == 1 and "503" in alarms[0]
    kept = {d.place: d for d in log.store.deliveries()}
    assert kept[places[0].name].failures == 3 and kept[str(tmp_path)].delivered_size == 1
    server.status = 200
    publisher.publish_now()
    assert publisher.health().failing == 0
    server.status = 503
    publisher.publish_now()
    assert len(alarms) == 2


def Http_place(server: Server) -> Http:
    place = place_of(f"http://{server.address}/x/")
    assert isinstance(place, Http)
    return place


def test_the_unprotected_tail_and_window_are_shown(log: MemoryLog, tmp_path: Path) -> None:
    now = NOW
    log.clock = lambda: now
    publisher = Publisher(log, [Drop(tmp_path)])
    assert publisher.health().window is None and publisher.health().unprotected == 1
    publisher.publish_now()
    log.append(entry())
    log.append(entry())
    now = NOW + timedelta(seconds=42)
    health = publisher.health()
    assert (health.covered, health.unprotected, health.window) == (1, 2, 42.0)


def test_a_place_that_does_not_answer_is_a_failure(log: MemoryLog) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for place in (
        place_of(f"http://127.0.0.1:{port}/x"),
        Syslog("127.0.0.1", port, tcp=True),
        Drop(Path("/nonexistent")),
    ):
        with pytest.raises(PromptLogError, match="not reached"):
            place.put(log.checkpoint(), now=NOW)


def test_a_log_that_cannot_sign_is_alarmed(tmp_path: Path) -> None:
    from tests.fakes.promptlog import fresh_keys

    log, alarms = MemoryLog(), []
    publisher = Publisher(log, [Drop(tmp_path)], alarm=alarms.append)
    keys = log.keys
    log.keys = type(keys)(None, bodies=keys.bodies, signing_gap="the signing key is gone")
    publisher.publish_now()
    publisher.publish_now()
    assert alarms == ["no checkpoint can be made: the signing key is gone"]
    assert publisher.health().signing_failure == "the signing key is gone"
    log.keys = fresh_keys()
    publisher.publish_now()
    assert publisher.health().signing_failure == ""
    log.close()


def test_a_scheduled_verification_alarms_on_a_doubt(log: MemoryLog, tmp_path: Path) -> None:
    alarms: list[str] = []
    publisher = Publisher(log, [Drop(tmp_path)], alarm=alarms.append)
    chores = Chores([Chore("verification", 0.0, publisher.verify_now)])
    publisher.publish_now()
    assert publisher.verify_now().ok and publisher.health().doubts == 0
    with log.store.reading() as cursor:
        cursor.all("UPDATE entry SET actor = 'somebody' WHERE idx = 0")
    chores.start()
    _until(lambda: bool(alarms))
    chores.close()
    assert "does not verify" in alarms[0] and publisher.health().doubts == 1


def test_a_chore_that_fails_is_alarmed_and_tried_again() -> None:
    alarms: list[str] = []
    turns: list[int] = []

    def work() -> None:
        turns.append(1)
        if len(turns) < 3:
            raise PromptLogError("no luck")

    chores = Chores([Chore("luck", 0.01, work)], alarm=alarms.append)
    chores.start()
    _until(lambda: len(turns) >= 3 and not chores.failures())
    chores.close()
    assert alarms == ["luck of the prompt log failed: no luck"] * 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_seen() -> None:
    def work() -> None:
        raise SystemExit

    chores = Chores([Chore("end", 0.0, work)])
    chores.start()
    _until(lambda: bool(chores.failures()))
    assert chores.failures() == ("the thread of the prompt log's chores stopped",)
    chores.close()


def test_what_is_configured_is_screened_verified_and_retained(tmp_path: Path) -> None:
    from assistant.promptlog.open import configured_chores, configured_publisher, open_configured, screen_daily
    from assistant.promptlog.record import Event
    from assistant.settings import Log as LogTable
    from assistant.settings import Settings
    from tests.fakes.promptlog import look_at_nothing

    (tmp_path / "drop").mkdir()
    settings = Settings(state=tmp_path, log=LogTable(checkpoints=(str(tmp_path / "drop"),)))
    log = open_configured(settings, last_look=look_at_nothing)
    publisher = configured_publisher(settings, log)
    publisher.publish_now()
    chores = configured_chores(settings, log, publisher)
    for chore in chores._chores:
        chore.work()
    assert publisher.health().doubts == 0 and publisher.health().covered == 1
    screen_daily(log)
    assert [r.event for r in log.scan()] == [Event.LOG_OPEN, Event.AUDIT_READ, Event.AUDIT_REVIEW]
    verified = log.get(1)
    assert verified.facts.items() >= {"action": "verify", "doubts": 0, "covered": 1}.items()
    assert (verified.actor, verified.origin) == ("schedule", "schedule")
    log.close()


def _notes(folder: Path) -> tuple[str, ...]:
    return tuple(note for path in sorted(folder.iterdir()) for note in notes_in(path.read_text()))


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
