"""Record `evals/worlds/first` from a real Prometheus and Alertmanager.

    python -m evals.worlds.record_first --out DIR --answers FILE [--wait MINUTES]

Three hours of payment telemetry are simulated order by order, loaded into a real server with promtool, and the
onset is laid two minutes ahead of the wall clock: the server's own rules then go pending and fire in real time, its
Alertmanager answers, and samples, rules and alerts are all read back from the two servers. It takes about a quarter of
an hour, most of it waiting. The world is replayable at any date: everything is relative to `now` in world.toml.

The story: a change of the acquirer connector moves the BIN ranges of one issuer to another host link of one acquirer.
That issuer, over that acquirer, answers 91 and 96, slowly; retries follow. Another service is deployed after it, nearer
to the alert, and is innocent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evals.lab.plant import Planter
from evals.lab.servers import PrometheusConfig, Server, pair, raw_samples, require_binaries
from evals.world_format import WorldHead, dumps, head_text, refuse_used, toml_string, write_json, write_lines
from evals.worlds.first_logs import log_entries
from evals.worlds.first_orders import (
    ACQUIRERS,
    CODES,
    EDGES,
    GUILTY_ACQUIRER,
    GUILTY_ISSUER,
    HOURS,
    ISSUERS,
    SCHEMES,
    SERVICES,
    STEP,
    Attempts,
    Floats,
    impact,
    simulate,
)
from evals.worlds.first_series import Series, emit, openmetrics_lines, rule_groups

AHEAD = 120.0  # seconds of the onset ahead of the clock when everything is loaded


def read_back(server: Server, names: list[str], now: float, grid: Floats) -> Iterator[str]:
    """Rows of series.ndjson, from the raw samples that the server answers, on the scrapes' grid."""
    t0, n = round(float(grid[0]), 3), len(grid)
    for name in names:
        for series in raw_samples(server, name, now, HOURS * 3600 + 60):
            values: list[float | int | None] = [None] * n
            for t, text in series["values"]:
                v = float(text)
                values[round((float(t) - t0) / STEP)] = int(v) if v.is_integer() else v
            yield dumps({"labels": series["metric"], "t0": t0, "step": STEP, "v": values})


def wait_until(moment: float, say: Callable[[str], None]) -> None:
    while (left := moment - time.time()) > 0:
        say(f"{left / 60:.1f} minutes to wait")
        time.sleep(min(left, 60.0))


def record(out: Path, answers: Path, wait: float, seed: int) -> None:
    """Simulate, load, wait for the alert, read everything back, write the world and its answers."""
    require_binaries()
    refuse_used(out)
    rng = np.random.default_rng(seed)
    onset = np.ceil(time.time() + AHEAD)
    end = onset + wait * 60 + 30
    grid = np.round(np.arange(end - HOURS * 3600, end, STEP) + 0.417, 3)
    a = simulate(rng, float(grid[0]) - STEP, float(grid[-1]) + 1, onset)
    deploys = [
        (onset - 95 * 60, "ledger", "4.12.5", "4.13.0"),
        (onset - 41, "acquirer-connector", "2.30.1", "2.31.0"),
        (onset + 78, "webhook-dispatcher", "4.13.2", "4.13.3"),
    ]
    s = Series(grid)
    emit(rng, a, s, deploys)
    with tempfile.TemporaryDirectory() as tmp:
        history = Path(tmp) / "history.om"
        write_lines(history, openmetrics_lines(s))
        config = PrometheusConfig(rule_groups=rule_groups())
        with pair(Path(tmp), config, history=history) as (server, manager):
            wait_until(onset + wait * 60, print)
            now = round(time.time(), 3)
            alerts, rules = manager.get("/api/v2/alerts"), server.get("/api/v1/rules")
            kept = grid[grid <= now]
            names = sorted({labels["__name__"] for labels, _ in s.rows})
            rows = list(read_back(server, names, now, kept))
    if not alerts:
        raise SystemExit("no alert fired: nothing recorded")
    planter = Planter(rng)
    entries = log_entries(rng, planter, a, onset, now, [row[0] for row in ISSUERS], ACQUIRERS, SCHEMES, CODES, deploys)
    for rule in (r for g in rules["data"]["groups"] for r in g["rules"]):
        rule.pop("evaluationTime", None)
    for group in rules["data"]["groups"]:
        group["file"] = "rules.yml"
    for alert in alerts:
        alert["generatorURL"] = "http://prometheus.example/" + alert["generatorURL"].split("/", 3)[3]
    head = WorldHead(name="amber-0417", now=now, timezone="Europe/Lisbon", services=SERVICES, edges=EDGES)
    out.mkdir(parents=True, exist_ok=True)
    (out / "world.toml").write_text(head_text(head))
    write_json(out / "alerts.json", alerts)
    write_json(out / "rules.json", rules)
    write_lines(out / "metrics" / "series.ndjson.gz", rows)
    write_lines(out / "logs.ndjson.gz", (dumps(e) for e in entries))
    write_json(out / "changes.json", _changes(deploys, now))
    seen = a.t <= now
    a = Attempts(**{name: getattr(a, name)[seen] for name in Attempts.__slots__})
    planter.forget_unless_in("\n".join(str(e["line"]) for e in entries))
    write_answers(answers, a, onset, planter)


