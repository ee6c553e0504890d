"""Drift rules are read by Prometheus's own tool and name only metrics that the assistant exports."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from assistant.telemetry.metrics import new_metrics
from evals.drift import accepted_mix, rules
from evals.reports import report_of
from tests.evals.test_gate import HEAD, case


def report() -> dict[str, object]:
    return report_of([case("a/1", seconds=2.0, struck=1), case("b/1", verdict="confirmed", seconds=4.0)], HEAD, None)


def test_the_mix_is_the_reports() -> None:
    mix = accepted_mix(report())
    assert mix == {"verdict_confirmed": 0.5, "verdict_inconclusive": 0.0, "struck_a_note": 0.5, "seconds_p95": 4.0}


@pytest.mark.live
def test_promtool_reads_the_rules(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is absent; get it with: apt-get install prometheus")
    file = tmp_path / "rules.yml"
    file.write_text(rules(report()))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 rules found" in done.stdout


def test_every_metric_in_the_rules_is_exported() -> None:
    exported = {s.name for m in new_metrics().registry.collect() for s in m.samples} | {
        m.name for m in new_metrics().registry.collect()
    }
    used = {m for m in re.findall(r"payops_[a-z_]+", rules(report())) if not m.startswith("payops_accepted")}
    assert used
    missing = {
        u for u in used if u not in exported and u.removesuffix("_total").removesuffix("_bucket") not in exported
    }
    assert not missing
