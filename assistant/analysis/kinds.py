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
    (w.word_set("scanner leak leaks dlp"), "data_exposure"),
    (w.word_set("hsm crypto cryptographic kms"), "hsm_fault"),
    (w.word_set("ratelimited limited throttled throttling quota"), "rate_limited"),
    (w.word_set("replica replication replay standby wal deadlock deadlocks locks"), "database"),
    (w.word_set("pool connections connection conns"), "pool_exhausted"),
    (w.word_set("disk filesystem filesystems fs inode inodes memory mem heap cpu fd fds oom"), "resource_exhausted"),
    (w.word_set("restart restarts crash crashes crashloop"), "crash_loop"),
    (w.word_set("fallback fallbacks standin stip"), "fraud_model_fallback"),
    (w.word_set("settlement settlements stl clearing reconciliation recon breaks batch"), "settlement_late"),
    (w.word_set("duplicate duplicates idempotency conflicts double"), "duplicates"),
    (w.word_set("acs"), "acs_outage"),
    (w.word_set("threeds 3ds authentications challenge"), "threeds_outage"),
    (w.word_set("feature features staleness fx feed rates"), "stale_data"),
    (w.word_set("score drift psi model risk fraud rule rules"), "fraud_model_drift"),
    (w.word_set("lag backlog queue depth pending consumer outbox unprocessed"), "queue_backlog"),
    (w.word_set("retry retries resubmitted"), "retry_storm"),
    (w.word_set("link"), "network_link"),
)
_OUTGOING = w.word_set("webhook webhooks hooks callback callbacks deliveries delivery")
"""Calls to addresses of others: where they fail, those others refuse or cannot be reached."""
SYMPTOMS: Mapping[str, float] = {
    "service_fault": 0.4, "acquirer_outage": 0.3, "issuer_outage": 0.3, "scheme_outage": 0.3, "provider_outage": 0.6,
    "acs_outage": 0.4, "threeds_outage": 0.6, "queue_backlog": 0.6, "retry_storm": 0.5, "crash_loop": 0.8,
    "issuer_declines": 0.5, "fraud_model_drift": 0.7, "sca_soft_declines": 0.7, "settlement_late": 0.9,
}  # fmt: skip
"""What a vote counts for a kind that says how a failure shows rather than what it comes from: an expired certificate
shows as an acquirer that cannot be reached, a clock that is off as authentications that fail."""
HEARD = 0.1
"""Votes below this are no votes."""
BY_TRAFFIC = 0.2
"""The same for more or less traffic where approvals are lost: people try again, or elsewhere."""
COMPLAINT_KINDS: Mapping[str, str] = {
    "certificate": "certificate_expired", "dns": "dns", "pool": "pool_exhausted", "disk": "resource_exhausted",
    "memory": "resource_exhausted", "crash": "crash_loop", "rate limit": "rate_limited", "crypto": "hsm_fault",
    "link": "network_link", "denied": "bad_config", "database": "database", "duplicate": "duplicates",
    "fallback": "fraud_model_fallback", "stale": "stale_data", "three_ds": "threeds_outage", "queue": "queue_backlog",
    "clock": "clock_skew", "late": "settlement_late", "provider": "provider_outage",
    "config": "bad_config", "format": "data_error", "code": "bad_deploy",
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


def kind_of(votes: Mapping[str, float], *, losing: bool) -> str:
    """The kind that the votes say, what a failure comes from before how it shows (`SYMPTOMS`). `losing` says that
    approvals are lost."""
    heard = {k: v for k, v in votes.items() if v >= HEARD}
    return max(heard, key=lambda k: weighed(k, heard[k], losing=losing), default="service_fault")


def weighed(kind: str, vote: float, *, losing: bool) -> float:
    """What a vote for a kind counts."""
    if losing and kind in {"traffic_surge", "traffic_drop"}:
        return BY_TRAFFIC * vote
    return SYMPTOMS.get(kind, 1.0) * vote


def swelled(volume: Signal | None) -> bool:
    """Whether more arrives than usual."""
    return volume is not None and volume.moved and volume.direction > 0


def loss_kind(dimension: str, shares: Mapping[str, float], *, swelling: bool = False) -> tuple[str, Fault]:
    """The sort of failure that a loss confined to a value of `dimension` points at, with whose fault that is.

    `shares` are the extra declines by family of their codes, largest first; `swelling` says that more arrives there
    than usual.
    """
    top = next(iter(shares), "unknown")
    technical = shares.get("unavailable", 0.0) + shares.get("system", 0.0)
    if shares.get("authentication", 0) >= 0.5:
        return "sca_soft_declines", "unknown"
    if shares.get("credentials", 0) + shares.get("fraud", 0) >= 0.6 and swelling:
        return "card_testing", "theirs"
    decided = top in {"issuer decision", "funds"}
    if shares.get("configuration", 0) >= 0.5:
        return "data_error", "unknown"
    if dimension in {"issuer", "bin"}:
        return ("issuer_outage" if technical >= 0.4 or not shares else "issuer_declines"), "theirs"
    if dimension == "scheme":
        return ("issuer_declines" if decided else "scheme_outage"), "theirs"
    if dimension == "acquirer":
        return "acquirer_outage", "theirs"
    if dimension == "version":
        return "canary_regression", "ours"
    if shares.get("unavailable", 0.0) >= 0.6:
        return "issuer_outage", "unknown"  # 91 in one region and over every acquirer: by the code, an issuer's host
    return ("issuer_declines" if decided else "service_fault"), "unknown"


def scoped_kind(role: str, s: Signal) -> str:
    if s.role == "volume":
        return "traffic_surge" if s.direction > 0 else "traffic_drop"
    named = signal_kind(s)
    if role == "acs" or (role == "issuer" and named in {"threeds_outage", "acs_outage"}):
        return "acs_outage"
    if role == "scheme" and named in {"threeds_outage", "acs_outage"}:
        return "threeds_outage"  # of one scheme and over every ACS: its directory server
    if named in {
        "network_link",
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
    if not found and spelled & _OUTGOING and base in {"errors", "error share", "flow"}:
        return "provider_outage"
    return found or direct.get(base, "service_fault")


def vote_of(s: Signal) -> float:
    """What a moved signal says of the kind, 0..1: how far it moved, whatever its role. Less of something (calls,
    retries) follows from elsewhere."""
    moved = 0.5 * min(s.score, 20.0) / 20.0 + 0.5 * s.weight
    return 0.3 * moved if s.role in {"requests", "flow", "retries", "amount"} and s.direction < 0 else moved


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