def _changes(deploys: list[tuple[float, str, str, str]], now: float) -> list[dict[str, Any]]:
    diffs = {
        "ledger": "- batch_size: 200\n+ batch_size: 250",
        "acquirer-connector": (
            "  routes:\n-   bins_453201_453219: {acquirer: vela, link: host-a}\n"
            "+   bins_453201_453219: {acquirer: vela, link: host-c}"
        ),
        "webhook-dispatcher": "- user_agent: dispatcher/4.13.2\n+ user_agent: dispatcher/4.13.3",
    }
    titles = {
        "ledger": "ledger 4.13.0: larger posting batches",
        "acquirer-connector": "acquirer-connector 2.31.0: host link table brought up to date",
        "webhook-dispatcher": "webhook-dispatcher 4.13.3: user agent string",
    }
    ids = ("c3f0a91", "7be2d04", "e81c55b")
    rows = [
        {"ts": round(at, 3), "kind": "deploy", "service": name, "id": ident, "title": titles[name], "diff": diffs[name]}
        for (at, name, _, _), ident in zip(deploys, ids, strict=True)
    ]
    flag = {
        "ts": round(now - 140 * 60, 3),
        "kind": "flag",
        "service": "risk-scoring",
        "id": "flag-2207",
        "title": "velocity window raised to 15 minutes",
    }
    return sorted([*rows, flag], key=lambda row: float(row["ts"]))


def write_answers(path: Path, a: Attempts, onset: float, planter: Planter) -> None:
    """The truth, in a folder that no code under test reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    i = impact(a, onset)
    lines = [
        "format = 1",
        'world = "amber-0417"',
        'verdict = "cause"',
        'entity = "acquirer-connector"',
        'entity_kind = "service"',
        f'issuer = "{ISSUERS[GUILTY_ISSUER][0]}"',
        f'acquirer = "{ACQUIRERS[GUILTY_ACQUIRER]}"',
        'kind = "error"',
        'change = "7be2d04"',
        'innocent_changes = ["e81c55b", "c3f0a91", "flag-2207"]',
        f"onset = {onset}",
        'runbook = "runbooks/payment-orchestrator/AuthorisationDeclineSpike.md"',
        "",
        "[impact]",
        *(f"{k} = {v}" for k, v in i.items() if isinstance(v, int)),
        "",
        "[impact.lost_amount_minor]",
        *(f"{k} = {v}" for k, v in i["lost_amount_minor"].items()),
    ]
    for p in planter.planted:
        lines += [
            "",
            "[[planted]]",
            f'class = "{p.kind}"',
            f'form = "{p.form}"',
            f"value = {toml_string(p.value)}",
            f"written = {toml_string(p.written)}",
        ]
    path.write_text("\n".join(lines) + "\n")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Record evals/worlds/first from real servers.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--wait", type=float, default=12.0, help="minutes from the onset to the recording")
    parser.add_argument("--seed", type=int, default=417)
    given = parser.parse_args(argv)
    record(given.out, given.answers, given.wait, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
