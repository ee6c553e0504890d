"""The day in minutes, in short: what the bench counts adds up, through the whole service with a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.load import child


def test_an_hour_or_two_of_the_soak_adds_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "HOURS", 2)
    monkeypatch.setattr(child, "AN_HOUR", 1)
    monkeypatch.setattr(child, "REPEATS", 5)
    child.soak(tmp_path / "state")
    *hours, judged = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"')]
    assert [h["hour"] for h in hours] == [1, 2] and all(h["rss_mib"] > 0 for h in hours)
    assert judged["incidents"] == judged["wanted"] == 2
    assert judged["revisions"] == judged["files"] == judged["revisions_wanted"] == 6
    assert judged["verified"] and not judged["twice"] and judged["open"] == 0
