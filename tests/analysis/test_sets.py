"""The published sets: predictions without answers, and any folder of the same form under other names."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evals.registry import data_dir

SETS = {"rootcause": "scenarios", "noise": "scenarios", "blastradius": "scenarios", "rds": "cases", "petshop": ""}


def folder(name: str) -> Path:
    found = data_dir(name, None)
    if found is None:
        pytest.skip(f"the public part of {name} is not beside the checkout: put it under ../shared/data/benchmarks")
    return found


def answers(name: str, data: Path) -> dict[str, Any]:
    module = importlib.import_module(f"evals.sets.{name}")
    return {p["case"]: p["answer"] for p in module.predict(data)}


@pytest.mark.parametrize("name", sorted(SETS))
def test_figures_pass_floor_and_target_on_the_public_part(name: str) -> None:
    data = folder(name)
    module = importlib.import_module(f"evals.sets.{name}")
    found = module.score(list(module.predict(data)), data)
    assert set(found) == {"set", "cases", "figures", "floors", "targets", "failures"}
    assert found["figures"]["count"] == len(found["cases"]) > 0
    key = {"rootcause": "rate", "noise": "graded", "blastradius": "rate", "petshop": "top1", "rds": "passed"}[name]
    assert (
        found["figures"][key]
        >= {"rootcause": 0.62, "noise": 0.75, "blastradius": 0.45, "petshop": 0.75, "rds": 0.8}[name]
    )
    json.dumps(found, default=str)


@pytest.mark.parametrize("name", sorted(set(SETS) - {"petshop"}))
def test_cases_under_other_names_and_without_answers_give_the_same(name: str, tmp_path: Path) -> None:
    data, inner = folder(name), SETS[name]
    names = sorted(p.name for p in (data / inner).iterdir() if p.is_dir())
    for i, case in enumerate(names):
        shutil.copytree(data / inner / case, tmp_path / inner / f"case-{i:03d}")
    renamed, original = answers(name, tmp_path), answers(name, data)
    assert [renamed[f"case-{i:03d}"] for i in range(len(names))] == [original[case] for case in names]


def test_petshop_under_other_node_names_gives_the_same(tmp_path: Path) -> None:
    data = folder("petshop")
    original = answers("petshop", data)
    nodes = sorted({n for a in original.values() for n in a["ranked"]}, key=len, reverse=True)
    alias = {n: f"n{i:03d}" for i, n in enumerate(nodes)}
    for path in data.rglob("*"):
        if path.suffix in {".csv", ".json"} and path.name != "ground_truth.json":
            lines = path.read_text(encoding="utf-8").split("\n")
            if path.suffix == ".csv":
                lines = [",".join(alias.get(cell, cell) for cell in line.split(",")) for line in lines]
            else:
                value = json.loads("\n".join(lines))
                value["target"]["node"] = alias[value["target"]["node"]]
                lines = [json.dumps(value)]
            target = tmp_path / path.relative_to(data)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("\n".join(lines), encoding="utf-8")
    renamed = answers("petshop", tmp_path)
    for case, answer in original.items():
        assert renamed[case]["ranked"][:3] == [alias[n] for n in answer["ranked"][:3]]
