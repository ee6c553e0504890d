"""A real Prometheus over a world's samples computes what the lab computed: every rule's value, and the same alerts."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from evals.lab import live, make, promql, servers, shop, spec
from evals.lab import naming as namings
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
        pytest.param("issuer-outage", 3, "plain", marks=pytest.mark.slow),
        pytest.param("crash-loop", 4, "terse", marks=pytest.mark.slow),
        pytest.param("missing-metrics", 5, "split", marks=pytest.mark.slow),
        ("batch-overrun", 6, "otel"),
    ],
)
def test_a_real_prometheus_computes_the_same(kind: str, seed: int, naming: str, tmp_path: Path) -> None:
    tier = "nowhere" if kind == "batch-overrun" else ""  # the smallest world for every day, larger ones for the night
    world = make.make(spec.load_kind(kind), seed, make.Options(naming=naming, tier=tier))
    where, every = world.truth.shop, world.truth.shop.steps[1]
    at, samples = make.evaluation_times(world.grid, every, world.truth.now), make.samples_of(world)
    write_lines(tmp_path / "history.om", history_lines(world))
    compared, fired = 0, set()
    with servers.prometheus(tmp_path / "p", servers.PrometheusConfig(), history=tmp_path / "history.om") as server:
        for rule in (r for r in RULES if applicable(r, where)):
            e = where.naming.express(rule.expr)
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
    assert compared > 40


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
    for naming in namings.names():
        drawn = shop.draw(np.random.default_rng(1), naming=naming, tier="metrics")
        path = tmp_path / f"{naming}.json"
        path.write_text(dumps({"groups": rule_groups(drawn)}))
        done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(RULES)} rules found" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)  # it lives through seven minutes of the wall clock
def test_a_kind_is_played_live_and_alertmanager_posts_with_the_token(tmp_path: Path) -> None:
    """Real scrapes, real rules, a real Alertmanager: the kind's alert reaches the webhook, with the bearer token."""
    token = tmp_path / "token"
    token.write_text("a-token-for-this-test")
    posts: list[tuple[str, dict]] = []
    with hook(posts) as url:
        play = live.Play(seed=1, lead=30, minutes=6, webhook=url, token_file=token, loki=url.rsplit("/", 2)[0])
        assert live.run(spec.load_kind("acquirer-timeouts"), play, tmp_path / "home", lambda text: None)
    alerts = [(auth, body) for auth, body in posts if "alerts" in body]
    assert {auth for auth, _ in alerts} == {"Bearer a-token-for-this-test"}
    assert {a["labels"]["alertname"] for _, body in alerts for a in body["alerts"]} & {
        "AcquirerTimeouts",
        "AcquirerDeclineSpike",
    }
    streams = [s for _, body in posts for s in body.get("streams", [])]
    assert len([v for s in streams for v in s["values"]]) > 500


@contextmanager
def hook(posts: list[tuple[str, dict]]) -> Iterator[str]:
    """An HTTP server that keeps what is posted to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posts.append((self.headers.get("Authorization", ""), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/webhook/alertmanager"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
