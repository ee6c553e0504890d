"""The last look: blocks what may not leave, at any depth of encoding; never stops what the product writes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import socket
import uuid
from collections.abc import Callable

import pytest

from evals.sets.redaction_corpus import Corpus, email, iban, pan, secret
from redaction import FinalScanner, LeakBlocked, Redactor

CANARIES = {
    "PAN": "card 4539578763621486 declined",
    "TRACK": "swipe ;4539578763621486=27121011234567890?",
    "SAD": '{"cvv": "917"}',
    "SECRET": "key AK" + "IAQX2A3B4C5D6E7F2G",
    "EMAIL": "wrote someone@mail.example",
    "IBAN": "to DE89 3704 0044 0532 0130 00",
}
WRAPS: dict[str, Callable[[str], str | bytes]] = {
    "plain": lambda t: t,
    "bytes": lambda t: t.encode(),
    "json": lambda t: json.dumps({"messages": [{"role": "user", "content": t}]}).encode(),
    "json in json": lambda t: json.dumps({"body": json.dumps({"content": t})}).encode(),
    "percent": lambda t: "".join(f"%{b:02X}" for b in t.encode()),
    "entities": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "unicode escapes": lambda t: "".join(f"\\u{ord(c):04x}" for c in t),
    "hex": lambda t: t.encode().hex(),
    "base64": lambda t: base64.b64encode(t.encode()),
    "base64 twice": lambda t: base64.b64encode(base64.b64encode(t.encode())),
    "gzip": lambda t: gzip.compress(t.encode()),
    "base64 of gzip": lambda t: base64.b64encode(gzip.compress((t + " and some more words behind").encode())),
    "utf-16": lambda t: t.encode("utf-16"),
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("klass", CANARIES)
def test_a_canary_is_blocked_and_never_named(klass: str, wrap: str) -> None:
    with pytest.raises(LeakBlocked) as caught:
        FinalScanner().check(WRAPS[wrap](CANARIES[klass]), sink="model")
    assert klass in caught.value.classes
    assert caught.value.sink == "model"
    shown = f"{caught.value!r} {caught.value} {caught.value.args}"
    assert not any(part in shown for part in ("4539", "917", "QX2A3B", "someone", "0532"))
    assert caught.value.__cause__ is None


def _ordinary(rng: random.Random, redactor: Redactor) -> list[Callable[[], str]]:
    lines = list(Corpus(rng.randrange(1000)).lines(200))
    planted = [
        r.text for k in ("PAN", "SAD", "EMAIL") for r in redactor.redact_many([x for x, _ in Corpus(5).planted(k, 60)])
    ]
    sha = lambda: hashlib.sha256(rng.randbytes(8))  # noqa: E731
    return [
        lambda: rng.choice(lines),
        lambda: rng.choice(planted),
        lambda: f"PAN removed: <PAN_{rng.randrange(90)} visa 411111>, <SAD removed>, <EMAIL_{rng.randrange(9)}>",
        lambda: json.dumps(
            {
                "metric": {"issuer": "acme-bank"},
                "values": [[1795447297 + 15 * i, str(rng.random() * 900)] for i in range(20)],
            }
        ),
        lambda: json.dumps({"ns": [1_795_447_297_700_364_995 + rng.randrange(10**15) for _ in range(10)]}),
        lambda: sha().hexdigest(),
        lambda: f"sha256:{sha().hexdigest()} id {uuid.UUID(int=rng.getrandbits(128))}",
        lambda: (
            f"payops.example/log\n{rng.randrange(10**6)}\n{base64.b64encode(sha().digest()).decode()}\n\n"
            f"— payops.example/log {base64.b64encode(rng.randbytes(68)).decode()}\n"
        ),
        lambda: (
            f"approval rate {rng.random():.4%} over {rng.randrange(99999)} attempts since 2026-11-23T17:{rng.randrange(60):02d}:00Z; "  # noqa: E501
            f"p99 {rng.random() * 3:.3f}s; onset {rng.random() * 2e9:.3f}; impact {rng.randrange(10**7)} EUR"
        ),
        lambda: json.dumps(
            {
                "index": rng.randrange(10**6),
                "time_ns": rng.randrange(10**18, 2 * 10**18),
                "hash": sha().hexdigest(),
                "seed": rng.getrandbits(31),
            }
        ),
        lambda: "\n".join(f"{rng.random():.6f} {rng.randrange(10**4)}" for _ in range(20)),
    ]


def _blocked(count: int, redactor: Redactor) -> list[str]:
    rng = random.Random(21)
    makers, scanner, blocked = _ordinary(rng, redactor), FinalScanner(), []
    for number in range(count):
        text = makers[number % len(makers)]()
        try:
            scanner.check(text, sink="slack")
        except LeakBlocked as e:
            blocked.append(f"{e.classes} {text}")
    return blocked


def test_ordinary_notes_metrics_hashes_and_checkpoints_pass(redactor: Redactor) -> None:
    assert _blocked(2000, redactor) == []


@pytest.mark.slow
def test_a_hundred_thousand_ordinary_texts_pass(redactor: Redactor) -> None:
    assert _blocked(100_000, redactor) == []


@pytest.mark.parametrize(("klass", "make"), [("PAN", pan), ("EMAIL", email), ("IBAN", iban), ("SECRET", secret)])
def test_what_the_redactor_might_miss_the_scanner_finds(klass: str, make: Callable[[random.Random], str]) -> None:
    rng = random.Random(4)
    for _ in range(400):
        value = make(rng)
        if klass == "PAN" and len(value) == 12:
            continue  # twelve digits are too often a reference number to stop a note for
        with pytest.raises(LeakBlocked):
            FinalScanner().check(f"note about {value} here", sink="slack")


def test_an_error_and_a_timeout_block_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LeakBlocked) as late:
        FinalScanner(timeout_s=-1).check("fine", sink="log")
    assert late.value.classes == ("SCANNER_TIMEOUT",)
    with pytest.raises(LeakBlocked) as wrong:
        FinalScanner().check(4539578763621486, sink="log")  # type: ignore[arg-type]
    assert wrong.value.classes == ("SCANNER_ERROR",)
    with pytest.raises(LeakBlocked) as torn:
        FinalScanner().check(b"\x1f\x8btorn gzip", sink="log")
    assert torn.value.classes == ("SCANNER_ERROR",)


def test_a_class_may_be_left_out_and_an_unknown_one_is_refused() -> None:
    FinalScanner(classes=("PAN",)).check("auditor@mail.example", sink="web")
    with pytest.raises(ValueError, match="knows no class NAME"):
        FinalScanner(classes=("NAME",))


def test_it_shares_no_code_and_no_pattern_with_the_detectors() -> None:
    import ast
    from pathlib import Path

    import redaction.scanner as scanner

    folder = Path(scanner.__file__).parent
    parts = {"redaction", "redaction.scan_cards", "redaction.scan_decode", "redaction.scan_glance"}
    allowed = {
        "scanner": {"redaction.errors", "redaction.text", *parts},
        "scan_cards": set(),
        "scan_patterns": set(),
        "scan_decode": set(),
        "scan_glance": {"redaction.triggers"},  # how a database of patterns is made and kept; no pattern
    }
    for name, may in allowed.items():
        tree = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert {m for m in imported if m.startswith("redaction")} == may, name
    keeper = "compiled"  # makes the databases of both for an image
    for path in set(folder.glob("*.py")) - {folder / f"{n}.py" for n in ("__init__", keeper, *allowed)}:
        assert "scan_" not in path.read_text(encoding="utf-8"), f"{path.name} leans on the last look"


def test_nothing_of_redaction_opens_a_socket(monkeypatch: pytest.MonkeyPatch, redactor: Redactor) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    full = Redactor.full()
    for text in CANARIES.values():
        full.redact(text)
        redactor.redact(text)
