"""No line makes a rule slow: four times the length takes about four times the time, whatever the line."""

from __future__ import annotations

import time

import pytest

from evals.sets.redaction_worst import SIZE, lines
from redaction import FinalScanner, LeakBlocked, Redactor

_LINES = lines()
_SHARE = sorted(_LINES)[::7]  # a seventh each run of `make test`; all of them with the slow tests


def _seconds(redactor: Redactor, text: str) -> float:
    begun = time.process_time()
    redactor.redact(text)
    return time.process_time() - begun


def _ratio(redactor: Redactor, name: str) -> float:
    """Time for the line over time for a quarter of it; 0 where neither is worth measuring."""
    line = _LINES[name]
    quarter = min(_seconds(redactor, line[: SIZE // 4]) for _ in range(3))
    whole = min(_seconds(redactor, line) for _ in range(2))
    return 0.0 if whole < 0.02 else whole / max(quarter, 0.002)


def _check(redactor: Redactor, name: str) -> None:
    ratio = min(_ratio(redactor, name) for _ in range(2))
    assert ratio < 10, name  # linear is 4, quadratic 16


@pytest.mark.parametrize("name", _SHARE)
def test_a_worst_line_is_linear(name: str, redactor: Redactor) -> None:
    _check(redactor, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(_LINES))
def test_every_worst_line_is_linear(name: str, redactor: Redactor) -> None:
    _check(redactor, name)


@pytest.mark.parametrize("name", _SHARE[::3])
def test_the_scanner_finishes_too(name: str) -> None:
    try:
        FinalScanner(timeout_s=60).check(_LINES[name], sink="test")
    except LeakBlocked as e:
        assert "SCANNER_TIMEOUT" not in e.classes
