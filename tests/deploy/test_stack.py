"""deploy/compose.yaml's configuration files on real servers: a payment fault becomes one note, from two replicas."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
import requests
import yaml

from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Event
from assistant.settings import load_settings
from tests.deploy.compose import DEPLOY
from tests.deploy.stack import Running, stack
from tests.doubles.postgres import WHY_NOT, binaries
from tests.live.stack import Serve, notes_of
from tests.sources.servers import needs

pytestmark = [
    pytest.mark.live,
    needs("prometheus", "promtool", "prometheus-alertmanager"),
    pytest.mark.skipif(binaries() is None, reason=WHY_NOT),
]


def sooner(lab: Path) -> None:
    """The shop's rules wait minutes before they fire; a test waits seconds. Nothing else of them changes."""
    rules = lab / "rules.json"
    text, count = re.subn(r'"for":"\d+s"', '"for":"15s"', re.sub(r'"for": "', '"for":"', rules.read_text()))
    assert count > 10
    rules.write_text(text)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_fault_in_the_lab_becomes_a_note(tmp_path: Path) -> None:
    with stack(tmp_path, sooner) as running:
        note = wait_for_note(running, "AcquirerTimeouts", within=600)
        # A busy machine may answer too late, and the note says so; what is set up wrong says something else.
        wrong = [g for g in note["gaps"] if " within " not in g["reason"]]
        assert not {g["source"] for g in wrong} & {"prometheus", "alertmanager", "changes"}, wrong
        assert {e["kind"] for e in note["evidence"]} >= {"metric", "alert"}
        assert note["runbooks"] and note["record"]
        assert lines_in_loki(running) > 100, "the lab's lines reached Loki"
        one_series_before_and_after(running)
        the_gate_leads_to_the_console(running)
        for serve in running.serves:
            assert serve.call("GET", "/readyz")[0] == 200
        scraped = query(running, 'count by (job) (up{job="payops"} == 1)')
        assert scraped == [{"job": "payops", "value": float(len(running.serves))}]
        assert query(running, "max(payops_replicas)")[0]["value"] == len(running.serves)
        for serve in running.serves:
            holds_the_requests(serve)
        assert [serve.stop() for serve in running.serves] == [0] * len(running.serves)
        one_ordered_log(running, tmp_path)


def wait_for_note(running: Running, alert: str, *, within: float) -> dict:
    """The newest revision with metrics of the incident that `alert` belongs to, from whichever replica wrote it."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        for i, _ in enumerate(running.serves):
            for revisions in notes_of(running.home / f"state-{i}").values():
                for note in reversed(revisions):
                    kinds = {e["kind"] for e in note["evidence"]}
                    if "metric" in kinds and alert in json.dumps(note["evidence"]):
                        return note
        time.sleep(1)
    fired = requests.get(f"{running.alertmanager}/api/v2/alerts", timeout=10).text
    raise AssertionError(f"no note; firing: {fired[:2000]}; serve: {running.serves[0].log.read_text()[-2000:]}")


def holds_the_requests(serve: Serve) -> None:
    """Memory as the kernel counts it, against deploy/kubernetes/base/deployment.yaml; printed with `pytest -s`."""
    status = Path(f"/proc/{serve.process.pid}/status").read_text()
    peak, now = (int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024 for name in ("VmHWM", "VmRSS"))
    ticks = Path(f"/proc/{serve.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    print(f"a replica: {now:.0f} MiB, peak {peak:.0f} MiB, {cpu:.0f} s of CPU")
    (deployment,) = yaml.safe_load_all((DEPLOY / "kubernetes" / "base" / "deployment.yaml").read_text())
    asked = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert now < int(asked["requests"]["memory"].removesuffix("Mi"))
    assert peak < int(asked["limits"]["memory"].removesuffix("Mi"))


def lines_in_loki(running: Running) -> float:
    """How many lines came, by a real Loki's own count where there is one."""
    if not running.loki:
        return sum(running.pushed)
    counted = requests.get(f"{running.loki}/metrics", timeout=120).text
    return sum(map(float, re.findall(r"^loki_distributor_lines_received_total\S* (\S+)$", counted, re.MULTILINE)))


def one_series_before_and_after(running: Running) -> None:
    """History and scrapes are the same series: else rates would end in one and begin in the other."""
    per = 'count by (instance, job) (last_over_time({job="payments", __name__=~".*_total"}[%s]))'
    before, now = (query(running, per % window) for window in ("90m", "45s"))
    assert [(r["instance"], r["job"]) for r in before] == [(r["instance"], r["job"]) for r in now]
    assert len(now) == 1


def the_gate_leads_to_the_console(running: Running) -> None:
    """Through haproxy one is "laptop", whatever one says; past it nobody."""
    forged = {"X-Payops-User": "mallory", "X-Payops-Groups": "laptop"}
    if running.gate:
        assert requests.get(f"{running.gate}/", headers=forged, timeout=20).status_code == 200
        assert "mallory" not in requests.get(f"{running.gate}/", headers=forged, timeout=20).text
    for serve in running.serves:
        assert serve.call("GET", "/readyz")[0] == 200
        assert requests.get(f"{serve.console}/readyz", timeout=20).status_code == 200
        assert requests.get(f"{serve.console}/", timeout=20).status_code in (401, 403, 421)


def query(running: Running, text: str) -> list[dict]:
    found = requests.get(f"{running.prometheus}/api/v1/query", params={"query": text}, timeout=10).json()
    return [{**r["metric"], "value": float(r["value"][1])} for r in found["data"]["result"]]


def one_ordered_log(running: Running, home: Path) -> None:
    """Both replicas wrote into one log in PostgreSQL, and it verifies."""
    settings = load_settings(home / "payops-0.toml", state=home / "state-0")
    log = open_configured(settings, last_look=lambda content: None, service="")
    try:
        assert log.verify().ok
        assert len([r for r in log.scan() if r.event is Event.LOG_OPEN]) >= len(running.serves)
    finally:
        log.close()
