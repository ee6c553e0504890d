"""Who sits here is what the operating system says, whatever the environment says."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from assistant.local_person import person

ROOT, SOMEBODY = pwd.getpwuid(0).pw_name, pwd.getpwuid(1).pw_name


@pytest.mark.parametrize("user", [0, 1])
def test_no_variable_is_believed(user: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "LOGNAME", "SUDO_USER", "PAYOPS_USER"):
        monkeypatch.setenv(name, "mallory")
    monkeypatch.setattr(os, "getuid", lambda: user)
    assert person(tmp_path / "none") == (ROOT, SOMEBODY)[user]


@pytest.mark.parametrize(
    ("user", "kept", "who"),
    [
        (0, "1", SOMEBODY),  # sudo
        (0, "4294967295", ROOT),  # a service: nobody logged in
        (0, "", ROOT),
        (1, "0", SOMEBODY),  # only root can be several people
    ],
)
def test_behind_sudo_it_is_who_logged_in(
    user: int, kept: str, who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loginuid").write_text(kept)
    monkeypatch.setattr(os, "getuid", lambda: user)
    assert person(tmp_path / "loginuid") == who


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert person(tmp_path / "none") == "uid-4000000"
