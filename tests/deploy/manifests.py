"""The Kubernetes manifests as kubectl's own kustomize renders them, and the rules that they are held to."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.house.test_imports import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("single", "replicas")
COMPONENTS = tuple(sorted(p.name for p in (FOLDER / "components").iterdir()))
PORTS = {"http": 80, "https": 443, "postgresql": 5432}

Manifest = dict[str, Any]


def rendered(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k` would send. Skips where kubectl is absent or older than kustomize 4."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is absent; get it with: apt-get install kubernetes-client (1.22 or newer)")
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if "unknown field" in done.stderr or "unknown command" in done.stderr:
        pytest.skip("kubectl is older than 1.22; its kustomize does not know labels and components")
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return [m for m in yaml.safe_load_all(done.stdout) if m]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [m for m in manifests if m["kind"] == kind]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (m for m in of_kind(manifests, kind) if m["metadata"]["name"] == name)
    return found


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(k) == v for k, v in selector.items())


# Pod Security Standards, profile "restricted", clause by clause
# (kubernetes.io/docs/concepts/security/pod-security-standards).
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def unrestricted(pod: Mapping[str, Any]) -> list[str]:
    """What a cluster that enforces "restricted" would refuse of this pod spec."""
    whole = pod.get("securityContext", {})
    wrong = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    wrong += [f"volume {v['name']}" for v in pod.get("volumes", ()) if not VOLUMES & (set(v) - {"name"})]
    wrong += ["sysctls"] if whole.get("sysctls") else []
    for c in [*pod.get("initContainers", ()), *pod["containers"]]:
        wrong += [f"{c['name']}: {w}" for w in _unrestricted_container(c, whole)]
    return wrong


def _unrestricted_container(c: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:
    own = c.get("securityContext", {})
    both = {**whole, **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if "ALL" not in own.get("capabilities", {}).get("drop", ()):
        yield "capabilities are not dropped"
    if set(own.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "may run as root"
    if both.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(p.get("hostPort") for p in c.get("ports", ())):
        yield "hostPort"


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of the pods: to a service (`namespace/app`) or an address block, and a port."""

    to: str
    port: int


def ways_out(manifests: list[Manifest], labels: Mapping[str, str]) -> set[Way]:
    """What the egress rules of all policies that select `labels` allow, names (DNS) excepted."""
    found = set()
    for policy in of_kind(manifests, "NetworkPolicy"):
        spec = policy["spec"]
        if "Egress" not in spec["policyTypes"] or not selects(spec["podSelector"].get("matchLabels", {}), labels):
            continue
        for rule in spec.get("egress", ()):
            assert rule.get("to") and rule.get("ports"), f"{policy['metadata']['name']}: an open rule"
            for peer in rule["to"]:
                for port in rule["ports"]:
                    assert "endPort" not in port
                    found.add(Way(_peer(peer, policy["metadata"]["namespace"]), port["port"]))
    return {w for w in found if w.port != 53}


def _peer(peer: Mapping[str, Any], namespace: str) -> str:
    if "ipBlock" in peer:
        return str(peer["ipBlock"]["cidr"])
    where = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name", namespace)
    labels = peer["podSelector"]["matchLabels"]
    return f"{where}/{labels.get('app.kubernetes.io/name') or labels['k8s-app']}"


def way_of(url: str) -> Way:
    """The way that an address `scheme://NAME.NAMESPACE.svc:port` needs."""
    parts = urlsplit(url)
    match = re.fullmatch(r"([\w-]+)\.([\w-]+)\.svc", parts.hostname or "")
    assert match, f"{url} is not a service's name"
    return Way(f"{match[2]}/{match[1]}", parts.port or PORTS[parts.scheme])
