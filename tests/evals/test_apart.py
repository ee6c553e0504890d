"""Predictions never open an answer: they are made with the answers absent, and under an audit hook that would tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journey.planted import ROOT, WORLD

WATCHED = """
import sys
def hook(event, args):
    path = str(args[0]) if event == "open" else ""
    if ("answers" in path or "ground_truth" in path) and ".py" not in path:
        print("OPENED", args[0], file=sys.stderr)
sys.addaudithook(hook)
from assistant.cli import main
sys.exit(main(sys.argv[1:]))
"""
BENCH = ROOT.parent / "shared" / "data" / "benchmarks"


def predict(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WATCHED, "eval", "predict", *args, "--json"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=240)


def test_lab_predictions_need_no_answers(tmp_path: Path) -> None:
    (tmp_path / "worlds").mkdir()
    (tmp_path / "worlds" / "any-name").symlink_to(WORLD)
    done = predict("lab", "--data", str(tmp_path / "worlds"))
    assert done.returncode == 0, done.stderr
    (row,) = map(json.loads, done.stdout.splitlines())
    assert row["case"] == "any-name"
    assert row["answer"]["hypotheses"]
    assert "OPENED" not in done.stderr


@pytest.mark.parametrize(
    ("name", "folder", "cases"),
    [
        ("rootcause", "edgedelta-rootcausebench", 8),
        ("noise", "edgedelta-noisebench", 6),
        ("blastradius", "edgedelta-blastradiusbench", 6),
        ("petshop", "petshop", 16),
        ("rds", "opensre-synthetic", 15),
    ],
)
def test_public_predictions_need_no_answers(tmp_path: Path, name: str, folder: str, cases: int) -> None:
    if not (BENCH / folder).is_dir():
        pytest.skip(f"the public set {folder} is absent; put it beside the checkout in shared/data/benchmarks")
    copy = tmp_path / "held-back"
    copy.mkdir()
    for part in (BENCH / folder).iterdir():
        if "ground_truth" not in part.name:
            (copy / part.name).symlink_to(part)
    done = predict(name, "--data", str(copy))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == cases
    assert all(set(r) == {"case", "answer"} for r in rows)
    assert "OPENED" not in done.stderr
