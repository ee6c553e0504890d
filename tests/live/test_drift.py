"""Drift of the assistant itself: what a running `payops serve` counts moves with what it meets, and the rules made from
an accepted report fire where a day's mix has left it, by Prometheus's own tool over what was scraped.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.drift import rules
from evals.head import FORMAT, Head
from evals.reports import report_of
from tests.evals.test_gate import case
from tests.live.past import loki_of
from tests.live.stack import TOKEN, Serve, payload, start_serve
from tests.live.test_end_to_end import eventually

PAN = "4111" + "1111" + "1111" + "1111"
NOTES = 3
_SAMPLE = re.compile(r"(payops_\w+(?:\{[^}]*\})?) ([0-9.e+-]+)")
WATCHED = re.compile(
    r"payops_(verdicts_total|redactions_total|claims_struck_total|retrieval_score_bucket|facts_seconds_bucket)\b"
)


def lines(service: str, now: float, text: str, count: int) -> list[dict[str, Any]]:
    labels = {"service": service, "level": "error"}
    return [{"ts": int((now - 20 - i) * 1e9), "labels": labels, "line": text.format(i=i)} for i in range(count)]


def scraped(serve: Serve) -> dict[str, float]:
    text = serve.call("GET", "/metrics")[1].decode()
    return {m[1]: float(m[2]) for m in map(_SAMPLE.fullmatch, text.splitlines()) if m and WATCHED.match(m[1])}


def looked(serve: Serve, service: str, *, name: str, summary: str, revision: int) -> dict[str, float]:
    """What the counters gained by incidents of one kind of day."""
    before = scraped(serve)
    for i in range(NOTES):
        one = payload(f"{service}{i}", at=time.time() - 60, group=f"{{{service}{i}}}", service=f"{service}-{i}")
        one["alerts"][0]["labels"]["alertname"] = name
        one["alerts"][0]["annotations"] = {"summary": summary}
        assert serve.post(one)[0] == 200
    eventually(lambda: notes(serve) >= revision, within=240, why=serve.log.read_text)
    return {k: v - before.get(k, 0.0) for k, v in scraped(serve).items()}


def notes(serve: Serve) -> float:
    return sum(v for k, v in scraped(serve).items() if k.startswith("payops_verdicts_total"))


def total(gained: Mapping[str, float], start: str) -> float:
    return sum(v for k, v in gained.items() if k.startswith(start))


@pytest.mark.live
def test_a_shifted_mix_moves_what_serve_counts_and_fires_the_rules(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is absent; get it with: apt-get install prometheus")
    now = time.time()
    entries = lines("calm", now, "level=error msg=refused n={i}", 5)
    (tmp_path / "token").write_text(TOKEN)
    with loki_of(entries) as loki:
        config = tmp_path / "payops.toml"
        config.write_text(
            f'[loki]\nurl = "{loki.url}"\n[web]\nwebhook_port = 0\nconsole_port = 0\n'
            f'webhook_token_file = "{tmp_path / "token"}"\n'
        )
        serve = start_serve(config, tmp_path / "state", tmp_path / "log")
        try:
            serve.wait_ready(within=180)
            calm = looked(serve, "calm", name="IssuerDeclineSpike", summary="an issuer declines", revision=NOTES)
            entries += lines("loud", now, f"level=error msg=refused card={PAN} n={{i}}", 200)  # somebody logs cards
            loud = looked(serve, "loud", name="Zq", summary="zq", revision=2 * NOTES)
        finally:
            assert serve.stop() == 0
    assert total(calm, "payops_verdicts_total") == NOTES == total(loud, "payops_verdicts_total")
    assert total(loud, "payops_redactions_total") > 20 * max(1.0, total(calm, "payops_redactions_total"))
    assert total(calm, "payops_facts_seconds_bucket") > 0
    well = 'payops_retrieval_score_bucket{le="0.9"}'
    assert calm[well] == 0 and loud[well] == NOTES
    fires = {"PayopsRedactionsAboveAccepted", "PayopsRetrievalBelowAccepted", "PayopsRetrievalDrift"}
    judged(tmp_path, calm, loud, fires)


def judged(home: Path, calm: Mapping[str, float], loud: Mapping[str, float], fires: set[str]) -> None:
    """Two days of one mix, the report's own, then a day of the other: `fires` and nothing else fires, on that day."""
    verdict = next(re.findall(r'verdict="(\w+)"', k)[0] for k in calm if "verdicts_total" in k and calm[k] == NOTES)
    mix = {"redactions": total(calm, "payops_redactions_total") / NOTES, "retrieval": 1.0, "verdict": verdict}
    accepted = report_of([case("a/1", seconds=30.0, **mix)], Head(FORMAT, "abc", "line"), None)
    (home / "rules.yml").write_text(rules(accepted))
    day, slots = 24 * 60, 24 * 60 // 20
    series = []
    for name in sorted({*calm, *loud}):
        a, b = calm.get(name, 0.0), loud.get(name, 0.0)
        until = a * 2 * slots
        series.append({"series": name, "values": f"0+{a}x{2 * slots} {until}+{b}x{slots}"})
    made = yaml.safe_load(rules(accepted))["groups"][0]["rules"]
    labels = {"severity": "warning", "service": "payops"}
    tests = [
        {
            "eval_time": f"{at}m",
            "alertname": r["alert"],
            "exp_alerts": [{"exp_labels": labels, "exp_annotations": r["annotations"]}][: late and r["alert"] in fires],
        }
        for r in made
        if "alert" in r
        for at, late in ((2 * day - 60, False), (3 * day - 60, True))
        if not (late and r["alert"] == "PayopsRedactionsDrift")  # compares with a week ago, which is not in this test
    ]
    units = {
        "rule_files": [str(home / "rules.yml")],
        "evaluation_interval": "5m",
        "tests": [{"interval": "20m", "input_series": series, "alert_rule_test": tests}],
    }
    (home / "units.yml").write_text(json.dumps(units))
    done = subprocess.run(
        ["promtool", "test", "rules", str(home / "units.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
