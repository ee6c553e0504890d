"""Debian's Prometheus and Alertmanager on loopback, in the modes the tests need; stopped by their own process."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from assistant.core.evidence import Series

BINARIES = ("prometheus", "promtool", "prometheus-alertmanager")


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip, visibly, where a server binary is absent."""
    absent = [n for n in names if shutil.which(n) is None]
    how = "apt-get install --no-install-recommends prometheus prometheus-alertmanager"
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} not installed: {how}")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def write_openmetrics(series: Iterable[Series], path: Path) -> None:
    """Raw samples as OpenMetrics text; NaN is a sample that was never there."""
    with path.open("w") as file:
        for s in series:
            inside = ",".join(f"{k}={json.dumps(v)}" for k, v in s.labels.items() if k != "__name__")
            for t, v in zip(s.t.tolist(), s.v.tolist(), strict=True):
                if v == v:
                    file.write(f"{s.labels['__name__']}{{{inside}}} {v!r} {t:.3f}\n")
        file.write("# EOF\n")


@contextmanager
def running(command: Sequence[str], url: str, log: Path) -> Iterator[str]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait(process, url + "/-/ready", log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def prometheus(
    home: Path, *flags: str, config: dict[str, Any] | None = None, history: Sequence[Series] = ()
) -> Iterator[str]:
    """A Prometheus over `history`. Yields its base URL."""
    home.mkdir(parents=True, exist_ok=True)
    data = home / "data"
    data.mkdir(exist_ok=True)
    if history:
        write_openmetrics(history, home / "history.om")
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(home / "history.om"), str(data)]
        subprocess.run(command, check=True, capture_output=True)
    (home / "prometheus.yml").write_text(json.dumps(config or {"global": {"scrape_interval": "15s"}}))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=10y",
        *flags,
    ]
    with running(command, f"http://127.0.0.1:{port}", home / "log.txt") as url:
        yield url


@contextmanager
def alertmanager(home: Path, *, webhook: str = "") -> Iterator[str]:
    """An Alertmanager with one receiver. Yields its base URL."""
    home.mkdir(parents=True, exist_ok=True)
    receiver: dict[str, Any] = {"name": "assistant"}
    if webhook:
        receiver["webhook_configs"] = [{"url": webhook, "send_resolved": True}]
    route = {"receiver": "assistant", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "5s"}
    (home / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
    port = free_port()
    command = [
        "prometheus-alertmanager",
        f"--config.file={home / 'alertmanager.yml'}",
        f"--storage.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(command, f"http://127.0.0.1:{port}", home / "log.txt") as url:
        yield url


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(log.read_text()[-2000:])
        try:
            if requests.get(url, timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise TimeoutError(log.read_text()[-2000:])
