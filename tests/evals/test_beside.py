"""Two models over the same lab worlds: what each was asked, what was struck, who won."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.commands.evaluate import app
from assistant.errors import UsageError
from evals.attacks import models, server
from evals.head import FORMAT, Head
from evals.lab.make import make, write
from evals.lab.spec import load_kind
from evals.world_format import drop_topology


def config(home: Path, name: str, url: str) -> str:
    file = home / f"{name}.toml"
    file.write_text(f'[model]\nurl = "{url}"\nname = "{name}"\ntimeout_s = 120.0\n')
    return str(file)


def lie(messages: server.Messages) -> Mapping[str, Any]:
    """The liar with three ids a claim at most: more than 40 are refused before anything is struck."""
    said = models.liar(messages, seed=7)
    for part in ("summary", "cause", "next_steps"):
        for claim in said[part]:
            claim["evidence"] = claim["evidence"][:3]
    return said


def test_a_liar_beside_an_honest_model_loses_by_strikes(tmp_path: Path) -> None:
    liar = server.writing(lie)
    with server.serving(server.writing(models.honest)) as (a, asked_a), server.serving(liar) as (b, asked_b):
        arguments = ["--live", config(tmp_path, "honest", a), "--candidate", config(tmp_path, "liar", b)]
        more = ["--kinds", "bad-deploy", "--seeds", "1,2", "--jobs", "1", "--json"]
        answer = CliRunner().invoke(app, ["compare", *arguments, *more])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["worlds"] == 2 and asked_a.bodies and asked_b.bodies
    old, new = found["figures"]["struck_a_note"]
    assert new > old
    assert set(found["paired"]["struck"]["lost"]) == {"bad-deploy/1", "bad-deploy/2"}
    assert found["figures"]["tokens"][0] == 2 * 1020  # one answer a world; see the double
    assert found["releases"][0] != found["releases"][1]
    assert "/2, " in found["figures"]["cause@1"][0]


def test_a_world_without_topology_names_no_service_and_no_call(tmp_path: Path) -> None:
    world = write(make(load_kind("bad-deploy"), 1), tmp_path / "w", tmp_path / "a")
    before = (world / "world.toml").read_text()
    assert "[[services]]" in before and "[[edges]]" in before
    drop_topology(world)
    after = (world / "world.toml").read_text()
    assert "[[services]]" not in after and "[[edges]]" not in after and "caller" not in after
    assert next(line for line in before.splitlines() if line.startswith("now")) in after


def test_the_report_says_what_the_line_went_without(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    common = ["--kinds", "bad-deploy", "--seeds", "1", "--jobs", "1"]
    answer = CliRunner().invoke(app, ["run", "lab", *common, "--without", "topology", "--report", str(file)])
    assert answer.exit_code == 0, answer.output
    assert json.loads(file.read_text())["head"]["without"] == "topology"
    page = tmp_path / "r.html"
    assert CliRunner().invoke(app, ["report", str(file), "--html", str(page)]).exit_code == 0
    assert "line without topology" in page.read_text()


def test_what_cannot_be_left_out_is_refused() -> None:
    with pytest.raises(UsageError, match='no "logs"'):
        Head(FORMAT, "r", "line", without="logs")
