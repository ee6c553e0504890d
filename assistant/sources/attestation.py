"""What we can say of our own credentials: each check with the exact answer that carries it, and the worst of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from assistant.core.time import Instant, iso
from assistant.errors import WritableCredential

Verdict = Literal["read-only", "unproven", "open", "writable"]
"""`open`: anybody may write there, our credential or none. `writable`: our credential may write. From good to bad."""
_ORDER: tuple[Verdict, ...] = ("read-only", "unproven", "open", "writable")
EXIT: dict[Verdict, int] = {"read-only": 0, "unproven": 1, "open": 2, "writable": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """One question about one server. `answer` is what it said, in a form that proves; `mend` what to do about it."""

    server: str
    name: str
    verdict: Verdict
    answer: str
    mend: str = ""
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Attestation:
    """All checks of one moment. `id` is a hash of their content without the time, so that equal findings are equal."""

    id: str
    checks: tuple[Check, ...]
    verdict: Verdict
    at: Instant

    @property
    def exit_code(self) -> int:
        """As `payops doctor` exits: 0 proven read-only, 1 unproven, 2 a write would succeed."""
        return EXIT[self.verdict]

    def warnings(self) -> tuple[str, ...]:
        """What people must know although `serve` runs."""
        return tuple(f"{s}: {v}" for s, v in per_server(self.checks).items() if v in ("unproven", "open"))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "verdict": self.verdict,
            "at": iso(self.at),
            "servers": per_server(self.checks),
            "checks": [asdict(c) for c in self.checks],
        }


def attestation(checks: Sequence[Check], *, at: Instant) -> Attestation:
    """The attestation over these checks; without any, nothing is proven."""
    content = json.dumps([asdict(c) for c in checks], sort_keys=True, separators=(",", ":"))
    verdicts = per_server(checks).values()
    return Attestation(
        id="att-" + hashlib.sha256(content.encode()).hexdigest()[:24],
        checks=tuple(checks),
        verdict=worst(list(verdicts)) if verdicts else "unproven",
        at=at,
    )


def per_server(checks: Sequence[Check]) -> dict[str, Verdict]:
    """Each server's verdict: what is bad is bad whatever else is good; a proof outweighs what could not be proven."""
    found: dict[str, Verdict] = {}
    for server in dict.fromkeys(c.server for c in checks):
        verdicts = [c.verdict for c in checks if c.server == server]
        bad = worst(verdicts)
        found[server] = "read-only" if bad == "unproven" and _proven(checks, server) else bad
    return found


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=_ORDER.index)


def refuse_writable(found: Attestation, *, allowed: bool) -> None:
    """Raises WritableCredential when a credential of ours can write, unless the override says otherwise."""
    servers = [s for s, v in per_server(found.checks).items() if v == "writable"]
    if servers and not allowed:
        raise WritableCredential(
            f"a credential of ours can write: {', '.join(servers)}",
            mend="give it less (deploy/CREDENTIALS.md), or set allow_writable_credentials: then every note says so",
        )


def _proven(checks: Sequence[Check], server: str) -> bool:
    """All probes of the server were denied: then what passive checks could not see is settled."""
    probes = [c.verdict for c in checks if c.server == server and c.probe]
    return bool(probes) and all(v == "read-only" for v in probes)
