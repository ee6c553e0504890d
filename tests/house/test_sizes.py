"""Files stay small enough to read in one go; a larger one states its reason here."""

from __future__ import annotations

from tests.house.test_imports import ROOT, modules

LIMIT = 400
REASONS: dict[str, str] = {
    "assistant/settings.py": "the whole configuration in one place: a table a room, and the reader below them",
}


def test_files_are_small() -> None:
    large = {
        str(p.relative_to(ROOT)): n for p in modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > LIMIT
    }
    assert set(large) <= set(REASONS), {k: v for k, v in large.items() if k not in REASONS}


def test_reasons_are_still_needed() -> None:
    for name in REASONS:
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) > LIMIT, f"{name} is small now"
