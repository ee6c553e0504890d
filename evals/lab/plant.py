"""Sensitive values made up for logs, and the record of every one: class, form, plain value, and as written.

PANs are drawn in the ranges that processors publish for tests and closed by Luhn (ISO/IEC 7812-1, annex B).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np

FIRST = ("Maria", "Jonas", "Aoife", "Tomasz", "Ingrid", "Rui", "Chiara", "Lars", "Beatriz", "Eamon", "Helena", "Marek")
LAST = (
    "Lindqvist",
    "Carvalho",
    "Kowalczyk",
    "Brannigan",
    "Esposito",
    "Vandermeer",
    "Aaltonen",
    "Figueira",
    "Szymanska",
)
RANGES = (
    ("411111", 16),
    ("424242", 16),
    ("555555", 16),
    ("510510", 16),
    ("222300", 16),
    ("378282", 15),
    ("601111", 16),
    ("353011", 16),
    ("675964", 19),
    ("360000", 14),
)
FORMS = ("plain", "spaced", "dashed", "dotted", "percent", "base64", "hex", "json-number")


def luhn_close(digits: str) -> str:
    """Append the check digit."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return digits + str(-total % 10)


@dataclass(frozen=True, slots=True)
class Planted:
    """A value that must be found nowhere outside: its class, how it was written, its plain form, and as written."""

    kind: str
    form: str
    value: str
    written: str


@dataclass(slots=True)
class Planter:
    """Makes sensitive values and remembers every one."""

    rng: np.random.Generator
    planted: list[Planted] = field(default_factory=list)

    def forget_unless_in(self, text: str) -> None:
        """Drop what no line that was kept holds."""
        self.planted[:] = [p for p in self.planted if p.written in text]

    def _keep(self, kind: str, form: str, value: str, written: str) -> str:
        self.planted.append(Planted(kind, form, value, written))
        return written

    def digits(self, n: int) -> str:
        return "".join(str(d) for d in self.rng.integers(0, 10, n))

    def pan(self, form: str = "plain", prefix: str = "") -> str:
        """A card number in one of FORMS or as track 2; `prefix` fixes its first digits."""
        start, length = RANGES[0] if form == "track2" else RANGES[int(self.rng.integers(len(RANGES)))]
        if prefix:
            start, length = prefix, 15 if prefix.startswith("3") else 16
        value = luhn_close(start + self.digits(length - len(start) - 1))
        groups = [value[i : i + 4] for i in range(0, length, 4)]
        if length == 15:
            groups = [value[:4], value[4:10], value[10:]]
        forms = {
            "plain": value,
            "spaced": " ".join(groups),
            "dashed": "-".join(groups),
            "dotted": ".".join(groups),
            "percent": quote(" ".join(groups)),
            "base64": base64.b64encode(value.encode()).decode(),
            "hex": value.encode().hex(),
            "track2": f";{value}=2907101{self.digits(10)}?",
            "json-number": value,
        }
        return self._keep("track" if form == "track2" else "pan", form, value, forms[form])

    def cvv(self) -> str:
        value = self.digits(3)
        return self._keep("cvv", "plain", value, value)

    def name(self) -> str:
        value = f"{FIRST[int(self.rng.integers(len(FIRST)))]} {LAST[int(self.rng.integers(len(LAST)))]}"
        return self._keep("name", "plain", value, value)

    def email(self) -> str:
        who = FIRST[int(self.rng.integers(len(FIRST)))].lower()
        value = f"{who}.{LAST[int(self.rng.integers(len(LAST)))].lower()}{self.digits(3)}@mailbox.example"
        return self._keep("email", "plain", value, value)

    def bearer(self) -> str:
        value = self.rng.bytes(24).hex()
        return self._keep("bearer", "header", value, f"Bearer {value}")

    def token(self) -> str:
        """An API secret in a home-made form."""
        value = "payk_" + self.rng.bytes(16).hex()
        return self._keep("secret", "plain", value, value)
