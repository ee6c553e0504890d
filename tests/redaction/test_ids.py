"""What is not a card must not be taken for one: ids, times, floats, and the names operations live by."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable

import pytest

from evals.sets.redaction_corpus import Corpus
from redaction import FinalScanner, Redactor

Make = Callable[[random.Random], str]

KINDS: dict[str, Make] = {
    "epoch ms": lambda r: str(r.randrange(10**12, 2 * 10**12)),
    "epoch us": lambda r: str(r.randrange(10**15, 2 * 10**15)),
    "epoch ns": lambda r: str(r.randrange(10**18, 2 * 10**18)),
    "epoch s with fraction": lambda r: f"{r.random() * 2e9:.6f}",
    "uuid": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "hex 12": lambda r: f"{r.getrandbits(48):012x}",
    "hex 24": lambda r: f"{r.getrandbits(96):024x}",
    "hex 32": lambda r: f"{r.getrandbits(128):032x}",
    "hex 32, capitals": lambda r: f"{r.getrandbits(128):032X}",
    "hex 40": lambda r: f"{r.getrandbits(160):040x}",
    "hex 64": lambda r: f"{r.getrandbits(256):064x}",
    "float": lambda r: repr(r.random()),
    "float of any size": lambda r: repr(r.lognormvariate(0, 8)),
    "RFC 3339": lambda r: (
        f"2026-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d}T12:{r.randrange(60):02d}:07.{r.randrange(10**9):09d}Z"
    ),
    "log time": lambda r: (
        f"2026-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d} 12:{r.randrange(60):02d}:07,{r.randrange(1000):03d}"
    ),
    "compact time": lambda r: (
        f"2026{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}12{r.randrange(60):02d}07{r.randrange(1000):03d}"
    ),
    "base64 digest": lambda r: base64.b64encode(r.randbytes(32)).decode(),
    "base64 signature": lambda r: base64.b64encode(r.randbytes(72)).decode(),
    "traceparent": lambda r: f"00-{r.getrandbits(128):032x}-{r.getrandbits(64):016x}-01",
    "list of numbers": lambda r: json.dumps([r.randrange(10_000) for _ in range(30)]),
    "samples": lambda r: json.dumps([[1795447297 + 15 * i, str(r.randrange(100_000))] for i in range(8)]),
    "host and port": lambda r: f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}:{r.randrange(65536)}",
}
FRAMES = ("{}", "ts={} ok", '{{"a": "{}"}}', "request {}: done", '{{"a": {}}}')


def _mistaken(redactor: Redactor, name: str, count: int) -> list[str]:
    rng = random.Random(f"ids {name}")
    scanner = FinalScanner()
    found = []
    for number in range(count):
        text = FRAMES[number % len(FRAMES)].format(KINDS[name](rng))
        if redactor.redact(text).text != text:
            found.append(text)
        scanner.check(text, sink="test")
    return found


@pytest.mark.parametrize("name", KINDS)
def test_ids_times_and_floats_stay(name: str, redactor: Redactor) -> None:
    assert _mistaken(redactor, name, 500) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_twenty_thousand_of_each_stay(name: str, redactor: Redactor) -> None:
    assert _mistaken(redactor, name, 20_000) == []


STAYS = (
    'level=error service=auth-gateway issuer=acme-bank acquirer=globex-acquiring scheme=visa rc=91 msg="issuer unavailable"',  # noqa: E501
    '{"issuer":"Barclays","acquirer":"Worldline","merchant":"Acme Store","pod":"auth-gateway-7d9f8b6c5-x2x9z","node":"ip-10-1-2-3"}',  # noqa: E501
    "host=db-primary-0.payments.svc.cluster.local:5432 namespace=payments-prod az=eu-west-1b",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 commit=9fceb02d0ae598e95dc970b74767f19372d61af8",  # noqa: E501
    "image=registry.local/pay/auth@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 version=v2.14.3-rc.1",  # noqa: E501
    'histogram_quantile(0.99, sum by (le, issuer) (rate(payment_authorisation_duration_seconds_bucket{scheme="visa"}[5m])))',  # noqa: E501
    'sum(rate(payments_declined_total{issuer="acme-bank",code="91"}[5m])) / sum(rate(payments_attempts_total[5m])) > 0.05',  # noqa: E501
    "com.acme.payments.auth.IssuerUnavailableException: no route to issuer acme-bank",
    "java.lang.NullPointerException at com.acme.ledger.Writer.post(Writer.java:142)",
    "Caused by: org.postgresql.util.PSQLException: FATAL: too many connections",
    "panic: runtime error: invalid memory address or nil pointer dereference goroutine 17 [running]",
    "MAX_RETRIES exceeded for HSM_POOL, code E_4021, errno ECONNRESET",
    "HTTP/1.1 503 upstream connect error or disconnect/reset before headers",
    "alertname=PaymentApprovalRateLow severity=critical runbook_url=https://runbooks.example.com/payments/approval-rate",
    "10.0.3.17:8443 -> 172.16.9.4:9090 timeout after 30s; 127.0.0.1 refused",
    "GET /v1/payments/pay_1N3T00LkdIwHu7ix/capture 402 132ms",
    "getty@tty1.service: Succeeded; git@github.com:acme/pay.git cloned",
    "Deployment auth-gateway rolled back to revision 41 by argo-rollouts",
    "approval rate fell from 94.2% to 61.7% at 2026-11-23T17:32:00Z, 1,204 declines with code 91",
    "merchant_id=M000123456 terminal=T0012345 stan=123456 rrn=632717123456 mcc=5812 auth_code=A1B2C3",
    "cvv_result=M avs_result=Y pin_entry=online eci=05 three_ds=2.2.0 card_brand=visa card_last4=1111 bin=411111",
    "Redis replica lag 14s; Kafka consumer group settlement lagging by 120000 messages on partition 7",
    "token bucket refilled, cookie consent shown, password reset link sent, pin pad offline, track shipment",
)


@pytest.mark.parametrize("text", STAYS)
def test_what_operations_live_by_stays(text: str, redactor: Redactor) -> None:
    assert redactor.redact(text).text == text


def test_clean_lines_of_unseen_templates_change_by_less_than_one_percent(redactor: Redactor) -> None:
    lines = list(Corpus(11, unseen=True).lines(2000))
    changed = sum(s.end - s.start for r in redactor.redact_many(lines) for s in r.spans)
    assert changed / sum(map(len, lines)) <= 0.01


def test_clean_lines_of_known_templates_do_not_change(redactor: Redactor) -> None:
    lines = list(Corpus(12).lines(2000))
    assert [r.text for r in redactor.redact_many(lines)] == lines


def test_a_new_error_class_survives(redactor: Redactor) -> None:
    for name in (
        "IssuerLinkDownError",
        "com.acme.Zorblax",
        "ZorblaxException",
        "Zorblax_v2",
        "ZORBLAX_LIMIT",
        "zorblax-router",
        "ZorblaxTimeout",
    ):
        assert name in redactor.redact(f"request failed with {name} in worker").text


def test_a_digest_that_begins_like_a_message_does_not_take_its_line(redactor: Redactor) -> None:
    digest = "9303945981b77c3f1fcc7742841509761032b1f7c667fc0b1593c31165ce1d45"
    text = f"image=registry.local/ledger-writer@sha256:{digest} attempt 3 of 5"
    assert redactor.redact(text).text == text
    message = "0200723805812EC0820016453957876362148600000000000001250011231737"
    assert redactor.redact(f"sent {message}").counts.keys() & {"LINE", "PAN"}
