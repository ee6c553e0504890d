"""A team's stack on loopback: an exporter of card payments, a real Prometheus with its rule, a real Alertmanager that
calls the webhook, a Loki that answers as recorded, and `payops serve` in processes of their own.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from assistant.core.alert import frozen
from assistant.core.evidence import Series
from tests.fakes.loki_server import loki
from tests.sources.http_server import Answer, Asked, serving
from tests.sources.servers import free_port, prometheus, running

TOKEN = "a-token-of-the-live-tests"
SCHEMES = {"visa": 40.0, "mastercard": 30.0}
RULE = {
    "alert": "ApprovalRateLow",
    "expr": (
        'sum by (scheme, service) (rate(authorisations_total{result="approved"}[6s]))'
        " / sum by (scheme, service) (rate(authorisations_total[6s])) < 0.8"
    ),
    "for": "2s",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "approval rate of {{ $labels.scheme }} is below 80 %"},
}


@dataclass
class Payments:
    """Counters as a function of time: healthy until `fail`, then Visa approves a third of what it did."""

    began: float
    failed_at: float | None = None
    mended_at: float | None = None

    def counts(self, scheme: str, t: float) -> tuple[float, float]:
        """Approved and declined so far."""
        rate, all_of_it = SCHEMES[scheme], t - self.began
        bad = 0.0
        if scheme == "visa" and self.failed_at is not None:
            bad = max(min(t, self.mended_at or t) - self.failed_at, 0.0)
        approved = rate * (0.97 * (all_of_it - bad) + 0.3 * bad)
        return approved, rate * all_of_it - approved

    def exposition(self, asked: Asked) -> Answer:
        lines = ["# TYPE authorisations_total counter"]
        for scheme in SCHEMES:
            for result, value in zip(("approved", "declined"), self.counts(scheme, time.time()), strict=True):
                lines.append(
                    f'authorisations_total{{service="gateway",scheme="{scheme}",result="{result}"}} {value:.3f}'
                )
        return Answer(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4")

    def history(self, instance: str, *, until: float) -> list[Series]:
        """Two hours of samples as Prometheus would have scraped them."""
        t = np.arange(until - 7200.0, until, 15.0)
        found = []
        for scheme in SCHEMES:
            for i, result in enumerate(("approved", "declined")):
                v = np.array([self.counts(scheme, x)[i] for x in t])
                labels = {"__name__": "authorisations_total", "service": "gateway", "scheme": scheme, "result": result}
                found.append(Series(frozen({**labels, "instance": instance, "job": "payments"}), t, v))
        return found


@dataclass
class Serve:
    """A `payops serve` process. `call` asks its webhook listener."""

    process: subprocess.Popen[bytes]
    log: Path
    webhook: str = ""
    console: str = ""

    def wait_ready(self, *, within: float = 60.0) -> None:
        until = time.monotonic() + within
        while time.monotonic() < until:
            for line in self.log.read_text().splitlines():
                if '"event":"serving"' in line:
                    said = json.loads(line)
                    self.webhook, self.console = said["webhook"], said["console"]
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    def call(self, method: str, path: str, body: bytes = b"", *, token: str = TOKEN) -> tuple[int, bytes]:
        where = urlsplit(self.webhook)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def post(self, payload: dict[str, Any]) -> tuple[int, bytes]:
        return self.call("POST", "/webhook/alertmanager", json.dumps(payload).encode())

    def metric(self, name: str) -> float:
        """The value of a metric; 0 for one with labels that was never counted; else KeyError if it is not there."""
        for line in self.call("GET", "/metrics")[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        if "{" in name:
            return 0.0
        raise KeyError(name)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@dataclass
class Stack:
    """Everything beside the assistant. `config` writes a payops.toml for it."""

    home: Path
    payments: Payments
    prometheus: str
    alertmanager: str
    loki: str
    webhook_ports: tuple[int, ...]
    serves: list[Serve] = field(default_factory=list)

    def config(self, port: int, *, database: str = "", extra: str = "") -> Path:
        path = self.home / f"payops-{port}.toml"
        (self.home / "token").write_text(TOKEN)
        url = f'url = "{database}"\n' if database else ""
        path.write_text(
            f'[prometheus]\nurl = "{self.prometheus}"\n[alertmanager]\nurl = "{self.alertmanager}"\n'
            f'[loki]\nurl = "{self.loki}"\n'
            f'[web]\nwebhook_port = {port}\nconsole_port = 0\nwebhook_token_file = "{self.home / "token"}"\n'
            f"[log]\n{url}[workflow]\n{url}{extra}"
        )
        return path

    def serve(self, port: int = 0, *, database: str = "", extra: str = "", state: str = "state") -> Serve:
        """Start one; see `Serve.wait_ready`."""
        config = self.config(port, database=database, extra=extra)
        made = start_serve(config, self.home / state, self.home / f"serve-{len(self.serves)}.log")
        self.serves.append(made)
        return made


def start_serve(config: Path, state: Path, log: Path) -> Serve:
    arguments = ["serve", "--config", str(config), "--state", str(state), "--no-terminal"]
    code = f"import sys; from assistant.cli import main; sys.exit(main({arguments!r}))"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=out, stderr=subprocess.STDOUT, env=_environment()
        )
    return Serve(process, log)


def payload(*fingerprints: str, status: str = "firing", at: float, group: str = "{}", **labels: str) -> dict[str, Any]:
    """What Alertmanager posts (version 4), one alert a fingerprint."""
    from assistant.core.time import iso

    alerts = [
        {
            "status": status,
            "labels": {"alertname": "ApprovalRateLow", "severity": "critical", "pod": f, **labels},
            "annotations": {},
            "startsAt": iso(at),
            "endsAt": iso(at + 60) if status == "resolved" else "0001-01-01T00:00:00Z",
            "fingerprint": f,
        }
        for f in fingerprints
    ]
    head = {"version": "4", "groupKey": group, "status": status, "receiver": "assistant", "groupLabels": {}}
    return {**head, "truncatedAlerts": 0, "alerts": alerts}


@contextmanager
def stack(home: Path, *, ports: Sequence[int] = ()) -> Iterator[Stack]:
    """Everything started; `ports` are where Alertmanager will call webhooks (default one free port)."""
    home.mkdir(parents=True, exist_ok=True)
    ports = tuple(ports) or (free_port(),)
    now = time.time()
    payments = Payments(began=now - 7200)
    with ExitStack() as everything:
        exporter = everything.enter_context(serving(payments.exposition))
        logs = everything.enter_context(loki())
        caller = everything.enter_context(_alertmanager(home / "am", ports))
        target = urlsplit(exporter.url).netloc
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(home / "rules.json")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [urlsplit(caller).netloc]}]}]},
            "scrape_configs": [{"job_name": "payments", "static_configs": [{"targets": [target]}]}],
        }
        (home / "rules.json").write_text(json.dumps({"groups": [{"name": "payments", "rules": [RULE]}]}))
        history = payments.history(target, until=now - 5)
        metrics = everything.enter_context(prometheus(home / "prom", config=config, history=history))
        made = Stack(home, payments, metrics, caller, logs.url, ports)
        try:
            yield made
        finally:
            for serve in made.serves:
                if serve.process.poll() is None:
                    serve.kill()


@contextmanager
def _alertmanager(home: Path, ports: Sequence[int]) -> Iterator[str]:
    """An Alertmanager that posts with our token to each port."""
    home.mkdir(parents=True, exist_ok=True)
    hooks = [
        {
            "url": f"http://127.0.0.1:{port}/webhook/alertmanager",
            "send_resolved": True,
            "http_config": {"authorization": {"type": "Bearer", "credentials": TOKEN}},
        }
        for port in ports
    ]
    route = {"receiver": "assistant", "group_by": ["alertname"], "group_wait": "500ms", "group_interval": "1s"}
    document = {"route": route, "receivers": [{"name": "assistant", "webhook_configs": hooks}]}
    (home / "alertmanager.yml").write_text(json.dumps(document))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        "prometheus-alertmanager",
        f"--config.file={home / 'alertmanager.yml'}",
        f"--storage.path={home / 'data'}",
        f"--web.listen-address={urlsplit(url).netloc}",
        "--cluster.listen-address=",
    ]
    with running(command, url, home / "log.txt") as found:
        yield found


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR"}}
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def notes_of(state: Path) -> dict[str, list[dict[str, Any]]]:
    """Notes as the file outlet wrote them: incident to revisions in order."""
    folder = state / "notes"
    return {
        d.name: [json.loads(p.read_text()) for p in sorted(d.glob("[0-9]*.json"))]
        for d in sorted(folder.iterdir() if folder.is_dir() else ())
        if d.is_dir() and any(d.glob("[0-9]*.json"))
    }
