"""Card data in telemetry is a finding of its own: where, since when, how many lines, which class, no value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from redaction import CardholderFinding, Redactor

T0 = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def _seen(redactor: Redactor, lines: list[str]) -> list[tuple[datetime | None, object]]:
    return [(T0 + timedelta(minutes=n), redactor.redact(line)) for n, line in enumerate(lines)]


def test_classes_and_test_numbers_stand_apart(redactor: Redactor) -> None:
    lines = [
        "fine",
        "card 4539578763621486 and 5425233430109903",
        "cvv=917",
        "card 4111111111111111",
        "card 4539578763621486",
    ]
    found = redactor.findings("auth-gateway", _seen(redactor, lines))  # type: ignore[arg-type]
    assert found == (
        CardholderFinding("auth-gateway", "PAN", T0 + timedelta(minutes=1), 2, False),
        CardholderFinding("auth-gateway", "SAD", T0 + timedelta(minutes=2), 1, False),
        CardholderFinding("auth-gateway", "PAN", T0 + timedelta(minutes=3), 1, True),
    )
    said = "\n".join(map(str, found))
    assert "4539" not in said
    assert "cardholder data in logs of auth-gateway since 2026-11-23T17:01:00+00:00, 2 lines, class PAN" in said


def test_tokens_of_a_configured_range_are_no_pans(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[pan]\ntoken_ranges = ['453957']\ntest_pans = ['5425 2334 3010 9903']\n", encoding="utf-8")
    mine = Redactor.from_policy(file)
    found = mine.findings("x", _seen(mine, ["4539578763621486", "5425233430109903"]))  # type: ignore[arg-type]
    assert [(f.klass, f.test_pan) for f in found] == [("TOKEN", False), ("PAN", True)]


def test_nothing_found_is_no_finding(redactor: Redactor) -> None:
    assert redactor.findings("x", [(None, redactor.redact("fine a@b.example"))]) == ()
