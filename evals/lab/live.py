"""A kind of incident played live: real Prometheus, real Alertmanager, a small exporter, and the clock on the wall.

History is loaded with promtool; from then on Prometheus scrapes the exporter, evaluates the shop's rules, and its
Alertmanager posts to the webhook that it was given. The exporter shows, at each scrape, what the simulated services
would show at that moment. Everything listens on loopback and stops with the command.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import requests

from assistant.errors import SourceRefused, UsageError
from evals.lab import alerts as boards
from evals.lab import logs, make, servers
from evals.lab.openmetrics import number, series_head
from evals.lab.plant import Planter
from evals.lab.spec import Kind
from evals.world_format import dumps, write_lines

HISTORY = 80 * 60.0  # seconds of history: rules that look an hour back need them
STEP = 5.0  # seconds between two states of the exporter
EVERY = 3  # history keeps each third state: a sample every 15 s


@dataclass(frozen=True, slots=True)
class Play:
    """How to play: seconds until the onset and until the end, where to post alerts, where to push logs."""

    seed: int = 1
    lead: float = 90.0
    minutes: float = 20.0
    webhook: str = ""
    token_file: Path | None = None
    loki: str = ""
    assistant: bool = False  # start `payops serve` beside it, connected to everything
    state: Path | None = None  # where that assistant keeps its state
    naming: str = "plain"
    topology: str = "plain"
    tier: str = "metrics"


@dataclass(frozen=True, slots=True)
class Stage:
    """A running play, for who prints or tests it."""

    prometheus: servers.Server
    alertmanager: servers.Server
    exporter: str
    draft: make.Draft


def rehearse(kind: Kind, play: Play, now: float) -> make.Draft:
    """Simulate the shop around an onset that lies `lead` seconds ahead of the wall clock."""
    rng = np.random.default_rng(np.random.SeedSequence([play.seed, zlib.crc32(kind.name.encode())]))
    frame = make.Frame(onset=now + play.lead, before=HISTORY + play.lead, after=play.minutes * 60 + 60, step=STEP)
    return make.simulate_shop(kind, rng, make.Options(play.tier, play.naming, play.topology), frame)


def history(d: make.Draft, until: float, attached: Mapping[str, str]) -> Iterator[str]:
    """OpenMetrics of what was before `until`. `attached` are the labels that a scrape adds: without them the scraped
    series would be others than those of the history, and every rate would end in one and begin in the other."""
    t = d.meter.grid
    columns = [i for i in range(0, len(t), EVERY) if t[i] <= until]
    for labels, values in sorted(d.meter.rows, key=lambda row: row[0]["__name__"]):
        head = series_head({**attached, **labels})
        for i in columns:
            if values[i] == values[i]:
                yield f"{head} {number(float(values[i]))} {t[i]:.3f}"
    yield "# EOF"


def page(d: make.Draft, at: float) -> str:
    """The exporter's answer at one moment."""
    i = max(0, int(np.searchsorted(d.meter.grid, at, side="right")) - 1)
    return "".join(
        f"{series_head(ls)} {number(float(v[i]))}\n"
        for ls, v in d.meter.rows
        if v[i] == v[i] and ls["__name__"] != "up"
    )


def changes(d: make.Draft, at: float) -> list[dict[str, Any]]:
    """Change events up to one moment."""
    return [c.document() for c in d.changes if c.ts <= at]


