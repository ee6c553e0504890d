"""Payment log lines, made from a seed: half JSON, half logfmt, about 290 bytes, with and without planted values.

Nothing in a clean line is card data or personal data; it holds what payment logs are made of: service and bank names,
trace ids, UUIDs, hashes, epochs, floats, versions, pod names, stack traces.
"""

# ruff: noqa: E501, SIM905  tables of texts read best as they are
from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from redaction.brands import check_digit, is_pan, table

_SERVICES = "auth-gateway card-vault ledger-writer fraud-scorer token-service settlement-batch acquirer-router threeds-server refund-api".split()
_BANKS = "acme-bank north-credit globex-issuing initech-pay contoso-acquiring northwind-cards".split()
_SCHEMES = "visa mastercard amex jcb unionpay maestro discover".split()
_MESSAGES = (
    "authorisation approved", "authorisation declined by issuer", "Authorisation declined, soft decline, will retry", "capture queued",
    "Upstream timeout after 3 attempts", "connection to acquirer reset by peer", "3DS challenge completed", "settlement file written",
    "refund accepted", "ledger entry posted", "Circuit breaker opened for acquirer link", "HSM pool exhausted, waiting for a free slot",
    "token created", "retry scheduled with backoff", "duplicate request ignored by idempotency key", "risk score above threshold",
    "clearing batch closed", "java.net.SocketTimeoutException: Read timed out", "Slow query on table payments took 2.41s",
    "chargeback received, reason code 10.4", "health check passed", "certificate expires in 12 days", "fx rate refreshed",
)  # fmt: skip
# Held away from development: the vocabulary and the rules were never fitted to these.
_UNSEEN = (
    "Switch returned response code 91, issuer inoperative, stand-in processing engaged", "Partial reversal sent for unmatched advice",
    "Backpressure on outbound stream, window shrunk to 64 frames", "Could not acquire advisory lock within 5s, giving up",
    "Merchant terminal reported chip read failure, fallback to magnetic stripe refused", "Scheme fee table reloaded from object store",
    "Interchange qualification downgraded because of a late presentment", "Keyspace migration finished, 18 tenants moved",
    "com.payments.auth.IssuerUnavailableException: no route to issuer", "Dispute representment window closes tomorrow at noon",
    "Velocity rule fired for basket above limit", "OutOfMemoryError in worker pool, heap dump written", "Replica lag of 14 seconds on shard 3",
    "Mutual TLS handshake failed: certificate chain incomplete", "Batch header count differs from trailer count by two records",
    "Pre-authorisation expired before completion message arrived", "Soft decline, strong customer authentication required",
    "Kernel dropped packets on eth0, ring buffer full", "Rollout paused: error budget burned at 14 times the usual rate",
    "Deadlock detected, transaction chosen as victim and retried", "Upstream sent malformed bitmap, field 48 truncated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Corpus:
    """A generator of lines. `unseen` takes the held-away messages."""

    seed: int
    unseen: bool = False

    def lines(self, count: int) -> Iterator[str]:
        """Clean lines: not one holds a value that has to go."""
        rng = random.Random(self.seed)
        for number in range(count):
            yield _written(_fields(rng, _UNSEEN if self.unseen else _MESSAGES), number)

    def planted(self, klass: str, count: int) -> Iterator[tuple[str, str]]:
        """(line, value): one value of `klass` in each: PAN, SAD, SECRET, EMAIL or IBAN."""
        rng = random.Random(f"{self.seed} {klass}")
        make, key = _PLANTED[klass]
        for number in range(count):
            value = make(rng)
            fields = _fields(rng, _MESSAGES)
            if klass in {"SAD"} or number % 2:
                fields[rng.choice(key)] = value
            else:
                fields["msg"] = f"{fields['msg']} for {value} at step {number % 7}"
            yield _written(fields, number // 2), value


def _fields(rng: random.Random, messages: tuple[str, ...]) -> dict[str, object]:
    second = rng.randrange(86_400)
    stamp = f"2026-11-{rng.randrange(1, 29):02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{rng.randrange(1000):03d}Z"
    service = rng.choice(_SERVICES)
    fields: dict[str, object] = {
        "ts": stamp,
        "level": rng.choice(("info", "info", "info", "warn", "error")),
        "service": service,
        "pod": f"{service}-{rng.getrandbits(36):09x}-{rng.choice('bcdfghjk')}{rng.randrange(10)}x{rng.randrange(10)}z",
        "msg": rng.choice(messages),
        "trace_id": f"{rng.getrandbits(128):032x}",
        "issuer": rng.choice(_BANKS),
        "scheme": rng.choice(_SCHEMES),
        "amount": rng.randrange(100, 500_000),
        "currency": rng.choice(("EUR", "USD", "GBP")),
        "rc": f"{rng.choice((0, 5, 51, 54, 91)):02d}",
        "latency_ms": round(rng.lognormvariate(4, 1), 3),
    }
    extra = rng.randrange(4)
    if extra == 0:
        fields["request_id"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    elif extra == 1:
        fields["epoch_ns"] = 1_700_000_000_000_000_000 + rng.randrange(10**17)
    elif extra == 2:
        fields["image"] = f"registry.local/{service}@sha256:{rng.getrandbits(256):064x}"
    else:
        fields["rrn"] = f"{rng.randrange(10**12):012d}"
    return fields


def _written(fields: dict[str, object], number: int) -> str:
    if number % 2:
        return json.dumps(fields)
    return " ".join(f'{k}="{v}"' if " " in str(v) else f"{k}={v}" for k, v in fields.items())


def pan(rng: random.Random, *, brand: str | None = None, length: int | None = None) -> str:
    """A PAN of a brand and length that issue it; any of them if not given."""
    while True:
        _, lengths, ranges = rng.choice([row for row in table() if brand in (None, row[0])])
        first, _, last = rng.choice(ranges).partition("-")
        size = length or rng.choice(lengths)
        prefix = str(rng.randrange(int(first), int(last or first) + 1)).zfill(len(first))
        if size not in lengths:
            continue
        body = prefix + "".join(rng.choice("0123456789") for _ in range(size - 1 - len(prefix)))
        made = body + check_digit(body)
        if is_pan(made):
            return made


def iban(rng: random.Random) -> str:
    country, width = rng.choice((("DE", 18), ("FR", 23), ("GB", 18), ("NL", 14), ("ES", 20), ("IT", 23), ("PL", 24)))
    letters = 4 if country in {"GB", "NL"} else 0
    body = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(letters))
    body += "".join(rng.choice("0123456789") for _ in range(width - letters))
    if country == "IT":
        body = rng.choice("ABCDEFGH") + body[1:]
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    return f"{country}{98 - number % 97:02d}{body}"


def email(rng: random.Random) -> str:
    word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(3, 12)))
    gap = rng.choice(("", ".", "_", "+", "-"))
    return f"{word}{gap}{rng.randrange(100)}@{rng.choice(('mail', 'post', 'shop', 'my-firm'))}.{rng.choice(('com', 'de', 'co.uk', 'io'))}"


