"""What the redactor lets through, the last look does not stop: else a note is withheld, and nobody knows why.

One in ten of all numbers has a good check digit, so a range, a grouping or a pattern that only the last look knows
stops honest notes by chance. Checked as text and as JSON, because notes leave as JSON.
"""

# ruff: noqa: E501  tables of texts read best as they are
from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from evals.sets.redaction_corpus import Corpus
from redaction import FinalScanner, LeakBlocked, Redactor, scan_patterns
from redaction.brands import brand_of, table
from redaction.scan_cards import _ISSUED
from tests.redaction.agreement import FRAMES, honest, sample

WORLD = Path(__file__).resolve().parents[2] / "evals" / "worlds" / "first" / "logs.ndjson.gz"
PROSE = (
    "Rotate the credential. Then reset the password: see the vault page, section 4b.",
    "Bearer authentication failed twice; the bearer certificate-rotation-2026 job had not run.",
    "upstreams http://10.0.0.5:3100,http://10.0.0.6:3100 answered, then team@oncall was told",
    "SELECT id, scheme FROM payments WHERE updated_at > '2026-11-28 17:00:00' AND api_key_id = 4711",
    'kubelet: Failed to pull image "registry.local/pay/gateway@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "  at com.payments.auth.Client.call(Client.java:142) ~[auth-4.11.2.jar!/:4.11.2]\n  at java.base/java.lang.Thread.run(Thread.java:833)",
    'Traceback (most recent call last):\n  File "/app/pay/retry.py", line 88, in call\nTimeoutError: [Errno 110] after 5.003812312 s',
    "CVC check: 200 OK from the scheme; PIN pad 4 of 12 offline, pin = retry",
    "GET /v1/charges?limit=100&starting_after=ch_3NqDkE2eZvKYlo2C HTTP/2 200 1.2.3.4:443",
)


def _stopped(texts: Iterable[str], scanner: FinalScanner) -> list[str]:
    found = []
    for text in texts:
        for written in (text, json.dumps({"evidence": [{"text": text}]}, ensure_ascii=False)):
            try:
                scanner.check(written, sink="test")
            except LeakBlocked as blocked:
                found.append(f"{blocked.where} in {written!r}")
    return found


def test_every_number_that_the_last_look_takes_for_a_card_is_one_to_the_detectors() -> None:
    """Every range of either, its borders and its neighbours, at every length."""
    spans = [span.partition("-") for _, _, ranges in table() for span in ranges]
    edges = {
        int(side.ljust(6, fill)) for first, _, last in spans for side, fill in ((first, "0"), (last or first, "9"))
    }
    edges |= {edge for low, high, _ in _ISSUED for edge in (low, high)}
    for prefix in sorted({edge + step for edge in edges for step in (-1, 0, 1)} & set(range(1_000_000))):
        for length in range(13, 20):
            lengths = [n for low, high, allowed in _ISSUED if low <= prefix <= high for n in allowed]
            digits = f"{prefix:06d}".ljust(length, "0")
            assert (length in lengths) == bool(brand_of(digits)), (digits, lengths)


def test_honest_numbers_and_ids_pass_both(redactor: Redactor) -> None:
    rng = random.Random(71)
    lines = [f"{honest(rng)} {honest(rng)}" for _ in range(20_000)]
    assert _stopped((r.text for r in redactor.redact_many(lines)), FinalScanner()) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_million_honest_numbers_and_ids_pass_both(redactor: Redactor) -> None:
    rng, scanner = random.Random(72), FinalScanner()
    for _ in range(100):
        lines = [honest(rng) for _ in range(10_000)]
        assert _stopped((r.text for r in redactor.redact_many(lines)), scanner) == []


PATTERNS = {
    **scan_patterns._SECRETS,
    **scan_patterns._SAD,
    "email": scan_patterns._EMAIL,
    "track1": scan_patterns.TRACK1,
    "track2": scan_patterns.TRACK2,
}


@pytest.mark.parametrize("name", PATTERNS)
def test_what_a_pattern_of_the_last_look_matches_the_detectors_remove(name: str, redactor: Redactor) -> None:
    rng, scanner = random.Random(f"agree {name}"), FinalScanner()
    made = [sample(PATTERNS[name], rng) for _ in range(250)]
    assert sum(map(bool, made)) > 200
    texts = [rng.choice(FRAMES).format(text, text, text) for text in made if text]
    blocked = _stopped(texts, scanner)
    assert blocked or name == "track2", "the samples are not what the pattern looks for"
    assert _stopped((r.text for r in redactor.redact_many(texts)), scanner) == []


