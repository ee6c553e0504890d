"""A workload on Kubernetes by what the cluster says of it: which failure mode, what lies behind it, and what it is not.

Modes and their reasons are those that kubelet, scheduler and controllers write (kubernetes.io, *Debug Pods*, *Pod
Lifecycle*, *Node Conditions*, *Node-pressure Eviction*). A crash loop, a failing probe or a pod that is not ready says
how something shows; what comes before it in the order of `MODES` says why. What only happened before the window, or is
told to have healed, is history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.analysis.database import Diagnosis, Event, Measure, Vitals
from assistant.core.time import clock


@dataclass(frozen=True, slots=True)
class Fact:
    """One object or line of the evidence as text. `t` Unix seconds, NaN where it is a state without a time."""

    text: str
    source: str
    t: float = float("nan")


@dataclass(frozen=True, slots=True)
class Mode:
    """A failure mode: what tells it, the category of its cause, the cause in words. `shows` marks a mode that says how
    a failure shows and not what it comes from."""

    name: str
    pattern: re.Pattern[str]
    category: str
    cause: str
    shows: bool = False


def _mode(name: str, pattern: str, category: str, cause: str, *, shows: bool = False) -> Mode:
    return Mode(name, re.compile(pattern, re.IGNORECASE), category, cause, shows)


CLUSTER = re.compile(
    r"\b(kubernetes|kubectl|kubelet|k8s|eks|gke|aks|pods?|deployment|replicaset|statefulset|daemonset|namespace|"
    r"crashloopbackoff|oomkilled|kube-system|coredns|configmap|hpa|pvc)\b",
    re.IGNORECASE,
)
MODES: tuple[Mode, ...] = (
    _mode("node not ready",
        r"nodenotready|node .{0,40}(is )?not ?ready|node_?ready\W+(status\W+)?(false|unknown)|kubelet stopped posting|"
        r"type=ready\b.{0,60}status=(false|unknown).{0,80}kubelet|spot (instance )?interruption|node .{0,30}"
        r"(terminated|preempted|unreachable)",
        "infrastructure", "a node is NotReady: its kubelet does not answer, its pods are lost or rescheduled"),
    _mode("disk pressure",
        r"type=diskpressure\b.{0,30}status=true|nodehasdiskpressure|node .{0,30}disk ?pressure|evict\w*.{0,80}"
        r"(ephemeral-storage|disk|nodefs|imagefs)|low on resource: ephemeral-storage",
        "resource_exhaustion", "a node runs out of disk (DiskPressure), and the kubelet evicts pods"),
    _mode("memory pressure",
        r"type=memorypressure\b.{0,30}status=true|nodehasinsufficientmemory|low on resource: memory|node .{0,30}memory "
        r"?pressure|systemoom",
        "resource_exhaustion", "a node runs out of memory (MemoryPressure), and the kubelet evicts or kills pods"),
    _mode("volume full",
        r"no space left on device|enospc|(pvc|persistentvolume\w*|volume).{0,60}(is full|9[5-9] ?%|100 ?%|out of "
        r"space)",
        "resource_exhaustion", "a persistent volume (PVC) is full: no space left on the device"),
    _mode("out of memory",
        r"oom-?_?kill(ed|ing)?|exit_?code\W{1,3}137|memory cgroup out of memory|out of ?memory|java heap space",
        "resource_exhaustion", "containers reach their memory limit and are OOMKilled (exit code 137)"),
    _mode("image",
        r"imagepullbackoff|errimagepull|failed to pull image|manifest unknown|pull access denied|invalidimagename",
        "configuration_error", "the image cannot be pulled (ImagePullBackOff): its tag, name or credentials are wrong"),
    _mode("missing configuration",
        r"createcontainerconfigerror|(secret|configmap) \W?[\w./-]+\W? not found|couldn't find key|(missing|required) "
        r"(required )?(env\w*|environment variable|config\w*|setting|secret)|environment variable .{0,40}(not set|"
        r"missing)|invalid configuration|failed to (load|parse) config",
        "configuration_error", "the configuration is wrong or missing (secret, ConfigMap, environment variable)"),
    _mode("access",
        r"forbidden: user|serviceaccount.{0,60}(cannot|forbidden)|rbac|accessdenied|is not authorized to perform",
        "configuration_error", "permissions are missing (RBAC, service account, IAM role)"),
    _mode("certificate",
        r"x509|certificate (has )?expired|certificate.{0,30}(not yet valid|unknown authority)|tls handshake",
        "configuration_error", "a certificate has expired or is not trusted (x509)"),
    _mode("network policy",
        r"networkpolicy.{0,80}(den|block|drop|default|appl|creat|updat)|(denied|blocked|dropped) by (network ?)?policy|"
        r"policy denied",
        "configuration_error", "a NetworkPolicy blocks the connection"),
    _mode("dns",
        r"no such host|nxdomain|servfail|temporary failure in name resolution|getaddrinfo|coredns.{0,60}(crash|oom|"
        r"timeout|error|not ready|unhealthy|throttl)|dns (lookup|resolution|query).{0,30}(fail|time|error)",
        "infrastructure", "names cannot be resolved: cluster DNS (CoreDNS) fails"),
    _mode("quota",
        r"exceeded quota|quota.{0,30}exceeded|resourcequota.{0,40}(exceed|limit|exhaust)|must specify limits",
        "resource_exhaustion", "the namespace's ResourceQuota is used up, and new pods are refused"),
    _mode("unschedulable",
        r"failedscheduling|insufficient (cpu|memory|pods|nvidia|ephemeral)|didn't match (pod's )?node (affinity|"
        r"selector)|untolerated taint|reason=unschedulable|0/\d+ nodes are available",
        "resource_exhaustion", "pods stay Pending (FailedScheduling): no node has room for what they request"),
    _mode("volume mount",
        r"failedmount|failedattachvolume|multi-attach error|unable to attach or mount|provisioningfailed",
        "infrastructure", "a volume cannot be attached or mounted"),
    _mode("autoscaler at its limit",
        r"toomanyreplicas|desired replica count is more than the maximum|hpa.{0,60}(max|limit|maxed)|"
        r"scalinglimited\b.{0,40}status=true|current_?replicas=(\d+)\b.{0,80}max_?replicas=\1\b",
        "resource_exhaustion", "the autoscaler (HPA) is at its maximum of replicas while the load goes on rising"),
    _mode("cpu throttling",
        r"cpu.{0,20}throttl|throttl\w*.{0,20}cpu|cfs_throttled",
        "resource_exhaustion", "containers are throttled at their CPU limit"),
    _mode("code",
        r"nullpointerexception|nil pointer dereference|panic:|segmentation fault|traceback \(most recent|unhandled "
        r"exception|typeerror|keyerror|undefined is not|nomethoderror|stack ?overflow|exit_?code\W{1,3}139",
        "code_defect", "the application crashes on an error of its own code"),
    _mode("dependency",
        r"connection (was )?refused|connection reset|upstream (connect error|timed out|request timeout)|dial tcp|"
        r"no route to host|(database|redis|kafka|postgres\w*|mysql|upstream|downstream|third.party)\b.{0,60}"
        r"(unavailable|unreachable|timed? ?out|refused|not available)|\b50[234]\b.{0,30}(from|upstream)|"
        r"too many connections",
        "dependency_failure", "something it depends on cannot be reached or does not answer"),
    _mode("probe",
        r"(liveness|readiness|startup) probe failed|unhealthy\b.{0,40}probe|probe.{0,30}(timeout|misconfigur|wrong "
        r"port)",
        "configuration_error", "a liveness or readiness probe fails, and the kubelet restarts or unroutes the pods",
        shows=True),
    _mode("rollout",
        r"progressdeadlineexceeded|rollout.{0,30}(stuck|failed|stalled)|exceeded its progress deadline",
        "configuration_error", "a rollout does not complete (ProgressDeadlineExceeded)", shows=True),
    _mode("crash loop",
        r"crashloopbackoff|back-?off restarting failed container",
        "code_defect", "containers start and die again and again (CrashLoopBackOff)", shows=True),
)  # fmt: skip
HEALED = re.compile(
    r"\b(recovered|resolved|is (now )?(healthy|ready|available)|became ready|back to normal|completed successfully|"
    r"nodeready|scaled (back )?down|expanded|no longer)\b",
    re.IGNORECASE,
)
CALM = re.compile(
    r"\b(no|not|without|0|zero|never)\b.{0,24}\b(errors?|restarts?|oom\w*|evict\w*|throttl\w*|fail\w*|pressure)|"
    r"status=false\b.{0,60}(pressure|unavailable)|kubelethasno|kubelethassufficient",
    re.IGNORECASE,
)
PEAKS: tuple[tuple[str, re.Pattern[str], float], ...] = (
    ("out of memory", re.compile(r"mem\w*.{0,20}(util|usage|percent|working)", re.IGNORECASE), 95.0),
    ("cpu throttling", re.compile(r"cpu.{0,20}(util|usage|percent)|throttl", re.IGNORECASE), 95.0),
    (
        "volume full",
        re.compile(r"(volume|disk|fs|filesystem|pvc).{0,24}(util|usage|used|percent)", re.IGNORECASE),
        95.0,
    ),
)
"""Measures in percent that prove a limit by themselves when they stay at it."""
CHANGED = re.compile(r"\b(rolled out|deployed|image (updated|set)|revision \d+|scaled up)\b", re.IGNORECASE)
BEFORE = 3600.0
"""Seconds before the first sample: what is older is history."""


def on_cluster(facts: Sequence[Fact], alert: str) -> bool:
    """Whether the evidence is about workloads of a cluster."""
    return sum(bool(CLUSTER.search(f.text)) for f in facts) >= 3 or len(set(CLUSTER.findall(alert.lower()))) >= 2


def diagnose_cluster(v: Vitals, facts: Sequence[Fact]) -> Diagnosis:
    """What ails the workload, if anything."""
    begin = min((float(m.t[0]) for m in v.measures if len(m.t)), default=float("-inf"))
    told = [f for f in facts if not f.t < begin - BEFORE and not CALM.search(f.text)]
    history = [f for f in facts if f.t < begin - BEFORE]
    over = {m.name for m in MODES if _healed(m, told)}
    said = {
        m.name: hits for m in MODES if m.name not in over and (hits := [f for f in told if m.pattern.search(f.text)])
    }
    for name, pattern, level in PEAKS:
        peaks = [m for m in v.measures if pattern.search(m.name) and _stays(m, level)]
        if peaks:
            said.setdefault(name, [])
            said[name] += [Fact(_span(m), m.source) for m in peaks[:2]]
    found = [m for m in MODES if m.name in said]
    root = next((m for m in found if not m.shows), found[0] if found else None)
    if root is None:
        return _well(v, told, history)
    claims = [(_line(f), f.source) for m in (root, *(x for x in found if x is not root)) for f in said[m.name][:4]]
    claims += [(f"{_span(m)}", m.source) for m in v.measures if len(m.v) > 1][:6]
    shown = [m for m in found if m is not root]
    tail = f"; it shows as: {'; '.join(m.cause for m in shown[:3])}" if shown else ""
    change = next((f for f in told if CHANGED.search(f.text)), None)
    after = f"; before it: {_line(change)}" if change else ""
    limits = tuple(m.name for m in (root, *shown))
    return Diagnosis(root.category, limits, f"{root.cause}{tail}{after}", tuple(claims[:16]), _not(root, v, history))


def _healed(mode: Mode, told: Sequence[Fact]) -> bool:
    """Whether the last that is told of a mode, with a time, is that it is over."""
    timed = sorted((f for f in told if f.t == f.t and mode.pattern.search(f.text)), key=lambda f: f.t)
    states = [f for f in told if f.t != f.t and mode.pattern.search(f.text) and not HEALED.search(f.text)]
    if not timed or states:
        return False
    later = [f for f in told if f.t >= timed[-1].t and HEALED.search(f.text) and _same(f, timed[-1])]
    return bool(later)


def _same(a: Fact, b: Fact) -> bool:
    """Whether two lines speak of one object: they share a name with a dash or a digit in it."""
    names = [set(re.findall(r"[a-z0-9]+(?:[-.][a-z0-9]+)+", x.text.lower())) for x in (a, b)]
    return bool(names[0] & names[1])


def _stays(m: Measure, level: float) -> bool:
    """Whether a measure in percent is at its level at the end."""
    top = 100.0 if m.v.size and float(m.v.max()) > 1.5 else 1.0
    tail = m.v[-max(len(m.v) // 4, 2) :]
    return bool(len(m.v) > 3 and float(m.v.max()) <= 1.05 * top and float(tail.mean()) >= level / 100.0 * top)


def _span(m: Measure) -> str:
    about = f" of {m.about}" if m.about else ""
    return f"{m.name}{about} went from {m.v[0]:g} to {m.v[-1]:g} {m.unit} (lowest {m.v.min():g}, highest {m.v.max():g})"


def _line(f: Fact | Event) -> str:
    return f"{clock(f.t)} {f.text[:300]}" if f.t == f.t else f.text[:300]


def _not(root: Mode, v: Vitals, history: Sequence[Fact]) -> tuple[tuple[str, str], ...]:
    out = [(f"history, before the window: {_line(f)}", f.source) for f in history[:6]]
    for name, pattern, level in PEAKS:
        calm = next((m for m in v.measures if pattern.search(m.name) and len(m.v) and not _stays(m, level)), None)
        if calm is not None and name != root.name:
            out.append((f"not {name}: {_span(calm)}", calm.source))
    return tuple(out)


def _well(v: Vitals, told: Sequence[Fact], history: Sequence[Fact]) -> Diagnosis:
    healed = [f for f in told if HEALED.search(f.text)]
    claims = [(_line(f), f.source) for f in healed[-5:]] + [(_span(m), m.source) for m in v.measures if len(m.v)][:8]
    back = " It has recovered: what the alert fired for is over." if healed else ""
    cause = (
        "no active failure: pods are running and ready, nodes and measures are within normal bounds, and no failure or "
        f"error is in the events.{back}"
    )
    claims += [(f"history, before the window: {_line(f)}", f.source) for f in history[:6]]
    return Diagnosis("healthy", (), cause, tuple(claims), ())
