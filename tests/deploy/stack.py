"""The stack of deploy/compose.yaml on real servers of this machine: same configuration files, ports of loopback.

Real here: Prometheus, Alertmanager, PostgreSQL, Chroma, the lab, two replicas of the assistant; the gate where haproxy
is installed; Loki where a program `loki` is on the path, else recorded answers.
Not here: Grafana, the engine, its images.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from assistant.settings import Log
from deploy.make_secrets import make
from tests.deploy.compose import DEPLOY, SECRETS, services, substituted
from tests.doubles.postgres import Postgres
from tests.doubles.postgres import running as postgres
from tests.fakes.loki_server import answer as loki_answer
from tests.live.stack import Serve, start_serve
from tests.sources.http_server import Answer, Asked, serving
from tests.sources.servers import free_port
from tests.sources.servers import running as http_server

REPLICAS_BY_NAME = "dns_sd_configs: [{names: [assistant], type: A, port: 8788, refresh_interval: 10s}]"
REPLICAS = services()["assistant"]["deploy"]["replicas"]


@dataclass(slots=True)
class Running:
    home: Path
    prometheus: str
    alertmanager: str
    serves: tuple[Serve, ...]
    pushed: list[int]
    """Lines taken by the double of Loki, one count a push; empty with a real one."""
    loki: str
    """URL of a real Loki, or ""."""
    gate: str
    """URL of the console through the gate, or "" without haproxy."""


@contextmanager
def stack(home: Path, prepare: Callable[[Path], None]) -> Iterator[Running]:
    """Everything started, in the order of `depends_on`. `prepare` may change the lab's rules before they are read."""
    ports = {name: free_port() for name in ("lab", "prometheus", "alertmanager", "chroma")}
    hooks = [(free_port(), free_port()) for _ in range(REPLICAS)]
    pushed: list[int] = []
    secrets, lab = home / "secrets", home / "lab"
    make(secrets, Log().origin)
    with ExitStack() as everything:
        server = everything.enter_context(postgres())
        (secrets / "database-url").chmod(0o600)
        (secrets / "database-url").write_text(_smallest_role(server))
        loki = everything.enter_context(_real_loki(home))
        logs = loki or everything.enter_context(serving(lambda asked: _loki(asked, pushed))).url
        everything.enter_context(_chroma(home / "chroma", ports["chroma"]))
        everything.enter_context(_lab(lab, ports["lab"], logs))
        prepare(lab)
        places = {f"{name}:{_port_of(name)}": f"127.0.0.1:{port}" for name, port in ports.items()}
        alertmanager = everything.enter_context(
            _server("prometheus-alertmanager", _alertmanager(home, hooks[0][0], secrets), ports["alertmanager"], home)
        )
        _load_history(lab)
        prometheus = everything.enter_context(
            _server("prometheus", _prometheus(home, places, hooks, lab), ports["prometheus"], home)
        )
        gate, found = free_port(), []
        for i, mine in enumerate(hooks):
            config = _assistant(
                home / f"payops-{i}.toml", {**places, "loki:3100": urlsplit(logs).netloc}, secrets, mine, gate
            )
            serve = start_serve(config, home / f"state-{i}", home / f"serve-{i}.log")
            everything.callback(_stop, serve)
            found.append(serve)
        for serve in found:
            serve.wait_ready(within=180)
        way_in = everything.enter_context(_gate(home, gate, [console for _, console in hooks]))
        yield Running(home, prometheus, alertmanager, tuple(found), pushed, loki, way_in)


