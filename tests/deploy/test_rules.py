"""Rules about ourselves are read by Prometheus's own tool, and name only what `serve` exports."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from assistant.live import Live
from assistant.settings import Settings, Web
from tests.house.test_imports import ROOT

RULES = ROOT / "deploy" / "prometheus" / "payops.rules.yml"


@pytest.mark.live
def test_promtool_reads_the_rules() -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is absent; get it with: apt-get install prometheus")
    done = subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_serve_exports_every_metric_that_the_rules_name(tmp_path: Path) -> None:
    live = Live(Settings(state=tmp_path, web=Web(webhook_port=0, console_port=0)), notes=tmp_path / "notes")
    live.start()
    try:
        exported = live.metrics.render()[0].decode()
    finally:
        live.stop(drain_s=2)
    names = set(re.findall(r"^(?:# TYPE )?(payops_\w+)", exported, re.MULTILINE))
    used = set(re.findall(r"payops_\w+", RULES.read_text(encoding="utf-8"))) - {"payops_rules"}
    assert len(used) > 6
    assert not used - names
