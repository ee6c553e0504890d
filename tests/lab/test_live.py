"""A real Prometheus over a world's samples computes what the lab computed: every rule's value, and the same alerts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evals.lab import make, promql, servers, spec
from evals.lab.alerts import applicable, rule_groups
from evals.lab.openmetrics import history_lines
from evals.lab.promql import Binary, Expr
from evals.lab.rulebook import RULES
from evals.world_format import dumps, write_lines

ABSENT = servers.missing_binaries()
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(bool(ABSENT), reason=f"absent: {', '.join(ABSENT)}; {servers.MEND}"),
]


def unfiltered(e: Expr) -> Expr:
    """The value that a rule compares, without the comparison: far more numbers to hold side by side."""
    if isinstance(e, Binary) and e.op == "and":
        return unfiltered(e.left)
    return e.left if isinstance(e, Binary) and e.op in {">", "<"} else e


def from_server(server: servers.Server, query: str, at: np.ndarray, every: float) -> dict[tuple, np.ndarray]:
    params = {"query": query, "start": f"{at[0]:.3f}", "end": f"{at[-1]:.3f}", "step": f"{every:g}"}
    out = {}
    for series in server.get("/api/v1/query_range", params)["data"]["result"]:
        values = np.full(len(at), np.nan)
        for ts, text in series["values"]:
            values[round((float(ts) - at[0]) / every)] = float(text)
        labels = tuple(sorted((k, v) for k, v in series["metric"].items() if k != "__name__"))
        if not np.isnan(values).all():
            out[labels] = values
    return out


@pytest.mark.parametrize(
    ("kind", "seed", "naming"),
    [
        ("issuer-outage", 3, "plain"),
        ("crash-loop", 4, "terse"),
        ("missing-metrics", 5, "split"),
        ("recovered", 6, "otel"),
    ],
)
def test_a_real_prometheus_computes_the_same(kind: str, seed: int, naming: str, tmp_path: Path) -> None:
    world = make.make(spec.load_kind(kind), seed, make.Options(naming=naming))
    shop, every = world.truth.shop, world.truth.shop.steps[1]
    at, samples = make.evaluation_times(world.grid, every, world.truth.now), make.samples_of(world)
    write_lines(tmp_path / "history.om", history_lines(world))
    compared, fired = 0, set()
    with servers.prometheus(tmp_path / "p", servers.PrometheusConfig(), history=tmp_path / "history.om") as server:
        for rule in (r for r in RULES if applicable(r, shop)):
            e = shop.naming.express(rule.expr)
            bare = unfiltered(e)
            mine = promql.evaluate(bare, samples, at)
            ours = {
                tuple(x for x in ls if x[0] != "__name__"): v
                for ls, v in zip(mine.labels, mine.values, strict=True)
                if not np.isnan(v).all()
            }
            theirs = from_server(server, promql.render(bare), at, every)
            assert set(theirs) == set(ours), rule.alert
            for labels, values in ours.items():
                np.testing.assert_allclose(
                    theirs[labels], values, rtol=1e-6, atol=1e-9, err_msg=f"{rule.alert} {labels}"
                )
                compared += 1
            fired |= firing_by_server(server, rule.alert, promql.render(e), rule.hold, at, every)
    lab = {
        (a.rule.alert, tuple(sorted((k, v) for k, v in a.labels.items() if k not in {"alertname", "severity", "team"})))
        for a in world.truth.board.firing
    }
    assert fired == lab
    assert compared > 60


def firing_by_server(server: servers.Server, alert: str, query: str, hold: int, at: np.ndarray, every: float) -> set:
    """Which label sets fire at the last evaluation, by the server's answers to the rule's own expression."""
    out = set()
    for labels, values in from_server(server, query, at, every).items():
        run = 0
        for v in values[::-1]:
            if np.isnan(v):
                break
            run += 1
        if run and (run - 1) * every >= hold:
            out.add((alert, labels))
    return out


def test_promtool_accepts_every_shop_s_rules(tmp_path: Path) -> None:
    import subprocess

    for naming in ("plain", "terse", "split", "otel"):
        world = make.make(spec.load_kind("healthy"), 1, make.Options(naming=naming, tier="metrics"))
        path = tmp_path / f"{naming}.json"
        path.write_text(dumps({"groups": rule_groups(world.truth.shop)}))
        done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(RULES)} rules found" in done.stdout
