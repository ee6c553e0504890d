"""Every alert rule of the lab's shops, over roles; a shop's naming turns them into PromQL.

`home` is the role whose runbooks folder holds the alert's page (runbooks/<service>/<Alert>.md in the plain topology).
Thresholds are those that a healthy day stays under in every shop; `tests/lab` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from evals.lab.promql import Aggregate, Binary, Expr, Now, Number, Quantile, Rate, Select

Match = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule. `hold` is its `for` in seconds; `expr` over roles; `says` a summary template of Prometheus."""

    alert: str
    home: str
    severity: str
    hold: int
    expr: Expr
    says: str
    team: str = "platform"


def _rate(metric: str, *match: Match, by: tuple[str, ...] = (), seconds: int = 300) -> Expr:
    return Aggregate("sum", by, Rate(Select(metric, match), seconds))


def _ratio(top: Expr, bottom: Expr) -> Expr:
    return Binary("/", top, bottom)


def _over(e: Expr, limit: float, *, duration: bool = False) -> Expr:
    return Binary(">", e, Number(limit, duration))


def _under(e: Expr, limit: float) -> Expr:
    return Binary("<", e, Number(limit))


def _busy(e: Expr, metric: str, by: tuple[str, ...], floor: float) -> Expr:
    return Binary("and", e, _over(_rate(metric, by=by), floor))


def _declines(*by: str) -> Expr:
    approved = _rate("attempts", ("code", "=", "00"), by=by)
    return Binary("-", Number(1), _ratio(approved, _rate("attempts", by=by)))


def _share(metric: str, match: Match, *by: str) -> Expr:
    return _ratio(_rate(metric, match, by=by), _rate(metric, by=by))


def _codes(codes: str, *by: str) -> Expr:
    op = "=~" if "|" in codes else "="
    return _ratio(_rate("attempts", ("code", op, codes), by=by), _rate("attempts", by=by))


def _age(metric: str, *by: str) -> Expr:
    return Binary("-", Now(), Aggregate("max", by, Select(metric)))


def _p95(metric: str, *by: str) -> Expr:
    return Quantile(0.95, _rate(f"{metric}_bucket", by=("le", *by)))


def _peak(metric: str, *by: str) -> Expr:
    return Aggregate("max", by, Select(metric))


