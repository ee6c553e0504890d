"""The live sources together: a real stack through the ports, with a recorder that fails on any request off the list."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from assistant.collect import collect
from assistant.core.incident import Incident, IncidentId
from assistant.core.time import Instant, Window
from assistant.errors import SourceRefused
from assistant.house import Sources
from assistant.settings import Changes, Endpoint, LokiEndpoint, Settings
from assistant.sources import reads
from assistant.sources.alertmanager import parse_webhook
from assistant.sources.live import Servers, live
from assistant.sources.promql_parse import metrics_of
from redaction import Redactor
from tests.sources.http_server import Answer, Asked, Server, as_json, serving
from tests.sources.servers import alertmanager, needs, prometheus
from tests.sources.test_doctor import payments
from tests.sources.test_loki import replaying
from tests.sources.worlds import PAN

REDACTOR = Redactor.default()
LISTS = {"prometheus": reads.PROMETHEUS, "alertmanager": reads.ALERTMANAGER, "loki": reads.LOKI}


@dataclass(frozen=True)
class Stack:
    settings: Settings
    recorders: dict[str, Server]
    alertmanager: str

    def off_the_list(self) -> list[str]:
        return [
            f"{name}: {a.method} {a.path} {sorted(a.query)}"
            for name, server in self.recorders.items()
            for a in server.asked
            if a.body or not any(r.permits(a.method, a.path, frozenset(a.query)) for r in LISTS[name])
        ]


def recording(behind: str) -> object:
    def respond(asked: Asked) -> Answer:
        got = requests.request(asked.method, behind + asked.path, params=asked.query, timeout=10)
        return Answer(got.status_code, got.content, got.headers.get("Content-Type", "text/plain"))

    return respond


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home: Path = tmp_path_factory.mktemp("stack")
    rule = {
        "alert": "Declines",
        "expr": 'sum(rate(payment_authorisations_total{response_code!="00"}[5m])) >= 0',
        "for": "0s",
    }
    (home / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": [rule]}]}))
    with alertmanager(home / "a") as a:
        config = {
            "rule_files": [str(home / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [a.removeprefix("http://")]}]}]},
        }
        with (
            prometheus(home / "p", "--rules.alert.resend-delay=1s", config=config, history=payments()) as p,
            serving(recording(p)) as to_p,  # type: ignore[arg-type]
            serving(recording(a)) as to_a,  # type: ignore[arg-type]
            serving(replaying()) as to_l,
        ):
            settings = Settings(
                prometheus=Endpoint(url=to_p.url),
                alertmanager=Endpoint(url=to_a.url),
                loki=LokiEndpoint(url=to_l.url),
                changes=Changes(loki=('{app="deployer"}',)),
            )
            yield Stack(settings, {"prometheus": to_p, "alertmanager": to_a, "loki": to_l}, a)


def fired(stack: Stack) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if requests.get(f"{stack.alertmanager}/api/v2/alerts", timeout=5).json():
            return
        time.sleep(0.2)
    raise TimeoutError("the alert did not fire")


@pytest.mark.live
@needs("prometheus", "promtool", "prometheus-alertmanager")
def test_a_whole_incident_is_collected_and_nothing_off_the_list_is_asked(stack: Stack) -> None:
    fired(stack)
    now = time.time()
    sources = Servers(stack.settings).incident(REDACTOR)
    parts = sources.parts(now=Instant(now))
    (alert,) = parts.alerts.alerts()
    assert alert.name == "Declines" and alert.active_at is not None and alert.active_at <= alert.starts_at
    incident = Incident(
        id=IncidentId("i"),
        alerts=(alert,),
        window=Window(Instant(now - 3600), Instant(now)),
        baseline=Window(Instant(now - 7200), Instant(now - 3600)),
        rules=parts.alerts.rules(),
    )
    ports = Sources(alerts=parts.alerts, metrics=parts.metrics, logs=parts.logs, changes=parts.changes)
    seen = collect(incident, ports, selects=metrics_of)
    assert "payment_authorisations_total" in {m.name for m in seen.catalogue}
    assert seen.metrics and seen.logs and seen.payments.metrics["attempts"].name == "payment_authorisations_total"
    assert [g for g in seen.gaps if g.source in LISTS] == []
    assert stack.off_the_list() == []
    assert all(server.asked for server in stack.recorders.values())


@pytest.mark.live
@needs("prometheus", "promtool", "prometheus-alertmanager")
def test_silences_and_inhibition_are_read(stack: Stack) -> None:
    fired(stack)
    silence = {
        "matchers": [{"name": "alertname", "value": "Declines", "isRegex": False, "isEqual": True}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2100-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": f"for {PAN}",
    }
    made = requests.post(f"{stack.alertmanager}/api/v2/silences", json=silence, timeout=5).json()["silenceID"]
    try:
        sources = Servers(stack.settings).incident(REDACTOR)
        assert sources.alertmanager is not None
        (found,) = sources.alertmanager.silences()
        assert found.matchers == ('alertname="Declines"',) and found.state == "active"
        assert PAN not in str(found)
        deadline = time.monotonic() + 30
        while not sources.alertmanager.alerts(now=time.time())[0].silenced:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        requests.delete(f"{stack.alertmanager}/api/v2/silence/{made}", timeout=5)


@pytest.mark.live
@needs("prometheus-alertmanager")
def test_a_real_alertmanagers_webhook_is_read_and_alone_suffices(tmp_path: Path) -> None:
    with serving(lambda asked: Answer(200, b"")) as hook, alertmanager(tmp_path, webhook=hook.url + "/hook") as url:
        labels = {"alertname": "Direct", "severity": "critical", "card": PAN}
        requests.post(f"{url}/api/v2/alerts", json=[{"labels": labels}], timeout=5).raise_for_status()
        deadline = time.monotonic() + 30
        while not hook.asked and time.monotonic() < deadline:
            time.sleep(0.1)
        (alert,), group = parse_webhook(hook.asked[0].body, REDACTOR)
    assert alert.name == "Direct" and group.receiver == "assistant" and PAN not in str((alert, group))


def test_what_is_not_configured_is_a_gap_and_no_error_of_ours() -> None:
    sources = Servers(Settings()).incident(REDACTOR)
    assert {g.source for g in sources.not_configured()} == {"prometheus", "alertmanager", "loki"}
    parts = live(Settings(), REDACTOR)
    window = Window(Instant(0.0), Instant(60.0))
    for ask in (
        parts.alerts.alerts,
        parts.alerts.rules,
        lambda: parts.metrics.catalogue(window),
        lambda: parts.logs.labels(window),
    ):
        with pytest.raises(SourceRefused):
            ask()
    assert parts.changes.changes(window) == ()


def test_alerts_without_rules_say_that_the_beginning_is_not_known() -> None:
    alert = {"labels": {"alertname": "X"}, "annotations": {}, "startsAt": "2026-11-23T15:14:31Z", "status": {}}
    with serving(lambda asked: as_json([alert]) if "v2" in asked.path else Answer(500, b"")) as server:
        settings = Settings(prometheus=Endpoint(url=server.url), alertmanager=Endpoint(url=server.url))
        parts = live(settings, REDACTOR)
        (found,) = parts.alerts.alerts()
        assert found.active_at is None
        assert "not known" in parts.alerts.notices()[0].reason


def test_without_an_alertmanager_prometheus_tells_what_fires() -> None:
    at = {"annotations": {}, "activeAt": "2026-11-23T15:14:27.29Z", "value": "1"}
    firing = {**at, "labels": {"alertname": "X"}, "state": "firing"}
    pending = {**at, "labels": {"alertname": "Y"}, "state": "pending"}
    document = {"status": "success", "data": {"alerts": [firing, pending]}}
    with serving(lambda asked: as_json(document)) as server:
        found = live(Settings(prometheus=Endpoint(url=server.url)), REDACTOR).alerts.alerts()
    assert [a.name for a in found] == ["X"] and found[0].active_at == found[0].starts_at


def test_incidents_share_connections_and_breakers_but_no_redactor_or_budget() -> None:
    servers = Servers(Settings(prometheus=Endpoint(url="http://127.0.0.1:1")))
    first, second = (servers.incident(REDACTOR.for_incident(name)) for name in "ab")
    assert first.prometheus is not None and second.prometheus is not None
    assert first.prometheus.session is second.prometheus.session
    assert first.prometheus is not second.prometheus