def _smallest_role(server: Postgres) -> str:
    """The role and database of deploy/CREDENTIALS.md, by its own SQL; the double's superuser has the name already."""
    import psycopg

    text = (DEPLOY / "CREDENTIALS.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for statement in re.sub(r"\bpayops\b", "assistant", block).strip().split(";\n"):
            connection.execute(statement.encode())
    return server.url("assistant").replace("//payops@", "//assistant@")


def _port_of(name: str) -> int:
    return {"lab": 9100, "prometheus": 9090, "alertmanager": 9093, "chroma": 8000}[name]


def _loki(asked: Asked, pushed: list[int]) -> Answer:
    """Takes lines as a Loki does; answers questions as recorded."""
    if asked.method == "POST" and asked.path == "/loki/api/v1/push":
        pushed.append(sum(len(s["values"]) for s in json.loads(asked.body)["streams"]))
        return Answer(204, b"", "")
    return loki_answer(asked)


def _alertmanager(home: Path, webhook: int, secrets: Path) -> list[str]:
    places = {"assistant:8788": f"127.0.0.1:{webhook}", SECRETS: str(secrets)}
    (home / "alertmanager.yml").write_text(substituted("compose/alertmanager.yml", places))
    return [f"--config.file={home}/alertmanager.yml", f"--storage.path={home}/am", "--cluster.listen-address="]


def _prometheus(home: Path, places: Mapping[str, str], hooks: list[tuple[int, int]], lab: Path) -> list[str]:
    # No name server tells of replicas here.
    targets = ", ".join(f'"127.0.0.1:{webhook}"' for webhook, _ in hooks)
    here = {
        "lab:9100": places["lab:9100"],
        "alertmanager:9093": places["alertmanager:9093"],
        "/etc/prometheus": str(DEPLOY / "prometheus"),
        "/var/lib/payops": str(lab),
        REPLICAS_BY_NAME: f"static_configs: [{{targets: [{targets}]}}]",
    }
    (home / "prometheus.yml").write_text(substituted("compose/prometheus.yml", here))
    flags = [f for f in services()["prometheus"]["command"] if f.startswith(("--query", "--storage.tsdb.retention"))]
    return [f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={lab}/tsdb", *flags]


def _assistant(path: Path, places: Mapping[str, str], secrets: Path, mine: tuple[int, int], gate: int) -> Path:
    """The replicas' one file; on one machine each needs ports of its own, and the gate stands on loopback."""
    address = services()["gate"]["networks"]["front"]["ipv4_address"]
    here = {SECRETS: str(secrets), address: "127.0.0.1", "http://127.0.0.1:8787": f"http://127.0.0.1:{gate}"}
    text = substituted("compose/payops.toml", {**places, **here}).replace("0.0.0.0", "127.0.0.1")
    path.write_text(text.replace("[web]\n", f"[web]\nwebhook_port = {mine[0]}\nconsole_port = {mine[1]}\n"))
    return path


@contextmanager
def _gate(home: Path, port: int, consoles: list[int]) -> Iterator[str]:
    """haproxy by its own file: ports of loopback, and servers by address where an engine would tell of them by name."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not Path(program).exists():
        yield ""
        return
    up, other = free_port(), [free_port(), free_port()]
    servers = "\n".join(f"    server assistant{i} 127.0.0.1:{c}" for i, c in enumerate(consoles))
    here = {
        "bind :8787": f"bind 127.0.0.1:{port}",
        "bind :3000": f"bind 127.0.0.1:{other[0]}",
        "bind :9090": f"bind 127.0.0.1:{other[1]}",
        "127.0.0.1:8404": f"127.0.0.1:{up}",
        "server-template assistant 2 assistant:8787": servers.strip(),
        "grafana:3000": "127.0.0.1:9",
        "prometheus:9090": "127.0.0.1:9",
    }
    text = substituted("compose/haproxy.cfg", here)
    # There are no names to resolve here.
    (home / "haproxy.cfg").write_text(text.replace(" resolvers engine init-addr none", ""))
    with _process([program, "-db", "-f", str(home / "haproxy.cfg")], home / "haproxy.log", f"http://127.0.0.1:{up}/up"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _real_loki(home: Path) -> Iterator[str]:
    """A real Loki by compose/loki.yaml, where one is on the path (Debian's package of that name is another program)."""
    program = shutil.which("loki")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False) if program else None
    if not program or said is None or "loki, version" not in said.stdout + said.stderr:
        yield ""
        return
    port, rpc = free_port(), free_port()
    here = {"/loki": str(home / "loki"), "http_listen_port: 3100": f"http_listen_port: {port}"}
    (home / "loki.yaml").write_text(substituted("compose/loki.yaml", here))
    flags = ["-server.http-listen-address=127.0.0.1", "-server.grpc-listen-address=127.0.0.1"]
    command = [program, f"-config.file={home}/loki.yaml", *flags, f"-server.grpc-listen-port={rpc}"]
    with _process(command, home / "loki.log", f"http://127.0.0.1:{port}/ready"):
        yield f"http://127.0.0.1:{port}"


def _load_history(lab: Path) -> None:
    """What the service `history` does, by its own command."""
    words = [w.replace("/var/lib/payops", str(lab)) for w in services()["history"]["command"]]
    subprocess.run(["promtool", *words], check=True, capture_output=True)


@contextmanager
def _server(program: str, arguments: list[str], port: int, home: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    command = [program, *arguments, f"--web.listen-address=127.0.0.1:{port}"]
    with http_server(command, url, home / f"{program}.log") as found:
        yield found


@contextmanager
def _chroma(folder: Path, port: int) -> Iterator[None]:
    program = Path(sys.executable).with_name("chroma")
    command = [str(program), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with _process(command, folder.with_suffix(".log"), f"http://127.0.0.1:{port}/api/v2/heartbeat"):
        yield


@contextmanager
def _lab(out: Path, port: int, loki: str) -> Iterator[None]:
    """The service `lab`, its folder, port and Loki replaced."""
    here = {"--out": str(out), "--host": "127.0.0.1", "--port": str(port), "--loki": loki}
    here["--instance"] = f"127.0.0.1:{port}"
    words = [str(w) for w in services()["lab"]["command"]]
    assert {w.partition("=")[0] for w in words} >= set(here)
    words = [f"{o}={here[o]}" if (o := w.partition("=")[0]) in here else w for w in words] + ["--lead=20"]
    code = f"import sys; from assistant.cli import main; sys.exit(main({words!r}))"
    url = f"http://127.0.0.1:{port}/metrics"
    with _process([sys.executable, "-c", code], out.with_suffix(".log"), url):
        yield


@contextmanager
def _process(command: list[str], log: Path, url: str) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + 180
            while not _answers(url):
                assert process.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _stop(serve: Serve) -> None:
    if serve.process.poll() is None:
        serve.kill()
