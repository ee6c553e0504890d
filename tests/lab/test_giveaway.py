"""Names, order, sizes and times of files tell a trivial guesser nothing."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from evals.lab import guesser, make, shop, spec
from evals.lab.batch import Order, make_all
from evals.lab.changes import draw_changes


def test_the_guesser_sees_what_is_there_to_see() -> None:
    """The guesser itself can win: otherwise its failure would say nothing."""
    rng = np.random.default_rng(1)
    truth = rng.choice(["a", "b"], 80)
    clues = [guesser.Clue((float(t == "a") + 0.1 * float(rng.random()), 1.0), str(t)) for t in truth]
    score, luck, p = guesser.against_chance(clues, shuffles=50)
    assert score > 0.9
    assert 0.3 < luck < 0.7
    assert p == 0.0


def drawn(name: str, seed: int) -> tuple[shop.Shop, spec.Scenario, tuple]:
    rng = np.random.default_rng([seed, len(name)])
    s = shop.draw(rng)
    scenario = spec.bind(spec.load_kind(name), s, rng)
    return s, scenario, draw_changes(rng, s, scenario, 1e6, (1e6 - make.BEFORE, 1e6 + make.AFTER))


def test_wording_and_identity_do_not_tell_the_guilty_change() -> None:
    """600 drawn change lists: what a guilty change is called and how long it is, innocent ones are too."""
    with_change = [n for n in spec.shipped() if "change" in spec.load_kind(n).raw]
    guilty, innocent = [], []
    for i in range(600):
        _, _, events = drawn(with_change[i % len(with_change)], i)
        for e in events:
            clue = guesser.Clue(
                (float(len(e.title)), float(len(e.diff)), float(len(e.id)), e.ts % 60, e.ts % 1),
                "guilty" if e.guilty else "innocent",
            )
            (guilty if e.guilty else innocent).append((e.title, clue))
    same = {t for t, _ in guilty} & {t for t, _ in innocent}
    assert len(same) > 0.8 * len({t for t, _ in guilty})
    deploys = [[c for _, c in side if c.features[2] == 7] for side in (guilty, innocent)]
    picked = [c for side in deploys for c in random.Random(1).sample(side, 200)]
    score, _, _ = guesser.against_chance(picked, shuffles=20)
    assert score < 0.65, score  # of two equally frequent answers; 400 clues put luck within 0.43..0.57


def test_blaming_the_latest_change_is_mostly_wrong() -> None:
    hits = 0
    for i in range(400):
        name = spec.shipped()[i % len(spec.shipped())]
        _, _, events = drawn(name, i)
        seen = [e for e in events if e.ts <= 1e6 + 600]
        hits += bool(seen and seen[-1].guilty)
    assert hits / 400 < 0.15


def test_the_shop_does_not_depend_on_the_kind() -> None:
    """The entity's place among the services is as likely to be any."""
    places = []
    for i in range(300):
        s, scenario, _ = drawn("vault-errors", i)
        places.append(list(s.services.values()).index(scenario.entity))
    counts = np.bincount(places, minlength=15)
    expected = 300 / 15
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    assert chi2 < 36.1  # 99.9 % of the chi-squared distribution with 14 degrees of freedom


@pytest.mark.slow
def test_files_of_whole_worlds_tell_nothing(tmp_path: Path) -> None:
    kinds = [spec.load_kind(n) for n in spec.shipped()]
    orders = [Order(kinds[i % len(kinds)], 500 + i // len(kinds), make.Options()) for i in range(2 * len(kinds))]
    folders = list(make_all(orders, tmp_path / "w", tmp_path / "a", jobs=2))
    pairs = [(f, tmp_path / "a" / f"{f.name}.toml") for f in folders]
    for ask in ("entity_kind", "verdict", "kind"):
        score, luck, p = guesser.against_chance([guesser.world_clue(*x, ask=ask) for x in pairs])
        assert p > 0.01, f"{ask}: {score:.3f} right, {luck:.3f} by luck"
    assert sum(guesser.blame_the_latest(*x) for x in pairs) / len(pairs) < 0.2