def test_lines_of_the_lab_and_of_payment_logs_pass_both(redactor: Redactor) -> None:
    with gzip.open(WORLD, "rt", encoding="utf-8") as file:
        lines = [json.loads(row)["line"] for _, row in zip(range(20_000), file, strict=False)]
    lines += [*Corpus(61).lines(2000), *Corpus(62, unseen=True).lines(2000), *PROSE]
    lines += [line for klass in ("PAN", "SAD", "SECRET", "EMAIL", "IBAN") for line, _ in Corpus(63).planted(klass, 400)]
    assert len(lines) > 10_000
    assert _stopped((r.text for r in redactor.redact_many(lines)), FinalScanner()) == []


def test_prose_that_only_sounds_like_a_secret_is_not_touched(redactor: Redactor) -> None:
    for text in (
        "Bearer authentication failed",
        "task_test_environment_name",
        "ASIAPACIFICSOUTHEAST",
        "risk_live_transactions",
    ):
        assert redactor.redact(text).text == text


def test_a_block_says_where_and_what_it_looks_like_and_never_the_value() -> None:
    note = json.dumps({"seconds": 0.5, "text": "card 4539 5787 6362 1486 of someone@mail.example declined"})
    with pytest.raises(LeakBlocked) as caught:
        FinalScanner().check(note, sink="notebook")
    pan, mail = caught.value.places
    assert (pan.klass, pan.pattern, pan.depth, pan.offset, pan.size) == (
        "PAN",
        "card",
        0,
        note.index("4539"),
        len(note),
    )
    assert pan.shape == ', "aaaa": "aaaa «19» aa aaaaaaa@aaaa'
    assert mail.klass == "EMAIL" and "«20»" in mail.shape
    for part in ("4539", "5787", "6362", "1486", "someone", "mail.", "example"):
        assert part not in caught.value.where


def test_the_shape_of_a_place_holds_no_letter_and_no_digit_of_the_text() -> None:
    rng = random.Random(5)
    for _ in range(300):
        text = f"{honest(rng)} 4539578763621486 {honest(rng)}"
        with pytest.raises(LeakBlocked) as caught:
            FinalScanner(classes=("PAN",)).check(text, sink="x")
        shape = caught.value.places[0].shape
        before, _, rest = shape.partition("«")
        after = rest.partition("»")[2]
        assert {c for c in before + after if c.isalnum()} <= {"a", "9"}


def test_a_line_end_in_json_joins_no_groups_that_the_text_keeps_apart() -> None:
    FinalScanner().check(json.dumps({"text": "451 1089\n1152 18"}), sink="x")


def test_the_bin_in_a_token_joins_no_number_beside_it() -> None:
    FinalScanner().check("<PAN_204 maestro 607345> 6433751211098", sink="x")
    with pytest.raises(LeakBlocked):
        FinalScanner().check("607345 6433751211098", sink="x")


def test_each_brand_has_ranges_that_the_last_look_knows() -> None:
    for brand, lengths, ranges in table():
        for span in ranges:
            for length in set(lengths) - {12}:
                assert any(
                    low <= int(span.partition("-")[0].ljust(6, "0")) <= high and length in allowed
                    for low, high, allowed in _ISSUED
                ), (brand, span, length)


def test_a_hex_id_behind_a_line_end_is_the_same_id_in_json(redactor: Redactor) -> None:
    for text in ("offset\n198350513850439e35025737", "at\n4308780467398c89", "x\t586086840889993f5849"):
        assert redactor.redact(text).text == text
        assert _stopped([text], FinalScanner()) == []


def test_a_card_between_two_letters_is_no_hex_id(redactor: Redactor) -> None:
    for text in ("a4539578763621486b", "db4116613523547d4", "ref=c4539578763621486d ok"):
        with pytest.raises(LeakBlocked):
            FinalScanner().check(text, sink="test")
        assert _stopped([redactor.redact(text).text], FinalScanner()) == []


def test_thirteen_digits_in_fours_are_a_card_with_any_gaps(redactor: Redactor) -> None:
    for text in ("5930+3524+9293-1", "4838 8192.9846 3"):
        assert "<PAN_" in redactor.redact(text).text
        assert _stopped([redactor.redact(text).text], FinalScanner()) == []


def test_a_digit_of_a_percent_escape_before_a_quoted_one_is_read_alike_by_both(redactor: Redactor) -> None:
    """`%26=38`: a mail reader sees `%268`, a browser `&=38`; the redactor looks at both."""
    for text in ("%8a814526%26=381762352e43", "%1204697196%81=30748284742346900_13831", "%45=339578763621486"):
        with pytest.raises(LeakBlocked):
            FinalScanner().check(text, sink="test")
        assert _stopped([redactor.redact(text).text], FinalScanner()) == []


@pytest.mark.parametrize(
    "text", ("n=35", "a=31&b=32", "k=3012345", "id=34539578763621486", "exit=35 signal=36", "x=20=3D")
)
def test_what_only_looks_quoted_printable_stays(text: str, redactor: Redactor) -> None:
    assert redactor.redact(text).text == text
