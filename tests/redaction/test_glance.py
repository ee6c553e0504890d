"""The glance of the last look changes how long a look takes, never what is found.

The oracle is the plain slow path: every pattern on every layer, no database, digits grouped one by one.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator

import pytest

from evals.sets.redaction import number_kinds
from evals.sets.redaction_corpus import Corpus, email, iban, pan, secret
from evals.sets.redaction_forms import FORMS, MISSES
from redaction import FinalScanner, LeakBlocked, Redactor, scan_cards
from redaction.scan_glance import EVERYTHING, Glance

PAN = "4539578763621486"


def _verdict(scanner: FinalScanner, text: str | bytes) -> tuple[str, ...]:
    try:
        scanner.check(text, sink="test")
    except LeakBlocked as blocked:
        return blocked.classes
    return ()


def _plain_rows(text: str) -> Iterator[list[str]]:
    """Rows of digits read one group after the other, as the first scanner did."""
    row: list[tuple[int, int]] = []
    for group in scan_cards._DIGITS.finditer(text):
        start, end = group.span()
        if row and (start - row[-1][1] > 3 or any(c.isalnum() for c in text[row[-1][1] : start])):
            yield [text[a:b] for a, b in row]
            row = []
        row.append((start, end))
    yield [text[a:b] for a, b in row]


def _mutants(rng: random.Random, text: str, lines: list[str]) -> str:
    odd = "éſKıİ\u00a0\u2009→—٣५１\u200b\x1c\x85😀\ud800·"
    at = rng.randrange(len(text) + 1)
    change: list[Callable[[], str]] = [
        lambda: text[:at] + rng.choice(odd) + text[at:],
        lambda: text[:at] + rng.choice("0123456789=%&\\:.,;-_ \n\tDABF^\"'x") + text[at:],
        lambda: text[:at] + text[at + 1 :],
        lambda: json.dumps({"a": text}),
        lambda: base64.b64encode(text.encode("utf-8", "replace")).decode(),
        lambda: text + rng.choice(lines),
        text.swapcase,
    ]
    return rng.choice(change)()


def _texts(count: int, seed: int, redactor: Redactor) -> Iterator[str]:
    rng = random.Random(seed)
    lines = list(Corpus(7).lines(200))
    planted = [line for k in ("PAN", "SAD", "SECRET", "EMAIL", "IBAN") for line, _ in Corpus(8).planted(k, 60)]
    clean = [r.text for r in redactor.redact_many(planted)]
    forms, kinds = [*FORMS.values(), *MISSES.values()], list(number_kinds().values())
    makers: list[Callable[[], str]] = [
        lambda: rng.choice(forms)(rng.choice((PAN, pan(rng, length=16)))),
        lambda: rng.choice(forms)(PAN),
        lambda: rng.choice(planted),
        lambda: rng.choice(clean),
        lambda: f"{rng.choice(kinds)(rng)} {rng.choice(lines)}",
        lambda: rng.choice(lines) + rng.choice((secret, email, iban))(rng),
        lambda: "".join(rng.choice('0123456789 -.:=,4AFDx%\\u"') for _ in range(rng.randrange(60))),
    ]
    for _ in range(count):
        text = rng.choice(makers)()
        for _ in range(rng.randrange(4)):
            text = _mutants(rng, text, lines)
        yield text


def _compare(count: int, seed: int, redactor: Redactor) -> int:
    fast, slow = FinalScanner(glance=Glance(after=0)), FinalScanner(glance=Glance(after=None))
    found = 0
    for text in _texts(count, seed, redactor):
        verdict = _verdict(fast, text)
        assert verdict == _verdict(slow, text), repr(text)
        rows = [[m[0] for m in scan_cards._DIGITS.finditer(r[0])] for r in scan_cards._ROW.finditer(text)]
        assert rows == [row for row in _plain_rows(text) if sum(map(len, row)) >= 13], repr(text)
        found += bool(verdict)
    return found


def test_fast_and_slow_give_the_same_verdict(redactor: Redactor) -> None:
    pytest.importorskip("hyperscan")
    assert _compare(4000, 1, redactor) > 1000


@pytest.mark.slow
def test_fast_and_slow_give_the_same_verdict_a_hundred_thousand_times(redactor: Redactor) -> None:
    pytest.importorskip("hyperscan")
    assert _compare(100_000, 2, redactor) > 30_000


def test_an_ordinary_text_asks_for_nothing_and_a_hostile_one_for_what_it_holds() -> None:
    pytest.importorskip("hyperscan")
    glance = Glance(after=0)
    assert glance.possible("level=warn msg=declined rc=05 issuer=acme") == frozenset()
    assert "row" in glance.possible(f"card {PAN}") and "email" in glance.possible("to someone@mail.example")
    assert glance.possible("pa\u017f\u017fword: x") == EVERYTHING


def test_the_database_is_made_only_when_it_pays() -> None:
    pytest.importorskip("hyperscan")
    glance = Glance(after=100)
    assert glance.possible("short") == EVERYTHING and glance._database is None
    assert glance.possible("x" * 200) == frozenset() and glance._database is not None
    assert Glance(after=None).possible("x" * 10**6) == EVERYTHING


def test_every_name_of_the_glance_is_asked_for_somewhere() -> None:
    from pathlib import Path

    folder = Path(scan_cards.__file__).parent
    source = "".join((folder / f"{n}.py").read_text("utf-8") for n in ("scanner", "scan_cards", "scan_decode"))
    assert {name for name in EVERYTHING if f'"{name}" in possible' in source} == EVERYTHING
