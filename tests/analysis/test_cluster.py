"""Incidents of workloads on Kubernetes, in the form of the opensre suite; written here, none of them is theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import UsageError
from evals.sets.rds import predict

T0 = "2026-03-02T09:{:02d}:00Z"
ALERT = {"title": "pods of checkout restart", "commonLabels": {"namespace": "shop", "cluster": "prod-eks"}}


def event(minute: int, reason: str, message: str, kind: str = "Warning") -> dict[str, Any]:
    return {"lastTimestamp": T0.format(minute), "type": kind, "reason": reason, "message": message,
        "involvedObject": {"kind": "Pod", "name": "checkout-6d9f7-x2x"}}  # fmt: skip


def pod(name: str = "checkout-6d9f7-x2x", **state: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 7, **state}]}}  # fmt: skip


def node(**conditions: str) -> dict[str, Any]:
    rows = [{"type": k, "status": v, "reason": f"Kubelet{k}"} for k, v in conditions.items()]
    return {"kind": "Node", "metadata": {"name": "ip-10-0-4-7"}, "status": {"conditions": rows}}


def metric(name: str, values: list[float], unit: str = "Percent") -> dict[str, Any]:
    return {
        "metric_name": name,
        "unit": unit,
        "timestamps": [T0.format(i) for i in range(len(values))],
        "values": values,
    }


def answer(tmp_path: Path, **files: Any) -> dict[str, Any]:
    folder = tmp_path / "cases" / "one"
    folder.mkdir(parents=True)
    (folder / "alert.json").write_text(json.dumps(ALERT))
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    (found,) = predict(tmp_path)
    return dict(found["answer"])


KILLED: dict[str, Any] = {"lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    "state": {"waiting": {"reason": "CrashLoopBackOff"}}}  # fmt: skip
LOOP: dict[str, Any] = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
CHECKOUT = {"kind": "Deployment", "name": "checkout"}
CALM_NODE = node(Ready="True", MemoryPressure="False", DiskPressure="False")

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("memory limit", {"k8s_pods": [pod(**KILLED)], "k8s_nodes": [CALM_NODE],
        "k8s_events": [event(20, "BackOff", "Back-off restarting failed container app in pod checkout-6d9f7-x2x")],
        "metrics_memory": metric("memory_utilization", [60, 70, 80, 96, 99, 99, 99, 99])},
        "resource_exhaustion", "oomkilled"),
    ("image", {"k8s_pods": [pod(state={"waiting": {"reason": "ImagePullBackOff"}})],
        "k8s_events": [event(12, "Failed", 'Failed to pull image "shop/checkout:9.1": manifest unknown')]},
        "configuration_error", "imagepullbackoff"),
    ("secret", {"k8s_pods": [pod(state={"waiting": {"reason": "CreateContainerConfigError"}})],
        "k8s_events": [event(12, "Failed", 'Error: secret "checkout-db" not found')]},
        "configuration_error", "secret"),
    ("node", {"k8s_nodes": [node(Ready="Unknown")],
        "k8s_events": [event(9, "NodeNotReady", "Node ip-10-0-4-7 status is now: NodeNotReady"),
            event(14, "Killing", "Stopping container app")]},
        "infrastructure", "notready"),
    ("eviction", {"k8s_nodes": [node(Ready="True", DiskPressure="True")],
        "k8s_events": [event(9, "Evicted", "The node was low on resource: ephemeral-storage.")]},
        "resource_exhaustion", "diskpressure"),
    ("room", {"k8s_pods": [{"kind": "Pod", "metadata": {"name": "checkout-1"}, "status": {"phase": "Pending"}}],
        "k8s_events": [event(9, "FailedScheduling", "0/6 nodes are available: 6 Insufficient cpu.")]},
        "resource_exhaustion", "failedscheduling"),
    ("quota", {"k8s_events": [event(9, "FailedCreate", "pods is forbidden: exceeded quota: shop, requested: cpu=2")],
        "k8s_pods": [pod()], "k8s_deployments": [{"kind": "Deployment", "replicas": 6, "availableReplicas": 4}]},
        "resource_exhaustion", "quota"),
    ("dns", {"k8s_pods": [pod("coredns-7f-1", ready=False)], "k8s_deployments": [CHECKOUT], "logs": [
        "pod checkout-6d9f7-x2x: dial tcp: lookup payments.shop.svc: no such host", "namespace shop: no such host"]},
        "infrastructure", "coredns"),
    ("volume", {"k8s_pods": [pod(**LOOP)], "k8s_pvc": [{"kind": "PVC", "name": "data"}],
        "logs": ["pod db-0: write /data/wal: no space left on device"]},
        "resource_exhaustion", "no space left"),
    ("code", {"k8s_pods": [pod(**LOOP)], "k8s_nodes": [CALM_NODE],
        "k8s_deployments": [{"kind": "Deployment", "name": "checkout", "message": "rolled out revision 41"}],
        "logs": ["pod checkout-6d9f7-x2x: panic: runtime error: nil pointer dereference"]},
        "code_defect", "revision 41"),
    ("policy", {"k8s_pods": [pod()], "k8s_deployments": [CHECKOUT],
        "k8s_policies": [{"kind": "NetworkPolicy", "name": "default-deny", "message": "applied to namespace shop"}],
        "logs": ["pod checkout-6d9f7-x2x: dial tcp 10.1.2.3:5432: i/o timeout"]},
        "configuration_error", "networkpolicy"),
    ("autoscaler", {
        "k8s_hpa": [{"kind": "HPA", "type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}],
        "k8s_pods": [pod()], "k8s_deployments": [CHECKOUT]},
        "resource_exhaustion", "hpa"),
    ("certificate", {"k8s_pods": [pod()], "k8s_deployments": [CHECKOUT],
        "logs": ["pod checkout-6d9f7-x2x: x509: certificate has expired or is not yet valid"]},
        "configuration_error", "certificate has expired"),
    ("nothing", {"k8s_pods": [pod()], "k8s_nodes": [CALM_NODE], "k8s_deployments": [CHECKOUT],
        "k8s_events": [event(9, "Scheduled", "Successfully assigned shop/checkout-6d9f7-x2x", "Normal")],
        "metrics_memory": metric("memory_utilization", [60, 61, 60, 62, 60, 61, 60, 61])},
        "healthy", "no active failure"),
    ("healed", {"k8s_pods": [pod()], "k8s_nodes": [CALM_NODE], "k8s_deployments": [CHECKOUT],
        "k8s_events": [event(9, "Unhealthy", "Readiness probe failed for pod checkout-6d9f7-x2x"),
            event(15, "Ready", "pod checkout-6d9f7-x2x is now ready", "Normal")]},
        "healthy", "recovered"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "category", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_failure_mode_is_told_by_what_the_cluster_says(
    tmp_path: Path, files: dict[str, Any], category: str, words: str
) -> None:
    said = answer(tmp_path, **files)
    assert said["root_cause_category"] == category, said["summary"]
    assert words in json.dumps(said).lower()
    assert sorted(said["sources"]) == sorted(files)


def test_a_node_that_is_lost_comes_before_the_pods_that_it_takes_along(tmp_path: Path) -> None:
    said = answer(tmp_path, k8s_nodes=[node(Ready="Unknown")], k8s_pods=[pod(**KILLED)],
        k8s_events=[event(9, "NodeNotReady", "Node ip-10-0-4-7 status is now: NodeNotReady")])  # fmt: skip
    assert said["root_cause_category"] == "infrastructure"
    assert "oomkilled" in json.dumps(said).lower()


def test_what_happened_long_before_is_history(tmp_path: Path) -> None:
    old = {**event(0, "OOMKilling", "Memory cgroup out of memory: pod checkout-6d9f7-x2x"),
        "lastTimestamp": "2026-02-27T09:00:00Z"}  # fmt: skip
    said = answer(tmp_path, k8s_events=[old], k8s_pods=[pod()], k8s_nodes=[CALM_NODE],
        k8s_deployments=[CHECKOUT],
        metrics_memory=metric("memory_utilization", [60.0] * 8))  # fmt: skip
    assert said["root_cause_category"] == "healthy"
    assert "history" in json.dumps(said)


def test_files_of_any_shape_are_read_and_broken_ones_named(tmp_path: Path) -> None:
    folder = tmp_path / "cases" / "one"
    folder.mkdir(parents=True)
    (folder / "alert.json").write_text(json.dumps(ALERT))
    (folder / "describe_pods.txt").write_text("Name: checkout-1\nNamespace: shop\nReason: OOMKilled\nkubelet: pod\n")
    (folder / "deployment.yaml").write_text("kind: Deployment\nmetadata:\n  name: checkout\n")
    (folder / "answer.yml").write_text("root_cause_category: healthy\n")
    (found,) = predict(tmp_path)
    assert found["answer"]["root_cause_category"] == "resource_exhaustion"
    assert "answer" not in found["answer"]["sources"]
    (folder / "pods.json").write_text("{")
    with pytest.raises(UsageError, match=r"pods\.json: not json"):
        list(predict(tmp_path))
