"""Payment roles are read from names and values of many naming schemes, and every guess says why."""

from __future__ import annotations

import pytest

from assistant.analysis.plan import guess_roles, metric_role, plan_log_searches, plan_queries
from assistant.analysis.roles import NoOverrides, label_scores
from assistant.core.alert import Alert, frozen
from assistant.core.evidence import MetricInfo, MetricType
from assistant.core.incident import Incident, IncidentId
from assistant.core.query import Matcher, Quantile, Rate, Select, Sum
from assistant.core.time import Instant, Window


def info(name: str, kind: MetricType = "counter", /, series: int = 40, **labels: str) -> MetricInfo:
    return MetricInfo(name, kind, {k: tuple(v.split()) for k, v in labels.items()}, series)


def incident(**labels: str) -> Incident:
    alert = Alert("f1", frozen({"alertname": "Declines", **labels}), {}, Instant(7200.0))
    window, baseline = Window(Instant(6600), Instant(8000)), Window(Instant(3000), Instant(6600))
    return Incident(IncidentId("inc-1"), (alert,), window, baseline)


OUTCOME_LABEL = (
    info("payments_authorizations_total", result="approved error", scheme="visa mc", issuer="a b", region="eu"),
    info("payments_refunds_total", result="approved declined"),
    info("payments_authorization_duration_seconds_bucket", "histogram", le="0.1 1 +Inf", acquirer="x y"),
    info("http_requests_total", status="200 500", service="api edge"),
)  # fmt: skip
CODE_LABEL = (
    info("auth_requests_total", response_code="00 05 51 91", card_brand="VISA MC AMEX", bin="411111 510510"),
    info("oauth_token_requests_total", status="200 401"),
    info("auth_latency_milliseconds_bucket", "histogram", le="100 +Inf"),
)
TERSE = (info("txn_count", "unknown", status="ok fail", rc="000 100 911", iss="0012 0044", acq="7 9", ccy="EUR USD"),)
SEPARATE = (
    info("card_payments_approved_total", network="visa mastercard", country="DE FR"),
    info("card_payments_declined_total", network="visa mastercard", country="DE FR", reason="51 05 91"),
    info("card_payment_amount_total", currency="EUR GBP"),
    info("settlement_batch_backlog", "gauge"),
)


@pytest.mark.parametrize(
    ("catalogue", "attempts", "label", "approved"),
    [
        (OUTCOME_LABEL, "payments_authorizations_total", "result", ("approved",)),
        (CODE_LABEL, "auth_requests_total", "response_code", ("00",)),
        (TERSE, "txn_count", "status", ("ok",)),
    ],
)
def test_the_attempts_counter_and_its_outcome_are_found(
    catalogue: tuple[MetricInfo, ...], attempts: str, label: str, approved: tuple[str, ...]
) -> None:
    found = guess_roles(catalogue).metrics
    assert (found["attempts"].name, found["attempts"].label) == (attempts, label)
    assert (found["approved"].name, found["approved"].values) == (attempts, approved)
    assert found["attempts"].why and found["approved"].why


def test_separate_counters_of_approvals_and_declines_make_a_rate() -> None:
    found = guess_roles(SEPARATE)
    assert found.metrics["approved"].name == "card_payments_approved_total"
    assert found.metrics["declined"].name == "card_payments_declined_total"
    assert found.metrics["amount"].name == "card_payment_amount_total"
    assert found.labels["scheme"].label == "network"
    assert found.labels["response_code"].label == "reason"
    assert found.labels["region"].label == "country"


@pytest.mark.parametrize(
    ("catalogue", "role", "label"),
    [
        (OUTCOME_LABEL, "scheme", "scheme"),
        (CODE_LABEL, "scheme", "card_brand"),
        (CODE_LABEL, "bin", "bin"),
        (TERSE, "response_code", "rc"),
        (TERSE, "issuer", "iss"),
        (TERSE, "acquirer", "acq"),
        (TERSE, "currency", "ccy"),
    ],
)
def test_labels_take_their_roles(catalogue: tuple[MetricInfo, ...], role: str, label: str) -> None:
    assert guess_roles(catalogue).labels[role].label == label