def _text(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def secret(rng: random.Random) -> str:
    """A made-up secret in the form of a provider's; the prefixes are put together here so that no scanner of code trips."""
    kind = rng.randrange(6)
    if kind == 0:
        return "AK" + "IA" + _text(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
    if kind == 1:
        return "gh" + "p_" + _text(rng, _ALNUM, 36)
    if kind == 2:
        return "sk_" + "live_" + _text(rng, _ALNUM, 24)
    if kind == 3:
        return "xox" + "b-" + _text(rng, "0123456789", 12) + "-" + _text(rng, _ALNUM, 24)
    if kind == 4:
        return "ey" + "J" + _text(rng, _ALNUM, 20) + ".ey" + "J" + _text(rng, _ALNUM, 40) + "." + _text(rng, _ALNUM, 43)
    return "gl" + "pat-" + _text(rng, _ALNUM, 20)


def _sad(rng: random.Random) -> str:
    return f"{rng.randrange(10_000):04d}" if rng.random() < 0.3 else f"{rng.randrange(1000):03d}"


_PLANTED = {
    "PAN": (pan, ("pan", "card_number", "note", "ref", "x")),
    "SAD": (_sad, ("cvv", "cvc2", "card_cvv", "securityCode")),
    "SECRET": (secret, ("token", "header", "note", "apiKey")),
    "EMAIL": (email, ("email", "user", "note")),
    "IBAN": (iban, ("iban", "creditor", "note")),
}
