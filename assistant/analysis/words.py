"""The vocabulary that metric, label and field names are read with.

Names are cut into words (`authTxnCount`, `auth_txn_count` and `auth.txn.count` are the same three words) and looked up
in sets of the industry's own words: Prometheus naming (https://prometheus.io/docs/practices/naming/), OpenTelemetry
semantic conventions, and card-payment usage (ISO 8583 field names, scheme and acquirer documentation). No word here
comes from one deployment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_CUT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@lru_cache(maxsize=65536)
def words(name: str) -> tuple[str, ...]:
    """The lower-case words of a name: `authTxn_count2` is ("auth", "txn", "count", "2")."""
    return tuple(w.lower() for w in _CUT.findall(name))


def has(name: str, vocabulary: Iterable[str]) -> bool:
    """Whether any word of `name` is in `vocabulary`."""
    return not set(words(name)).isdisjoint(vocabulary)


def word_set(text: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(text.split())


AUTHORISATION = word_set(
    "auth authorisation authorisations authorization authorizations auths authz card cards charge charges "
    "checkout iso8583 payment payments purchase purchases transaction transactions tx txn txns txs"
)
COUNTED = word_set("attempt attempts count processed received request requests submitted total")
APPROVED_WORDS = word_set(
    "accept accepted approval approvals approve approved authorised authorized completed granted ok pass passed "
    "succeeded success successful true yes"
)
DECLINED_WORDS = word_set(
    "decline declined declines denied error fail failed failure false hard_decline no referred refused reject "
    "rejected soft_decline timeout unapproved"
)
AMOUNT = word_set("amount amounts gmv revenue turnover value volume")
LATENCY = word_set("duration elapsed latency microseconds millis milliseconds ms response_time rtt seconds us")
LATENCY_NOUNS = word_set("duration elapsed latency rtt time took wait")
RETRY = word_set("reattempt reattempts redelivery resend resends resubmit resubmitted retried retries retry")
QUEUE = word_set(
    "backlog buffered deadletter depth dlq inflight lag outstanding pending queue queued unacked unacknowledged "
    "unmatched unprocessed unsettled waiting"
)
ERRORS = word_set(
    "5xx aborted dropped drops error errors exception exceptions failed failure failures fatal panics refused "
    "rejected rejections timeout timeouts unavailable"
)
REQUESTS = word_set("call calls grpc hits http invocations messages operations ops queries request requests rpc")
SATURATION = word_set(
    "active busy connection connections conns cpu disk fd fds heap inuse load mem memory occupancy pool "
    "saturation threads throttled throttling usage used utilisation utilization workers"
)
SPARE = word_set("available free headroom idle left remaining spare")
LIMIT = word_set("capacity limit max quota size")
EXPIRY = word_set("cert certificate expiration expire expires expiry notafter validity x509")
RESTART = word_set("crashes crashloop oom oomkilled restart restarts")
AGE = word_set("age behind delay freshness last late lateness oldest stale staleness success timestamp")
SCORE = word_set("drift feature features fraud inference model prediction predictions psi risk score")
FALLBACK = word_set("bypass bypassed default_decision degraded fallback fallbacks stand_in standin stip")
REVERSAL = word_set("chargeback chargebacks dispute disputes refund refunds reversal reversals voids")
DUPLICATE = word_set("dedup duplicate duplicated duplicates idempotency replayed")
SETTLEMENT = word_set("batch clearing ledger payout payouts recon reconciliation settle settlement settlements")
THREEDS = word_set("3ds acs authentication authentications challenge challenges frictionless sca threeds")
BREAKER = word_set("breaker circuit circuitbreaker open_circuits")
PLUMBING = (
    "go_", "process_", "scrape_", "prometheus_", "promhttp_", "alertmanager_", "python_", "jvm_", "net_conntrack",
)  # fmt: skip

LABEL_WORDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # role: (names that say so, names that may say so when the values agree)
    "scheme": (
        word_set("card_brand card_network card_scheme payment_network scheme"),
        word_set("brand card card_type cardtype network"),
    ),
    "issuer": (
        word_set("iss iss_id issuer issuer_bank issuer_code issuer_id issuer_name issuing_bank"),
        word_set("bank bank_name"),
    ),
    "acquirer": (
        word_set("acq acq_id acquirer acquirer_bank acquirer_id acquirer_name acquiring_bank processor psp"),
        word_set("connector endpoint gateway host link provider route upstream"),
    ),
    "bin": (
        word_set("bin bin6 bin8 bin_prefix bin_range card_bin iin issuer_bin"),
        word_set("prefix"),
    ),
    "region": (
        word_set("card_country country country_code geo issuer_country market merchant_country region"),
        word_set("area datacenter dc location site zone"),
    ),
    "channel": (
        word_set("channel entry_mode payment_channel pos_entry_mode pos_mode"),
        word_set("interaction medium method mode source type"),
    ),
    "response_code": (
        word_set(
            "action_code de39 decline_code f39 iso_code rc resp_code respcode response response_code responsecode"
        ),
        word_set("code reason reason_code result_code status_code"),
    ),
    "result": (
        word_set("approved decision disposition outcome result success"),
        word_set("response state status verdict"),
    ),
    "merchant_category": (
        word_set("mcc merchant_category merchant_category_code"),
        word_set("category"),
    ),
    "merchant": (
        word_set("merchant merchant_id merchant_name mid"),
        word_set("seller tenant"),
    ),
    "currency": (
        word_set("ccy cur curr currency currency_code"),
        frozenset(),
    ),
    "service": (
        word_set("app application component microservice service service_name svc workload"),
        word_set("app_kubernetes_io_name container deployment job name"),
    ),
    "version": (
        word_set("app_version build commit image_tag release revision sha version"),
        word_set("canary image tag track variant"),
    ),
    "instance": (
        word_set("hostname instance node pod"),
        word_set("host replica shard"),
    ),
    "peer": (
        word_set(
            "callee dependency destination destination_service downstream peer peer_service remote "
            "target_service to upstream"
        ),
        word_set("backend client server target"),
    ),
    "stage": (
        word_set("leg operation phase stage step"),
        word_set("flow"),
    ),
    "model": (
        word_set("model model_name model_version"),
        frozenset(),
    ),
    "acs": (word_set("acs acs_name acs_id acs_operator"), frozenset()),
    "link": (word_set("link host_link line"), frozenset()),
    "rule": (word_set("rule rule_name rule_id"), frozenset()),
    "queue": (
        word_set("queue queue_name stream topic"),
        word_set("consumer_group group partition"),
    ),
}
"""For each role, label names that say it outright, and names that may mean it if the values look like it."""

DIMENSIONS = (
    "scheme", "issuer", "acquirer", "bin", "region", "channel", "merchant_category", "merchant", "version", "currency",
)  # fmt: skip
"""Roles whose label values may explain a lost approval, from the most to the least telling."""
