"""The manifests: rendered by kustomize, valid by the schemas, restricted, with no way out but those they need."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from assistant.settings import load_settings
from assistant.web.app import checks
from deploy.make_secrets import make
from tests.deploy.manifests import (
    COMPONENTS,
    FOLDER,
    OVERLAYS,
    Manifest,
    Way,
    named,
    of_kind,
    rendered,
    selects,
    unrestricted,
    way_of,
    ways_out,
)

VERSIONS = ("1.31", "1.34", "1.37")
PAYOPS = {"app.kubernetes.io/name": "payops"}


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> tuple[str, list[Manifest]]:
    return request.param, rendered(FOLDER / request.param)


def pod_of(manifests: list[Manifest], name: str = "payops") -> dict[str, Any]:
    spec: dict[str, Any] = named(manifests, "Deployment", name)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(overlay, version: str) -> None:
    _, manifests = overlay
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)
    assert len(manifests) >= 10


def test_a_wrong_manifest_is_refused(overlay) -> None:
    _, manifests = overlay
    wrong = copy.deepcopy(named(manifests, "Deployment", "payops"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_no_secret_is_among_them(overlay) -> None:
    _, manifests = overlay
    assert not of_kind(manifests, "Secret")
    assert not re.search(r"PRIVATE\+KEY|postgresql://|xox[bap]-", yaml.safe_dump_all(manifests))


def test_every_pod_is_restricted(overlay) -> None:
    _, manifests = overlay
    labels = named(manifests, "Namespace", "payops")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for deployment in of_kind(manifests, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert not unrestricted(pod)
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, "more than restricted asks"
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.update(hostNetwork=True), "hostNetwork"),
        (lambda p: p["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "volume host"),
        (lambda p: p["securityContext"].update(runAsUser=0), "may run as root"),
        (lambda p: p["securityContext"].pop("seccompProfile"), "seccompProfile"),
        (lambda p: p["containers"][0]["securityContext"].pop("capabilities"), "not dropped"),
        (lambda p: p["containers"][0]["securityContext"].update(allowPrivilegeEscalation=True), "Escalation"),
        (lambda p: p["containers"][0]["ports"][0].update(hostPort=80), "hostPort"),
    ],
)
def test_what_is_not_restricted_is_found(change, said: str) -> None:
    pod = copy.deepcopy(pod_of(rendered(FOLDER / "single")))
    change(pod)
    assert said in "; ".join(unrestricted(pod))


def test_the_account_may_do_nothing(overlay) -> None:
    _, manifests = overlay
    account = named(manifests, "ServiceAccount", "payops")
    assert account["automountServiceAccountToken"] is False
    assert pod_of(manifests)["serviceAccountName"] == "payops"
    assert [r["rules"] for r in of_kind(manifests, "Role")] == [[]]
    assert not of_kind(manifests, "ClusterRole") + of_kind(manifests, "ClusterRoleBinding")


def test_probes_ask_paths_that_the_listener_has(overlay) -> None:
    _, manifests = overlay
    served = {getattr(route, "path", "") for route in checks(dict, dict, dict)}
    container = pod_of(manifests)["containers"][0]
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {a["path"] for a in asked.values()} <= served
    assert asked["readiness"]["path"] == "/readyz"
    assert {ports[a["port"]] for a in asked.values()} == {8788}
    assert "/healthz" not in {a["path"] for a in asked.values()}, "a source that is down must not stop alerts"


def test_everything_that_selects_pods_finds_them(overlay) -> None:
    _, manifests = overlay
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in of_kind(manifests, "Deployment")]
    selectors = [
        d["spec"]["selector"]["matchLabels"]
        for k in ("Deployment", "PodDisruptionBudget")
        for d in of_kind(manifests, k)
    ]
    selectors += [s["spec"]["selector"] for s in of_kind(manifests, "Service")]
    selectors += [n["spec"]["podSelector"].get("matchLabels", {}) for n in of_kind(manifests, "NetworkPolicy")]
    for selector in selectors:
        assert any(selects(selector, labels) for labels in pods), selector


def test_everything_is_denied_that_is_not_named(overlay) -> None:
    _, manifests = overlay
    deny = named(manifests, "NetworkPolicy", "deny-everything")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in of_kind(manifests, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            assert rule["from"] and rule["ports"], policy["metadata"]["name"]


def urls_of(table: Any, secrets: dict[str, str]) -> set[str]:
    """Every address of a payops.toml that is called, those in secrets too."""
    found = set()
    for key, value in table.items():
        if isinstance(value, dict):
            found |= urls_of(value, secrets)
        elif key == "url_file":
            found.add(secrets[Path(value).name])
        elif key == "url" and isinstance(value, str):
            found.add(value)
    return found


def test_each_address_has_a_way_out_and_each_way_out_an_address(overlay) -> None:
    name, manifests = overlay
    config = tomllib.loads(named_config(manifests))
    secrets = {"database-url": "postgresql://payops@postgres.databases.svc:5432/payops"}
    needed = {way_of(url) for url in urls_of(config, secrets)}
    assert needed == ways_out(manifests, PAYOPS)
    assert len(needed) == (5 if name == "replicas" else 3)
    if name == "replicas":
        assert ways_out(manifests, {"app.kubernetes.io/name": "chroma"}) == set()


def named_config(manifests: list[Manifest]) -> str:
    """The payops.toml that the pod mounts; kustomize gave its ConfigMap a name by content."""
    (volume,) = (v for v in pod_of(manifests)["volumes"] if v["name"] == "config")
    text: str = named(manifests, "ConfigMap", volume["configMap"]["name"])["data"]["payops.toml"]
    assert volume["configMap"]["name"].startswith("payops-"), "a changed file is a new name, so it rolls out"
    return text


def test_the_configuration_is_read_with_secrets_by_file(overlay, tmp_path: Path) -> None:
    _, manifests = overlay
    make(tmp_path / "secrets", "payops.example/promptlog")
    text = named_config(manifests).replace("/run/secrets", str(tmp_path / "secrets"))
    (tmp_path / "payops.toml").write_text(text)
    settings = load_settings(tmp_path / "payops.toml", state=tmp_path)
    assert settings.web.webhook_token().read()
    assert Path(settings.log.signing_key_file).is_file()
    mounts = {m["name"]: m for m in pod_of(manifests)["containers"][0]["volumeMounts"]}
    assert mounts["secrets"]["mountPath"] == "/run/secrets"
    assert mounts["secrets"]["readOnly"] is True


def test_one_process_is_replaced_and_two_are_rolled() -> None:
    single, replicas = (named(rendered(FOLDER / o), "Deployment", "payops")["spec"] for o in OVERLAYS)
    assert (single["replicas"], single["strategy"]) == (1, {"type": "Recreate"})
    assert replicas["replicas"] == 2
    assert replicas["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    state = {v["name"]: v for v in single["template"]["spec"]["volumes"]}["state"]
    assert state["persistentVolumeClaim"]["claimName"] == "payops-state"
    shared = {v["name"]: v for v in replicas["template"]["spec"]["volumes"]}
    assert "emptyDir" in shared["state"] and "persistentVolumeClaim" in shared["cold"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_adds_its_own_way_out_and_no_more(component: str, tmp_path: Path) -> None:
    """Each is tried in a copy of an overlay; the address it comes with is of the documentation block."""
    import shutil

    shutil.copytree(FOLDER, tmp_path / "k")
    kustomization = tmp_path / "k" / "replicas" / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text() + f"components: [../components/{component}]\n")
    before, after = (ways_out(rendered(f), PAYOPS) for f in (FOLDER / "replicas", kustomization.parent))
    assert after - before == {Way("192.0.2.1/32", 443)}
    for manifest in rendered(kustomization.parent):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
