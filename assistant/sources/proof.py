"""The proof that we cannot write: passive checks at any time, write probes only when a person asks for them.

Passive checks read what servers say of themselves; where they say nothing, the answer is "unproven". A probe that is
let in is asked again without our credential: if anybody may write, the endpoint is open; if only we, it is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from assistant.core.time import Instant
from assistant.errors import SourceError, SourceMalformed
from assistant.settings import Endpoint, Settings
from assistant.sources.attestation import Attestation, Check, Verdict, attestation
from assistant.sources.door import Door
from assistant.sources.guarded_http import has_credential, without_credential
from assistant.sources.probe_http import PROBES, Probe, ProbeSession
from assistant.sources.proof_identity import grafana_check, kubernetes_check, slack_check
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import ALERTMANAGER, LOKI, PROMETHEUS
from redaction import Redactor

CREDENTIALS = "see deploy/CREDENTIALS.md"
WRITE_FLAGS = (
    "web.enable-admin-api",
    "web.enable-lifecycle",
    "web.enable-remote-write-receiver",
    "web.enable-otlp-receiver",
)
WRITE_FEATURES = ("remote-write-receiver", "otlp-write-receiver")
_FLAGS = "/api/v1/status/flags"
_REACHED = "remote write receiver needs to be enabled"
"""How Prometheus itself (not a proxy) says 404 to a write: our POST came through."""


def servers(settings: Settings) -> dict[str, Endpoint]:
    """The configured servers by name."""
    named: dict[str, Endpoint] = {
        "prometheus": settings.prometheus,
        "alertmanager": settings.alertmanager,
        "loki": loki_endpoint(settings),
    }
    return {name: endpoint for name, endpoint in named.items() if endpoint.url}


def loki_endpoint(settings: Settings) -> Endpoint:
    """`[loki]` with its tenant as the header that it is."""
    loki = settings.loki
    return replace(loki, headers={**loki.headers, **({"X-Scope-OrgID": loki.tenant} if loki.tenant else {})})


def probes_for(settings: Settings) -> tuple[Probe, ...]:
    """The probes that `attest(probe=True)` would send: to be shown before they run."""
    configured = servers(settings)
    return tuple(p for p in PROBES if p.server in configured)


def attest(settings: Settings, redactor: Redactor, *, now: Instant, probe: bool = False) -> Attestation:
    """All checks of all configured servers. Never raises for a server: what cannot be asked is unproven.
    Raises SettingsError."""
    checks: list[Check] = []
    for name, endpoint in servers(settings).items():
        checks += _passive(name, endpoint)
        if probe:
            checks += [_probed(p, endpoint, Door(name, redactor)) for p in PROBES if p.server == name]
    if settings.slack.bot_token():
        checks.append(slack_check(settings.slack))
    checks += kubernetes_check()
    return attestation(checks, at=now)


def _passive(name: str, endpoint: Endpoint) -> Iterable[Check]:
    if (grafana := grafana_check(name, endpoint)) is not None:
        return (grafana,)
    passive: Mapping[str, Callable[[Endpoint], Check]] = {
        "prometheus": _prometheus,
        "alertmanager": _alertmanager,
        "loki": _loki,
    }
    return (passive[name](endpoint),)


def _prometheus(endpoint: Endpoint) -> Check:
    """`GET /api/v1/status/flags`: a Prometheus with all writing switched off cannot be written by anybody."""
    try:
        flags = _flags(endpoint)
    except SourceError as error:
        return _unproven("prometheus", "flags", f"GET {_FLAGS}: {error.message}")
    on = switched_on(flags)
    told = ", ".join(f"{f}={flags[f]}" for f in WRITE_FLAGS if f in flags)
    if not told:
        return _unproven("prometheus", "flags", f"GET {_FLAGS} names none of the flags that allow writing")
    if on:
        return _unproven(
            "prometheus", "flags", f"on: {', '.join(on)}", mend="switch them off, or `payops doctor --probe`"
        )
    return Check("prometheus", "flags", "read-only", f"GET {_FLAGS}: {told}")


def _flags(endpoint: Endpoint) -> Mapping[str, Any]:
    """Raises SourceError."""
    document = ReadOnlySession("prometheus", endpoint, PROMETHEUS).get_json(_FLAGS)
    flags = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(flags, Mapping):
        raise SourceMalformed("prometheus", "the flags are not of the API's shape")
    return flags


def switched_on(flags: Mapping[str, Any]) -> tuple[str, ...]:
    """The flags and features of Prometheus that let somebody write or steer it."""
    features = str(flags.get("enable-feature", "")).split(",")
    return tuple(f for f in WRITE_FLAGS if str(flags.get(f, "false")).lower() == "true") + tuple(
        f for f in WRITE_FEATURES if f in features
    )


def _alertmanager(endpoint: Endpoint) -> Check:
    """Alertmanager has no auth of its own, so that only a probe can tell whether something stands before it."""
    session = ReadOnlySession("alertmanager", endpoint, ALERTMANAGER)
    try:
        session.get_json("/api/v2/status")
    except SourceError as error:
        return _unproven("alertmanager", "status", f"GET /api/v2/status: {error.message}")
    said = "GET /api/v2/status: 200; Alertmanager itself lets anybody write silences"
    return _unproven("alertmanager", "status", said)


def _loki(endpoint: Endpoint) -> Check:
    """Loki tells nobody what they may do."""
    session = ReadOnlySession("loki", endpoint, LOKI)
    try:
        session.get_json("/loki/api/v1/labels")
    except SourceError as error:
        return _unproven("loki", "labels", f"GET /loki/api/v1/labels: {error.message}")
    return _unproven("loki", "labels", "GET /loki/api/v1/labels: 200; Loki does not say what a credential may do")


def _probed(probe: Probe, endpoint: Endpoint, door: Door) -> Check:
    try:
        status, said = ProbeSession(probe.server, endpoint).ask(probe)
    except SourceError as error:
        return _unproven(probe.server, probe.name, f"{probe}: {error.message}", probe=True)
    verdict = _meaning(probe, status)
    answer = f"{probe}: {status} {door.text(said).text}".rstrip()
    if probe.server == "prometheus" and status in (404, 405):
        return _not_taken(endpoint, answer, said)
    if verdict == "writable" and _open_to_all(probe, endpoint):
        return Check(probe.server, probe.name, "open", f"{answer}; the same without our credential", CREDENTIALS, True)
    mend = "" if verdict == "read-only" else f"put a read-only proxy before it (deploy/proxies), {CREDENTIALS}"
    return Check(probe.server, probe.name, verdict, answer, mend, True)


def _meaning(probe: Probe, status: int) -> Verdict:
    if status in probe.kept_out:
        return "read-only"
    return "writable" if status in probe.let_in else "unproven"


def _open_to_all(probe: Probe, endpoint: Endpoint) -> bool:
    """Whether the probe is let in without our credential too; with none configured it just was."""
    if not has_credential(endpoint):
        return True
    try:
        status, _ = ProbeSession(probe.server, without_credential(endpoint)).ask(probe)
    except SourceError:
        return False
    return status in probe.let_in


def _not_taken(endpoint: Endpoint, answer: str, said: str) -> Check:
    """No such write. Of Prometheus that is proof, unless our POST came through to it and admin or lifecycle endpoints
    are on: then those are ours. Of Mimir or VictoriaMetrics it only says that they are written elsewhere."""
    name = "remote write"
    try:
        on = switched_on(_flags(endpoint))
    except SourceError:
        return _unproven("prometheus", name, f"{answer}; it shows no flags, so it may be written elsewhere", probe=True)
    if not on or _REACHED not in said:
        return Check("prometheus", name, "read-only", answer, "", True)
    verdict: Verdict = "writable" if has_credential(endpoint) and not _anybody(endpoint) else "open"
    told = f"{answer}; POST reaches Prometheus itself, and on: {', '.join(on)}"
    return Check("prometheus", name, verdict, told, f"switch them off, {CREDENTIALS}", True)


def _anybody(endpoint: Endpoint) -> bool:
    try:
        status, _ = ProbeSession("prometheus", without_credential(endpoint)).ask(PROBES[0])
    except SourceError:
        return False
    return status == 404


def _unproven(server: str, name: str, answer: str, *, mend: str = "", probe: bool = False) -> Check:
    fallback = CREDENTIALS if probe else f"`payops doctor --probe` can tell, {CREDENTIALS}"
    return Check(server, name, "unproven", answer, mend or fallback, probe)
