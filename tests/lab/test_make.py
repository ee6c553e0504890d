"""A made world is what its answers say, the same each time, and under a neutral name."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import UsageError, WorldError
from evals.lab import make as lab
from evals.lab import spec
from evals.lab.authorise import C
from evals.lab.impact import impact
from evals.world_format import check_world
from tests.lab.worlds import world


def digest(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def outage() -> lab.World:
    return world("issuer-outage", 11, "metrics")


@pytest.fixture(scope="module")
def written(outage: lab.World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    base = tmp_path_factory.mktemp("lab")
    folder = lab.write(outage, base / "worlds", base / "answers")
    answers = next((base / "answers").glob("*.toml"))
    assert answers.stem == folder.name
    return folder, tomllib.loads(answers.read_text())


def test_the_same_seed_gives_the_same_bytes(written: tuple[Path, dict], tmp_path: Path) -> None:
    again = lab.make(spec.load_kind("issuer-outage"), 11, lab.Options(tier="metrics"))
    folder = lab.write(again, tmp_path / "w", tmp_path / "a")
    assert digest(folder) == digest(written[0])
    assert len(digest(folder)) == 6


def test_a_world_is_whole_and_small(written: tuple[Path, dict]) -> None:
    folder, _ = written
    head, series, logs = check_world(folder)
    assert head.name == folder.name
    assert series > 500
    assert logs > 5000
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 25_000_000


def test_nothing_in_the_world_tells_the_answer(written: tuple[Path, dict]) -> None:
    folder, answers = written
    text = folder.name + "".join(p.name for p in folder.rglob("*"))
    for p in folder.rglob("*"):
        if p.is_file():
            text += gzip.decompress(p.read_bytes()).decode() if p.suffix == ".gz" else p.read_text()
    for word in (
        answers["kind"],
        answers["title"],
        "guilty",
        "innocent",
        "confounder",
        "verdict",
        "planted",
        "mechanism",
    ):
        assert word not in text


def test_every_planted_value_is_in_the_logs_as_written(written: tuple[Path, dict]) -> None:
    folder, answers = written
    lines = [
        json.loads(x)["line"] for x in gzip.decompress((folder / "logs.ndjson.gz").read_bytes()).decode().splitlines()
    ]
    text = "\n".join(lines)
    missing = [p for p in answers["planted"] if p["written"] not in text]
    assert not missing
    assert {p["class"] for p in answers["planted"]} >= {"pan", "cvv", "name", "email", "bearer"}
    assert len({p["form"] for p in answers["planted"] if p["class"] == "pan"}) >= 8


def test_alerts_and_rules_agree(written: tuple[Path, dict]) -> None:
    folder, answers = written
    alerts = json.loads((folder / "alerts.json").read_text())
    groups = json.loads((folder / "rules.json").read_text())["data"]["groups"]
    firing = {
        (a["labels"]["alertname"], json.dumps(a["labels"], sort_keys=True))
        for g in groups
        for r in g["rules"]
        for a in r["alerts"]
        if a["state"] == "firing"
    }
    assert firing == {(a["labels"]["alertname"], json.dumps(a["labels"], sort_keys=True)) for a in alerts}
    assert {a["labels"]["alertname"] for a in alerts} == {*answers["alerts"], *answers["noise_alerts"]}
    assert set(answers["alerts"]) & set(spec.load_kind("issuer-outage").raw["alerts"])


def test_impact_is_the_sum_over_orders(outage: lab.World) -> None:
    t = outage.truth
    approved: set[int] = set()
    first_failed: dict[int, tuple[int, int]] = {}
    for i in range(len(t.attempts)):
        if t.attempts.t[i] > t.now or t.attempts.extra[i]:
            continue
        order = int(t.attempts.order[i])
        if t.outcome.code[i] == C["00"]:
            approved.add(order)
        elif t.attempts.wave[i] == 0 and t.outcome.fault[i] >= 0 and t.outcome.healthy[i] == C["00"]:
            first_failed[order] = (int(t.attempts.region[i]), int(t.attempts.amount[i]))
    lost = {o: v for o, v in first_failed.items() if o not in approved}
    got = impact(t.shop, t.attempts, t.outcome, t.now)
    assert got["first_attempts_failed"] == len(first_failed) > 100
    assert got["orders_lost"] == len(lost)
    assert got["approved_later"] == len(first_failed) - len(lost) > 0
    assert sum(got["lost_amount_minor"].values()) == sum(v for _, v in lost.values())  # type: ignore[attr-defined]
    assert len(got["lost_amount_minor"]) == 1  # type: ignore[arg-type]


def test_the_onset_is_before_now_and_after_an_hour_of_baseline(written: tuple[Path, dict], outage: lab.World) -> None:
    _, answers = written
    assert answers["onset"] < outage.truth.now
    assert answers["onset"] - outage.grid[0] > 3600


@pytest.mark.parametrize("tier", ["metrics", "nowhere", pytest.param("logs", marks=pytest.mark.slow)])
def test_label_tiers_hold_to_the_byte(tier: str, tmp_path: Path) -> None:
    made = world("issuer-outage", 11, tier)
    folder = lab.write(made, tmp_path / "w", tmp_path / "a")
    answers = tomllib.loads(next((tmp_path / "a").glob("*")).read_text())
    issuer = answers["entity"]
    series = gzip.decompress((folder / "metrics" / "series.ndjson.gz").read_bytes()).decode()
    logs = gzip.decompress((folder / "logs.ndjson.gz").read_bytes()).decode()
    rest = "".join((folder / n).read_text() for n in ("alerts.json", "rules.json", "changes.json", "world.toml"))
    assert (f'"{issuer}"' in series) == (tier == "metrics")
    assert (issuer in logs) == (tier != "nowhere")
    assert tier == "metrics" or issuer not in rest
    assert answers["hidden"] == (tier == "nowhere")
    assert answers["verdict"] == ("inconclusive" if tier == "nowhere" else "cause")
    assert tier != "nowhere" or (issuer not in answers["must_say"] and answers["accept"])
    bins = next(i for i in made.truth.shop.issuers if i.name == issuer).bins
    assert not any(f'"{b}"' in series for b in bins)


@pytest.mark.slow
def test_two_causes_are_both_in_the_answers(tmp_path: Path) -> None:
    made = world("two-at-once", 3)
    lab.write(made, tmp_path / "w", tmp_path / "a")
    answers = tomllib.loads(next((tmp_path / "a").glob("*")).read_text())
    assert answers["also"][0]["entity"] == made.truth.shop.service("webhooks")
    assert len(answers["effects"]) == 2


def test_a_missing_source_is_missing_from_the_onset() -> None:
    made = world("missing-logs", 3)
    t = made.truth
    name = t.shop.service("connector")
    times = [e["ts"] / 1e9 for e in made.entries if name in e["labels"].values()]
    assert max(times) <= t.onset + 1
    assert len(times) > 50


@pytest.mark.slow
def test_the_recovered_one_has_ended_and_its_alert_still_fires(tmp_path: Path) -> None:
    made = world("recovered", 2)
    lab.write(made, tmp_path / "w", tmp_path / "a")
    answers = tomllib.loads(next((tmp_path / "a").glob("*")).read_text())
    assert answers["verdict"] == "recovered"
    assert answers["onset"] < answers["ended"] < made.truth.now
    assert answers["alerts"]


def test_a_healthy_world_costs_nothing() -> None:
    t = world("healthy", 4).truth
    assert impact(t.shop, t.attempts, t.outcome, t.now)["orders_lost"] == 0
    assert (t.outcome.fault < 0).all()
    assert t.board.firing


@pytest.mark.slow
def test_a_false_alert_hurts_nobody_but_the_metric() -> None:
    t = world("metric-miscoded", 4).truth
    assert impact(t.shop, t.attempts, t.outcome, t.now)["orders_lost"] == 0
    assert (t.outcome.reported != t.outcome.code).any()


def test_a_fault_too_weak_for_any_alert_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "TRIES", 1)
    weak = spec.KINDS / "issuer-outage.toml"
    path = tmp_path / "weak.toml"
    path.write_text(weak.read_text().replace('share = "{strength}"', "share = 0.001"))
    with pytest.raises(UsageError, match="raise the fault's strength"):
        lab.make(spec.read_kind(path), 1)


def test_nothing_is_written_over(outage: lab.World, tmp_path: Path) -> None:
    lab.write(outage, tmp_path / "w", tmp_path / "a")
    with pytest.raises(WorldError, match="not empty"):
        lab.write(outage, tmp_path / "w", tmp_path / "a")


def test_values_are_written_as_the_rules_saw_them(written: tuple[Path, dict], outage: lab.World) -> None:
    rows = gzip.decompress((written[0] / "metrics" / "series.ndjson.gz").read_bytes()).decode().splitlines()
    for line, (labels, values) in zip(rows, outage.rows, strict=True):
        row = json.loads(line)
        assert row["labels"] == labels
        np.testing.assert_array_equal(np.array([np.nan if v is None else v for v in row["v"]]), values)


@pytest.mark.parametrize("kind", ["fx-stale", "batch-overrun", "secret-in-logs", "bin-declined", "connector-latency"])
def test_the_onset_lies_in_the_stretch_that_nothing_tells_apart(kind: str) -> None:
    truth = world(kind, 3).truth
    first, last = truth.span
    assert first <= truth.onset <= last
    hit = truth.attempts.t[truth.outcome.fault >= 0]
    if len(hit):
        assert last <= hit.min() + truth.outcome.total.max()
    if kind == "fx-stale":
        assert truth.onset - 400.0 < first < truth.onset
    if kind == "batch-overrun":
        assert last == truth.onset + 1800.0
