"""A kept trigger database is the one that would be compiled, or it is not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from redaction import compiled
from redaction.triggers import Triggers

RULES = [(r"[0-9]{4}",), (r"(?i)pan=",), ()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("hyperscan")
    made = tmp_path / "kept"
    monkeypatch.setattr(compiled, "folder", lambda: made)
    return made


def _answers(rules: list[tuple[str, ...]] = RULES) -> list[list[int]]:
    made = Triggers(rules, engine="hyperscan")
    return [made.fired(text) for text in ("PAN=4111", "4111", "none", "")]


def test_the_second_start_loads_what_the_first_compiled(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _answers()
    [file] = place.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644
    import hyperscan

    monkeypatch.setattr(hyperscan, "Database", lambda **_: pytest.fail("compiled again"))
    assert _answers() == first == [[0, 1, 2], [0, 2], [2], [2]]


def test_other_patterns_or_another_engine_have_another_name(place: Path) -> None:
    _answers()
    _answers([(r"[0-9]{5}",), (r"(?i)pan=",), ()])
    assert len(list(place.iterdir())) == 2
    names = {compiled.name_of(["a"], flags=f, engine=e) for f in (1, 2) for e in ("1", "2")}
    assert len(names) == 4


def test_a_file_or_folder_that_others_can_write_is_not_read(place: Path) -> None:
    _answers()
    [file] = place.iterdir()
    assert compiled.kept(place, file.name)
    file.chmod(0o666)
    assert compiled.kept(place, file.name) is None
    file.chmod(0o644)
    place.chmod(0o777)
    assert compiled.kept(place, file.name) is None
    place.chmod(0o755)
    elsewhere = place.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert compiled.kept(place, file.name) is None


def test_bytes_that_are_no_database_are_compiled_over(place: Path) -> None:
    first = _answers()
    [file] = place.iterdir()
    for broken in (b"", b"not a database", file.read_bytes()[:200]):
        file.write_bytes(broken)
        assert _answers() == first
        assert len(file.read_bytes()) > 200


def test_only_the_newest_few_are_kept(place: Path) -> None:
    for n in range(1, 13):
        Triggers([(rf"[0-9]{{{n}}}",)], engine="hyperscan")
    assert len(list(place.iterdir())) == 8


def test_a_place_that_cannot_be_written_is_no_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write_text("a file where the folder should be")
    assert _answers() == [[0, 1, 2], [0, 2], [2], [2]]
    monkeypatch.setattr(compiled, "folder", lambda: None)
    assert _answers() == [[0, 1, 2], [0, 2], [2], [2]]
