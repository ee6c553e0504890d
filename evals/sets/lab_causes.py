"""Which sort of failure, in the analyst's words, each kind of the lab is: for scoring the kind beside the entity.

Several may be right where the same thing has two names, or where cause and symptom are one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CAUSES: Mapping[str, frozenset[str]] = {
    kind: frozenset(causes.split())
    for kind, causes in {
        "acquirer-slow": "acquirer_outage", "acquirer-timeouts": "acquirer_outage",
        "acs-fails-everyone": "acs_outage threeds_outage", "acs-outage": "acs_outage threeds_outage",
        "bad-deploy": "bad_deploy", "batch-overrun": "settlement_late",
        "bin-declined": "issuer_declines issuer_outage",
        "canary-model": "canary_regression fraud_model_drift bad_config",
        "card-testing": "card_testing", "cause-outside": "traffic_drop",
        "certificate-expired": "certificate_expired", "chargeback-feed-stale": "stale_data",
        "clock-skew": "clock_skew", "connector-latency": "bad_deploy", "crash-loop": "crash_loop bad_config",
        "database-pool": "pool_exhausted bad_deploy bad_config", "directory-outage": "threeds_outage",
        "disk-full": "resource_exhausted", "dns-failure": "dns", "double-charges": "duplicates bad_deploy",
        "failover-active": "acquirer_outage", "feature-store-stale": "stale_data",
        "format-errors": "data_error bad_deploy", "fraud-model-drift": "fraud_model_drift", "fx-stale": "stale_data",
        "gateway-errors": "bad_deploy", "hsm-key-errors": "hsm_fault bad_config", "hsm-latency": "hsm_fault",
        "idempotency-duplicates": "duplicates bad_deploy", "issuer-outage": "issuer_outage",
        "issuer-slow": "issuer_outage", "issuer-soft-declines": "sca_soft_declines issuer_declines",
        "kafka-lag": "queue_backlog", "ledger-lag": "queue_backlog bad_deploy database", "link-down": "network_link",
        "memory-leak": "resource_exhausted bad_deploy", "missing-logs": "acquirer_outage",
        "missing-metrics": "acquirer_outage", "onboarding-backlog": "queue_backlog provider_outage",
        "pan-in-logs": "data_exposure bad_deploy", "partner-rate-limit": "rate_limited bad_config",
        "payout-failures": "provider_outage service_fault", "reconciliation-breaks": "settlement_late bad_deploy",
        "refund-queue": "queue_backlog", "region-lost": "traffic_drop maintenance", "replica-lag": "database",
        "retry-storm": "retry_storm acquirer_outage", "risk-fallback": "fraud_model_fallback",
        "route-change": "bad_deploy bad_config", "rules-misconfigured": "bad_config fraud_model_drift",
        "scheme-outage": "scheme_outage", "secret-in-logs": "data_exposure bad_deploy",
        "settlement-file-late": "settlement_late", "stand-in": "issuer_outage",
        "terminals-offline": "network_link service_fault", "vault-errors": "bad_deploy",
        "webhook-backlog": "queue_backlog", "webhook-endpoint-failing": "provider_outage",
    }.items()
}  # fmt: skip


def right_kind(kind: str, said: str | None) -> bool | None:
    """Whether the said sort of failure fits the lab's kind; None where no sort is right or wrong there."""
    causes = CAUSES.get(kind)
    return None if causes is None else said in causes


# Where two runbooks serve one incident, what an engineer may open as well as the one the alert of the kind names.
# Written from what the fault is, not from what is found.
ALSO_FITTING: Mapping[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "acs-fails-everyone": "ThreeDsAcsUnavailable", "bin-declined": "IssuerDeclineSpike",
        "canary-model": "CanaryModelUnhealthy", "certificate-expired": "CertificateExpiresSoon",
        "connector-latency": "ServiceLatencyHigh",
        "failover-active": "AcquirerTimeouts AcquirerLatencyHigh AcquirerDeclineSpike",
        "issuer-slow": "IssuerUnavailable AcquirerTimeouts", "kafka-lag": "LedgerPostingLag",
        "ledger-lag": "KafkaConsumerLag", "missing-metrics": "AcquirerTimeouts AcquirerDeclineSpike",
        "region-lost": "RegionFailover",
    }.items()
}  # fmt: skip
CHANGED = "BadDeployment"  # serves every incident that a change of ours began


def fits(truth: Mapping[str, Any], path: str) -> bool:
    """Whether the runbook at `path` is the one the answer names (`runbooks/SERVICE/NAME.md`), or serves as well."""
    name = path.rpartition("/")[2].removesuffix(".md")
    if name == CHANGED and truth.get("change", "none") != "none":
        return True
    return str(truth["runbook"]).endswith(f"/{path}") or name in ALSO_FITTING.get(str(truth["kind"]), ())
