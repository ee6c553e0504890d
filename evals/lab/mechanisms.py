"""The mechanisms that faults are made of: what each may act on, what it takes, and which values are possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.errors import UsageError
from evals.lab.naming import REASONS
from evals.lab.shop import ROLES

PATH = (
    "gateway",
    "orchestrator",
    "risk",
    "vault",
    "threeds",
    "hsm",
    "connector",
    "acquirer",
    "scheme",
    "issuer",
    "acs",
    "directory",
)
OFF_PATH = ("ledger", "settlement", "webhooks", "payouts", "disputes", "fx", "onboarding", "terminals")
SCOPES = ("issuer", "scheme", "acquirer", "region", "channel", "acs", "bin", "model", "link", "sample")
GAUGES = (
    "pool_in_use",
    "replica_lag",
    "disk_used",
    "memory_used",
    "feature_age",
    "clock_offset",
    "breaks",
    "terminals",
    "link_up",
    "onboarding_pending",
    "up",
    "consumer_lag",
    "posting_lag",
)
# mechanism: (components it may act on, fields it needs, fields it may have)
MECHANISMS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "slow": ((*PATH, *OFF_PATH), ("add_ms",), ()),
    "error": ((*PATH, *OFF_PATH), ("share",), ("code", "counts")),
    "drop": ((*PATH, *OFF_PATH), ("share",), ()),
    "miscode": (("connector", "issuer", "acquirer"), ("share", "from", "to"), ("reported_only",)),
    "drift": (("risk",), ("shift",), ("decline_share",)),
    "flood": (("gateway",), ("factor",), ("profile",)),
    "lose": (("gateway", "terminals"), ("share",), ()),
    "expire": (("connector", "hsm", "threeds", "webhooks", "payouts"), ("share", "peer"), ()),
    "skew": (ROLES, ("seconds",), ("share",)),
    "stall": (("ledger", "webhooks", "onboarding"), ("queue", "factor"), ()),
    "level": (ROLES, ("gauge", "to"), ()),
    "climb": (ROLES, ("gauge", "per_minute"), ("to",)),
    "freeze": (("fx", "disputes", "settlement"), (), ()),
    "overrun": (("settlement",), (), ()),
    "throttle": (("acquirer",), ("share",), ()),
    "divert": (("acquirer",), ("share",), ()),
    "duplicate": (("gateway", "ledger"), ("share",), ()),
    "rule": (("risk",), ("share",), ("name",)),
    "vanish": (ROLES, ("signal",), ()),
    "say": (ROLES, ("lines", "per_minute"), ("level", "scanner")),
    "restart": (ROLES, ("every",), ()),
}
COMMON = ("mechanism", "component", "scope", "delay", "ramp", "lasts", "log")
QUEUES = ("postings", "outbox", "refunds", "pending")

LIMITS = {
    "share": (0.0, 1.0),
    "delay": (0.0, 3000.0),
    "ramp": (0.0, 3600.0),
    "lasts": (0.0, 7200.0),
    "add_ms": (1.0, 60000.0),
    "decline_share": (0.0, 1.0),
    "shift": (-0.9, 0.9),
    "seconds": (-600.0, 600.0),
    "every": (20.0, 3600.0),
}


def refuse(name: str, what: str, mend: str) -> UsageError:
    """The error that names where something is wrong, what, and how to mend it."""
    return UsageError(f"{name}: {what}", mend=mend)


def check_values(where: str, f: Mapping[str, Any]) -> None:
    for key in (*LIMITS, *_NUMBERS):
        v = f.get(key)
        if v is None or (isinstance(v, str) and "{" in v):
            continue  # absent, or drawn later
        if key == "to" and f.get("mechanism") == "miscode":
            continue
        if isinstance(v, bool) or not isinstance(v, (int, float)):
            raise refuse(
                where, f"{key} = {v!r} is no number", "give a number, or a {name} that [draw] draws from [low, high]"
            )
        low, high = LIMITS.get(key, _NUMBERS.get(key, (0.0, 0.0)))
        if not low <= v <= high:
            raise refuse(where, f"{key} = {v!r} is impossible", f"from {low:g} to {high:g}")
    for key, allowed in _WORDS.items():
        if key in f and "{" not in str(f[key]) and f[key] not in allowed:
            raise refuse(where, f"{key} = {f[key]!r} is unknown", f"one of {', '.join(allowed)}")
    if f.get("mechanism") == "miscode" and f.get("to") not in REASONS:
        raise refuse(where, f"to = {f.get('to')!r} is unknown", f"one of {', '.join(REASONS)}")


_NUMBERS = {"factor": (0.0, 50.0), "to": (0.0, 1e9), "per_minute": (-1e6, 1e6)}
_WORDS: Mapping[str, Sequence[str]] = {
    "code": tuple(REASONS),
    "from": tuple(REASONS),
    "queue": QUEUES,
    "gauge": GAUGES,
    "signal": ("metrics", "logs"),
    "profile": ("surge", "cardtest"),
    "counts": ("dns_failures", "tls_failures"),
    "scanner": ("pan", "secret"),
    "level": ("debug", "info", "warn", "error"),
}
