"""The README says what is so: the command list, every configuration key, every path and command it names."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_type_hints

import pytest

from assistant.cli import COMMANDS, usage
from assistant.settings import Settings
from tests.house.test_imports import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_command_list_is_what_help_prints() -> None:
    assert usage() in README


@pytest.mark.parametrize("table", [f.name for f in fields(Settings) if f.name not in {"file", "state"}])
def test_every_key_of_the_configuration_is_named(table: str) -> None:
    kind = get_type_hints(Settings)[table]
    if kind is bool:
        assert f"`{table}`" in README
        return
    assert f"`[{table}]`" in README
    missing = [f.name for f in fields(kind) if f"`{f.name}`" not in README]
    assert not missing


def test_every_path_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests|evals|deploy|assistant|redaction|runbooks)/[\w./-]+)`", README))
    named |= set(re.findall(r"\]\((?!http)([\w./-]+)\)", README))
    named |= set(re.findall(r"pytest ((?:tests/[\w./]+\s?)+)", README)) and {
        p for group in re.findall(r"pytest ((?:tests/[\w./]+\s?)+)", README) for p in group.split()
    }
    assert len(named) > 10
    assert not [p for p in sorted(named) if not (ROOT / p).exists()]


def test_every_command_it_names_is_a_command() -> None:
    named = set(re.findall(r"payops ([a-z]+)\b", README)) - {"is", "toml"}
    assert named <= set(COMMANDS), named - set(COMMANDS)


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.search(r"\b(TODO|FIGURES|DECISIONS|NOTYET|USAGE|_SPEED|LIVE_[A-Z]+|SOURCES_[A-Z]+)\b", README)
