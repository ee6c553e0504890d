"""`payops lab`: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant.commands.lab import app
from evals.lab import servers, spec
from evals.world_format import check_world


def lab(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def test_list_shows_every_kind() -> None:
    done = lab("list")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(spec.shipped())
    assert {k["kind"] for k in json.loads(lab("list", "--json").stdout)} == set(spec.shipped())


def test_make_takes_a_fault_of_one_s_own_that_the_lab_never_saw(tmp_path: Path) -> None:
    text = (
        (spec.KINDS / "partner-rate-limit.toml")
        .read_text()
        .replace('kind = "partner-rate-limit"', 'kind = "quota-halved"')
    )
    (tmp_path / "mine.toml").write_text(text)
    done = lab(
        "make",
        "--fault",
        str(tmp_path / "mine.toml"),
        "--seed",
        "3",
        "--out",
        str(tmp_path / "w"),
        "--answers",
        str(tmp_path / "a"),
    )
    assert done.exit_code == 0, done.output
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path / "w"
    check_world(folder)
    answers = tomllib.loads((tmp_path / "a" / f"{folder.name}.toml").read_text())
    assert answers["kind"] == "quota-halved"
    assert "quota" not in folder.name


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("make", "nonsense", "--out", "w", "--answers", "a"), "no kind 'nonsense'"),
        (("make", "--out", "w", "--answers", "a"), "either KIND or --fault"),
        (("make", "healthy", "--fault", "x.toml", "--out", "w", "--answers", "a"), "either KIND or --fault"),
        (("make", "--fault", "x.toml", "--out", "w", "--answers", "a"), "cannot be read"),
        (("make", "healthy", "--out", "w", "--answers", "w"), "must lie apart"),
        (("make", "healthy", "--out", "w", "--answers", "w/answers"), "must lie apart"),
        (("make", "healthy", "--tier", "moon", "--out", "w", "--answers", "a"), "no label tier"),
        (("make", "healthy", "--naming", "moon", "--out", "w", "--answers", "a"), "no naming"),
        (("make", "healthy", "--topology", "moon", "--out", "w", "--answers", "a"), "no topology"),
        (("run", "mixed"), "one kind at a time"),
        (("run", "healthy", "--token-file", "absent"), "is no file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_2(
    args: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = lab(*args)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_without_the_servers_run_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert servers.missing_binaries() == servers.BINARIES
    done = lab("run", "healthy")
    assert done.exit_code == 2
    assert "apt-get install" in done.stderr