def test_values_decide_where_a_name_is_opaque() -> None:
    assert max(label_scores("x7", ("00", "05", "51", "91")).items(), key=lambda kv: kv[1])[0] == "response_code"
    assert "response_code" not in label_scores("code", ("200", "404", "500"))
    assert max(label_scores("brand", ("visa", "mc")).items(), key=lambda kv: kv[1])[0] == "scheme"
    assert "scheme" not in label_scores("network", ("eth0", "eth1"))


def test_what_nothing_carries_is_named() -> None:
    assert "no metric label that carries the issuer" in guess_roles(SEPARATE).unmapped
    assert guess_roles((info("node_load1", "gauge"),)).unmapped == ("no metric that counts authorisation attempts",)
    assert guess_roles(()).unmapped


def test_configuration_wins_over_the_guess() -> None:
    given = NoOverrides(metrics={"attempts": "http_requests_total"}, labels={"issuer": "status"}, approved=("200",))
    found = guess_roles(OUTCOME_LABEL, overrides=given)
    assert found.metrics["attempts"].configured and found.metrics["attempts"].name == "http_requests_total"
    assert found.metrics["approved"].values == ("200",)
    assert found.labels["issuer"].label == "status" and found.labels["issuer"].configured


def test_stream_labels_of_logs_are_found() -> None:
    found = guess_roles((), log_labels={"app": ("a", "b"), "level": ("info",), "pod": ("p",)})
    assert found.fields["service"].label == "app" and found.fields["level"].label == "level"


@pytest.mark.parametrize(
    ("metric", "role"),
    [
        (info("worker_queue_depth", "gauge"), "queue"),
        (info("tls_certificate_not_after_seconds", "gauge"), "expiry"),
        (info("db_pool_connections_active", "gauge"), "saturation"),
        (info("gateway_retries_total"), "retries"),
        (info("up", "gauge"), "up"),
        (info("settlement_last_success_timestamp_seconds", "gauge"), "age"),
        (info("fraud_fallback_decisions_total"), "fallback"),
        (info("rpc_duration_seconds_bucket", "histogram"), "latency"),
        (info("rpc_duration_seconds_sum", "histogram"), ""),
        (info("app_build_info", "gauge"), ""),
    ],
)
def test_other_metrics_take_their_roles(metric: MetricInfo, role: str) -> None:
    assert metric_role(metric) == role


def test_the_plan_is_bounded_and_asks_nothing_twice() -> None:
    many = tuple(info(f"svc_{i}_requests_total", service="a b", code="200 500") for i in range(300))
    plan = plan_queries(incident=incident(), payments=guess_roles(many), catalogue=many)
    assert 0 < len(plan) <= 64
    assert len({p.query for p in plan}) == len(plan)


def test_the_plan_drills_the_rule_first_and_payments_by_every_dimension() -> None:
    rule = Select("http_requests_total", (Matcher("status", "=~", "5.."),))
    payments = guess_roles(OUTCOME_LABEL)
    plan = plan_queries(incident=incident(), payments=payments, catalogue=OUTCOME_LABEL, selects=(rule,))
    assert plan[0].role == "payments"
    assert plan[0].query == Sum(Rate(Select("payments_authorizations_total"), 60), ("result",))
    assert any(isinstance(p.query, Sum) and p.query.of == Rate(rule, 60) for p in plan)
    assert {"payments by scheme", "payments by issuer", "payments by region"} <= {p.about for p in plan}
    assert any(isinstance(p.query, Quantile) and p.unit == "s" for p in plan)


def test_an_empty_catalogue_plans_nothing() -> None:
    assert plan_queries(incident=incident(), payments=guess_roles(()), catalogue=()) == ()
    assert plan_log_searches(incident=incident(), payments=guess_roles(()), log_labels={}) == ()


def test_log_searches_are_selective_and_bounded() -> None:
    labels = {"app": tuple(f"svc-{i}" for i in range(40)), "level": ("error",)}
    plan = plan_log_searches(
        incident=incident(service="svc-7"), payments=guess_roles((), log_labels=labels), log_labels=labels
    )
    assert len(plan) == 24 and plan[0].selector == (Matcher("app", "=", "svc-7"),)
    assert all(m.op in {"=", "=~"} and m.value for p in plan for m in p.selector)
    covered = {m.value for p in plan for m in p.selector if m.op == "="}
    assert covered | set(plan[-1].selector[0].value.split("|")) == set(labels["app"])
