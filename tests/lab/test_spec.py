"""What is wrong in a fault file is refused with the file, the field and the mend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.errors import UsageError
from evals.lab import naming, shop, spec
from evals.lab.answers import runbook_path
from evals.lab.mechanisms import MECHANISMS
from evals.lab.rulebook import RULES

GOOD = """
format = 1
kind = "mine"
title = "Mine"
verdict = "cause"
alerts = ["AcquirerTimeouts"]
runbook = "AcquirerTimeouts"
[draw]
acquirer = "acquirer"
[entity]
kind = "acquirer"
name = "{acquirer}"
[[faults]]
mechanism = "drop"
component = "acquirer"
share = 0.5
scope = { acquirer = "{acquirer}" }
"""


def read(tmp_path: Path, text: str) -> spec.Kind:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return spec.read_kind(path)


def test_the_good_one_is_read_and_bound(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    drawn = shop.draw(rng)
    s = spec.bind(read(tmp_path, GOOD), drawn, rng)
    assert s.entity in drawn.acquirers
    assert s.faults[0].scope == {"acquirer": s.entity}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("format = 1", "format = 2", "reads format 1"),
        ("format = 1", "", "format is None"),
        ('"drop"', '"melt"', "unknown mechanism 'melt'"),
        ('component = "acquirer"', 'component = "moon"', "cannot act on 'moon'"),
        ("share = 0.5", "share = 1.5", "from 0 to 1"),
        ("share = 0.5", "share = -0.1", "from 0 to 1"),
        ("share = 0.5", "share = nan", "impossible"),
        ("share = 0.5", "share = true", "is no number"),
        ("share = 0.5", "", "needs 'share'"),
        ("share = 0.5", "share = 0.5\nmelt = 1", "takes no 'melt'"),
        ("share = 0.5", "share = 0.5\nramp = 99999", "from 0 to 3600"),
        ("share = 0.5", 'share = "much"', "is no number"),
        ("scope = { acquirer", "scope = { planet", "no scope 'planet'"),
        ('verdict = "cause"', 'verdict = "perhaps"', "verdict 'perhaps'"),
        ('alerts = ["AcquirerTimeouts"]', 'alerts = ["NoSuchAlert"]', "no alert 'NoSuchAlert'"),
        ('alerts = ["AcquirerTimeouts"]', "alerts = []", "no 'alerts'"),
        ("[entity]", "[entities]", "unknown field 'entities'"),
        ('kind = "mine"', 'kind = "../up"', "lower case"),
        ("[draw]", "[draw", "is not TOML"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as e:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert said in str(e.value)
    assert "mine.toml" in str(e.value)
    assert e.value.mend


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "{acquirer}"', 'name = "{issuer}"', "{issuer} is drawn nowhere"),
        ('acquirer = "acquirer"\n[entity]', 'acquirer = "galaxy"\n[entity]', "draw.acquirer = 'galaxy'"),
        ('acquirer = "acquirer"\n[entity]', 'acquirer = "acquirer"\nbin = "bin"\n[entity]', "draw.bin"),
        ("share = 0.5", 'share = "{acquirer}"', "is no number"),
    ],
)
def test_what_cannot_be_bound_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    rng = np.random.default_rng(1)
    assert old in GOOD
    kind = read(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as e:
        spec.bind(kind, shop.draw(rng), rng)
    assert said in str(e.value)


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        spec.read_kind(Path("nowhere.toml"))
    with pytest.raises(UsageError, match="no kind"):
        spec.load_kind("../spec")


def test_every_shipped_kind_is_sound_and_binds_in_every_topology() -> None:
    assert len(spec.shipped()) >= 35
    for name in spec.shipped():
        kind = spec.load_kind(name)
        assert kind.name == name
        for topology in shop.topologies():
            rng = np.random.default_rng(3)
            spec.bind(kind, shop.draw(rng, topology=topology), rng)


def test_every_verdict_and_every_mechanism_is_in_use() -> None:
    raws = [spec.load_kind(name).raw for name in spec.shipped()]
    assert {r["verdict"] for r in raws} == set(spec.VERDICTS)
    assert {f["mechanism"] for r in raws for f in r.get("faults", [])} == set(MECHANISMS)


def test_every_naming_names_every_metric_apart() -> None:
    assert len(naming.names()) >= 4
    for name in naming.names():
        n = naming.load(name)
        assert len(set(n.metrics.values())) == len(n.metrics)
        assert len(set(n.labels.values())) == len(n.labels), name


def test_almost_every_rule_has_a_kind_that_it_is_for() -> None:
    wanted = {a for name in spec.shipped() for a in spec.load_kind(name).raw["alerts"]}
    assert {r.alert for r in RULES} - wanted == set()


def test_every_alert_has_its_shipped_runbook() -> None:
    root = Path(__file__).parents[2]
    assert [r.alert for r in RULES if not (root / runbook_path(r.alert)).is_file()] == []