@contextmanager
def exporter(draft: Callable[[], make.Draft], host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve /metrics and /changes.json of what `draft` gives at that moment; port 0 is a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in {"/metrics", "/changes.json"}:
                self.send_error(404)
                return
            now = time.time()
            metrics, d = self.path == "/metrics", draft()
            body = (page(d, now) if metrics else dumps(changes(d, now))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4" if metrics else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Scrapes are not news."""

    server = ThreadingHTTPServer((host, port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def stage(kind: Kind, play: Play, home: Path) -> Iterator[Stage]:
    """Everything started and connected. Raises UsageError when a server binary is absent."""
    servers.require_binaries()
    home.mkdir(parents=True, exist_ok=True)
    d = rehearse(kind, play, time.time())
    groups = tuple(boards.rule_groups(d.shop))
    with exporter(lambda: d) as target:
        config = servers.PrometheusConfig(rule_groups=groups, targets=(target,))
        write_lines(home / "history.om", history(d, time.time(), {"job": config.job, "instance": target}))
        with servers.pair(
            home, config, history=home / "history.om", webhook=play.webhook, token_file=play.token_file
        ) as (prom, am):
            yield Stage(prom, am, f"http://{target}", d)


def assistant_config(s: Stage, play: Play, web: tuple[int, int]) -> str:
    """payops.toml for an assistant beside this stage; `web` are the ports of console and webhook."""
    tables = [
        f'[prometheus]\nurl = "{s.prometheus.url}"',
        f'[alertmanager]\nurl = "{s.alertmanager.url}"',
        f'[changes]\nurl = "{s.exporter}/changes.json"',
        f'[web]\nconsole_port = {web[0]}\nwebhook_port = {web[1]}\nwebhook_token_file = "{play.token_file}"',
    ]
    return "\n\n".join([*tables, f'[loki]\nurl = "{play.loki}"'] if play.loki else tables) + "\n"


@contextmanager
def assistant(s: Stage, play: Play, home: Path, webhook_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`payops serve` on the ports of this stage; its notes go to standard output. Stopped by its own id."""
    config = home / "payops.toml"
    config.write_text(assistant_config(s, play, (servers.free_port(), webhook_port)))
    state = play.state or home / "state"
    code = "import sys; from assistant.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "serve", "--config", str(config), "--state", str(state)]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def connected(play: Play, home: Path) -> tuple[Play, int]:
    """The play with a webhook and a token of its own for the assistant, and the webhook's port."""
    home.mkdir(parents=True, exist_ok=True)
    token = home / "webhook-token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_urlsafe(24))
    port = servers.free_port()
    return replace(play, webhook=f"http://127.0.0.1:{port}/webhook/alertmanager", token_file=token), port


def lines(d: make.Draft, seed: int) -> list[dict[str, Any]]:
    """All log lines of the play in order of time."""
    rng = np.random.default_rng([seed, 7])
    w, p = logs.writer(rng, d.shop), Planter(rng)
    window = (float(d.meter.grid[0]), float(d.meter.grid[-1]))
    starts = [(c.ts, c.service) for c in d.changes if c.kind in {"deploy", "config"}]
    return logs.entries(w, p, d.scenario, d.a, d.o, d.active, d.moments, starts, window, 9000)


def push(url: str, entries: list[dict[str, Any]]) -> None:
    """Push lines to a Loki. Raises SourceRefused."""
    streams: dict[str, dict[str, Any]] = {}
    for e in entries:
        one = streams.setdefault(dumps(e["labels"]), {"stream": e["labels"], "values": []})
        one["values"].append([str(e["ts"]), e["line"]])
    try:
        answer = requests.post(
            f"{url.rstrip('/')}/loki/api/v1/push", json={"streams": list(streams.values())}, timeout=20
        )
        answer.raise_for_status()
    except requests.RequestException as e:
        raise SourceRefused("loki", "the log lines could not be pushed", mend="check --loki") from e


def run(kind: Kind, play: Play, home: Path, say: Callable[[str], None]) -> bool:
    """Play until the time is over; say what starts firing. Return whether an alert of the kind fired."""
    play, port = connected(play, home) if play.assistant else (play, 0)
    with ExitStack() as stack:
        s = stack.enter_context(stage(kind, play, home))
        helper = stack.enter_context(assistant(s, play, home, port)) if play.assistant else None
        say(f"prometheus {s.prometheus.url}  alertmanager {s.alertmanager.url}  changes {s.exporter}/changes.json")
        say(
            f'payops.toml:  [prometheus] url = "{s.prometheus.url}"  [alertmanager] url = "{s.alertmanager.url}"  '
            f'[changes] url = "{s.exporter}/changes.json"'
        )
        say(f"the onset is in {s.draft.onset - time.time():.0f} s; playing for {play.minutes:g} minutes")
        pending = lines(s.draft, play.seed) if play.loki else []
        seen: set[str] = set()
        end = s.draft.onset + play.minutes * 60
        while time.time() < end:
            now = time.time()
            if helper is not None and helper.poll() is not None:
                raise UsageError(f"payops serve stopped with status {helper.returncode}", mend="its own line says why")
            due = [e for e in pending if e["ts"] <= now * 1e9]
            if due:
                push(play.loki, due)
                pending = pending[len(due) :]
            for alert in s.alertmanager.get("/api/v2/alerts"):
                if alert["fingerprint"] not in seen:
                    seen.add(alert["fingerprint"])
                    say(f"firing: {dumps(alert['labels'])}")
            time.sleep(min(5.0, max(0.0, end - time.time())))
        fired = {a["labels"]["alertname"] for a in s.alertmanager.get("/api/v2/alerts")}
        return bool(fired & set(s.draft.scenario.alerts))
