"""compose.yaml is a compose file, keeps the rules of its head, and its configuration files are read by their tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from compose_spec import PyCompose

from assistant.settings import load_settings
from deploy.make_secrets import make
from tests.deploy.compose import DEPLOY, FILE, SECRETS, document, mounts_of, networks_of, services, substituted
from tests.house.test_imports import ROOT

ONE_SHOT = {"history"}
ALL = sorted(services())


def validated(document: dict) -> None:
    """ValueError for what the compose specification does not know, or for a reference to nothing."""
    PyCompose.from_yaml(yaml.safe_dump(document)).validate()


def test_it_is_a_compose_file() -> None:
    validated(document())


@pytest.mark.parametrize(
    "break_it",
    [
        lambda d: d["services"]["loki"].update(readonly=True),
        lambda d: d["services"]["loki"].update(networks=["nowhere"]),
        lambda d: d["services"]["grafana"].update(secrets=["absent"]),
        lambda d: d.update(service={}),
    ],
    ids=["misspelt", "network", "secret", "top"],
)
def test_a_wrong_compose_file_is_refused(break_it) -> None:
    wrong = document()
    break_it(wrong)
    with pytest.raises(ValueError, match=r"readonly|nowhere|absent|service"):
        validated(wrong)


def test_the_yaml_is_tidy() -> None:
    files = [FILE, *sorted((DEPLOY / "compose").rglob("*.y*ml")), *sorted((DEPLOY / "kubernetes").rglob("*.yaml"))]
    rules = (
        "{extends: default, rules: {line-length: {max: 160}, document-start: disable, braces: {max-spaces-inside: 0},"
    )
    rules += " comments: {min-spaces-from-content: 1}}}"
    command = [sys.executable, "-m", "yamllint", "-s", "-d", rules, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ALL)
def test_each_service_can_do_as_little_as_possible(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?", service["image"]), "an exact version"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), "a number that is not root's"
    assert not {"privileged", "cap_add", "pid", "ipc", "devices", "userns_mode"} & set(service)
    assert service.get("network_mode", "none") == "none"
    assert not [v for v in service.get("volumes", ()) if "docker.sock" in str(v)]
    if name not in ONE_SHOT:
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", ALL)
def test_each_service_says_whether_it_is_well_without_a_shell_line(name: str) -> None:
    """`assistant` has its check from the image; what ends by itself has none."""
    service = services()[name]
    if name == "assistant":
        assert "HEALTHCHECK" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
        assert "healthcheck" not in service
    elif name in ONE_SHOT:
        assert service["restart"] == "no"
    else:
        assert service["healthcheck"]["test"][0] == "CMD"


def test_only_the_gate_has_a_port_and_a_way_out() -> None:
    networks = document()["networks"]
    ways_out = {n for n, made in networks.items() if not (made or {}).get("internal")}
    assert ways_out == {"outside"}
    assert {n for n, s in services().items() if networks_of(s) & ways_out} == {"gate"}
    assert {n for n, s in services().items() if s.get("ports")} == {"gate"}
    assert all(p.startswith("127.0.0.1:") for p in services()["gate"]["ports"])
    assert networks_of(services()["postgres"]) == networks_of(services()["chroma"]) == {"state"}
    assert not networks_of(services()["lab"]) & {"state", "front"}


def test_two_replicas_keep_no_state_in_common_but_the_database() -> None:
    assistant = services()["assistant"]
    assert assistant["deploy"]["replicas"] == 2
    assert "/var/lib/payops" in assistant["volumes"], "an anonymous volume: one for each container"


def test_secrets_are_files_that_nobody_committed(tmp_path: Path) -> None:
    named = document()["secrets"]
    assert {s["file"].removeprefix("secrets/") for s in named.values()} == set(named)
    made = make(tmp_path / "s", "payops.example/promptlog")
    assert set(made) == set(named)
    assert make(tmp_path / "s", "payops.example/promptlog") == [], "a second run leaves everything as it is"
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    for name, service in services().items():
        for key in service.get("environment", {}):
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", key):
                assert key.endswith("_FILE"), (name, key)
    used = {s for service in services().values() for s in service.get("secrets", ())}
    assert used == set(named)


def test_what_is_mounted_is_there() -> None:
    missing = [(n, f) for n, s in services().items() for f in mounts_of(s).values() if not (DEPLOY / f).exists()]
    assert not missing


def test_every_address_is_a_service_that_can_be_reached() -> None:
    """From the assistant, Prometheus, Alertmanager and the gate: a network in common, and a port that is served."""
    ports = {"prometheus": 9090, "alertmanager": 9093, "loki": 3100, "lab": 9100, "chroma": 8000, "postgres": 5432}
    ports |= {"grafana": 3000}
    users = {"compose/payops.toml": "assistant", "compose/prometheus.yml": "prometheus"}
    users |= {"compose/alertmanager.yml": "alertmanager", "compose/haproxy.cfg": "gate"}
    found = 0
    for file, user in users.items():
        lines = (DEPLOY / file).read_text(encoding="utf-8").splitlines()
        text = "\n".join(line.partition("#")[0] for line in lines)
        for host, port in re.findall(r"\b(assistant|" + "|".join(ports) + r"):(\d+)\b", text):
            assert networks_of(services()[user]) & networks_of(services()[host]), f"{file}: {host}"
            assert int(port) in ({8787, 8788} if host == "assistant" else {ports[host]}), f"{file}: {host}:{port}"
            found += 1
    assert found >= 10


def test_the_server_of_chroma_is_of_the_client_s_version() -> None:
    assert services()["chroma"]["image"].partition(":")[2] == version("chromadb")


def test_the_assistant_reads_its_configuration(tmp_path: Path) -> None:
    make(tmp_path, "payops.example/promptlog")
    config = tmp_path / "payops.toml"
    config.write_text(substituted("compose/payops.toml", {SECRETS: str(tmp_path)}), encoding="utf-8")
    settings = load_settings(config, state=tmp_path / "state")
    assert urlsplit(settings.log.database()).hostname == urlsplit(settings.workflow.database()).hostname == "postgres"
    assert settings.web.webhook_token().read()
    assert settings.web.proxy_addresses == (services()["gate"]["networks"]["front"]["ipv4_address"],)


@pytest.mark.live
def test_promtool_reads_prometheus_yml(tmp_path: Path) -> None:
    tool("promtool", "prometheus")
    (tmp_path / "rules.json").write_text('{"groups": []}')
    text = substituted(
        "compose/prometheus.yml",
        {
            "/etc/prometheus/payops.rules.yml": str(DEPLOY / "prometheus" / "payops.rules.yml"),
            "/var/lib/payops/rules.json": str(tmp_path / "rules.json"),
        },
    )
    (tmp_path / "prometheus.yml").write_text(text)
    checked("promtool", "check", "config", str(tmp_path / "prometheus.yml"))


@pytest.mark.live
def test_amtool_reads_alertmanager_yml() -> None:
    tool("amtool", "prometheus-alertmanager")
    checked("amtool", "check-config", str(DEPLOY / "compose" / "alertmanager.yml"))


@pytest.mark.live
def test_haproxy_reads_the_gate_s_configuration() -> None:
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not Path(program).exists():
        pytest.skip("haproxy is absent; get it with: apt-get install haproxy")
    checked(program, "-c", "-f", str(DEPLOY / "compose" / "haproxy.cfg"))


def tool(program: str, package: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is absent; get it with: apt-get install {package}")


def checked(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
