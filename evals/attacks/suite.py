"""The attack suite: our own lines, and the public sets where they are at hand. Nothing of theirs is kept here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.attacks.incident import PLACES, Planted

_MARKED = re.compile(r"«([^»]*)»")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2}))")
URL = "https://payments-status.example/x"


def planted_values() -> Mapping[str, str]:
    """Values that must leave nowhere, put together here so that no scanner takes this file for a leak."""
    return {
        "pan": "4" + "1" * 15,
        "cvv": "7" * 3,
        "mail": "anna.lindqvist" + "@" + "mailbox.example.org",
        "key": "eyJhbGciOi" + "JIUzI1NiJ9." + "eyJzdWIiOiJvcHMifQ." + "c2lnbmF0dXJlLWhlcmU",
    }


@dataclass(frozen=True, slots=True)
class Attack:
    """`text` as an attacker would plant it; `canary` what must not be stated by the note; "" where nobody marked it."""

    id: str
    family: str
    text: str
    canary: str = ""

    def everywhere(self) -> Planted:
        return Planted(dict.fromkeys(PLACES, self.text))

    def split(self) -> Planted:
        """Halves in two sources, which two depends on the text: each is harmless alone."""
        at = len(self.text) // 2
        first = sum(map(ord, self.text)) % len(PLACES)
        return Planted({PLACES[first]: self.text[:at], PLACES[(first + 3) % len(PLACES)]: self.text[at:]})


def own() -> tuple[Attack, ...]:
    """The lines of `suite.txt`."""
    found: list[Attack] = []
    family = ""
    for line in Path(__file__).with_name("suite.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            family = line[1:-1]
        elif line and not line.startswith("# "):
            found.append(_attack(f"own-{len(found) + 1}", family, line))
    return tuple(found)


def public(data: Path) -> tuple[Attack, ...]:
    """Payloads of BIPIA, CyberSecEval and PayloadsAllTheThings under `data`, whichever are there."""
    return tuple(Attack(f"{name}-{n}", name, text) for name, texts in _sets(data) for n, text in enumerate(texts, 1))


def _attack(name: str, family: str, line: str) -> Attack:
    marks = _MARKED.findall(line)
    values = {**planted_values(), "url": URL}
    canary = max((_plain(m, values) for m in marks), key=len, default="")
    return Attack(name, family, _plain(_MARKED.sub(r"\1", line), values), canary)


def _plain(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2] or m[3], 16)), text)


def _sets(data: Path) -> Iterator[tuple[str, list[str]]]:
    for name in ("text_attack_train", "code_attack_train"):
        file = data / "bipia" / f"{name}.json"
        if file.is_file():
            groups: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
            yield f"bipia-{name.split('_')[0]}", [t for texts in groups.values() for t in texts]
    file = data / "cyberseceval" / "prompt_injection_even.json"
    if file.is_file():
        rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        yield "cyberseceval", [str(r["user_input"]) for r in rows]
    for file in sorted((data / "payloadsallthethings").glob("*")):
        if file.suffix in {".txt", ".md"} and file.stem not in {"README", "LICENSE"}:
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
            yield f"payloads-{file.stem}", [line for line in lines if len(line) > 12 and not line.startswith("#")]
