"""The shipped proxies let through what we read and nothing that writes: real proxies before real, writable servers."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from assistant.core.time import Instant
from assistant.settings import Endpoint, LokiEndpoint, Settings
from assistant.sources import reads
from assistant.sources.attestation import per_server
from assistant.sources.proof import attest
from redaction import Redactor
from tests.sources.http_server import Asked, Server, as_json, serving
from tests.sources.servers import alertmanager, free_port, needs, prometheus

PROXIES = Path(__file__).resolve().parents[2] / "deploy" / "proxies"
TOKEN = "reader" + "-token-1"
WRITES = ("--web.enable-remote-write-receiver", "--web.enable-admin-api", "--web.enable-lifecycle")
LISTENS = {"prometheus": "127.0.0.1:19090", "alertmanager": "127.0.0.1:19093", "loki": "127.0.0.1:13100"}
UPSTREAMS = {"prometheus": "127.0.0.1:9090", "alertmanager": "127.0.0.1:9093", "loki": "127.0.0.1:3100"}
LISTS = {"prometheus": reads.PROMETHEUS, "alertmanager": reads.ALERTMANAGER, "loki": reads.LOKI}


def sample(read: reads.Read) -> str:
    """A path that the read's expression matches."""
    path = re.sub(r"\[a-zA-Z_\]\[a-zA-Z0-9_\]\*", "app", read.path)
    return re.sub(r"\(\?:([^|)]+)[^)]*\)", r"\1", path)


@contextmanager
def proxied(kind: str, home: Path, upstreams: dict[str, str]) -> Iterator[dict[str, str]]:
    """The shipped file with this test's addresses: urls by server."""
    text = (PROXIES / {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[kind]).read_text()
    urls = {}
    for name, listen in LISTENS.items():
        port = free_port()
        text = text.replace(listen, f"127.0.0.1:{port}").replace(
            UPSTREAMS[name], upstreams[name].removeprefix("http://")
        )
        urls[name] = f"http://127.0.0.1:{port}"
    tokens = home / "tokens"
    tokens.write_text(f'"Bearer {TOKEN}" 1;\n' if kind == "nginx" else f"Bearer {TOKEN}\n")
    text = re.sub(r"/etc/\w+/payops-tokens\.\w+", str(tokens), text).replace("/run/payops-nginx.pid", str(home / "pid"))
    (home / "conf").write_text(text)
    temporary = " ".join(f"{n}_temp_path {home / n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    command = {
        "nginx": [
            "nginx",
            "-p",
            str(home),
            "-e",
            "stderr",
            "-c",
            str(home / "conf"),
            "-g",
            "daemon off; master_process off;",
        ],
        "haproxy": ["haproxy", "-db", "-f", str(home / "conf")],
    }[kind]
    if kind == "nginx":
        (home / "conf").write_text(text.replace("http {", "http { " + temporary, 1))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(process, urls["prometheus"], home / "log")
            yield urls
        finally:
            process.terminate()
            process.wait(20)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            requests.get(url, timeout=2)
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise TimeoutError(log.read_text())


def loki(asked: Asked) -> object:
    return as_json({"status": "success", "data": [asked.headers.get("X-Scope-OrgID", "")]})


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def doors(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, str], Server]]:
    kind: str = request.param
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} not installed: apt-get install --no-install-recommends {kind}")
    home = tmp_path_factory.mktemp(kind)
    with (
        prometheus(home / "p", *WRITES) as p,
        alertmanager(home / "a") as a,
        serving(loki) as logs,  # type: ignore[arg-type]
        proxied(kind, home, {"prometheus": p, "alertmanager": a, "loki": logs.url}) as urls,
    ):
        yield urls, logs


pytestmark = [pytest.mark.live, needs("prometheus", "prometheus-alertmanager")]
Doors = tuple[dict[str, str], Server]
AUTH = {"Authorization": f"Bearer {TOKEN}"}


def test_doctor_proves_writable_servers_read_only_behind_it(doors: Doors, tmp_path: Path) -> None:
    urls, _ = doors
    (tmp_path / "token").write_text(TOKEN)
    own = {"bearer_file": str(tmp_path / "token")}
    settings = Settings(
        prometheus=Endpoint(url=urls["prometheus"], **own),  # type: ignore[arg-type]
        alertmanager=Endpoint(url=urls["alertmanager"], **own),  # type: ignore[arg-type]
        loki=LokiEndpoint(url=urls["loki"], **own),  # type: ignore[arg-type]
    )
    found = attest(settings, Redactor.default(), now=Instant(0.0), probe=True)
    assert per_server(found.checks) == dict.fromkeys(LISTS, "read-only"), found.checks


def test_every_read_of_ours_comes_through_and_none_without_the_token(doors: Doors) -> None:
    for name, listed in LISTS.items():
        for read in listed:
            url = doors[0][name] + sample(read)
            assert requests.get(url, headers=AUTH, timeout=5).status_code not in (401, 403, 405, 502), url
            assert requests.get(url, timeout=5).status_code == 401, url
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                assert requests.request(method, url, headers=AUTH, timeout=5).status_code == 405, (method, url)


@pytest.mark.parametrize(
    ("server", "method", "path"),
    [
        ("prometheus", "POST", "/api/v1/write"),
        ("prometheus", "POST", "/-/reload"),
        ("prometheus", "PUT", "/-/quit"),
        ("prometheus", "POST", "/api/v1/admin/tsdb/snapshot"),
        ("prometheus", "GET", "/api/v1/query/%2e%2e/targets"),
        ("prometheus", "GET", "/metrics"),
        ("alertmanager", "POST", "/-/reload"),
        ("alertmanager", "DELETE", "/api/v2/silence/x"),
        ("loki", "POST", "/loki/api/v1/push"),
        ("loki", "POST", "/loki/api/v1/delete"),
        ("loki", "POST", "/flush"),
        ("loki", "GET", "/flush"),
        ("loki", "GET", "/ingester/shutdown"),
    ],
)
def test_everything_else_is_kept_out(doors: Doors, server: str, method: str, path: str) -> None:
    before = len(doors[1].asked)
    assert requests.request(method, doors[0][server] + path, headers=AUTH, timeout=5).status_code in (403, 405)
    assert len(doors[1].asked) == before


def test_the_tenant_is_the_proxys_and_the_token_stays_with_it(doors: Doors) -> None:
    urls, logs = doors
    requests.get(urls["loki"] + "/loki/api/v1/labels", headers={**AUTH, "X-Scope-OrgID": "other"}, timeout=5)
    sent = {name.lower(): value for name, value in logs.asked[-1].headers.items()}
    assert sent["x-scope-orgid"] == "payments" and not sent.get("authorization")


def test_a_body_on_a_read_does_not_come_through(doors: Doors) -> None:
    urls, logs = doors
    before = len(logs.asked)
    answer = requests.get(urls["loki"] + "/loki/api/v1/labels", data=b"x" * 100, headers=AUTH, timeout=5)
    assert answer.status_code == 405 or (len(logs.asked) == before + 1 and logs.asked[-1].body == b"")
