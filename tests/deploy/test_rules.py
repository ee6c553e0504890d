"""Rules and dashboard about ourselves are read by Prometheus's own tools, and name only what `serve` exports."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistant.live import Live
from assistant.settings import ModelSettings, Settings, Web
from assistant.sources.promql_parse import metrics_of
from evals.drift import rules as drift_rules
from evals.reports import report_of
from tests.evals.test_gate import HEAD, case
from tests.house.test_imports import ROOT

RULES = ROOT / "deploy" / "prometheus" / "payops.rules.yml"
UNITS = ROOT / "tests" / "deploy" / "payops.rules.test.yml"
GRAFANA = ROOT / "deploy" / "grafana"


def promtool(*args: str) -> str:
    if not shutil.which("promtool"):
        pytest.skip("promtool is absent; get it with: apt-get install prometheus")
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The metrics of a `serve` with a login and a model configured: names as a server stores them."""
    state = tmp_path_factory.mktemp("state")
    web = Web(
        webhook_port=0,
        console_port=0,
        login="proxy",
        url="https://payops.example",
        proxy_user_header="Remote-User",
        proxy_addresses=("127.0.0.2",),
        roles={"auditor": ("audit",)},
    )
    model = ModelSettings(url="http://127.0.0.1:9/v1", name="none-such")
    live = Live(Settings(state=state, web=web, model=model), notes=state / "notes")
    live.start()
    try:
        text = live.metrics.render()[0].decode()
    finally:
        live.stop(drain_s=2)
    found = set()
    for name, kind in re.findall(r"^# TYPE (payops_\w+) (\w+)", text, re.MULTILINE):
        found |= {name} if kind != "histogram" else {name + s for s in ("_bucket", "_count", "_sum")}
    return found


def recorded() -> set[str]:
    """What rules of ours record: the accepted report's own mix."""
    report = report_of([case("a/1", seconds=2.0, struck=1, redactions=1, retrieval=0.5)], HEAD, None)
    groups = yaml.safe_load(drift_rules(report))["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def queries(document: Any) -> Iterator[str]:
    """Every query of a dashboard or rule file, with Grafana's variables as a server gets them."""
    if isinstance(document, dict):
        if isinstance(document.get("expr"), str):
            yield document["expr"].replace("$__rate_interval", "5m")
        for value in document.values():
            yield from queries(value)
    elif isinstance(document, list):
        for value in document:
            yield from queries(value)


def names(query: str) -> set[str]:
    """The metrics that a query reads. Raises SourceMalformed for one that is not PromQL."""
    return {select.metric for select in metrics_of(query)}


def dashboard() -> Any:
    return json.loads((GRAFANA / "payops.json").read_text(encoding="utf-8"))


@pytest.mark.live
def test_promtool_reads_the_rules() -> None:
    promtool("check", "rules", str(RULES))


@pytest.mark.live
def test_each_alert_fires_when_it_should(tmp_path: Path) -> None:
    units = tmp_path / "units.yml"
    units.write_text(UNITS.read_text(encoding="utf-8").replace("RULES", str(RULES)), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(units))


def test_each_alert_is_tried_both_ways() -> None:
    """An alert that is never seen to fire, or never seen to be quiet, is not tested."""
    alerts = {r["alert"] for g in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for r in g["rules"]}
    units = yaml.safe_load(UNITS.read_text(encoding="utf-8"))
    tried = [t for unit in units["tests"] for t in unit["alert_rule_test"]]
    assert {t["alertname"] for t in tried if t["exp_alerts"]} == alerts
    assert {t["alertname"] for t in tried if not t["exp_alerts"]} == alerts


@pytest.mark.parametrize("which", ["rules", "dashboard"])
def test_every_query_parses_and_every_metric_is_exported(which: str, exported: set[str]) -> None:
    document = yaml.safe_load(RULES.read_text(encoding="utf-8")) if which == "rules" else dashboard()
    asked = list(queries(document))
    used = {name for query in asked for name in names(query)}
    assert len(asked) > 15
    assert all(name.startswith("payops_") for name in used)
    missing = used - exported - (recorded() if which == "dashboard" else set())
    assert not missing


def test_the_dashboard_shows_what_the_system_page_does() -> None:
    """Sources, credentials, queue, model and budget, redaction, retrieval, feedback, strikes, drift, access."""
    used = {name for query in queries(dashboard()) for name in names(query)}
    assert used >= {
        "payops_source_up",
        "payops_credentials_writable",
        "payops_outbox_waiting",
        "payops_model_endpoints_resting",
        "payops_model_tokens_today",
        "payops_redactions_total",
        "payops_retrieval_score_bucket",
        "payops_feedback_total",
        "payops_claims_struck_total",
        "payops_facts_seconds_bucket",
        "payops_auth_denied_total",
        "payops_sessions_open",
        *recorded() - {"payops_accepted:struck_a_note", "payops_accepted:seconds_p95"},
    }


def test_the_dashboard_is_what_its_list_makes() -> None:
    spec = importlib.util.spec_from_file_location("make_dashboard", GRAFANA / "make_dashboard.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.text() == (GRAFANA / "payops.json").read_text(encoding="utf-8"), "run deploy/grafana/make_dashboard.py"


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    """The shape of a dashboard of schema 39: ids once, panels inside the grid and apart, every target complete."""
    found = dashboard()
    assert (found["uid"], found["schemaVersion"]) == ("payops", 39)
    panels = found["panels"]
    assert len({p["id"] for p in panels}) == len(panels) > 20
    taken: set[tuple[int, int]] = set()
    for p in panels:
        at = p["gridPos"]
        assert at["x"] + at["w"] <= 24 and at["w"] > 0 and at["h"] > 0
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, p["title"]
        taken |= cells
        assert p["type"] in {"row", "stat", "timeseries"}
        if p["type"] != "row":
            assert p["datasource"]["uid"] == "${datasource}" and p["targets"]
            refs = [t["refId"] for t in p["targets"]]
            assert len(set(refs)) == len(refs)
    assert [v["name"] for v in found["templating"]["list"]] == ["datasource"]
    assert "://" not in json.dumps(found)
