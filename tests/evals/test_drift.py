"""Drift rules are read by Prometheus's own tool and name only metrics that the assistant exports."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from assistant.telemetry.metrics import new_metrics
from evals.drift import accepted_mix, rules
from evals.reports import report_of
from tests.evals.test_gate import HEAD, case


def report() -> dict[str, object]:
    kept = {"redactions": 20, "retrieval": 0.8}
    cases = [
        case("a/1", seconds=2.0, struck=1, **kept),
        case("b/1", verdict="confirmed", seconds=4.0, right=False, **{**kept, "redactions": 10}),
    ]
    return report_of(cases, HEAD, None)


def test_the_mix_is_the_reports() -> None:
    mix = accepted_mix(report())
    assert mix == {
        "verdict_confirmed": 0.5,
        "verdict_inconclusive": 0.0,
        "struck_a_note": 0.5,
        "seconds_p95": 4.0,
        "wrong": 0.5,
        "redactions_a_note": 15.0,
        "retrieval_p50": 0.8,
    }


def test_a_report_from_before_a_figure_was_kept_has_rules_without_it() -> None:
    old = rules(report_of([case("a/1", seconds=2.0)], HEAD, None))
    assert "retrieval_p50" not in old
    assert "PayopsFeedbackDrift" in old


@pytest.mark.live
def test_promtool_reads_the_rules(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is absent; get it with: apt-get install prometheus")
    file = tmp_path / "rules.yml"
    file.write_text(rules(report()))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 rules found" in done.stdout


@pytest.mark.live
def test_drift_fires_where_a_day_has_left_the_report(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is absent; get it with: apt-get install prometheus")
    (tmp_path / "rules.yml").write_text(rules(report()))
    series = {
        'payops_verdicts_total{verdict="confirmed"}': "0+1x2000",
        'payops_redactions_total{klass="PAN"}': "0+15x600 9000+400x1400",
        'payops_feedback_total{judgement="wrong"}': "0+1x2000",
        'payops_retrieval_score_bucket{le="0.1"}': "0x600 0+1x1400",
        'payops_retrieval_score_bucket{le="1.0"}': "0+1x600 600+1x1400",
        'payops_retrieval_score_bucket{le="+Inf"}': "0+1x600 600+1x1400",
    }
    expected = {
        "PayopsVerdictsDrift": (500, True),
        "PayopsFeedbackDrift": (500, True),
        "PayopsRedactionsAboveAccepted": (500, False),
        "PayopsRetrievalBelowAccepted": (500, False),
        "PayopsStrikesDrift": (1900, False),
    }
    late = {"PayopsRedactionsAboveAccepted": 1990, "PayopsRetrievalBelowAccepted": 1990}
    checks = [(name, at, fires) for name, (at, fires) in expected.items()] + [(n, at, True) for n, at in late.items()]
    summaries = {
        r["alert"]: r["annotations"] for r in yaml.safe_load(rules(report()))["groups"][0]["rules"] if "alert" in r
    }
    labels = {"severity": "warning", "service": "payops"}
    tests = [
        {
            "eval_time": f"{at}m",
            "alertname": name,
            "exp_alerts": [{"exp_labels": labels, "exp_annotations": summaries[name]}] if fires else [],
        }
        for name, at, fires in checks
    ]
    document = {
        "rule_files": [str(tmp_path / "rules.yml")],
        "evaluation_interval": "5m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series.items()],
                "alert_rule_test": tests,
            }
        ],
    }
    (tmp_path / "units.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "units.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
