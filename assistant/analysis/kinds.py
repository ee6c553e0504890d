"""Which sort of failure the evidence points at, in the words of `payments.KINDS`: by what a signal measures, what a log
complains about, what a change changed, and which response codes a loss came with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from assistant.analysis import words as w
from assistant.analysis.signals import Signal
from assistant.core.evidence import Change

Fault = Literal["ours", "theirs", "unknown"]

_SIGNAL_KINDS: tuple[tuple[frozenset[str], str], ...] = (
    (w.word_set("tls handshake certificate cert x509 expiry"), "certificate_expired"),
    (w.word_set("dns lookup resolution nxdomain"), "dns"),
    (w.word_set("clock skew ntp"), "clock_skew"),
    (w.word_set("scanner leak pan secret"), "data_exposure"),
    (w.word_set("hsm crypto cryptographic kms"), "hsm_fault"),
    (w.word_set("ratelimited limited throttled throttling quota"), "rate_limited"),
    (w.word_set("replica replication wal deadlock deadlocks locks"), "database"),
    (w.word_set("pool connections connection conns"), "pool_exhausted"),
    (w.word_set("disk memory mem heap cpu fd fds oom"), "resource_exhausted"),
    (w.word_set("restart restarts crash crashes crashloop"), "crash_loop"),
    (w.word_set("fallback fallbacks standin stip"), "fraud_model_fallback"),
    (w.word_set("settlement settlements clearing reconciliation recon breaks batch"), "settlement_late"),
    (w.word_set("duplicate duplicates idempotency conflicts double"), "duplicates"),
    (w.word_set("acs"), "acs_outage"),
    (w.word_set("threeds 3ds authentications challenge"), "threeds_outage"),
    (w.word_set("feature features staleness fx feed rates"), "stale_data"),
    (w.word_set("score drift psi model risk fraud rule rules"), "fraud_model_drift"),
    (w.word_set("lag backlog queue depth pending consumer outbox unprocessed"), "queue_backlog"),
    (w.word_set("retry retries resubmitted"), "retry_storm"),
    (w.word_set("link"), "network_link"),
)
COMPLAINT_KINDS: Mapping[str, str] = {
    "certificate": "certificate_expired", "dns": "dns", "pool": "pool_exhausted", "disk": "resource_exhausted",
    "memory": "resource_exhausted", "crash": "crash_loop", "rate limit": "rate_limited", "crypto": "hsm_fault",
    "link": "network_link", "denied": "bad_config", "database": "database", "duplicate": "duplicates",
    "fallback": "fraud_model_fallback", "stale": "stale_data", "three_ds": "threeds_outage", "queue": "queue_backlog",
    "clock": "clock_skew", "late": "settlement_late", "config": "bad_config", "format": "data_error",
        "code": "bad_deploy",
}  # fmt: skip
_CHANGE_KINDS: Mapping[str, str] = {
    "deploy": "bad_deploy", "deployment": "bad_deploy", "release": "bad_deploy", "rollout": "bad_deploy",
        "commit": "bad_deploy",
    "config": "bad_config", "configuration": "bad_config", "flag": "bad_config", "feature_flag": "bad_config",
        "route": "bad_config",
    "certificate": "certificate_expired", "cert": "certificate_expired", "maintenance": "maintenance",
        "model": "fraud_model_drift",
    "scaling": "resource_exhausted", "schema": "database", "migration": "database",
}  # fmt: skip


def loss_kind(dimension: str, shares: Mapping[str, float], volume: Signal | None) -> tuple[str, Fault]:
    top = next(iter(shares), "unknown")
    technical = shares.get("unavailable", 0.0) + shares.get("system", 0.0)
    if shares.get("authentication", 0) >= 0.5:
        return "sca_soft_declines", "unknown"
    if (
        shares.get("credentials", 0) + shares.get("fraud", 0) >= 0.6
        and volume is not None
        and volume.moved
        and volume.direction > 0
    ):
        return "card_testing", "theirs"
    if shares.get("configuration", 0) >= 0.5:
        return "data_error", "unknown"
    if dimension in {"issuer", "bin"}:
        return ("issuer_outage" if technical >= 0.4 or not shares else "issuer_declines"), "theirs"
    if dimension == "scheme":
        return "scheme_outage", "theirs"
    if dimension == "acquirer":
        return "acquirer_outage", "theirs"
    if dimension == "version":
        return "canary_regression", "ours"
    return ("issuer_declines" if top in {"issuer decision", "funds"} else "service_fault"), "unknown"


def scoped_kind(role: str, s: Signal) -> str:
    if s.role == "volume":
        return "traffic_surge" if s.direction > 0 else "traffic_drop"
    named = signal_kind(s)
    if role == "acs" or (role == "issuer" and named in {"threeds_outage", "acs_outage"}):
        return "acs_outage"
    if named in {
        "certificate_expired",
        "settlement_late",
        "rate_limited",
        "queue_backlog",
        "stale_data",
        "duplicates",
        "dns",
    }:
        return named
    return {"issuer": "issuer_outage", "acquirer": "acquirer_outage", "scheme": "scheme_outage",
        "peer": "provider_outage",
            "model": "fraud_model_drift", "queue": "queue_backlog", "version": "canary_regression"}.get(role,
                named)  # fmt: skip


def words_kind(text: str) -> str:
    """The sort of failure a name speaks of, "" for none."""
    spelled = set(w.words(text))
    return next((kind for vocabulary, kind in _SIGNAL_KINDS if spelled & vocabulary), "")


def signal_kind(s: Signal) -> str:
    """The sort of failure that a moved signal points at, by the words of what it measures; "service_fault" if none."""
    spelled = set(w.words(f"{s.what} {' '.join(v for v in s.labels.values() if v != s.entity)}"))
    base = s.role.split(".")[0]
    direct = {
        "expiry": "certificate_expired",
        "restarts": "crash_loop",
        "fallback": "fraud_model_fallback",
        "queue": "queue_backlog",
    }
    found = next((kind for vocabulary, kind in _SIGNAL_KINDS if spelled & vocabulary), "")
    return found or direct.get(base, "service_fault")


def partner_kind(role: str, complaint_kind: str) -> str:
    if complaint_kind in {"certificate_expired", "dns", "rate_limited", "settlement_late", "network_link"}:
        return complaint_kind
    return {
        "issuer": "issuer_outage",
        "bin": "issuer_outage",
        "acquirer": "acquirer_outage",
        "scheme": "scheme_outage",
        "peer": "provider_outage",
    }.get(role, "")


def change_kind(change: Change) -> str:
    return _CHANGE_KINDS.get(
        change.kind.lower().replace("-", "_"), "bad_deploy" if "deploy" in change.kind.lower() else "bad_config"
    )
