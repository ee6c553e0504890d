"""Figures of the live service, measured on real servers: webhook to note, a storm, a kill at every point, a takeover.

Needs the checkout (the stack is that of `tests/live`) and Debian's Prometheus, Alertmanager and PostgreSQL; a figure
whose servers are absent is shown as not measured, with the way to get them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from evals.bench.figure import Figure

GET = "apt-get install --no-install-recommends prometheus prometheus-alertmanager postgresql"
FACTS_S = 3.0
TAKEOVER_S = 30.0
STORM = 10_000
STORM_S = 60.0


def figures() -> Iterable[Figure]:
    if shutil.which("prometheus") and shutil.which("prometheus-alertmanager"):
        yield from _facts()
    else:
        yield Figure("webhook to facts-only note", "not measured", beside=GET)
    yield from _storm()
    yield from _kills()
    if list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        yield from _takeover()
    else:
        yield Figure("takeover of a killed replica", "not measured", beside=GET)


def _facts() -> Iterator[Figure]:
    """Eight incidents one after another on a healthy stack with a history of two hours."""
    from tests.live.stack import notes_of, payload, stack

    with _folder() as home, stack(home) as made:
        serve = made.serve(0)
        serve.wait_ready()
        state, taken = home / "state", []
        for i in range(8):
            before = set(notes_of(state))
            began = time.monotonic()
            body = payload(f"f{i}", at=time.time(), group=f"{{bench{i}}}", service=f"bench-{i}")
            assert serve.post(body)[0] == 200
            _until(partial(_fresh, state, before))
            taken.append(time.monotonic() - began)
            # Over five a minute would be a storm; each of these is to be an incident of its own.
            time.sleep(max(0.0, 15.0 - (time.monotonic() - began)))
        serve.stop()
    taken.sort()
    worst = taken[-1]
    yield Figure("webhook to facts-only note, worst of 8", f"{worst:.2f}", "s", "at most 3 s", worst <= FACTS_S)
    yield Figure("webhook to facts-only note, median", f"{taken[len(taken) // 2]:.2f}", "s")


def _fresh(state: Path, before: set[str]) -> set[str]:
    from tests.live.stack import notes_of

    return set(notes_of(state)) - before


def _storm() -> Iterator[Figure]:
    seconds, kept, incidents = storm()
    yield Figure("10,000 alerts taken, durably", f"{seconds:.1f}", "s", "at most 60 s", seconds <= STORM_S)
    yield Figure("of 10,000 alerts kept", f"{kept:.0f}", "alerts", "10,000", kept == STORM)
    yield Figure("incidents they are grouped into", f"{incidents:.0f}", "incidents", "at most 6", incidents <= 6)


def storm() -> tuple[float, float, float]:
    """10,000 different alerts in posts of 50, as fast as they are taken, by four senders: seconds, alerts kept, open
    incidents."""
    from concurrent.futures import ThreadPoolExecutor

    from tests.live.stack import payload, start_serve

    with _folder() as home:
        config = home / "payops.toml"
        config.write_text("[web]\nwebhook_port = 0\nconsole_port = 0\n[runbooks]\ndense = false\n")
        serve = start_serve(config, home / "state", home / "log")
        serve.wait_ready()
        at, size = time.time(), 50
        bodies = [
            payload(*(f"a{i * size + k}" for k in range(size)), at=at, group=f"{{g{i}}}", service=f"s{i}")
            for i in range(STORM // size)
        ]
        began = time.monotonic()
        with ThreadPoolExecutor(4) as senders:
            answers = list(senders.map(lambda body: _insist(lambda: serve.post(body)[0]), bodies))
        seconds = time.monotonic() - began
        kept, incidents = serve.metric("payops_alerts_kept"), serve.metric("payops_incidents_open")
        serve.stop()
    assert set(answers) == {200}
    return seconds, kept, incidents


def _kills() -> Iterator[Figure]:
    from tests.workflow.test_kill import POINTS, Zygote

    good, zygote = 0, Zygote()
    try:
        for point in POINTS:
            with _folder() as home:
                killed = zygote.run(state=str(home / "state"), point=point) == -9
                ended = zygote.run(state=str(home / "state"), deliver=False) == 0
                good += killed and ended and _whole(home / "state")
    finally:
        zygote.close()
    value = f"{good} of {len(POINTS)}"
    yield Figure("SIGKILL points with one note of each kind, no record lost", value, "", "all", good == len(POINTS))


def _takeover() -> Iterator[Figure]:
    """With the default heartbeat and takeover span: from SIGKILL of the replica that works to the note by the other."""
    from tests.doubles.postgres import running
    from tests.live.stack import TOKEN, payload, start_serve
    from tests.live.test_two_serves import kept, kill_at_work

    with _folder() as home, running() as server:
        url = server.create_database("bench")
        (home / "token").write_text(TOKEN)
        keys = home / "a" / "keys"
        shared = f'signing_key_file = "{keys / "signing.key"}"\nbody_key_file = "{keys / "body.key"}"\n'
        serves = []
        for name, more in (("a", ""), ("b", shared)):
            config = home / f"{name}.toml"
            config.write_text(
                f'[web]\nwebhook_port = 0\nconsole_port = 0\nwebhook_token_file = "{home / "token"}"\n'
                f'[workflow]\nurl = "{url}"\n[log]\nurl = "{url}"\n{more}'
            )
            serve = start_serve(config, home / name, home / f"{name}.log")
            serve.wait_ready()
            serves.append(serve)
        victim, survivor = serves
        time.sleep(25)
        assert victim.post(payload("x", at=time.time()))[0] == 200
        kill_at_work(victim, url, home)
        assert not kept(url, home), "the round was over before the kill"
        began = time.monotonic()
        _until(lambda: kept(url, home), within=60)
        seconds = time.monotonic() - began
        survivor.stop()
    yield Figure(
        "takeover of a killed replica's incident", f"{seconds:.1f}", "s", "at most 30 s", seconds <= TAKEOVER_S
    )


def _whole(state: Path) -> bool:
    """One note of each kind, one record of the alerts, a log that verifies, two files."""
    from assistant.notebook.database import open_database
    from assistant.notebook.notes import NoteBook
    from assistant.promptlog.keys import load_keys
    from assistant.promptlog.open import open_log
    from assistant.promptlog.record import Event
    from redaction import FinalScanner
    from tests.workflow.victim import ORIGIN

    book = NoteBook(open_database("", state=state), scanner=FinalScanner())
    newest = book.newest()
    kinds = [[r.key for r in book.revisions(n.incident)] for n in newest]
    keys = load_keys(origin=ORIGIN, state=state, signing="", body="", create=False)
    log = open_log(state, keys=keys, last_look=lambda content: None, origin=ORIGIN)
    received = [r for r in log.scan() if r.event is Event.ALERT_RECEIVED]
    verified = log.verify().ok
    log.close()
    files = len(list((state / "notes").glob("*/[0-9]*.json")))
    return kinds == [["1.facts", "1.note"]] and len(received) == 1 and verified and files == 2


def _insist(post: Callable[[], int]) -> int:
    """As Alertmanager does: again after a 503."""
    for _ in range(100):
        if (status := post()) != 503:
            return status
        time.sleep(0.2)
    return 503


def _until(what: Callable[[], Any], *, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.01)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="payops-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
