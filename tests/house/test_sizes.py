"""Files stay small enough to read in one go."""

from __future__ import annotations

from tests.house.test_imports import ROOT, modules

LIMIT = 400


def test_files_are_small() -> None:
    sizes = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in modules()}
    assert {name: size for name, size in sizes.items() if size > LIMIT} == {}
