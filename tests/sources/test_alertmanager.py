"""Webhooks and API answers of a real Alertmanager, and everything that is not one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AlertError, SourceMalformed
from assistant.settings import Endpoint
from assistant.sources.alert_json import active_of, alerts_of, fingerprint, rules_of, with_active_at
from assistant.sources.alertmanager import MAX_BODY, Alertmanager, parse_alerts, parse_webhook
from assistant.sources.door import Door
from redaction import Redactor
from tests.sources.http_server import as_json, serving
from tests.sources.worlds import PAN

RECORDED = Path(__file__).parent / "recorded" / "prometheus"
NOW = 1_795_446_900.0


def webhooks() -> list[dict[str, Any]]:
    return [json.loads(line)["body"] for line in (RECORDED / "am_webhook_firing_and_resolved.jsonl").open()]


def door() -> Door:
    return Door("alertmanager", Redactor.default())


def document(name: str) -> Any:
    return json.loads((RECORDED / name).read_text())


def test_a_webhook_of_a_real_alertmanager() -> None:
    alerts, group = parse_webhook(json.dumps(webhooks()[0]).encode(), Redactor.default())
    (alert,) = alerts
    assert (alert.name, alert.severity, alert.status) == ("PaymentDeclineRateHigh", "critical", "firing")
    assert alert.fingerprint == "6b67d9dfe537f7b9"
    assert alert.ends_at is None and alert.runbook_url == "https://runbooks.example/payments/decline-rate"
    assert group.labels == {"acquirer": "acme", "alertname": "PaymentDeclineRateHigh"}
    assert (group.receiver, group.status, group.truncated) == ("hook", "firing", 0)


def test_seventeen_posts_for_one_alert_are_one_alert() -> None:
    parsed = [parse_webhook(json.dumps(body).encode(), Redactor.default())[0] for body in webhooks()]
    assert len(parsed) == 17
    assert len({(a.fingerprint, a.starts_at) for alerts in parsed for a in alerts}) == 1
    assert [a.status for alerts in parsed for a in alerts][-1] == "resolved"
    assert parsed[-1][0].ends_at is not None


def test_our_fingerprint_is_alertmanagers() -> None:
    (alert,) = document("am_v2_alerts.json")
    assert fingerprint(alert["labels"]) == alert["fingerprint"]


def test_api_rules_and_alerts_meet() -> None:
    alerts = alerts_of(document("am_v2_alerts.json"), door(), now=NOW)
    active = active_of(document("prom_rules.json"), door())
    (alert,) = with_active_at(alerts, active)
    assert alert.active_at is not None
    assert alert.starts_at - alert.active_at == pytest.approx(4, abs=0.01)  # the rule's `for`
    assert [r.duration for r in rules_of(document("prom_rules.json"), door())] == [4.0, 3600.0]


def test_nothing_raw_is_left_of_a_webhook() -> None:
    body = webhooks()[0]
    body["alerts"][0]["labels"]["card"] = PAN
    body["alerts"][0]["annotations"]["summary"] = f"card {PAN} of jane.doe@example.com"
    body["groupKey"] = f'{{}}:{{card="{PAN}"}}'
    body["groupLabels"] = {"card": PAN}
    parsed = parse_webhook(json.dumps(body).encode(), Redactor.default())
    assert PAN not in str(parsed) and "jane.doe" not in str(parsed)
    assert parsed[0][0].fingerprint != "6b67d9dfe537f7b9"


BAD = {
    "not JSON": b"{",
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "another version": b'{"version": "3"}',
    "no alerts": b'{"version": "4", "status": "firing"}',
    "alerts of numbers": b'{"version": "4", "status": "firing", "alerts": [1]}',
    "no status": b'{"version": "4", "status": "firing", "alerts": [{"labels": {}}]}',
    "no time": b'{"version": "4", "status": "firing", "alerts": [{"status": "firing", "labels": {}}]}',
    "a local time": b'{"version": "4", "status": "firing", "alerts": [{"status": "firing", "startsAt": "2026-01-01"}]}',
    "labels of lists": b'{"version": "4", "status": "firing", "alerts": [{"status": "firing", "labels": {"a": []}}]}',
    "an unknown status": b'{"version": "4", "status": "perhaps", "alerts": []}',
    "not UTF-8": b'{"version": "\xff\xfe"}',
    "too large": b" " * (MAX_BODY + 1),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_webhook_is_one_line_with_its_mend(what: str) -> None:
    with pytest.raises(AlertError) as caught:
        parse_webhook(BAD[what], Redactor.default())
    assert caught.value.mend and "\n" not in str(caught.value)


def test_an_error_never_quotes_the_payload() -> None:
    body = {"version": "4", "status": "firing", "alerts": [{"status": PAN, "labels": {PAN: 3}}]}
    with pytest.raises(AlertError) as caught:
        parse_webhook(json.dumps(body).encode(), Redactor.default())
    assert PAN not in str(caught.value)


def test_a_file_may_be_a_webhook_or_a_list() -> None:
    listed = parse_alerts((RECORDED / "am_v2_alerts.json").read_bytes(), Redactor.default(), now=NOW)
    posted = parse_alerts(json.dumps(webhooks()[0]).encode(), Redactor.default(), now=NOW)
    assert listed[0].fingerprint == posted[0].fingerprint
    with pytest.raises(AlertError, match="line 2"):
        parse_alerts(b"[\n{]", Redactor.default(), now=NOW)


def test_labels_without_number_or_end_are_refused() -> None:
    many = [{"labels": {f"l{i}": "x" for i in range(1000)}, "startsAt": "2026-11-23T15:14:31Z"}]
    with pytest.raises(SourceMalformed):
        alerts_of(many, door(), now=NOW)


def test_what_a_webhook_of_a_receiver_should_have_brought() -> None:
    (listed,) = document("am_v2_alerts.json")
    routed = {**listed, "receivers": [{"name": "payops"}], "endsAt": "2036-01-01T00:00:00Z"}
    del routed["fingerprint"]
    elsewhere = {**routed, "labels": {"alertname": "Other"}, "receivers": [{"name": "pager"}]}
    silenced = {**routed, "labels": {"alertname": "Quiet"}, "status": {"silencedBy": ["s"], "inhibitedBy": []}}
    over = {**routed, "labels": {"alertname": "Over"}, "endsAt": "2020-01-01T00:00:00Z"}
    with serving(lambda asked: as_json([routed, elsewhere, silenced, over])) as server:
        source = Alertmanager.from_settings(Endpoint(url=server.url), redactor=Redactor.default())
        ours, known = source.standing(now=NOW, receiver="payops")
        everything, _ = source.standing(now=NOW)
    assert [a.name for a in ours] == [listed["labels"]["alertname"]]
    assert len(known) == 3
    assert [a.name for a in everything] == [listed["labels"]["alertname"], "Other"]
