"""Real Prometheus and Alertmanager on loopback, for recording, for checking, and for `payops lab run`.

Every process started here is stopped by its own id when its context ends. Nothing listens outside 127.0.0.1.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import requests

from assistant.errors import SourceMalformed, SourceRefused, SourceTimeout, UsageError

READY_SECONDS = 60.0
BINARIES = ("prometheus", "promtool", "prometheus-alertmanager")
MEND = "install them with: apt-get install --no-install-recommends prometheus prometheus-alertmanager"


def missing_binaries(names: Sequence[str] = BINARIES) -> tuple[str, ...]:
    """Those of `names` that are not on the path."""
    return tuple(name for name in names if shutil.which(name) is None)


def require_binaries(names: Sequence[str] = BINARIES) -> None:
    """Raise UsageError, with the command that installs them, when a server binary is absent."""
    if absent := missing_binaries(names):
        raise UsageError(f"not installed here: {', '.join(absent)}", mend=MEND)


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Server:
    """A running HTTP server: its base URL, and the file its output goes to."""

    name: str
    url: str
    log: Path

    def get(self, path: str, params: Mapping[str, str] | None = None, *, timeout: float = 120.0) -> Any:
        """GET `path` and return the parsed JSON. Raises SourceRefused, SourceTimeout or SourceMalformed."""
        try:
            answer = requests.get(self.url + path, params=dict(params or {}), timeout=timeout)
            answer.raise_for_status()
        except requests.Timeout as e:
            raise SourceTimeout(self.name, f"no answer to {path} within {timeout:.0f} s") from e
        except requests.RequestException as e:
            raise SourceRefused(self.name, f"{path} was refused", mend=f"see {self.log}") from e
        try:
            return answer.json()
        except ValueError as e:
            raise SourceMalformed(self.name, f"{path} did not answer JSON") from e


def load_history(openmetrics: Path, data: Path) -> None:
    """Turn an OpenMetrics file with timestamps into TSDB blocks under `data`, with promtool. Raises UsageError."""
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(openmetrics), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UsageError(f"promtool refused the history: {' '.join(last)}", mend=f"look at {openmetrics}")


@contextmanager
def _running(name: str, command: Sequence[str], url: str, ready: str, log: Path) -> Iterator[Server]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait_ready(name, process, url + ready, log)
            yield Server(name=name, url=url, log=log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_ready(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SourceRefused(name, f"{name} stopped with status {process.returncode}", mend=f"see {log}")
        try:
            if requests.get(url, timeout=2).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise SourceTimeout(name, f"{name} was not ready after {READY_SECONDS:.0f} s", mend=f"see {log}")


@contextmanager
def alertmanager(home: Path, *, webhook: str = "", token_file: Path | None = None) -> Iterator[Server]:
    """A real Alertmanager with one receiver; with `webhook` it posts there, the bearer token read from `token_file`."""
    home.mkdir(parents=True, exist_ok=True)
    receiver: dict[str, Any] = {"name": "assistant"}
    if webhook:
        hook: dict[str, Any] = {"url": webhook, "send_resolved": True}
        if token_file is not None:
            hook["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": str(token_file.resolve())}}
        receiver["webhook_configs"] = [hook]
    route = {"receiver": "assistant", "group_by": ["alertname"], "group_wait": "5s", "group_interval": "30s"}
    config = home / "alertmanager.yml"
    config.write_text(json.dumps({"route": route, "receivers": [receiver]}))
    port = free_port()
    command = [
        "prometheus-alertmanager",
        f"--config.file={config}",
        f"--storage.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with _running("alertmanager", command, f"http://127.0.0.1:{port}", "/-/ready", home / "log.txt") as server:
        yield server


@dataclass(frozen=True, slots=True)
class PrometheusConfig:
    """What a recording server runs with. `rule_groups` are groups as a rules file has them; `targets` host:port."""

    rule_groups: tuple[Mapping[str, Any], ...] = ()
    targets: tuple[str, ...] = ()
    job: str = "payments"
    scrape_interval: str = "15s"
    evaluation_interval: str = "15s"
    honor_labels: bool = True


@contextmanager
def prometheus(
    home: Path, config: PrometheusConfig, *, history: Path | None = None, alertmanager_url: str = ""
) -> Iterator[Server]:
    """A real Prometheus over `history` (an OpenMetrics file) with rules, optional scraping, optional Alertmanager."""
    home.mkdir(parents=True, exist_ok=True)
    data = home / "data"
    data.mkdir(exist_ok=True)
    if history is not None:
        load_history(history, data)
    # JSON is YAML: no YAML writer is needed for the server's own files.
    (home / "rules.yml").write_text(json.dumps({"groups": list(config.rule_groups)}))
    document: dict[str, Any] = {
        "global": {"scrape_interval": config.scrape_interval, "evaluation_interval": config.evaluation_interval},
        "rule_files": [str(home / "rules.yml")],
    }
    if config.targets:
        document["scrape_configs"] = [
            {
                "job_name": config.job,
                "honor_labels": config.honor_labels,
                "static_configs": [{"targets": list(config.targets)}],
            }
        ]
    if alertmanager_url:
        host = alertmanager_url.removeprefix("http://")
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [host]}]}]}
    (home / "prometheus.yml").write_text(json.dumps(document))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=10y",
        "--query.timeout=2m",
    ]
    with _running("prometheus", command, f"http://127.0.0.1:{port}", "/-/ready", home / "log.txt") as server:
        yield server


@contextmanager
def pair(
    home: Path,
    config: PrometheusConfig,
    *,
    history: Path | None = None,
    webhook: str = "",
    token_file: Path | None = None,
) -> Iterator[tuple[Server, Server]]:
    """A Prometheus that alerts to its own Alertmanager."""
    with ExitStack() as stack:
        manager = stack.enter_context(alertmanager(home / "alertmanager", webhook=webhook, token_file=token_file))
        server = stack.enter_context(
            prometheus(home / "prometheus", config, history=history, alertmanager_url=manager.url)
        )
        yield server, manager


def raw_samples(server: Server, selector: str, at: float, span: float) -> list[dict[str, Any]]:
    """Raw samples of `selector` in the `span` seconds before `at`, as the server holds them: [{metric, values}]."""
    query = f"{selector}[{span:.0f}s]"
    answer = server.get("/api/v1/query", {"query": query, "time": f"{at:.3f}"})
    return cast("list[dict[str, Any]]", answer["data"]["result"])
