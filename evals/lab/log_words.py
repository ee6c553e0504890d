"""How log lines look and what services say: stream labels, field names, stack traces, words for each mechanism."""

from __future__ import annotations

STREAMS = (
    {"service": "app", "level": "level", "pod": "pod", "extra": "service_name", "fixed": "env=prod"},
    {"service": "service", "level": "severity", "pod": "instance", "extra": "", "fixed": "job=payments"},
    {
        "service": "container",
        "level": "detected_level",
        "pod": "pod",
        "extra": "service_name",
        "fixed": "namespace=pay",
    },
)
FIELDS = (
    {
        "order": "order",
        "scheme": "scheme",
        "issuer": "issuer",
        "acquirer": "acquirer",
        "rc": "rc",
        "ms": "ms",
        "bin": "bin",
        "msg": "msg",
    },
    {
        "order": "payment_id",
        "scheme": "network",
        "issuer": "issuer_id",
        "acquirer": "acq",
        "rc": "response_code",
        "ms": "duration_ms",
        "bin": "iin",
        "msg": "message",
    },
    {
        "order": "txn",
        "scheme": "brand",
        "issuer": "bank",
        "acquirer": "route",
        "rc": "de39",
        "ms": "elapsed",
        "bin": "bin6",
        "msg": "event",
    },
)
TRACES = (
    "com.example.pay.{cls}Exception: {text}\n\tat com.example.pay.{cls}.exchange({cls}.java:214)\n"
    "\tat com.example.pay.Router.authorise(Router.java:88)\n"
    "Caused by: java.net.SocketTimeoutException: Read timed out after {ms} ms",
    'Traceback (most recent call last):\n  File "/srv/app/{cls}.py", line 131, in exchange\n'
    "    return await self.session.send(frame)\nTimeoutError: {text}",
    "panic recovered: {text}\ngoroutine 4182 [running]:\n"
    "main.(*{cls}).Exchange(0xc0001fa000)\n\t/src/{cls}.go:97 +0x1d4",
)
# What a component says when it meets a fault and the kind does not give its own words.
WORDS = {
    "slow": ("response took {ms} ms", "slow answer, {ms} ms"),
    "error": ("request failed", "upstream answered with an error"),
    "drop": ("no answer within {ms} ms", "timed out after {ms} ms"),
    "miscode": ("answer mapped",),
    "drift": ("decision declined",),
    "rule": ("decision declined",),
    "throttle": ("rejected by partner, too many requests",),
    "expire": ("tls: handshake failure", "certificate verify failed"),
    "skew": ("timestamp outside the accepted window",),
    "stall": ("consumer is behind", "processing is slower than arrivals"),
    "level": ("threshold passed",),
    "climb": ("usage grows",),
    "freeze": ("no new data received",),
    "overrun": ("batch still running",),
    "duplicate": ("key seen before",),
    "restart": ("process started",),
}
BACKGROUND = (
    "connection reset by peer, retrying",
    "cache miss rate above usual",
    "slow query 412 ms",
    "retrying after transient error",
    "client closed request",
    "deadline exceeded calling upstream, retried",
    "queue poll returned empty",
    "unexpected content type from merchant",
    "signature header missing",
)
LOGGED_BY = {
    "issuer": "connector",
    "scheme": "connector",
    "acquirer": "connector",
    "acs": "threeds",
    "directory": "threeds",
}
