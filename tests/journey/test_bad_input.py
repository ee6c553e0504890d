"""Bad input: one clear line with the mend, and an exit code that is not 0 where nothing could be done; a note with gaps
where something could; never a stack trace, nothing lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.journey.planted import WORLD
from tests.journey.test_demo import payops


def copied(tmp_path: Path, *without: str) -> Path:
    world = tmp_path / "world"
    shutil.copytree(WORLD, world)
    for name in without:
        path = world / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return world


def one_line(done: object, code: int = 2) -> str:
    said = done.stderr.decode()  # type: ignore[attr-defined]
    lines = [x for x in said.splitlines() if not x.startswith("AUDIT ")]
    assert done.returncode == code, said  # type: ignore[attr-defined]
    assert "Traceback" not in said
    assert len([x for x in lines if x.startswith("payops:")]) == 1, said
    return next(x for x in lines if x.startswith("payops:"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"x"', "{}", '[{"labels": 3}]', '{"alerts": [{"labels": {}}]}', "\x00\xff"]
)
def test_malformed_alerts_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "alerts.json"
    file.write_bytes(text.encode("latin-1"))
    said = one_line(payops("triage", "--alerts", str(file), "--state", str(tmp_path / "s")))
    assert ";" in said, "the mend stands behind the mistake"


def test_a_missing_file_and_an_empty_world_are_refused(tmp_path: Path) -> None:
    assert "No such file" in one_line(
        payops("triage", "--alerts", str(tmp_path / "no"), "--state", str(tmp_path / "s"))
    )
    (tmp_path / "empty").mkdir()
    assert "world.toml" in one_line(
        payops("triage", "--world", str(tmp_path / "empty"), "--state", str(tmp_path / "s"))
    )
    one_line(payops("triage", "--state", str(tmp_path / "s")))


@pytest.mark.parametrize(
    ("without", "source"),
    [("metrics", "prometheus"), ("logs.ndjson.gz", "loki"), ("changes.json", "changes"), ("rules.json", "prometheus")],
)
def test_a_missing_source_is_a_gap_of_the_note(tmp_path: Path, without: str, source: str) -> None:
    done = payops("triage", "--world", str(copied(tmp_path, without)), "--state", str(tmp_path / "s"), "--json")
    assert done.returncode == 0, done.stderr.decode()
    note = json.loads(done.stdout)
    assert source in {g["source"] for g in note["gaps"]}
    assert note["title"] and note["summary"]


def test_only_alerts_are_enough_for_a_note(tmp_path: Path) -> None:
    world = copied(tmp_path, "metrics", "logs.ndjson.gz", "changes.json", "rules.json")
    done = payops("triage", "--world", str(world), "--state", str(tmp_path / "s"), "--json")
    assert done.returncode == 0, done.stderr.decode()
    note = json.loads(done.stdout)
    assert {g["source"] for g in note["gaps"]} >= {"prometheus", "loki", "changes"}
    assert all(h["class"] == "inconclusive" for h in note["hypotheses"])
    assert note["runbooks"], "the runbook is found by the alert's name alone"


def test_alerts_alone_with_no_server_are_enough_for_a_note(tmp_path: Path) -> None:
    done = payops("triage", "--alerts", str(WORLD / "alerts.json"), "--state", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr.decode()
    note = json.loads(done.stdout)
    assert {g["source"] for g in note["gaps"]} >= {"prometheus", "loki"}
    assert note["record"]


@pytest.mark.parametrize("answer", ["garbage", "dead"])
def test_a_model_that_gives_nothing_usable_costs_only_its_prose(tmp_path: Path, answer: str) -> None:
    from tests.fakes.garbage_model import garbage_model

    with garbage_model(dead=answer == "dead") as url:
        config = tmp_path / "payops.toml"
        config.write_text(f'[model]\nurl = "{url}"\nname = "any"\ntimeout_s = 3.0\n')
        done = payops(
            "triage", "--world", str(WORLD), "--config", str(config), "--state", str(tmp_path / "s"), "--json"
        )
    assert done.returncode == 4, done.stderr.decode()  # a note, and a status that says the model failed
    note = json.loads(done.stdout)
    assert note["model"] is None and note["without_model"]
    assert note["summary"] and note["hypotheses"]