RULES: tuple[Rule, ...] = (
    Rule(
        "AuthorisationDeclineSpike",
        "orchestrator",
        "critical",
        120,
        _busy(_over(_declines("scheme", "region"), 0.24), "attempts", ("scheme", "region"), 0.4),
        "{scheme} authorisations in {region} decline at {value%}",
        "authorisation",
    ),
    Rule(
        "IssuerDeclineSpike",
        "orchestrator",
        "critical",
        120,
        _busy(_over(_declines("issuer"), 0.36), "attempts", ("issuer",), 0.3),
        "authorisations of {issuer} decline at {value%}",
        "authorisation",
    ),
    Rule(
        "AcquirerDeclineSpike",
        "orchestrator",
        "critical",
        120,
        _busy(_over(_declines("acquirer"), 0.26), "attempts", ("acquirer",), 0.4),
        "authorisations over {acquirer} decline at {value%}",
        "authorisation",
    ),
    Rule(
        "IssuerUnavailable",
        "connector",
        "critical",
        120,
        _busy(_over(_codes("91", "scheme", "acquirer"), 0.05), "attempts", ("scheme", "acquirer"), 0.4),
        "response code 91 on {value%} of {scheme} over {acquirer}",
        "acquiring",
    ),
    Rule(
        "SchemeUnavailable",
        "connector",
        "critical",
        120,
        _busy(_over(_codes("91|96|68", "scheme"), 0.15), "attempts", ("scheme",), 0.4),
        "technical declines on {value%} of {scheme}",
        "acquiring",
    ),
    Rule(
        "AcquirerTimeouts",
        "connector",
        "critical",
        120,
        _over(_rate("timeouts", by=("acquirer",)), 0.12),
        "{value} timeouts a second over {acquirer}",
        "acquiring",
    ),
    Rule(
        "AcquirerLatencyHigh",
        "connector",
        "warning",
        180,
        _over(_p95("duration", "acquirer"), 2.5, duration=True),
        "p95 of authorisations over {acquirer} is {value}",
        "acquiring",
    ),
    Rule(
        "Iso8583LinkDown",
        "connector",
        "critical",
        60,
        _under(Aggregate("min", ("acquirer", "link"), Select("link_up")), 1),
        "link {link} to {acquirer} is down",
        "acquiring",
    ),
    Rule(
        "FormatErrors",
        "connector",
        "warning",
        120,
        _busy(_over(_codes("30|12", "acquirer"), 0.03), "attempts", ("acquirer",), 0.4),
        "format errors on {value%} over {acquirer}",
        "acquiring",
    ),
    Rule(
        "PartnerRateLimited",
        "connector",
        "warning",
        120,
        _over(_rate("rate_limited", by=("acquirer",)), 0.1),
        "{acquirer} rejects {value} requests a second",
        "acquiring",
    ),
    Rule(
        "PspFailoverActive",
        "orchestrator",
        "warning",
        180,
        _over(_share("routes", ("reason", "=", "failover"), "region"), 0.2),
        "{value%} of {region} is routed to the second acquirer",
        "authorisation",
    ),
    Rule(
        "CertificateExpiresSoon",
        "connector",
        "info",
        60,
        _under(Binary("-", Aggregate("min", ("service", "peer"), Select("certificate")), Now()), 1209600),
        "certificate of {service} for {peer} ends in {value} s",
    ),
    Rule(
        "TlsHandshakeFailures",
        "connector",
        "critical",
        120,
        _over(_rate("tls_failures", by=("service", "peer")), 0.1),
        "{service} cannot open TLS to {peer}",
    ),
    Rule(
        "HsmLatencyHigh",
        "hsm",
        "warning",
        120,
        _over(_p95("hsm_duration", "service"), 0.15, duration=True),
        "p95 of HSM operations is {value}",
        "security",
    ),
    Rule(
        "HsmKeyErrors",
        "hsm",
        "critical",
        60,
        _over(_share("hsm_operations", ("result", "=", "error"), "service"), 0.02),
        "{value%} of HSM operations fail",
        "security",
    ),
    Rule(
        "ThreeDsAcsUnavailable",
        "threeds",
        "warning",
        120,
        _busy(_over(_share("threeds", ("result", "=", "U"), "acs"), 0.15), "threeds", ("acs",), 0.1),
        "ACS {acs}: {value%} of authentications unavailable",
        "authentication",
    ),
    Rule(
        "ThreeDsDirectoryUnavailable",
        "threeds",
        "critical",
        120,
        _busy(_over(_share("threeds", ("result", "=", "U"), "scheme"), 0.3), "threeds", ("scheme",), 0.1),
        "directory server of {scheme}: {value%} of authentications unavailable",
        "authentication",
    ),
    Rule(
        "ThreeDsFailureSpike",
        "threeds",
        "warning",
        180,
        _busy(_over(_share("threeds", ("result", "=", "N"), "scheme"), 0.25), "threeds", ("scheme",), 0.1),
        "{value%} of {scheme} authentications fail",
        "authentication",
    ),
    Rule(
        "TokenVaultErrors",
        "vault",
        "critical",
        120,
        _over(_share("vault_operations", ("result", "=", "error"), "service"), 0.03),
        "{value%} of token operations fail",
        "tokenisation",
    ),
    Rule(
        "FraudModelDrift",
        "risk",
        "warning",
        300,
        _over(_ratio(_rate("risk_score_sum", by=("model",)), _rate("risk_score_count", by=("model",))), 0.29),
        "mean score of {model} is {value}",
        "risk",
    ),
    Rule(
        "RiskDeclineSpike",
        "risk",
        "critical",
        180,
        _over(_share("risk_decisions", ("decision", "=", "decline"), "model"), 0.085),
        "{model} declines {value%}",
        "risk",
    ),
    Rule(
        "RiskFallbackActive",
        "risk",
        "warning",
        120,
        _over(_ratio(_rate("risk_fallback", by=("service",)), _rate("risk_decisions", by=("service",))), 0.05),
        "{value%} of decisions come from the fallback rules",
        "risk",
    ),
    Rule(
        "RulesEngineDeclines",
        "risk",
        "warning",
        180,
        _over(_rate("risk_rule_hits", by=("rule",)), 0.3),
        "rule {rule} declines {value} a second",
        "risk",
    ),
    Rule(
        "FeatureStoreStale",
        "risk",
        "warning",
        120,
        _over(_peak("feature_age", "service"), 900),
        "features are {value} s old",
        "risk",
    ),
    Rule(
        "LedgerPostingLag",
        "ledger",
        "warning",
        120,
        _over(_peak("posting_lag", "service"), 60),
        "postings lag by {value} s",
        "ledger",
    ),
    Rule(
        "KafkaConsumerLag",
        "ledger",
        "warning",
        120,
        _over(_peak("consumer_lag", "topic"), 1500),
        "{topic} lags by {value} messages",
        "ledger",
    ),
    Rule(
        "DatabasePoolExhausted",
        "ledger",
        "critical",
        120,
        _over(_ratio(_peak("pool_in_use", "service"), _peak("pool_max", "service")), 0.9),
        "pool of {service} is {value%} in use",
        "ledger",
    ),
    Rule(
        "DatabaseReplicaLag",
        "ledger",
        "warning",
        120,
        _over(_peak("replica_lag", "service"), 30),
        "replica lags by {value} s",
        "ledger",
    ),
    Rule(
        "IdempotencyDuplicates",
        "gateway",
        "warning",
        120,
        _over(_rate("duplicates", by=("service",)), 0.3),
        "{value} idempotency conflicts a second",
        "payments",
    ),
    Rule(
        "DoubleChargeSuspected",
        "ledger",
        "critical",
        60,
        _over(_rate("double_charges", by=("service",)), 0.02),
        "{value} duplicate captures a second",
        "ledger",
    ),
    Rule(
        "WebhookBacklog",
        "webhooks",
        "warning",
        120,
        _over(Aggregate("max", ("service",), Select("queue_depth", (("queue", "=", "outbox"),))), 1000),
        "{value} webhooks wait",
        "merchants",
    ),
    Rule(
        "WebhookDeliveryFailures",
        "webhooks",
        "warning",
        120,
        _over(_share("webhook_deliveries", ("result", "=", "failed"), "service"), 0.15),
        "{value%} of deliveries fail",
        "merchants",
    ),
    Rule(
        "RefundQueueBacklog",
        "ledger",
        "warning",
        180,
        _over(Aggregate("max", ("service",), Select("queue_depth", (("queue", "=", "refunds"),))), 400),
        "{value} refunds wait",
        "ledger",
    ),
    Rule(
        "SettlementFileLate",
        "settlement",
        "critical",
        60,
        _over(_age("settlement_file", "acquirer"), 93600),
        "no settlement file from {acquirer} for {value} s",
        "settlement",
    ),
    Rule(
        "SettlementBatchOverrun",
        "settlement",
        "warning",
        60,
        _over(_peak("batch_duration", "service"), 5400),
        "the batch runs since {value} s",
        "settlement",
    ),
    Rule(
        "ReconciliationBreaks",
        "settlement",
        "warning",
        120,
        _over(_peak("breaks", "acquirer"), 60),
        "{value} breaks against {acquirer}",
        "settlement",
    ),
    Rule(
        "ChargebackFeedStale",
        "disputes",
        "warning",
        60,
        _over(_age("chargeback_feed", "scheme"), 3600),
        "no chargebacks of {scheme} for {value} s",
        "disputes",
    ),
    Rule(
        "PayoutFailures",
        "payouts",
        "critical",
        120,
        _over(_share("payouts", ("result", "=", "failed"), "service"), 0.1),
        "{value%} of payouts fail",
        "payouts",
    ),
    Rule(
        "FxRatesStale",
        "fx",
        "warning",
        60,
        _over(_age("fx_update", "service"), 1800),
        "currency rates are {value} s old",
        "payments",
    ),
    Rule(
        "OnboardingBacklog",
        "onboarding",
        "info",
        120,
        _over(_peak("onboarding_pending", "service"), 80),
        "{value} merchants wait",
        "merchants",
    ),
    Rule(
        "TerminalFleetOffline",
        "terminals",
        "critical",
        120,
        _under(
            _ratio(
                Aggregate("sum", ("region",), Select("terminals")),
                Aggregate("sum", ("region",), Select("terminals", (), 3600)),
            ),
            0.85,
        ),
        "{region} has {value%} of the terminals of an hour ago",
        "terminals",
    ),
    Rule(
        "CardTestingAttack",
        "gateway",
        "critical",
        120,
        _busy(_over(_codes("14|82|54", "scheme"), 0.12), "attempts", ("scheme",), 0.4),
        "invalid card data on {value%} of {scheme}",
        "risk",
    ),
    Rule(
        "TrafficSurge",
        "gateway",
        "warning",
        120,
        _over(_ratio(_rate("attempts"), Aggregate("sum", (), Rate(Select("attempts", (), 3600), 300))), 1.8),
        "traffic is {value} times that of an hour ago",
        "payments",
    ),
    Rule(
        "AuthorisationVolumeDrop",
        "gateway",
        "critical",
        180,
        _under(
            _ratio(
                _rate("attempts", by=("region",)),
                Aggregate("sum", ("region",), Rate(Select("attempts", (), 3600), 300)),
            ),
            0.55,
        ),
        "{region} has {value%} of the attempts of an hour ago",
        "payments",
    ),
    Rule(
        "DnsResolutionFailures",
        "gateway",
        "critical",
        120,
        _over(_rate("dns_failures", by=("service",)), 0.1),
        "{service} fails {value} look-ups a second",
    ),
    Rule(
        "ClockSkewHigh",
        "gateway",
        "warning",
        120,
        _over(_peak("clock_offset", "service"), 2),
        "clock of {service} is off by {value} s",
    ),
    Rule(
        "DiskAlmostFull",
        "gateway",
        "warning",
        120,
        _over(_peak("disk_used", "service"), 0.9),
        "disk of {service} is {value%} full",
    ),
    Rule(
        "MemoryPressure",
        "gateway",
        "warning",
        180,
        _over(_peak("memory_used", "service"), 0.92),
        "memory of {service} is {value%} used",
    ),
    Rule(
        "PanInLogs",
        "gateway",
        "critical",
        60,
        _over(_rate("scanner_hits", ("class", "=", "pan"), by=("service",)), 0.02),
        "card numbers in the logs of {service}",
        "security",
    ),
    Rule(
        "SecretInLogs",
        "gateway",
        "critical",
        60,
        _over(_rate("scanner_hits", ("class", "=", "secret"), by=("service",)), 0.01),
        "secrets in the logs of {service}",
        "security",
    ),
    Rule(
        "ServiceErrorRateHigh",
        "gateway",
        "warning",
        120,
        _busy(
            _over(_share("requests", ("status", "=~", "500|502|503|504"), "service"), 0.05),
            "requests",
            ("service",),
            0.2,
        ),
        "{service} answers {value%} with 5xx",
    ),
    Rule(
        "ServiceLatencyHigh",
        "gateway",
        "warning",
        180,
        _over(_p95("request_duration", "service"), 3, duration=True),
        "p95 of {service} is {value}",
    ),
    Rule(
        "TargetDown",
        "gateway",
        "warning",
        120,
        _under(Aggregate("min", ("service",), Select("up")), 1),
        "{service} cannot be scraped",
    ),
)

BY_NAME = {rule.alert: rule for rule in RULES}
